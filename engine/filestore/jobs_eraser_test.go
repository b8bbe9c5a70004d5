package filestore

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
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
	files := segmentFiles{fs: fsys, dir: vfs.Parent(name), raw: newPlainCache(DefaultCompressCache)}
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

// Whoever reads when an erasure is carried out reads on: what was taken before shows the content or
// not, and nothing else of it changes.
func TestOpenCursorsReadOnWhileEventsAreErased(t *testing.T) {
	for _, most := range []int{0, 2} { // files that may be open
		dir := t.TempDir()
		o := Options{SegmentSize: 32 << 10}
		if most > 0 {
			o.files = vfs.NewFileCache(most)
		}
		s := openStore(t, dir, o)
		marked := appendMarked(t, s, 900)
		o.ReadOnly = true
		reader := openStore(t, dir, o)
		var cursors []engine.Cursor
		var old []engine.ReadIndex
		for _, x := range []*FileStore{s, reader} {
			index := x.ReadIndex()
			old = append(old, index)
			cursors = append(cursors, index.ReadAll(t.Context(), 0, engine.Forwards),
				index.ReadAll(t.Context(), index.Head(), engine.Backwards),
				index.ReadStream(t.Context(), "s", 0, engine.Forwards))
		}
		for _, c := range cursors {
			drainN(t, c, 200)
		}
		_, err := s.Append(t.Context(), erasing(marked...))
		require.NoError(t, err)
		settleErasures(t, s)
		require.Empty(t, filesWith(t, vfs.OS(), dir, marker))
		for _, c := range cursors {
			assert.Len(t, drain(t, c), 700)
		}
		for _, index := range old {
			events := drain(t, index.ReadAll(t.Context(), 0, engine.Forwards))
			require.Len(t, events, 900)
			for _, e := range events {
				assert.Equal(t, marked.Has(e.Position), e.Redacted || bytes.Contains(e.Payload, []byte(marker)))
			}
			v := &verification{store: reader, index: index.(*readIndex), ctx: t.Context()}
			for i := range v.index.view.segments {
				require.NoError(t, v.segmentPatiently(i))
			}
			require.NoError(t, v.erasures())
		}
		requireErased(t, reader, marked)
		_, err = reader.Verify(t.Context())
		require.NoError(t, err)
	}
}

// A process that still has a file open which holds what was erased is named, also if that is this
// one; who has closed it is not.
func TestReadersThatHaveAnOldFileOpenAreNamed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells which process has a file open")
	}
	dir := t.TempDir()
	s := openStore(t, dir, Options{SegmentSize: 32 << 10})
	marked := appendMarked(t, s, 300)
	s.eraser.holders = func(files []vfs.FileInfo) []int {
		awaitRetired(t, s)
		return vfs.HoldersOfRemoved(files)
	}
	_, err := s.Append(t.Context(), erasing(marked[:10]...))
	require.NoError(t, err)
	assert.Empty(t, settleErasures(t, s)[0].Readers)
	index := s.ReadIndex()
	s.eraser.holders = vfs.HoldersOfRemoved
	_, err = s.Append(t.Context(), erasing(marked[10:]...))
	require.NoError(t, err)
	assert.Equal(t, []int{os.Getpid()}, settleErasures(t, s)[1].Readers)
	drain(t, index.ReadAll(t.Context(), 0, engine.Forwards))
}

// A reader that has an old file open for a moment, as each look-up that is under way has, is no
// reader to be named.
func TestReadersThatAreAboutToGoAreNotNamed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells which process has a file open")
	}
	s := openStore(t, t.TempDir(), Options{SegmentSize: 32 << 10})
	marked := appendMarked(t, s, 300)
	index := s.ReadIndex()
	var looks [][]int
	s.eraser.holders = func(files []vfs.FileInfo) []int { // called by the eraser's goroutine, one look after the other
		pids := vfs.HoldersOfRemoved(files)
		if looks = append(looks, pids); len(looks) == 1 {
			assert.Equal(t, engine.Position(300), index.Head())
			index = nil
			awaitRetired(t, s)
		}
		return pids
	}
	_, err := s.Append(t.Context(), erasing(marked[:10]...))
	require.NoError(t, err)
	assert.Empty(t, settleErasures(t, s)[0].Readers)
	assert.Equal(t, [][]int{{os.Getpid()}, nil}, looks)
}

// awaitRetired waits until the files of segments that nobody has any more are closed.
func awaitRetired(t *testing.T, s *FileStore) {
	assert.Eventually(t, func() bool {
		runtime.GC()
		return s.retired.count() == 0
	}, time.Minute, time.Millisecond)
}

