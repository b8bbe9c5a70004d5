package projection

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

func TestErasedEventsAreDeliveredAsSuch(t *testing.T) {
	store, to := newStore(t), newSQLite(t)
	last := deposit(t, store, 4)
	exec1(t, store, `ERASE FROM $all WHERE position = 2 REASON 'x'`)
	p := balances(to)
	redacted := map[eventfold.Position]bool{}
	p.Handle = func(_ context.Context, _ *sql.Tx, d eventfold.Delivery) error {
		redacted[d.Position] = d.Redacted && d.Payload == nil
		return nil
	}
	stop := start(t, store, p)
	wait(t, store, p, last)
	require.ErrorIs(t, stop(), context.Canceled)
	assert.Equal(t, map[eventfold.Position]bool{0: false, 2: true, 4: false, 6: false}, redacted)
}

func TestAReadModelOfAnotherStoreIsNotGoneOnWith(t *testing.T) {
	to := newSQLite(t)
	p := balances(to)
	first, second := newStore(t), newStore(t)
	last := deposit(t, first, 5)
	stop := start(t, first, p)
	wait(t, first, p, last)
	require.ErrorIs(t, stop(), context.Canceled)
	deposit(t, second, 3) // as a backup would be, which is shorter
	err := eventfold.Project(t.Context(), second, p)
	assert.ErrorIs(t, err, eventfold.ErrConfig)
	assert.ErrorContains(t, err, "another store")
	deposit(t, second, 20)
	assert.ErrorIs(t, eventfold.Project(t.Context(), second, p), eventfold.ErrConfig)

	require.NoError(t, eventfold.ResetProjection(t.Context(), to, "balances", 1))
	last = deposit(t, second, 1)
	start(t, second, p)
	eventually(t, func() bool { return ask[int](t, to, `SELECT COUNT(*) FROM seen`) == 24 }, "it is made anew")
	wait(t, second, p, last)
}

func TestARunnerThatStandsByTakesOverWhereTheOtherStandsStill(t *testing.T) {
	store, to := newStore(t), newSQLite(t)
	p := balances(to)
	p.Standby = 50 * time.Millisecond
	last := deposit(t, store, 3)
	stop := start(t, store, p)
	wait(t, store, p, last)
	started := start(t, store, p) // works, or stands by
	last = deposit(t, store, 3)
	wait(t, store, p, last)
	require.ErrorIs(t, stop(), context.Canceled)
	last = deposit(t, store, 3)
	wait(t, store, p, last)
	require.ErrorIs(t, started(), context.Canceled)
	assert.Equal(t, 9, ask[int](t, to, `SELECT SUM(amount) FROM balance`))
}

func TestAPanicOfHandleIsAnErrorOfTheProjection(t *testing.T) {
	store, to := newStore(t), newSQLite(t)
	deposit(t, store, 1)
	p := balances(to)
	p.Handle = func(context.Context, *sql.Tx, eventfold.Delivery) error { panic("no") }
	err := eventfold.Project(t.Context(), store, p)
	var failed *eventfold.ProjectionError
	require.ErrorAs(t, err, &failed)
	assert.ErrorContains(t, err, "a panic of Handle: no")
}

func TestADatabaseWithOneConnectionIsEnough(t *testing.T) {
	store, to := newStore(t), newSQLite(t)
	to.SetMaxOpenConns(1)
	var bad atomic.Bool
	var tries atomic.Int64
	bad.Store(true)
	p := poisoned(to, 2, &bad, &tries)
	p.OnFailure = eventfold.Park
	last := deposit(t, store, 5)
	start(t, store, p)
	wait(t, store, p, last)
	bad.Store(false)
	_, err := eventfold.RetryParked(t.Context(), to, "balances", 1)
	require.NoError(t, err)
	eventually(t, func() bool { return status(t, to, 1).Parked == 0 }, "the parked one")
	assert.Equal(t, 5, ask[int](t, to, `SELECT COUNT(*) FROM seen`))
}

func TestAProjectionSaysWhatIsWrongWithIt(t *testing.T) {
	store, to := newStore(t), newSQLite(t)
	deposit(t, store, 1)
	for _, tt := range []struct {
		name   string
		change func(p *eventfold.Projection)
		says   string
	}{
		{"no name", func(p *eventfold.Projection) { p.Name = "" }, "the name of a projection"},
		{"no database", func(p *eventfold.Projection) { p.Target = nil }, "no Target"},
		{"no handler", func(p *eventfold.Projection) { p.Handle = nil }, "no Handle"},
		{"a number below zero", func(p *eventfold.Projection) { p.Batch = -1 }, "below zero"},
		{"a policy that is none", func(p *eventfold.Projection) { p.OnFailure = 7 }, "no such OnFailure"},
		{"other columns", func(p *eventfold.Projection) { p.Query = `SELECT position, type FROM $all` }, "write SELECT event"},
		{"another column", func(p *eventfold.Projection) { p.Query = `SELECT position FROM $all` }, "has to select event"},
		{"FOLLOW", func(p *eventfold.Projection) { p.Query = `SELECT event FROM $all FOLLOW` }, "FOLLOW"},
		{"a setup that fails", func(p *eventfold.Projection) {
			p.Version = 9
			p.Setup = func(context.Context, *sql.Tx) error { return errPoison }
		}, "Setup of projection balances, version 9"},
	} {
		p := balances(to)
		tt.change(&p)
		assert.ErrorContains(t, eventfold.Project(t.Context(), store, p), tt.says, tt.name)
	}
	p := balances(to)
	p.Query = "SELECT event FROM $all WHERE type = ? -- deposits alone"
	p.Args = []any{"Deposited"}
	start(t, store, p)
	wait(t, store, p, 0)
}

