package eventfoldtest

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventfold/eventfold"
)

// A Scenario is what is told of a decision: given some events, when it is made, then others follow.
// Its methods fail the test where what they say is not so, and return the Scenario, so that one may
// stand behind the other. It belongs to the test's goroutine.
type Scenario struct {
	DB    *sql.DB // a store in memory, with the events that were given
	Clock *Clock  // the store's, at Noon; Advance it between one When and the next

	t     testing.TB
	whens int
	head  int64 // the next position before the last When
	err   error // of the last When
}

// Noon is what the Clock of a Scenario shows at first.
var Noon = time.Date(2026, time.January, 1, 12, 0, 0, 0, time.UTC)

// Given makes a store with events, each in a stream that the Draft names; there may be none.
func Given(t testing.TB, events ...eventfold.Draft) *Scenario {
	t.Helper()
	clock := NewClock(Noon)
	s := &Scenario{DB: OpenAt(t, clock), Clock: clock, t: t}
	return s.Given(events...)
}

// Given adds events that were there before the next When.
func (s *Scenario) Given(events ...eventfold.Draft) *Scenario {
	s.t.Helper()
	for i, e := range events {
		if _, err := eventfold.AppendEvents(s.context(), s.DB, e.Stream, eventfold.Any, e); err != nil {
			s.t.Fatalf("given event %d, %T: %v", i, e.Event, err)
		}
	}
	return s
}

// context returns a context whose ids nothing else has.
func (s *Scenario) context() context.Context {
	s.whens++
	return eventfold.WithRequest(s.t.Context(), fmt.Sprintf("%s/%d", s.t.Name(), s.whens))
}

// When makes a decision. Its error is for ThenError, or fails the other ones.
func (s *Scenario) When(decide func(ctx context.Context, db *sql.DB) error) *Scenario {
	s.t.Helper()
	query := `SELECT COALESCE(MAX(position), -1) + 1 FROM $all`
	if err := s.DB.QueryRowContext(s.t.Context(), query).Scan(&s.head); err != nil {
		s.t.Fatal(err)
	}
	s.err = decide(s.context(), s.DB)
	return s
}

// Then holds that the decision has appended exactly these events, in this order, each to the stream
// that the Draft names, with its tags and payload, and its metadata if the Draft has any.
func (s *Scenario) Then(events ...eventfold.Draft) *Scenario {
	s.t.Helper()
	if s.err != nil {
		s.t.Errorf("the decision has failed: %v", s.err)
		return s
	}
	s.same(events)
	return s
}

// ThenNothing holds that the decision has succeeded and has appended nothing.
func (s *Scenario) ThenNothing() *Scenario {
	s.t.Helper()
	return s.Then()
}

// ThenError holds that the decision has failed with an error that is target, and has appended
// nothing.
func (s *Scenario) ThenError(target error) *Scenario {
	s.t.Helper()
	if !errors.Is(s.err, target) {
		s.t.Errorf("the decision's error is %v, not %v", s.err, target)
	}
	s.same(nil)
	return s
}

// ThenConflict holds that the decision has met a conflict, and has appended nothing.
func (s *Scenario) ThenConflict() *Scenario {
	s.t.Helper()
	if !eventfold.IsConflict(s.err) {
		s.t.Errorf("the decision's error is no conflict: %v", s.err)
	}
	s.same(nil)
	return s
}

// same compares what was appended with what is wanted.
func (s *Scenario) same(events []eventfold.Draft) {
	s.t.Helper()
	appended := s.appended()
	var got, want []string
	for i, e := range appended {
		line := tell(e.Stream, e.Type, e.Payload, e.Tags)
		if i < len(events) && events[i].Metadata != nil {
			line += " metadata " + compact(e.Metadata)
		}
		got = append(got, line)
	}
	for i, d := range events {
		e, err := eventfold.DefaultRegistry.Encode(d)
		if err != nil {
			s.t.Fatalf("then event %d: %v", i, err)
		}
		line := tell(d.Stream, e.Type, e.Payload, e.Tags)
		if d.Metadata != nil {
			line += " metadata " + compact(e.Metadata)
		}
		want = append(want, line)
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("the decision has appended\n%swant\n%s", lines(got), lines(want))
	}
}

// appended returns the events behind the last When.
func (s *Scenario) appended() (events []eventfold.Event) {
	s.t.Helper()
	rows, err := s.DB.QueryContext(s.t.Context(), `SELECT event FROM $all WHERE position >= ?`, s.head)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var e eventfold.Event
		if err := rows.Scan(&e); err != nil {
			s.t.Fatal(err)
		}
		events = append(events, e)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return events
}

// tell tells of an event in a line.
func tell(stream, typ string, payload []byte, tags []string) string {
	tags = slices.Sorted(slices.Values(tags))
	return fmt.Sprintf("%s: %s %s %q", stream, typ, compact(payload), tags)
}

// compact is JSON without spaces and with its names in order, or the bytes where they are none.
func compact(text []byte) string {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return string(text)
	}
	again, err := json.Marshal(v)
	if err != nil {
		return string(text)
	}
	return string(again)
}

func lines(list []string) string {
	if len(list) == 0 {
		return "\tnothing\n"
	}
	return "\t" + strings.Join(list, "\n\t") + "\n"
}
