package filestore

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The file of a segment that has been replaced goes as soon as MANIFEST can be written and the file
// removed, without opening the store again.
func TestReplacedFilesAreRemovedLater(t *testing.T) {
	for _, what := range []string{"MANIFEST cannot be written", "the file cannot be removed"} {
		var failures atomic.Int64
		fails := func(op, name string) error {
			if what == "MANIFEST cannot be written" && op == "open" && name == format.ManifestTemp ||
				what == "the file cannot be removed" && op == "remove" && name == format.SegmentFileName(1, 0) {
				failures.Add(1)
				return syscall.EIO
			}
			return nil
		}
		fsys := &faultFS{FS: vfs.NewMem()}
		o := compressOptions(fsys, CompressNone)
		s := openStore(t, imageDir, o)
		appendOrders(t, s, rand.New(rand.NewPCG(3, 3)), 2000)
		settleIndexes(t, s)
		require.NoError(t, s.Close())

		fsys.set(fails)
		o.Compress = CompressZstd
		s = openStore(t, imageDir, o)
		s.indexer.retry = time.Millisecond
		mustAppend(t, s, "a", engine.Any, one("x")...)
		require.Eventually(t, func() bool { return failures.Load() > 2 }, time.Minute, time.Millisecond, what)
		_, err := fsys.Stat(vfs.Join(imageDir, format.SegmentFileName(1, 0)))
		require.NoError(t, err, what)
		fsys.set(nil)
		settleCompression(t, s)
		sealed := s.Stats().Segments - 1
		require.Eventually(t, func() bool {
			for n := range sealed {
				if _, err := fsys.Stat(vfs.Join(imageDir, format.SegmentFileName(int64(n+1), 0))); err == nil {
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