func TestAQueryThatEndsEndsTheProjection(t *testing.T) {
	store, to := newStore(t), newSQLite(t)
	deposit(t, store, 5)
	p := balances(to)
	p.Query = `SELECT event FROM $all WHERE type = 'Deposited' AND position < 6`
	require.NoError(t, eventfold.Project(t.Context(), store, p))
	assert.Equal(t, 3, ask[int](t, to, `SELECT COUNT(*) FROM seen`))
	assert.GreaterOrEqual(t, status(t, to, 1).Next, eventfold.Position(6))
}

func TestWaitForEndsWithItsContext(t *testing.T) {
	store, to := newStore(t), newSQLite(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := eventfold.WaitFor(ctx, store, balances(to), 0)
	assert.ErrorIs(t, err, context.DeadlineExceeded, "nobody has begun it")
}

func TestAVersionThatNobodyRunsIsDropped(t *testing.T) {
	store, to := newStore(t), newSQLite(t)
	last := deposit(t, store, 3)
	for v := range 2 {
		p := eventfold.Projection{Name: "mails", Version: v + 1, Target: to,
			Handle: func(context.Context, *sql.Tx, eventfold.Delivery) error { return nil }}
		stop := start(t, store, p)
		wait(t, store, p, last)
		eventually(t, func() bool { return status(t, to, v+1).State() == "live" }, "it takes over")
		require.ErrorIs(t, stop(), context.Canceled)
	}
	assert.ErrorContains(t, eventfold.DropProjection(t.Context(), to, "mails", 2), "there are other versions")
	require.NoError(t, eventfold.DropProjection(t.Context(), to, "mails", 1))
	require.NoError(t, eventfold.DropProjection(t.Context(), to, "mails", 2))
	assert.ErrorContains(t, eventfold.DropProjection(t.Context(), to, "mails", 2), "is not in this database")
	assert.ErrorContains(t, eventfold.ResetProjection(t.Context(), to, "mails", 2), "is not in this database")
}

func TestAContextThatEndsInAHandlerLeavesNothingHalf(t *testing.T) {
	store, to := newStore(t), newSQLite(t)
	last := deposit(t, store, 10)
	ctx, cancel := context.WithCancel(t.Context())
	p := balances(to)
	handle := p.Handle
	p.Handle = func(c context.Context, tx *sql.Tx, d eventfold.Delivery) error {
		if d.Position == 8 {
			cancel()
		}
		return errors.Join(handle(c, tx, d), c.Err())
	}
	p.OnFailure = eventfold.Park
	assert.ErrorIs(t, eventfold.Project(ctx, store, p), context.Canceled)
	assert.Zero(t, status(t, to, 1).Parked, "the end of a context is no fault of the event")
	p.Handle = handle
	start(t, store, p)
	wait(t, store, p, last)
	assert.Equal(t, 10, ask[int](t, to, `SELECT SUM(amount) FROM balance`))
}

// TestAVersionThatBeginsWhileAnotherIsBeingResetTakesOverWhereThatHadCome: what was given without
// Replay is not given so again.
func TestAVersionThatBeginsWhileAnotherIsBeingResetTakesOverWhereThatHadCome(t *testing.T) {
	onTargets(t, func(t *testing.T, open func(t *testing.T) *sql.DB) {
		store, to := newStore(t), open(t)
		one := balances(to)
		before := deposit(t, store, 5)
		stop := start(t, store, one)
		wait(t, store, one, before)
		require.ErrorIs(t, stop(), context.Canceled)
		require.NoError(t, eventfold.ResetProjection(t.Context(), to, one.Name, one.Version))
		one.Handle = func(context.Context, *sql.Tx, eventfold.Delivery) error { return errors.New("not now") }
		one.Attempts = 1
		require.Error(t, eventfold.Project(t.Context(), store, one)) // stands at the beginning

		two := balances(to)
		two.Version = 2
		last := deposit(t, store, 2)
		start(t, store, two)
		wait(t, store, two, last)
		assert.Equal(t, 5, ask[int](t, to, `SELECT COUNT(*) FROM seen WHERE replay = 1`))
		assert.Equal(t, 2, ask[int](t, to, `SELECT COUNT(*) FROM seen WHERE replay = 0`))
	})
}

// TestAStoreThatEndsBeforeTheCheckpointIsNotGoneOnWith: a backup has the event that was handled last,
// and not what was passed over behind it.
func TestAStoreThatEndsBeforeTheCheckpointIsNotGoneOnWith(t *testing.T) {
	dir, to := t.TempDir(), newSQLite(t)
	store := openStore(t, filepath.Join(dir, "store"))
	p := balances(to)
	last := deposit(t, store, 3)
	exec1(t, store, `BACKUP TO ?`, filepath.Join(dir, "backup"))
	for range 5 {
		exec1(t, store, `INSERT INTO other (type) VALUES ('Noted')`)
	}
	stop := start(t, store, p)
	wait(t, store, p, last+6)
	eventually(t, func() bool { return status(t, to, 1).Lag(last+7) == 0 }, "what concerns nobody is passed")
	require.ErrorIs(t, stop(), context.Canceled)

	err := eventfold.Project(t.Context(), openStore(t, filepath.Join(dir, "backup")), p)
	assert.ErrorIs(t, err, eventfold.ErrConfig)
	assert.ErrorContains(t, err, "the store ends at")
}
