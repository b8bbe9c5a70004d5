package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

func TestRunTwice(t *testing.T) {
	dir := t.TempDir()
	store, database := filepath.Join(dir, "store"), filepath.Join(dir, "balances.sqlite")
	for round := int64(1); round <= 3; round++ {
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), store, database, &out))
		assert.Contains(t, out.String(), fmt.Sprintf("balances live next position %d\n", 10*round))

		target, err := sql.Open("sqlite", database)
		require.NoError(t, err)
		var accounts, sum int64
		require.NoError(t, target.QueryRow(`SELECT COUNT(*), SUM(amount) FROM balance`).Scan(&accounts, &sum))
		list, err := eventfold.Projections(t.Context(), target)
		require.NoError(t, err)
		require.NoError(t, target.Close())
		assert.Equal(t, eventfold.Position(10*round), list[0].Next)
		assert.Equal(t, int64(3), accounts)
		assert.Equal(t, 45*round, sum, "every event counts exactly once")
	}
}

// TestRunEndsWithItsProjection, which refuses a database that was made of another store.
func TestRunEndsWithItsProjection(t *testing.T) {
	dir := t.TempDir()
	database := filepath.Join(dir, "balances.sqlite")
	require.NoError(t, run(t.Context(), filepath.Join(dir, "store"), database, io.Discard))
	// The other store has more events, so that the database is not where it looks as if it had them all.
	require.NoError(t, run(t.Context(), filepath.Join(dir, "other"), filepath.Join(dir, "other.sqlite"), io.Discard))
	for range 3 {
		err := run(t.Context(), filepath.Join(dir, "other"), database, io.Discard)
		assert.ErrorIs(t, err, eventfold.ErrConfig)
		assert.ErrorContains(t, err, "another store")
	}
}
