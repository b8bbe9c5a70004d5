package query

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAPassThatWasFullStaysFull, and one that keeps little closes no pass for want of the store's memory:
// each pass costs a block at least.
func TestAPassThatWasFullStaysFull(t *testing.T) {
	b := &budget{}
	b.set(&Settings{Memory: 1 << 20})
	room := newSpillRoom(b, -1)
	assert.False(t, room.full(0))
	require.NoError(t, b.hold(600<<10, "GROUP BY"))
	assert.False(t, room.full(0), "the first key is always kept")
	assert.True(t, room.full(1))
	b.release(600 << 10)
	assert.True(t, room.full(1))
	assert.True(t, room.full(0))

	others := NewMemory(1 << 20)
	require.True(t, others.take(1000<<10))
	crowded := &budget{}
	crowded.set(&Settings{Memory: 1 << 20, Shared: others})
	room = newSpillRoom(crowded, -1)
	assert.False(t, room.full(leastKept-1))
	assert.True(t, room.full(leastKept))
	others.give(1000 << 10)
	assert.True(t, room.full(leastKept))
}
