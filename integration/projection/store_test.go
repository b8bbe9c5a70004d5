package projection

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// A watched store calls asked before each query.
type watched struct {
	eventfold.Querier
	asked func()
}

func (w watched) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	w.asked()
	return w.Querier.QueryContext(ctx, query, args...)
}

// modelOf returns a projection whose read model has everything of a store that is not needed any more.
func modelOf(t *testing.T, store *sql.DB) eventfold.Projection {
	t.Helper()
	p := balances(newSQLite(t))
	var last eventfold.Position
	require.NoError(t, store.QueryRow(`SELECT MAX(position) FROM $all`).Scan(&last))
	stop := start(t, store, p)
	wait(t, store, p, last)
	eventually(t, func() bool { return status(t, p.Target, 1).Next > last }, "the checkpoint is there, too")
	require.ErrorIs(t, stop(), context.Canceled)
	return p
}

func TestWaitForRefusesTheReadModelOfAnotherStore(t *testing.T) {
	unconcerned := func(n int) func(*testing.T, *sql.DB) {
		return func(t *testing.T, store *sql.DB) {
			for range n {
				exec1(t, store, `INSERT INTO note (type) VALUES ('Noted')`)
			}
		}
	}
	deposits := func(n int) func(*testing.T, *sql.DB) {
		return func(t *testing.T, store *sql.DB) { deposit(t, store, n) }
	}
	tests := []struct {
		name  string
		other func(t *testing.T, store *sql.DB)
		at    eventfold.Position
		query string // of whoever waits; "" is that of the runner
	}{
		{"as long", deposits(3), 4, ""},
		{"as long, an event before the last", deposits(3), 0, ""},
		{"shorter, and behind it nothing is to come", deposits(2), 5, `SELECT event FROM $all WHERE type = 'X'`},
		{"nothing in it concerns the projection", unconcerned(6), 4, ""},
	}
	for _, tt := range tests {
		store, other := newStore(t), newStore(t)
		deposit(t, store, 3)
		tt.other(t, other)
		p := modelOf(t, other)
		if tt.query != "" {
			p.Query = tt.query
		}
		err := eventfold.WaitFor(t.Context(), store, p, tt.at)
		require.ErrorIs(t, err, eventfold.ErrConfig, tt.name)
		assert.ErrorContains(t, err, "of another store", tt.name)
		assert.ErrorContains(t, err, "projection balances, version 1", tt.name)
	}
}

// TestWaitForSaysWhatItHasWaitedForInAStoreThatIsTooShort: it may be a copy that is behind.
func TestWaitForSaysWhatItHasWaitedForInAStoreThatIsTooShort(t *testing.T) {
	store, other := newStore(t), newStore(t)
	deposit(t, store, 3)
	deposit(t, other, 5)
	p := modelOf(t, other)
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	err := eventfold.WaitFor(ctx, watched{store, func() {
		if asked++; asked == 3 { // it has looked twice
			cancel()
		}
	}}, p, 4)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, eventfold.ErrConfig)
	assert.ErrorContains(t, err, "and the store ends at 5")
}

func TestWaitForWaitsForACopyThatIsBehind(t *testing.T) {
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "store"), filepath.Join(dir, "copy")
	store := openStore(t, path)
	deposit(t, store, 2)
	catchUp := func() {
		_, err := eventfold.Copy(t.Context(), path, copied, nil)
		require.NoError(t, err)
	}
	catchUp()
	last := deposit(t, store, 2)
	p := modelOf(t, store)
	behind, err := sql.Open(eventfold.DriverName, "file:"+copied+"?mode=ro")
	require.NoError(t, err)
	defer behind.Close()
	asked := 0
	require.NoError(t, eventfold.WaitFor(t.Context(), watched{behind, func() {
		if asked++; asked == 3 {
			catchUp()
		}
	}}, p, last))
	assert.Greater(t, asked, 3)
	var n int
	require.NoError(t, behind.QueryRow(`SELECT COUNT(*) FROM $all WHERE position = ?`, int64(last)).Scan(&n))
	assert.Equal(t, 1, n)
}
