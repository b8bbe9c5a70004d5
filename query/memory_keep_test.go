package query

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/query/internal/value"
)

// A keptSpill gives back what a keeper holds.
type keptSpill struct{ keep *keeper }

func (s keptSpill) spillable() int64 { return s.keep.taken }
func (s keptSpill) spill() error     { s.keep.release(); return nil }

// TestRowsThatAreKeptTogetherStayAccountedFor when what was kept before them is given back.
func TestRowsThatAreKeptTogetherStayAccountedFor(t *testing.T) {
	var b budget
	b.set(&Settings{Memory: 8 << 10})
	k := newKeeper(&b, "ORDER BY")
	b.enlist(keptSpill{k})
	require.NoError(t, k.account(8<<10-100))
	row := []value.Value{value.OfText("a text")}
	keys, values, err := k.two(row, row)
	require.NoError(t, err)
	assert.Equal(t, 2*rowSize(row), k.taken)
	k.forget(keys)
	k.forget(values)
	assert.Zero(t, k.taken)
	assert.Zero(t, b.held.Load())
}
