package engine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
)

// TestConflictsAreTheFirstEventsThatBreakACondition: after the position that was read, whole, and
// no more than are reported.
func TestConflictsAreTheFirstEventsThatBreakACondition(t *testing.T) {
	ctx := context.Background()
	store := enginetest.NewModel()
	for i := range 40 {
		_, err := store.Append(ctx, engine.Append{Stream: fmt.Sprint("s", i%2), Events: []engine.NewEvent{
			{Type: "t", Payload: []byte("1"), Tags: []string{"x"}},
		}})
		require.NoError(t, err)
	}
	odd := func(b *engine.Batch, row int) (bool, error) { return b.Positions[row]%2 == 1, nil }
	c := &engine.Condition{After: 4, Match: odd}
	found, err := engine.Conflicts(ctx, store.ReadIndex(), c, 0)
	require.NoError(t, err)
	require.Len(t, found, engine.MaxConflicts)
	cursor := store.ReadIndex().ReadAll(ctx, 5, engine.Forwards)
	defer cursor.Close()
	require.True(t, cursor.Next())
	assert.Equal(t, *cursor.Event(), found[0])

	found, err = engine.Conflicts(ctx, store.ReadIndex(), c, 36)
	require.NoError(t, err)
	require.Len(t, found, 2)
	assert.Equal(t, engine.Position(37), found[0].Position)

	found, err = engine.Conflicts(ctx, store.ReadIndex(), &engine.Condition{After: 39}, 0)
	require.NoError(t, err)
	assert.Empty(t, found)
}

// TestAnEventOfABatchIsThatOfACursor: two ways to read the same.
func TestAnEventOfABatchIsThatOfACursor(t *testing.T) {
	ctx := context.Background()
	store := enginetest.NewModel()
	_, err := store.Append(ctx, engine.Append{Stream: "s", Events: []engine.NewEvent{
		{Type: "t", Payload: []byte("{}"), Metadata: []byte(`{"a":1}`), Tags: []string{"x", "y"}}, {Type: "u"},
	}})
	require.NoError(t, err)
	batches := store.ReadIndex().Scan(ctx, engine.Filter{}, engine.ColAll)
	defer batches.Close()
	cursor := store.ReadIndex().ReadAll(ctx, 0, engine.Forwards)
	defer cursor.Close()
	b := batches.Next()
	require.NotNil(t, b)
	for i := range b.Len {
		require.True(t, cursor.Next())
		assert.Equal(t, *cursor.Event(), b.Event(i))
	}
}
