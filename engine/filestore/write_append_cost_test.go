package filestore

import (
	"context"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/require"
)

// TestAppendAllocations holds what an append allocates: the places that it returns.
func TestAppendAllocations(t *testing.T) {
	skipUnderRace(t)
	s := openStore(t, "store", Options{FS: vfs.NewMem()})
	batch := []engine.Append{{Stream: "order-1", Events: orders(1)[0].Events}}
	n := testing.AllocsPerRun(2000, func() {
		if _, err := s.Append(context.Background(), batch...); err != nil {
			t.Fatal(err)
		}
	})
	require.LessOrEqual(t, n, 1.0)
}

// TestCommitGroupAllocations holds what a group of many events allocates: the places that it
// returns, the index's next pieces, and nothing for each event.
func TestCommitGroupAllocations(t *testing.T) {
	skipUnderRace(t)
	s := openStore(t, "store", Options{FS: vfs.NewMem()})
	const events = 1000
	batch := orders(events)
	renameStreams(batch)
	for i := range batch {
		batch[i].Expect = nil
	}
	n := testing.AllocsPerRun(50, func() {
		if _, err := s.Append(context.Background(), batch...); err != nil {
			t.Fatal(err)
		}
	})
	require.LessOrEqual(t, n/events, 0.1)
}
