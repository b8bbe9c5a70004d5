package query

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/query/internal/spill"
)

// TestMergingCountsBlocksAsLongAsTheyAre: a record that is longer than a block is one of its own, and
// fewer runs are merged at a time.
func TestMergingCountsBlocksAsLongAsTheyAre(t *testing.T) {
	space := spill.NewSpace(newSpillFS(t))
	f, err := space.Create(spill.Options{Dir: "tmp", Limit: 64 << 20, Slot: 8 << 10})
	require.NoError(t, err)
	defer f.Close()
	ex := &execution{spilled: f, ctx: t.Context(), budget: &budget{}}
	ex.budget.set(&Settings{Memory: 1 << 20})
	runs := &spilledRuns{ex: ex, clause: "ORDER BY"}
	for range 8 {
		list := f.NewList()
		for i := range 3 {
			require.NoError(t, list.Append(t.Context(), []byte(strings.Repeat(fmt.Sprint(i), 100<<10))))
		}
		require.NoError(t, list.Finish(t.Context()))
		runs.runs = append(runs.runs, list)
	}
	long := ex.budget.blockOf(runs.runs...)
	assert.Greater(t, long, int64(100<<10))
	n, err := ex.budget.spareBlocks(mostMerged+1, long, "ORDER BY")
	require.NoError(t, err)
	assert.Equal(t, []int64{5, 5 * long}, []int64{int64(n), ex.budget.held.Load()})
}
