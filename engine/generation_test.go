package engine

import (
	"context"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A brokenFS fails to open the files, or to remove those, that it is told to.
type brokenFS struct {
	FS
	open, remove func(name string) bool
}

func (b *brokenFS) Open(name string, flag int) (File, error) {
	if b.open(filepath.Base(name)) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EIO}
	}
	return b.FS.Open(name, flag)
}

func (b *brokenFS) Remove(name string) error {
	if b.remove(filepath.Base(name)) {
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.EIO}
	}
	return b.FS.Remove(name)
}

// The file of a segment that has been replaced goes as soon as MANIFEST can be written and the file removed, without opening the store again.
func TestReplacedFilesAreRemovedLater(t *testing.T) {
	for _, what := range []string{"MANIFEST cannot be written", "the file cannot be removed"} {
		var failing atomic.Bool
		failures := atomic.Int64{}
		fails := func(broken bool) bool {
			if broken && failing.Load() {
				failures.Add(1)
				return true
			}
			return false
		}
		fsys := &brokenFS{FS: NewMemFS(),
			open: func(name string) bool { return fails(what == "MANIFEST cannot be written" && name == manifestTemp) },
			remove: func(name string) bool {
				return fails(what == "the file cannot be removed" && name == segmentFileName(1, 0))
			},
		}
		o := compressOptions(fsys, CompressNone)
		s := openStore(t, imageDir, o)
		appendOrders(t, s, rand.New(rand.NewPCG(3, 3)), 2000)
		settleIndexes(t, s)
		require.NoError(t, s.Close())

		failing.Store(true)
		o.Compress = CompressZstd
		s = openStore(t, imageDir, o)
		s.indexer.retry = time.Millisecond
		mustAppend(t, s, "a", Any, one("x")...)
		require.Eventually(t, func() bool { return failures.Load() > 2 }, time.Minute, time.Millisecond, what)
		_, err := fsys.Stat(joinPath(imageDir, segmentFileName(1, 0)))
		require.NoError(t, err, what)
		failing.Store(false)
		settleCompression(t, s)
		sealed := s.Stats().Segments - 1
		require.Eventually(t, func() bool {
			for n := range sealed {
				if _, err := fsys.Stat(joinPath(imageDir, segmentFileName(int64(n+1), 0))); err == nil {
					return false
				}
			}
			return true
		}, time.Minute, time.Millisecond, what)
		report, err := s.Verify(context.Background())
		require.NoError(t, err)
		assert.Empty(t, report.BadIndexes)
		require.NoError(t, s.Close())
		s = openStore(t, imageDir, o)
		opened := s.OpenReport()
		assert.Empty(t, opened.String())
		require.NoError(t, s.Close())
	}
}
