package main

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRunTwice(t *testing.T) {
	dir := t.TempDir()
	store, database := filepath.Join(dir, "store"), filepath.Join(dir, "balances.sqlite")
	for round := int64(1); round <= 3; round++ {
		require.ErrorIs(t, run(t.Context(), store, database), context.Canceled)

		target, err := sql.Open("sqlite", database)
		require.NoError(t, err)
		var next, accounts, sum int64
		require.NoError(t, target.QueryRow(`SELECT next FROM checkpoint`).Scan(&next))
		require.NoError(t, target.QueryRow(`SELECT COUNT(*), SUM(amount) FROM balance`).Scan(&accounts, &sum))
		require.NoError(t, target.Close())
		assert.Equal(t, 10*round, next)
		assert.Equal(t, int64(3), accounts)
		assert.Equal(t, 45*round, sum, "every event counts exactly once")
	}
}
