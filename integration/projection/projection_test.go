package projection

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/internal/testenv"
)

// TestMain lets the test binary be a runner in another process too.
func TestMain(m *testing.M) {
	if store := testenv.Get("EVENTFOLD_TEST_RUNNER"); store != "" {
		if err := runChild(store, testenv.Get("EVENTFOLD_TEST_TARGET")); err != nil {
			fmt.Println("bad", err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if server.stop != nil {
		server.stop()
	}
	os.Exit(code)
}

// balances is a projection whose read model notes every event once, so that a second time is an
// error, and counts them, so that a missing one shows.
func balances(to *sql.DB) eventfold.Projection {
	return eventfold.Projection{
		Name:    "balances",
		Version: 1,
		Target:  to,
		Query:   `SELECT event FROM $all WHERE type = 'Deposited'`,
		Backoff: time.Millisecond,
		Setup: eventfold.Statements(
			`DROP TABLE IF EXISTS balance`, `DROP TABLE IF EXISTS seen`,
			`CREATE TABLE balance (account TEXT PRIMARY KEY, amount BIGINT NOT NULL)`,
			`CREATE TABLE seen (position BIGINT PRIMARY KEY, replay BIGINT NOT NULL)`,
		),
		Handle: note,
	}
}

// note takes a deposit into the read model of balances.
func note(ctx context.Context, tx *sql.Tx, d eventfold.Delivery) error {
	replay := 0
	if d.Replay {
		replay = 1
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO seen VALUES ($1, $2)`, int64(d.Position), replay); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO balance VALUES ($1, 1)
		ON CONFLICT (account) DO UPDATE SET amount = balance.amount + 1`, d.Stream)
	return err
}

// deposit appends n deposits, and after each an event that concerns nobody, and returns the last
// deposit's position.
func deposit(t *testing.T, store *sql.DB, n int) (last eventfold.Position) {
	t.Helper()
	for i := range n {
		done, err := eventfold.AppendEvents(t.Context(), store, fmt.Sprintf("account-%d", i%3), eventfold.Any,
			eventfold.NewEvent{Type: "Deposited", Payload: []byte(`{"amount": 1}`)},
			eventfold.NewEvent{Type: "Noted"})
		require.NoError(t, err)
		last = done.Events[0].Position
	}
	return last
}

// start runs a projection until the test or stop ends it; stop returns its error.
func start(t *testing.T, store *sql.DB, p eventfold.Projection) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- eventfold.Project(ctx, store, p) }() // ends with stop, which the test calls at its end
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() { cancel(); err = <-ended })
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// wait waits until the read model has a position.
func wait(t *testing.T, store *sql.DB, p eventfold.Projection, at eventfold.Position) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, eventfold.WaitFor(ctx, store, p, at))
}

// eventually asks until something holds.
func eventually(t *testing.T, holds func() bool, what string) {
	t.Helper()
	require.Eventually(t, holds, time.Minute, 5*time.Millisecond, what)
}

func status(t *testing.T, to *sql.DB, version int) eventfold.ProjectionStatus {
	t.Helper()
	list, err := eventfold.Projections(t.Context(), to)
	require.NoError(t, err)
	for _, s := range list {
		if s.Version == version {
			return s
		}
	}
	require.Fail(t, "no such version")
	return eventfold.ProjectionStatus{}
}

func TestEveryEventIsInTheReadModelOnceAfterManyStops(t *testing.T) {
	onTargets(t, func(t *testing.T, open func(t *testing.T) *sql.DB) {
		store, to := newStore(t), open(t)
		p := balances(to)
		for round := 1; round <= 3; round++ {
			last := deposit(t, store, 20)
			stop := start(t, store, p)
			wait(t, store, p, last)
			assert.ErrorIs(t, stop(), context.Canceled)
			assert.Equal(t, 20*round, ask[int](t, to, `SELECT COUNT(*) FROM seen`))
			assert.Equal(t, 20*round, ask[int](t, to, `SELECT SUM(amount) FROM balance`))
		}
		assert.Zero(t, ask[int](t, to, `SELECT COUNT(*) FROM seen WHERE replay = 1`))
		assert.Equal(t, "live", status(t, to, 1).State())
	})
}

