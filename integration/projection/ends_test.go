package projection

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

var errBusy = errors.New("the database is busy")

// everyOther fails at every other question for a checkpoint.
func everyOther(asked *atomic.Int64) func(statement string) error {
	return func(statement string) error {
		if strings.Contains(statement, "SELECT next_position, owner") && asked.Add(1)%2 == 1 {
			return errBusy
		}
		return nil
	}
}

// TestARunnerThatStandsByOutlivesADatabaseThatFailsNowAndThen has a runner lose its checkpoint to
// another one, and stand by where every other question for the checkpoint fails.
func TestARunnerThatStandsByOutlivesADatabaseThatFailsNowAndThen(t *testing.T) {
	store, file := newStore(t), filepath.Join(t.TempDir(), "model.sqlite")
	first := balances(openSQLite(t, file))
	stop := start(t, store, first)
	wait(t, store, first, deposit(t, store, 1))

	var asked atomic.Int64
	fail := everyOther(&asked)
	faster := sync.OnceValue(func() error { // the first one is, at the moment of the second one's first move
		done, err := eventfold.AppendEvents(t.Context(), store, "account-1", eventfold.Any,
			eventfold.NewEvent{Type: "Deposited"})
		if err != nil {
			return err
		}
		err = eventfold.WaitFor(t.Context(), store, first, done.Events[0].Position)
		asked.Store(0)
		return err
	})
	second := first
	second.Standby = 20 * time.Millisecond
	second.Target = openFlaky(t, file, func(statement string) error {
		if strings.Contains(statement, "UPDATE eventfold_projections SET next_position") {
			if err := faster(); err != nil {
				return err
			}
		}
		return fail(statement)
	})
	end := start(t, store, second)
	last := deposit(t, store, 1)
	wait(t, store, first, last)
	eventually(t, func() bool { return asked.Load() > 10 }, "it stands by")
	require.ErrorIs(t, stop(), context.Canceled)
	last = deposit(t, store, 3)
	wait(t, store, first, last) // the second one has taken over
	require.ErrorIs(t, end(), context.Canceled)
	assert.Equal(t, 6, ask[int](t, first.Target, `SELECT COUNT(*) FROM seen`))
}

func TestWaitForOutlivesADatabaseThatFailsNowAndThen(t *testing.T) {
	store, file := newStore(t), filepath.Join(t.TempDir(), "model.sqlite")
	p := balances(openSQLite(t, file))
	last := deposit(t, store, 2)
	start(t, store, p)
	var asked atomic.Int64
	waiting := p
	waiting.Target = openFlaky(t, file, everyOther(&asked))
	wait(t, store, waiting, last)
	assert.Positive(t, asked.Load())
}

// TestAHandlerThatEndsItsGoroutineLeavesNoneBehind: as a test that fails in it does.
func TestAHandlerThatEndsItsGoroutineLeavesNoneBehind(t *testing.T) {
	store, to := newStore(t), newSQLite(t)
	deposit(t, store, 3)
	p := balances(to)
	p.Handle = func(context.Context, *sql.Tx, eventfold.Delivery) error {
		runtime.Goexit()
		return nil
	}
	ended := make(chan struct{})
	go func() { // ends by itself
		defer close(ended)
		_ = eventfold.Project(t.Context(), store, p)
	}()
	<-ended
	assert.Zero(t, ask[int](t, store, `SELECT COUNT(*) FROM $followers`))
	assert.Zero(t, to.Stats().InUse, "its transaction is rolled back")
	p = balances(to)
	start(t, store, p)
	wait(t, store, p, 4)
}

// TestWhoWaitsIsToldWhenTheRunnerHasEnded although it was no event that has stopped it.
func TestWhoWaitsIsToldWhenTheRunnerHasEnded(t *testing.T) {
	path, to := filepath.Join(t.TempDir(), "store"), newSQLite(t)
	store := openStore(t, path)
	p := balances(to)
	last := deposit(t, store, 2)
	theirs, err := sql.Open(eventfold.DriverName, path)
	require.NoError(t, err)
	stop := start(t, theirs, p)
	wait(t, store, p, last)
	require.NoError(t, theirs.Close())
	eventually(t, func() bool { return status(t, to, 1).State() == "stopped" }, "it is written down")
	require.ErrorIs(t, stop(), eventfold.ErrClosed)

	last = deposit(t, store, 1)
	var failed *eventfold.ProjectionError
	require.ErrorAs(t, eventfold.WaitFor(t.Context(), store, p, last), &failed)
	assert.ErrorContains(t, failed, "closed")
	start(t, store, p)
	eventually(t, func() bool { return status(t, to, 1).Next > last }, "it goes on")
	assert.Equal(t, "live", status(t, to, 1).State())
}

// TestARunnerThatEndsDoesNotSayThatAnotherOneHasStopped: one stands by, and its store is closed.
func TestARunnerThatEndsDoesNotSayThatAnotherOneHasStopped(t *testing.T) {
	path, to := filepath.Join(t.TempDir(), "store"), newSQLite(t)
	store := openStore(t, path)
	p := balances(to)
	last := deposit(t, store, 2)
	start(t, store, p)
	wait(t, store, p, last)
	theirs, err := sql.Open(eventfold.DriverName, path)
	require.NoError(t, err)
	stop := start(t, theirs, p)
	eventually(t, func() bool { return ask[int](t, theirs, `SELECT COUNT(*) FROM $followers`) == 2 }, "it has begun")
	require.NoError(t, theirs.Close())
	_ = stop() // canceled, if it was not told yet
	last = deposit(t, store, 2)
	wait(t, store, p, last)
	assert.Equal(t, "live", status(t, to, 1).State())
}