// A store that is closed in the middle of an erasure, again and again, comes to its end all the same.
func TestAnErasureSurvivesEveryClose(t *testing.T) {
	testenv.WithoutRace(t)
	fsys := vfs.NewMem()
	o := Options{FS: fsys, SegmentSize: 32 << 10, Compress: CompressZstd}
	s := openStore(t, "/store", o)
	marked := appendMarked(t, s, 1500)
	for i := 0; i < len(marked); i += 10 {
		_, err := s.Append(t.Context(), erasing(marked[i:min(i+10, len(marked))]...))
		require.NoError(t, err)
		time.Sleep(time.Duration(i%7) * time.Millisecond)
		require.NoError(t, s.Close())
		s = openStore(t, "/store", o)
		requireErased(t, s, marked[:min(i+10, len(marked))])
	}
	settleErasures(t, s)
	assert.Empty(t, filesWith(t, fsys, "/store", marker))
	_, err := s.Verify(t.Context())
	require.NoError(t, err)
}

// A process that only reads carries nothing out, and hides what is erased.
func TestAReadOnlyStoreHidesWhatIsErasedAndLeavesItToOthers(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, "/store", Options{FS: fsys})
	marked := appendMarked(t, s, 30)
	s.eraser.stall(t)
	_, err := s.Append(t.Context(), erasing(marked...))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	before := takeImageOf(t, fsys, "/store")
	reader := openStore(t, "/store", Options{FS: fsys, ReadOnly: true})
	requireErased(t, reader, marked)
	list, err := reader.Erasures(t.Context())
	require.NoError(t, err)
	require.Len(t, list[0].Pending, 1)
	assert.Equal(t, "last segment, to be completed and written anew", list[0].Pending[0].Why)
	require.NoError(t, reader.Close())
	assert.Equal(t, before, takeImageOf(t, fsys, "/store"))

	s = openStore(t, "/store", Options{FS: fsys}) // without an append
	settleErasures(t, s)
	assert.Empty(t, filesWith(t, fsys, "/store", marker))
}

func takeImageOf(t testing.TB, fsys vfs.FS, dir string) map[string]string {
	files := map[string]string{}
	names, err := fsys.List(dir)
	require.NoError(t, err)
	for _, name := range names {
		files[name] = string(fsBytes(t, fsys, vfs.Join(dir, name)))
	}
	return files
}

// Very many erasures that wait cost each no more than a few, and end together.
func TestManyErasuresThatWait(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, "/store", Options{FS: fsys, Sync: SyncInterval})
	marked := appendMarked(t, s, 6000)
	s.eraser.stalled.Store(true)
	for _, x := range marked {
		_, err := s.Append(t.Context(), erasing(x))
		require.NoError(t, err)
	}
	require.Len(t, s.view.Load().erasures.open, 2000)
	s.eraser.stalled.Store(false)
	require.NoError(t, s.Close())
	s = openStore(t, "/store", Options{FS: fsys})
	require.Len(t, settleErasures(t, s), 2000)
	requireErased(t, s, marked)
	assert.Empty(t, filesWith(t, fsys, "/store", marker))
	assert.Nil(t, s.view.Load().erasures)
}

// What failed writes have left outside of the frames of a segment goes with any erasure.
func TestBytesThatAreOfNoFrameGoWithAnyErasure(t *testing.T) {
	fsys := vfs.NewMem()
	o := Options{FS: fsys, SegmentSize: 32 << 10}
	s := openStore(t, imageDir, o)
	appendNumbered(t, s, 0, 400)
	require.Greater(t, s.Stats().Segments, 3)
	settleIndexes(t, s)
	require.NoError(t, s.Close())
	img := takeImage(t, fsys)
	first, second := format.SegmentFileName(1, 0), format.SegmentFileName(2, 0)
	img[first] = append(img[first], marker...) // behind the seal
	end := s.view.Load().segments[1].sealed.Load().end
	require.Greater(t, format.SealAt(end)-end, int64(len(marker)))
	copy(img[second][end:], marker) // in front of it
	fsys = img.fs(t)
	o.FS = fsys
	s = openStore(t, imageDir, o)
	require.Len(t, filesWith(t, fsys, imageDir, marker), 2)
	_, err := s.Append(t.Context(), erasing(engine.Span{From: 390, To: 391}))
	require.NoError(t, err)
	settleErasures(t, s)
	assert.Empty(t, filesWith(t, fsys, imageDir, marker))
	report, err := s.Verify(t.Context())
	require.NoError(t, err)
	assert.Empty(t, report.BadIndexes)
}