func TestTheCheckpointPassesEventsThatDoNotConcernTheProjection(t *testing.T) {
	store, to := newStore(t), newSQLite(t)
	p := balances(to)
	deposit(t, store, 2)
	start(t, store, p)
	wait(t, store, p, 3)
	eventually(t, func() bool { return status(t, to, 1).Next == 4 }, "the checkpoint")
	assert.Zero(t, status(t, to, 1).Lag(4))
}

func TestOfSeveralRunnersOneWorksAndNothingIsDoneTwice(t *testing.T) {
	onTargets(t, func(t *testing.T, open func(t *testing.T) *sql.DB) {
		store, to := newStore(t), open(t)
		p := balances(to)
		p.Batch, p.Standby, p.Attempts = 3, 20*time.Millisecond, 10
		var stops []func() error
		for range 4 {
			stops = append(stops, start(t, store, p))
		}
		for i, stop := range stops {
			last := deposit(t, store, 25)
			wait(t, store, p, last)
			assert.ErrorIs(t, stop(), context.Canceled, "runner %d", i)
		}
		assert.Equal(t, 100, ask[int](t, to, `SELECT COUNT(*) FROM seen`))
		assert.Equal(t, 100, ask[int](t, to, `SELECT SUM(amount) FROM balance`))
	})
}

func TestALaterVersionReplaysUntilItHasPassedTheOldOneAndThenTakesOver(t *testing.T) {
	onTargets(t, func(t *testing.T, open func(t *testing.T) *sql.DB) {
		store, to := newStore(t), open(t)
		var mu sync.Mutex // protects sent
		sent := map[eventfold.Position][]int{}
		version := func(v int) eventfold.Projection {
			return eventfold.Projection{Name: "mails", Version: v, Target: to, Batch: 2, Attempts: 10,
				Handle: func(ctx context.Context, tx *sql.Tx, d eventfold.Delivery) error {
					mu.Lock()
					defer mu.Unlock()
					if !d.Replay {
						sent[d.Position] = append(sent[d.Position], v)
					}
					return nil
				}}
		}
		one, two := version(1), version(2)
		last := deposit(t, store, 10)
		stop := start(t, store, one)
		wait(t, store, one, last)

		start(t, store, two)
		wait(t, store, two, last)
		for range 10 { // both run
			last = deposit(t, store, 3)
		}
		wait(t, store, two, last)
		wait(t, store, one, last)
		require.ErrorIs(t, stop(), context.Canceled)
		last = deposit(t, store, 5)
		wait(t, store, two, last)

		mu.Lock()
		defer mu.Unlock()
		for p := range last + 1 {
			assert.Len(t, sent[p], 1, "position %d", p)
		}
		assert.Equal(t, "superseded", status(t, to, 1).State())
		assert.Equal(t, "live", status(t, to, 2).State())
		assert.Equal(t, status(t, to, 1).LiveUntil, status(t, to, 2).LiveFrom)
		assert.NotZero(t, status(t, to, 2).LiveFrom)
	})
}

var errPoison = errors.New("this event is bad")

// poisoned refuses the deposit at a position while bad is set.
func poisoned(to *sql.DB, at eventfold.Position, bad *atomic.Bool, tries *atomic.Int64) eventfold.Projection {
	p := balances(to)
	p.Handle = func(ctx context.Context, tx *sql.Tx, d eventfold.Delivery) error {
		if err := note(ctx, tx, d); err != nil {
			return err
		}
		if d.Position == at {
			tries.Add(1)
			if bad.Load() {
				return errPoison
			}
		}
		return nil
	}
	return p
}