// TestOfTwoVersionsThatBeginAtOnceOneGivesEventsWithoutReplay: neither can see yet that the other is
// there, unless one waits for the other. The first that comes to its Setup stays there for a moment.
func TestOfTwoVersionsThatBeginAtOnceOneGivesEventsWithoutReplay(t *testing.T) {
	onTargets(t, func(t *testing.T, open func(t *testing.T) *sql.DB) {
		store, to := newStore(t), open(t)
		last := deposit(t, store, 5)
		both := make(chan struct{})
		var begun, live [2]atomic.Int64
		var in atomic.Int64
		version := func(v int) eventfold.Projection {
			return eventfold.Projection{Name: "mails", Version: v, Target: to, Attempts: 10, Backoff: time.Millisecond,
				Setup: func(ctx context.Context, _ *sql.Tx) error {
					begun[v].Add(1)
					if in.Add(1) == 2 {
						close(both)
					}
					select {
					case <-both:
					case <-time.After(200 * time.Millisecond): // the other one waits, as it should
					case <-ctx.Done():
					}
					return nil
				},
				Handle: func(_ context.Context, _ *sql.Tx, d eventfold.Delivery) error {
					if !d.Replay {
						live[v].Add(1)
					}
					return nil
				}}
		}
		start(t, store, version(0))
		start(t, store, version(1))
		for v := range 2 {
			wait(t, store, version(v), last)
		}
		assert.EqualValues(t, 10, live[0].Load()+live[1].Load(), "each event without Replay once")
		states := []string{status(t, to, 0).State(), status(t, to, 1).State()}
		assert.NotEqual(t, []string{"live", "live"}, states)
	})
}

// TestAVersionThatIsDroppedWhileAnotherOneBeginsHasGivenItsEvents: the one that begins knows of it, or
// is the only one there is.
func TestAVersionThatIsDroppedWhileAnotherOneBeginsHasGivenItsEvents(t *testing.T) {
	onTargets(t, func(t *testing.T, open func(t *testing.T) *sql.DB) {
		store, to := newStore(t), open(t)
		last := deposit(t, store, 5)
		var live atomic.Int64
		one := eventfold.Projection{Name: "mails", Version: 1, Target: to, Attempts: 10, Backoff: time.Millisecond,
			Handle: func(_ context.Context, _ *sql.Tx, d eventfold.Delivery) error {
				if !d.Replay {
					live.Add(1)
				}
				return nil
			}}
		stop := start(t, store, one)
		wait(t, store, one, last+1)
		require.ErrorIs(t, stop(), context.Canceled)
		require.EqualValues(t, 10, live.Load())

		dropped := make(chan error, 1)
		two := one
		two.Version = 2
		two.Setup = func(ctx context.Context, _ *sql.Tx) error {
			go func() { dropped <- eventfold.DropProjection(ctx, to, "mails", 1) }() // ends behind Setup
			select {
			case err := <-dropped:
				dropped <- err
			case <-time.After(200 * time.Millisecond): // it waits, as it should
			}
			return nil
		}
		start(t, store, two)
		wait(t, store, two, last+1)
		<-dropped // refused, or granted because the other one has taken over
		assert.EqualValues(t, 10, live.Load(), "none is given without Replay again")
	})
}

// TestAReadModelOnAFullDiskGoesOnWhenThereIsRoomAgain, and has nothing twice then.
func TestAReadModelOnAFullDiskGoesOnWhenThereIsRoomAgain(t *testing.T) {
	store, file := newStore(t), filepath.Join(t.TempDir(), "model.sqlite")
	to := openSQLite(t, file)
	var full atomic.Bool
	p := balances(openFlaky(t, file, func(statement string) error {
		if full.Load() && !strings.HasPrefix(strings.TrimSpace(statement), "SELECT") {
			return errors.New("database or disk is full (13)")
		}
		return nil
	}))
	for _, what := range []eventfold.OnFailure{eventfold.Stop, eventfold.Park} {
		p.OnFailure = what
		ended := make(chan error, 1)
		go func() { ended <- eventfold.Project(t.Context(), store, p) }() // ends when the disk is full
		wait(t, store, p, deposit(t, store, 2))
		full.Store(true)
		last := deposit(t, store, 2)
		assert.ErrorContains(t, <-ended, "full")
		assert.ErrorContains(t, eventfold.Project(t.Context(), store, p), "full", "it cannot even begin")
		full.Store(false)
		stop := start(t, store, p)
		wait(t, store, p, last)
		assert.Zero(t, status(t, to, 1).Parked)
		require.ErrorIs(t, stop(), context.Canceled)
	}
	assert.Equal(t, 8, ask[int](t, to, `SELECT COUNT(*) FROM seen`))
	assert.Equal(t, 8, ask[int](t, to, `SELECT SUM(amount) FROM balance`))
}
