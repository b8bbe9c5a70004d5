package indextest

import (
	"context"
	"math"
	"testing"

	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/require"
)

// MemoryOf returns the index of events, from position 0 on.
func MemoryOf(events []index.Event) *index.Memory {
	m := index.NewMemory(0, Store)
	for i := range events {
		m.Add(&events[i])
	}
	return m
}

// MetaOf describes all events of an index, as of segment 7.
func MetaOf(src index.Source) index.Meta {
	return index.Meta{
		Store:      Store,
		Number:     7,
		Generation: 1,
		Base:       1000,
		Count:      src.Count(),
		End:        64 << 20,
		Chain:      [32]byte{1, 2, 3},
	}
}

// FileOf writes the index of events to a file in memory and opens it.
func FileOf(t testing.TB, src index.Source, cache *index.BlockCache) (*index.File, vfs.FS) {
	fs := vfs.NewMem()
	require.NoError(t, index.WriteFile(context.Background(), fs, "7.idx", src, MetaOf(src)))
	x, err := index.OpenFile(fs, "7.idx", MetaOf(src), cache)
	require.NoError(t, err)
	return x, fs
}

// Content returns what is in a file.
func Content(t testing.TB, fsys vfs.FS, name string) []byte {
	b, err := vfs.ReadFile(fsys, name, math.MaxInt32)
	require.NoError(t, err)
	return b
}
