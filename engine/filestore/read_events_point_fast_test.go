package filestore

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/require"
)

// unmapped hides that a file can be mapped.
type unmapped struct{ vfs.File }

// onDisk moves the segments' files to the disk.
func (l *handLog) onDisk(dir string, mapped bool) {
	for _, seg := range l.view.segments {
		size, err := seg.file.Size()
		require.NoError(l.t, err)
		b := make([]byte, size)
		n, err := seg.file.ReadAt(b, 0)
		require.NoError(l.t, vfs.IgnoreEOF(err))
		require.Len(l.t, b, n)
		name := filepath.Join(dir, filepath.Base(seg.name))
		require.NoError(l.t, os.WriteFile(name, b, 0o600))
		file, err := vfs.OpenToRead(vfs.OS(), name)
		require.NoError(l.t, err)
		l.t.Cleanup(func() { file.Close() })
		if seg.file = file; !mapped {
			seg.file = unmapped{file}
		}
	}
}

// TestPointsOfMappedFilesAgreeWithPlainReads reads by the fast path and by the plain one; what the
// second round reads, the first has brought into the map.
func TestPointsOfMappedFilesAgreeWithPlainReads(t *testing.T) {
	r := testRand(t)
	for _, mapped := range []bool{true, false} {
		l := randomLog(t, r, 700, 3)
		l.onDisk(t.TempDir(), mapped)
		_, ok := l.view.segments[0].file.(vfs.Mapper)
		if mapped && !ok {
			continue // this system has no maps
		}
		require.Equal(t, mapped, ok)
		for range 2 {
			compareReads(t, r, l.index(), l.events, 40)
		}
	}
}
