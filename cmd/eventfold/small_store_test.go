package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// smallStore makes a store of three events.
func smallStore(t *testing.T) string {
	t.Helper()
	store := filepath.Join(t.TempDir(), "store")
	require.NoError(t, printSQL(store, []string{
		`INSERT INTO $all (stream, type, payload) VALUES ('order-1', 'Placed', '{"total": 3, "items": [{"name": "tea"}]}'),
			('order-2', 'Placed', '{"total": 4}'), ('cart 1', 'Cleared', NULL)`}))
	return store
}
