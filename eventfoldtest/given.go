package eventfoldtest

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold"
)

// A Scenario is what is told of a decision: given some events, when it is made, then others follow.
// Its methods fail the test where what they say is not so, and return the Scenario, so that one may
// stand behind the other. The error of a When that no Then asks for fails the test, too. It belongs
// to the test's goroutine.
type Scenario struct {
	DB    *sql.DB // a store in memory, with the events that were given
	Clock *Clock  // the store's, at Noon; Advance it between one When and the next

	t        testing.TB
	registry *eventfold.Registry
	calls    int   // of Given and When
	made     bool  // there was a When
	from, to int64 // the next positions before and behind the last When
	err      error // of the last When
	untold   bool  // nothing was said of err
}

// Noon is what the Clock of a Scenario shows at first.
var Noon = time.Date(2026, time.January, 1, 12, 0, 0, 0, time.UTC)

// Given makes a store with events, each in a stream that the Draft names; there may be none. Their
// types are those of eventfold.DefaultRegistry.
func Given(t testing.TB, events ...eventfold.Draft) *Scenario {
	t.Helper()
	return GivenBy(t, eventfold.DefaultRegistry, events...)
}

// GivenBy is Given with another registry, for Then as well.
func GivenBy(t testing.TB, r *eventfold.Registry, events ...eventfold.Draft) *Scenario {
	t.Helper()
	clock := NewClock(Noon)
	s := &Scenario{DB: OpenAt(t, clock), Clock: clock, t: t, registry: r}
	t.Cleanup(s.noError)
	return s.Given(events...)
}

// Given adds events that were there before the next When.
func (s *Scenario) Given(events ...eventfold.Draft) *Scenario {
	s.t.Helper()
	for i, e := range events {
		if _, err := s.registry.AppendEvents(s.context(), s.DB, e.Stream, eventfold.Any, e); err != nil {
			s.t.Fatalf("given event %d, %T: %v", i, e.Event, err)
		}
	}
	return s
}

// context returns a context whose ids nothing else has.
func (s *Scenario) context() context.Context {
	s.calls++
	return eventfold.WithRequest(s.t.Context(), fmt.Sprintf("%s/%d", s.t.Name(), s.calls))
}

// When makes a decision. Its error is for ThenError, or fails the other ones; so it does another When
// that stands behind it, and the end of the test.
func (s *Scenario) When(decide func(ctx context.Context, db *sql.DB) error) *Scenario {
	s.t.Helper()
	s.noError()
	s.from = s.head()
	s.err = decide(s.context(), s.DB)
	s.made, s.untold = true, true
	s.to = s.head()
	return s
}

// noError fails the test if the last When has failed and nothing was said of it.
func (s *Scenario) noError() {
	s.t.Helper()
	if s.untold && s.err != nil {
		s.t.Errorf("the decision has failed, and nothing asks for its error: %v", s.err)
	}
	s.untold = false
}

// head returns the next position.
func (s *Scenario) head() (next int64) {
	s.t.Helper()
	query := `SELECT COALESCE(MAX(position), -1) + 1 FROM $all`
	if err := s.DB.QueryRowContext(s.t.Context(), query).Scan(&next); err != nil {
		s.t.Fatal(err)
	}
	return next
}

// told notes that a Then asks for the last decision, and reports whether there was one.
func (s *Scenario) told() bool {
	s.t.Helper()
	s.untold = false
	if !s.made {
		s.t.Errorf("there was no When, and so no decision")
	}
	return s.made
}

// Then holds that the decision has appended exactly these events, in this order, each to the stream
// that the Draft names, with its tags and payload, and its metadata and its id if the Draft has them.
func (s *Scenario) Then(events ...eventfold.Draft) *Scenario {
	s.t.Helper()
	switch {
	case !s.told():
	case s.err != nil:
		s.t.Errorf("the decision has failed: %v", s.err)
	default:
		s.same(events)
	}
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
	if !s.told() {
		return s
	}
	if !errors.Is(s.err, target) {
		s.t.Errorf("the decision's error is %v, not %v", s.err, target)
	}
	s.same(nil)
	return s
}

// ThenConflict holds that the decision has met a conflict, and has appended nothing.
func (s *Scenario) ThenConflict() *Scenario {
	s.t.Helper()
	if !s.told() {
		return s
	}
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
		of := eventfold.Draft{}
		if i < len(events) {
			of = events[i]
		}
		got = append(got, tell(of, e))
	}
	for i, d := range events {
		e, err := s.registry.Encode(d)
		if err != nil {
			s.t.Fatalf("then event %d: %v", i, err)
		}
		want = append(want, tell(d, e.Unplaced(d.Stream)))
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("the decision has appended\n%swant\n%s", lines(got), lines(want))
	}
}

// appended returns the events of the last When.
func (s *Scenario) appended() (events []eventfold.Event) {
	s.t.Helper()
	query := `SELECT event FROM $all WHERE position >= ? AND position < ?`
	rows, err := s.DB.QueryContext(s.t.Context(), query, s.from, s.to)
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

// tell tells of an event in a line, with what a draft asks for.
func tell(asked eventfold.Draft, e eventfold.Event) string {
	tags := slices.Sorted(slices.Values(e.Tags))
	line := fmt.Sprintf("%s: %s %s %q", e.Stream, e.Type, compact(e.Payload), tags)
	if asked.Metadata != nil {
		line += " metadata " + compact(e.Metadata)
	}
	if asked.ID != uuid.Nil {
		line += " id " + e.ID.String()
	}
	return line
}

// compact is JSON without spaces and with its names in order; or the bytes where they are no JSON, or
// where something would be lost: what stands behind the first value, a name that comes twice, what
// is no UTF-8.
func compact(text []byte) string {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return string(text)
	}
	again, err := json.Marshal(v)
	replaced := []byte(string(utf8.RuneError))
	lost := bytes.Contains(again, replaced) && !bytes.Contains(text, replaced)
	if err != nil || lost || tokens(again) != tokens(text) {
		return string(text)
	}
	return string(again)
}

// tokens counts the tokens of JSON.
func tokens(text []byte) (n int) {
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			return -1
		}
		n++
	}
}

func lines(list []string) string {
	if len(list) == 0 {
		return "\tnothing\n"
	}
	return "\t" + strings.Join(list, "\n\t") + "\n"
}
