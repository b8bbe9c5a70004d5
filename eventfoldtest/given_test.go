package eventfoldtest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/eventfoldtest"
)

type Opened struct{ Owner string }
type Withdrawn struct{ Amount int }

var errClosed = errors.New("there is no such account")

// withdraw is a decision of a program.
func withdraw(ctx context.Context, db *sql.DB, account string, amount int) error {
	return eventfold.Retry(ctx, func(ctx context.Context) error {
		events, version, err := eventfold.Load(ctx, db, account,
			func(n int, _ eventfold.Event) (int, error) { return n + 1, nil })
		switch {
		case err != nil:
			return err
		case events == 0:
			return errClosed
		case amount == 0:
			return nil
		}
		_, err = eventfold.AppendEvents(ctx, db, account, eventfold.Exact(version), eventfold.Draft{
			Event: Withdrawn{amount}, Tags: []string{"large"}, Metadata: map[string]string{"by": "test"}})
		return err
	})
}

func taking(account string, amount int) func(ctx context.Context, db *sql.DB) error {
	return func(ctx context.Context, db *sql.DB) error { return withdraw(ctx, db, account, amount) }
}

func TestADecisionIsToldAsGivenWhenThen(t *testing.T) {
	opened := eventfold.Draft{Stream: "account-7", Event: Opened{"Ada"}}
	withdrawn := eventfold.Draft{Stream: "account-7", Event: Withdrawn{40}, Tags: []string{"large"}}
	named := withdrawn
	named.Metadata = map[string]string{"by": "test"}

	s := eventfoldtest.Given(t, opened).When(taking("account-7", 40)).Then(withdrawn)
	s.When(taking("account-7", 40)).Then(named)
	s.When(taking("account-7", 0)).ThenNothing()
	s.When(taking("account-8", 40)).ThenError(errClosed)
	s.Given(eventfold.Draft{Stream: "account-8", Event: Opened{"Bob"}}).When(taking("account-8", 0)).ThenNothing()
	s.When(func(ctx context.Context, db *sql.DB) error {
		_, err := eventfold.AppendEvents(ctx, db, "account-8", eventfold.NoStream, Opened{"Eve"})
		return err
	}).ThenConflict()
}

// A recorder is a test that is told of failures.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

func TestAScenarioFailsWhereItIsNotAsItSays(t *testing.T) {
	opened := eventfold.Draft{Stream: "account-7", Event: Opened{"Ada"}}
	withdrawn := func(change func(d *eventfold.Draft)) eventfold.Draft {
		d := eventfold.Draft{Stream: "account-7", Event: Withdrawn{40}, Tags: []string{"large"}}
		change(&d)
		return d
	}
	same := func(*eventfold.Draft) {}
	for name, then := range map[string]func(s *eventfoldtest.Scenario){
		"nothing": func(s *eventfoldtest.Scenario) { s.ThenNothing() },
		"stream": func(s *eventfoldtest.Scenario) {
			s.Then(withdrawn(func(d *eventfold.Draft) { d.Stream = "account-8" }))
		},
		"payload": func(s *eventfoldtest.Scenario) {
			s.Then(withdrawn(func(d *eventfold.Draft) { d.Event = Withdrawn{41} }))
		},
		"type": func(s *eventfoldtest.Scenario) { s.Then(opened) },
		"tags": func(s *eventfoldtest.Scenario) { s.Then(withdrawn(func(d *eventfold.Draft) { d.Tags = nil })) },
		"metadata": func(s *eventfoldtest.Scenario) {
			s.Then(withdrawn(func(d *eventfold.Draft) { d.Metadata = map[string]int{"by": 1} }))
		},
		"more":     func(s *eventfoldtest.Scenario) { s.Then(withdrawn(same), withdrawn(same)) },
		"error":    func(s *eventfoldtest.Scenario) { s.ThenError(errClosed) },
		"conflict": func(s *eventfoldtest.Scenario) { s.ThenConflict() },
	} {
		r := &recorder{TB: t}
		then(eventfoldtest.Given(r, opened).When(taking("account-7", 40)))
		assert.NotEmpty(t, r.said, name)
	}
	r := &recorder{TB: t}
	eventfoldtest.Given(r, opened).When(taking("account-8", 40)).Then(withdrawn(same))
	assert.Contains(t, strings.Join(r.said, "\n"), "no such account")
}

func TestTheClockStandsStillAndIDsAreTheSame(t *testing.T) {
	clock := eventfoldtest.NewClock(eventfoldtest.Noon)
	db := eventfoldtest.OpenAt(t, clock)
	var first eventfold.Appended
	for i := range 2 {
		done, err := eventfold.AppendEvents(eventfoldtest.Context(t), db, "account-7", eventfold.Any, Opened{"Ada"})
		require.NoError(t, err)
		if i == 0 {
			first = done
			assert.Equal(t, eventfoldtest.Noon, done.RecordedAt)
			clock.Advance(time.Hour)
		}
		assert.Equal(t, first.Events, done.Events, "the ids are those of the test")
	}
	var now time.Time
	require.NoError(t, db.QueryRow(`SELECT now()`).Scan(&now))
	assert.Equal(t, eventfoldtest.Noon.Add(time.Hour), now)
	clock.Set(eventfoldtest.Noon.Add(48 * time.Hour))
	done, err := eventfold.AppendEvents(t.Context(), db, "account-7", eventfold.Any, Opened{"Eve"})
	require.NoError(t, err)
	assert.Equal(t, eventfoldtest.Noon.Add(48*time.Hour), done.RecordedAt)
}