func TestAnEventThatIsRefusedStopsTheProjectionBeforeIt(t *testing.T) {
	onTargets(t, func(t *testing.T, open func(t *testing.T) *sql.DB) {
		store, to := newStore(t), open(t)
		var bad atomic.Bool
		var tries atomic.Int64
		bad.Store(true)
		p := poisoned(to, 6, &bad, &tries)
		last := deposit(t, store, 10)
		err := eventfold.Project(t.Context(), store, p)
		var failed *eventfold.ProjectionError
		require.ErrorAs(t, err, &failed)
		assert.ErrorIs(t, err, errPoison)
		assert.Equal(t, eventfold.Position(6), failed.Position)
		assert.Equal(t, "Deposited", failed.Type)
		assert.EqualValues(t, 3, tries.Load())
		assert.Equal(t, 3, ask[int](t, to, `SELECT COUNT(*) FROM seen`), "what stands before it is done")
		s := status(t, to, 1)
		assert.Equal(t, "stopped", s.State())
		assert.Contains(t, s.Error, "bad")
		assert.ErrorAs(t, eventfold.WaitFor(t.Context(), store, p, last), &failed, "it will not come")

		bad.Store(false)
		stop := start(t, store, p)
		eventually(t, func() bool { return status(t, to, 1).Next > last }, "it goes on")
		assert.ErrorIs(t, stop(), context.Canceled)
		assert.Equal(t, 10, ask[int](t, to, `SELECT COUNT(*) FROM seen`))
	})
}

func TestAnEventThatIsRefusedIsParkedAndTriedAgainWhenThatIsAsked(t *testing.T) {
	onTargets(t, func(t *testing.T, open func(t *testing.T) *sql.DB) {
		store, to := newStore(t), open(t)
		var bad atomic.Bool
		var tries atomic.Int64
		bad.Store(true)
		p := poisoned(to, 6, &bad, &tries)
		p.OnFailure = eventfold.Park
		last := deposit(t, store, 10)
		start(t, store, p)
		wait(t, store, p, last)
		parked, err := eventfold.ParkedEvents(t.Context(), to, "balances")
		require.NoError(t, err)
		require.Len(t, parked, 1)
		assert.Equal(t, eventfold.Position(6), parked[0].Position)
		assert.Equal(t, 3, parked[0].Attempts)
		assert.Equal(t, 9, ask[int](t, to, `SELECT COUNT(*) FROM seen`))

		n, err := eventfold.RetryParked(t.Context(), to, "balances", 1)
		require.NoError(t, err)
		assert.Equal(t, 1, n)
		eventually(t, func() bool {
			parked, err = eventfold.ParkedEvents(t.Context(), to, "balances")
			require.NoError(t, err)
			return parked[0].Attempts == 4 && !parked[0].RetryAsked
		}, "it is refused again")
		bad.Store(false)
		_, err = eventfold.RetryParked(t.Context(), to, "balances", 1, 6)
		require.NoError(t, err)
		eventually(t, func() bool { return status(t, to, 1).Parked == 0 }, "it is handled")
		assert.Equal(t, 10, ask[int](t, to, `SELECT COUNT(*) FROM seen`))
	})
}

func TestAResetEmptiesTheReadModelAndReplays(t *testing.T) {
	onTargets(t, func(t *testing.T, open func(t *testing.T) *sql.DB) {
		store, to := newStore(t), open(t)
		p := balances(to)
		last := deposit(t, store, 5)
		start(t, store, p)
		wait(t, store, p, last)
		eventually(t, func() bool { return status(t, to, 1).Lag(last+2) == 0 }, "the end")
		require.NoError(t, eventfold.ResetProjection(t.Context(), to, "balances", 1))
		eventually(t, func() bool { s := status(t, to, 1); return !s.ResetAsked && s.Lag(last+1) == 0 }, "the reset")
		assert.Equal(t, 5, ask[int](t, to, `SELECT COUNT(*) FROM seen WHERE replay = 1`))
		last = deposit(t, store, 5)
		wait(t, store, p, last)
		assert.Equal(t, 5, ask[int](t, to, `SELECT COUNT(*) FROM seen WHERE replay = 0`))
		assert.Error(t, eventfold.ResetProjection(t.Context(), to, "balances", 7), "there is none")
	})
}
