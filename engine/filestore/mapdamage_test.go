package filestore

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/stretchr/testify/require"
)

// TestMapShowsDamage changes a record on the disk after it was read, and cuts the file behind it.
func TestMapShowsDamage(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{SegmentSize: format.MinSegmentSize})
	require.NoError(t, err)
	defer s.Close()
	for i := range 200 {
		_, err := s.Append(bg, engine.Append{
			Stream: fmt.Sprint("s", i%2),
			Events: []engine.NewEvent{{Type: "t", Payload: make([]byte, 500)}},
		})
		require.NoError(t, err)
	}
	waitIndexed(t, s)
	read := func() (n int, err error) {
		c := s.ReadIndex().ReadStream(bg, "s1", 0, engine.Forwards)
		defer c.Close()
		for ; c.Next(); n++ {
			require.EqualValues(t, n, c.Event().Version)
			require.Equal(t, make([]byte, 500), c.Event().Payload)
		}
		return n, c.Err()
	}
	for range 3 { // by the second time everything has been read before
		n, err := read()
		require.NoError(t, err)
		require.Equal(t, 100, n)
	}
	seg := s.view.Load().segments[0]
	off, err := seg.index().Offset(7) // version 3 of s1
	require.NoError(t, err)
	f, err := os.OpenFile(seg.name, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte{1}, off+format.EventHeadSize+100)
	require.NoError(t, err)
	n, err := read()
	var corrupt *engine.CorruptError
	require.ErrorAs(t, err, &corrupt)
	require.Equal(t, off, corrupt.Offset)
	require.Equal(t, 3, n)

	const page = 4096
	require.NoError(t, f.Truncate(off/page*page))
	n, err = read()
	require.Error(t, err)
	require.True(t, errors.As(err, &corrupt), "%v", err)
	require.LessOrEqual(t, n, 3)
}
