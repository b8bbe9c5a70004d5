package filestore

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
)

// settleErasures waits until every erasure of a store is done.
func settleErasures(t testing.TB, s *FileStore) []engine.ErasureInfo {
	t.Helper()
	var list []engine.ErasureInfo
	require.Eventually(t, func() bool {
		var err error
		list, err = s.Erasures(t.Context())
		require.NoError(t, err)
		for _, e := range list {
			if e.DoneAt.IsZero() {
				return false
			}
		}
		return true
	}, 60*time.Second, time.Millisecond)
	return list
}

// filesWith returns the names of the files below a directory that hold the text, compressed or not.
func filesWith(t testing.TB, fsys vfs.FS, dir, text string) (found []string) {
	t.Helper()
	names, err := fsys.List(dir)
	require.NoError(t, err)
	for _, name := range names {
		name = vfs.Join(dir, name)
		if info, err := fsys.Stat(name); err != nil || info.Dir {
			continue
		}
		if bytes.Contains(plainBytes(t, fsys, name), []byte(text)) {
			found = append(found, filepath.Base(name))
		}
	}
	return found
}

// plainBytes returns what is in a file, of a compressed segment what it was made of.
func plainBytes(t testing.TB, fsys vfs.FS, name string) []byte {
	t.Helper()
	b := fsBytes(t, fsys, name)
	if !strings.HasSuffix(name, ".log") {
		return b
	}
	files := segmentFiles{fs: fsys, dir: vfs.Parent(name), raw: new(plainCache)}
	f, _, compressed, err := files.readFile(name)
	require.NoError(t, err)
	defer f.Close()
	if compressed {
		size, err := f.Size()
		require.NoError(t, err)
		plain := make([]byte, size)
		_, err = f.ReadAt(plain, 0)
		require.NoError(t, vfs.IgnoreEOF(err))
		b = append(b, plain...)
	}
	return b
}

// Erased events are in no file when it is done, whether they lay in complete segments, compressed or
// not, or in the last one; everything else is as it was, receipts hold, and Verify finds nothing.
func TestErasedEventsAreInNoFileOnceItIsDone(t *testing.T) {
	for _, compress := range []Compression{CompressNone, CompressZstd} {
		for _, n := range []int{9, 2000} {
			t.Run(fmt.Sprint(compress, n), func(t *testing.T) {
				fsys := vfs.NewMem()
				o := Options{FS: fsys, SegmentSize: 64 << 10, Compress: compress}
				s := openStore(t, "/store", o)
				marked := appendMarked(t, s, n)
				if compress == CompressZstd && n > 100 {
					settleCompression(t, s)
				}
				receipt, err := s.Head()
				require.NoError(t, err)
				before := drain(t, s.ReadIndex().ReadAll(t.Context(), 0, engine.Forwards))
				require.NotEmpty(t, filesWith(t, fsys, "/store", marker))

				_, err = s.Append(t.Context(), erasing(marked...))
				require.NoError(t, err)
				requireErased(t, s, marked)
				list := settleErasures(t, s)
				require.Len(t, list, 1)
				assert.Equal(t, marked, list[0].Events)
				assert.Equal(t, "Art. 17", list[0].Reason)
				assert.Equal(t, "tests", list[0].Actor)
				assert.Empty(t, list[0].Pending)
				assert.Empty(t, filesWith(t, fsys, "/store", marker))
				requireErased(t, s, marked)
				_, err = s.Verify(t.Context())
				require.NoError(t, err)
				assert.Nil(t, s.view.Load().erasures)
				require.NoError(t, s.Close())

				o.Expect = &receipt
				s = openStore(t, "/store", o)
				requireErased(t, s, marked)
				_, err = s.Verify(t.Context())
				require.NoError(t, err)
				for i, e := range drain(t, s.ReadIndex().At(receipt.Position).ReadAll(t.Context(), 0, engine.Forwards)) {
					want := before[i]
					if marked.Has(e.Position) {
						want.Payload, want.Metadata, want.JSON, want.Redacted = nil, []byte("{}"), false, true
					}
					require.Equal(t, want, e)
				}
			})
		}
	}
}

// An erasure of events that are erased already is done without writing a segment anew.
func TestASecondErasureOfTheSameIsDoneAtOnce(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, "/store", Options{FS: fsys, SegmentSize: 32 << 10})
	marked := appendMarked(t, s, 500)
	_, err := s.Append(t.Context(), erasing(marked...))
	require.NoError(t, err)
	settleErasures(t, s)
	before := segmentFilesOf(t, fsys)
	_, err = s.Append(t.Context(), erasing(marked...))
	require.NoError(t, err)
	require.Len(t, settleErasures(t, s), 2)
	assert.Subset(t, segmentFilesOf(t, fsys), before)
	_, err = s.Verify(t.Context())
	require.NoError(t, err)
}

func segmentFilesOf(t testing.TB, fsys vfs.FS) (logs []string) {
	names, err := fsys.List("/store")
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			logs = append(logs, name)
		}
	}
	return logs
}

// Many erasures at the same time as appends, compression and reads: all come to their end.
func TestErasuresBesideAppendsAndCompression(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, "/store", Options{FS: fsys, SegmentSize: 64 << 10, Compress: CompressZstd})
	r := rand.New(rand.NewPCG(1, 1))
	var all engine.Spans
	for range 30 {
		marked := appendMarked(t, s, 60)
		all = all.Union(marked)
		if r.IntN(2) == 0 {
			marked = all
		}
		_, err := s.Append(t.Context(), erasing(marked...))
		require.NoError(t, err)
		requireErased(t, s, all)
	}
	settleErasures(t, s)
	assert.Empty(t, filesWith(t, fsys, "/store", marker))
	settleCompression(t, s)
	requireErased(t, s, all)
	_, err := s.Verify(t.Context())
	require.NoError(t, err)
}
