package eventfoldtest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
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

// failing is a decision that fails.
func failing(context.Context, *sql.DB) error { return errClosed }

// saidOf runs a scenario that ends with a test of its own, and returns what that was told.
func saidOf(t *testing.T, tell func(t testing.TB)) string {
	t.Helper()
	r := &recorder{}
	t.Run("", func(t *testing.T) {
		r.TB = t
		tell(r)
	})
	return strings.Join(r.said, "\n")
}

func TestTheErrorOfADecisionIsNotHiddenByWhatStandsBehindIt(t *testing.T) {
	opened := eventfold.Draft{Stream: "account-7", Event: Opened{"Ada"}}
	for name, tell := range map[string]func(s *eventfoldtest.Scenario){
		"another When":            func(s *eventfoldtest.Scenario) { s.When(failing).When(taking("account-7", 0)).ThenNothing() },
		"another When that fails": func(s *eventfoldtest.Scenario) { s.When(failing).When(failing).ThenError(errClosed) },
		"a Given": func(s *eventfoldtest.Scenario) {
			s.When(failing).Given(opened).When(taking("account-7", 0)).ThenNothing()
		},
		"the end of the test": func(s *eventfoldtest.Scenario) { s.When(failing) },
	} {
		said := saidOf(t, func(t testing.TB) { tell(eventfoldtest.Given(t, opened)) })
		assert.Contains(t, said, "no such account", name)
	}
	said := saidOf(t, func(t testing.TB) {
		eventfoldtest.Given(t, opened).When(taking("account-7", 0)).When(failing).ThenError(errClosed).
			When(taking("account-7", 40))
	})
	assert.Empty(t, said, "a decision that succeeds needs no Then")
	said = saidOf(t, func(t testing.TB) { eventfoldtest.Given(t, opened).Then(opened) })
	assert.Contains(t, said, "no When")
	said = saidOf(t, func(t testing.TB) { eventfoldtest.Given(t).ThenError(nil) })
	assert.Contains(t, said, "no When")
}

func TestWhatIsGivenBehindADecisionIsNotTakenForItsEvents(t *testing.T) {
	opened := eventfold.Draft{Stream: "account-7", Event: Opened{"Ada"}}
	s := eventfoldtest.Given(t, opened).When(taking("account-7", 0))
	s.Given(eventfold.Draft{Stream: "account-8", Event: Opened{"Bob"}}).ThenNothing()
}

func TestPayloadsAreComparedWhole(t *testing.T) {
	insert := func(payload string) func(ctx context.Context, db *sql.DB) error {
		return func(ctx context.Context, db *sql.DB) error {
			_, err := db.ExecContext(ctx, `INSERT INTO "s" (type, payload) VALUES ('Raw', ?)`, []byte(payload))
			return err
		}
	}
	raw := func(payload string) eventfold.Draft {
		return eventfold.Draft{Stream: "s", Event: eventfold.NewEvent{Type: "Raw", Payload: []byte(payload)}}
	}
	for _, tt := range []struct {
		got, want string
		same      bool
	}{
		{`{"a": 1, "b": "<"}`, `{"b":"\u003c","a":1}`, true},
		{`[1, 2]`, `[1,2]`, true},
		{`12345678901234567890`, `12345678901234567890`, true},
		{"no JSON", "no JSON", true},
		{"\xff", "\xff", true},
		{`{"a": 1} {"b": 2}`, `{"a": 1}`, false},
		{`{"a": 1}`, `{"a": 1} and more`, false},
		{`1 2`, `1 3`, false},
		{`{"a": 2, "a": 1}`, `{"a": 1}`, false},
		{`{"x": [{"a": 2, "a": 1}]}`, `{"x": [{"a": 1}]}`, false},
		{"\"\xff\"", "\"\xfe\"", false},
		{`"\ud800"`, `"\ud801"`, false},
		{`12345678901234567890`, `12345678901234567891`, false},
		{`1`, `"1"`, false},
	} {
		said := saidOf(t, func(t testing.TB) { eventfoldtest.Given(t).When(insert(tt.got)).Then(raw(tt.want)) })
		assert.Equal(t, tt.same, said == "", "%s and %s: %s", tt.got, tt.want, said)
	}
}

func TestAScenarioTakesTheTypesOfARegistry(t *testing.T) {
	r := eventfold.NewRegistry()
	eventfold.Register[Opened](r, "AccountOpened", eventfold.Upcast(func(o Opened) Opened { return o }))
	opened := eventfold.Draft{Stream: "account-7", Event: Opened{"Ada"}, Metadata: map[string]string{}}
	again := opened
	again.Stream = "account-8"
	eventfoldtest.GivenBy(t, r, opened).When(func(ctx context.Context, db *sql.DB) error {
		var name string
		err := db.QueryRowContext(ctx, `SELECT type FROM $all`).Scan(&name)
		assert.Equal(t, "AccountOpened", name)
		if err == nil {
			_, err = r.AppendEvents(ctx, db, "account-8", eventfold.NoStream, Opened{"Ada"})
		}
		return err
	}).Then(again)
}

func TestAScenarioComparesTheIDsThatADraftNames(t *testing.T) {
	named := eventfold.Draft{Stream: "account-7", Event: Opened{"Ada"}, ID: uuid.New()}
	open := func(ctx context.Context, db *sql.DB) error {
		_, err := eventfold.AppendEvents(ctx, db, "account-7", eventfold.Any, named)
		return err
	}
	eventfoldtest.Given(t).When(open).Then(named)
	other := named
	other.ID = uuid.New()
	said := saidOf(t, func(t testing.TB) { eventfoldtest.Given(t).When(open).Then(other) })
	assert.Contains(t, said, other.ID.String())
}
