package index_test

import (
	"testing"

	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/stretchr/testify/require"
)

func TestFilterMemoryIsBounded(t *testing.T) {
	c := index.NewBlockCache(1, 100)
	require.True(t, c.ReserveFilter(60, true))
	require.False(t, c.ReserveFilter(60, true))
	require.True(t, c.ReserveFilter(40, true))
	c.ReleaseFilter(60)
	require.True(t, c.ReserveFilter(60, true))
}

// However many segments are read, half of the room stays for the filters of runs.
func TestFiltersOfRunsHaveRoom(t *testing.T) {
	c := index.NewBlockCache(1, 100)
	require.True(t, c.ReserveFilter(30, false))
	require.False(t, c.ReserveFilter(30, false))
	require.True(t, c.ReserveFilter(50, true))
	require.True(t, c.ReserveFilter(20, true))
	require.False(t, c.ReserveFilter(1, false))
}
