package filestore

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// EVENTFOLD_OPEN_FILES=n lets every test of this package run with at most n files open for reading.
func init() {
	if n, err := strconv.Atoi(testenv.Get("EVENTFOLD_OPEN_FILES")); err == nil {
		vfs.LimitOpenFiles(n)
	}
}

// A countingFS counts the files that are open, and lets no more than most be.
type countingFS struct {
	vfs.FS
	most          int64          // 0 means any number
	cache         *vfs.FileCache // asked to close some when there are too many, as vfs.OS does
	now, greatest atomic.Int64
}

type countedFile struct {
	vfs.File
	fs     *countingFS
	closed atomic.Bool
}

func (c *countingFS) Open(name string, flag int) (vfs.File, error) {
	if c.cache == nil {
		return c.open(name, flag)
	}
	return vfs.OpenPatiently(c.cache, func() (vfs.File, error) { return c.open(name, flag) })
}

func (c *countingFS) open(name string, flag int) (vfs.File, error) {
	n := c.now.Add(1)
	if c.most != 0 && n > c.most {
		c.now.Add(-1)
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EMFILE}
	}
	f, err := c.FS.Open(name, flag)
	if err != nil {
		c.now.Add(-1)
		return nil, err
	}
	for {
		g := c.greatest.Load()
		if n <= g || c.greatest.CompareAndSwap(g, n) {
			return &countedFile{File: f, fs: c}, nil
		}
	}
}

func (c *countedFile) Close() error {
	if c.closed.Swap(true) {
		return fs.ErrClosed
	}
	c.fs.now.Add(-1)
	return c.File.Close()
}

func (c *countedFile) ReadAt(p []byte, off int64) (int, error) {
	if c.closed.Load() {
		return 0, fs.ErrClosed
	}
	return c.File.ReadAt(p, off)
}

func TestFileCacheBoundsWhatIsOpen(t *testing.T) {
	const files, most, readers = 40, 5, 8
	fsys := &countingFS{FS: vfs.NewMem()}
	cache := vfs.NewFileCache(most)
	open := func(i int) (vfs.File, error) { return fsys.Open(fmt.Sprint(i), os.O_RDONLY) }
	var all []vfs.File
	for i := range files {
		f, err := fsys.Open(fmt.Sprint(i), os.O_RDWR|os.O_CREATE)
		require.NoError(t, err)
		require.NoError(t, vfs.WriteFull(f, []byte(fmt.Sprintf("%03d", i)), 0))
		require.NoError(t, f.Close())
		f, err = open(i)
		require.NoError(t, err)
		all = append(all, cache.Add(f, func() (vfs.File, error) { return open(i) }))
		require.LessOrEqual(t, fsys.now.Load(), int64(most+1))
	}
	var group sync.WaitGroup
	for r := range readers {
		group.Go(func() {
			r := rand.New(rand.NewPCG(91, uint64(r)))
			for range 2000 {
				i := r.IntN(files)
				var b [3]byte
				_, err := all[i].ReadAt(b[:], 0)
				if !assert.NoError(t, err) || !assert.Equal(t, fmt.Sprintf("%03d", i), string(b[:])) {
					return
				}
			}
		})
	}
	group.Wait()
	assert.LessOrEqual(t, fsys.greatest.Load(), int64(most+2*readers), "those being read or opened, beside the bound")
	assert.True(t, cache.Shrink())
	for i, f := range all {
		require.NoError(t, f.Close())
		assert.ErrorIs(t, f.Close(), fs.ErrClosed)
		_, err := f.ReadAt(make([]byte, 1), 0)
		assert.ErrorIs(t, err, fs.ErrClosed, i)
	}
	assert.Zero(t, fsys.now.Load())
	assert.Zero(t, cache.Count())
	assert.False(t, cache.Shrink())
}

// What is used again and again stays open.
func TestFileCacheKeepsWhatIsUsed(t *testing.T) {
	cache := vfs.NewFileCache(4)
	opened := make([]int, 30)
	var all []vfs.File
	for i := range opened {
		f := vfs.NewMem()
		open := func() (vfs.File, error) {
			opened[i]++
			return f.Open("f", os.O_RDWR|os.O_CREATE)
		}
		file, err := open()
		require.NoError(t, err)
		all = append(all, cache.Add(file, open))
	}
	for i := range 300 {
		all[0].Size()
		all[1].Size()
		all[2+i%28].Size()
	}
	assert.Less(t, opened[0]+opened[1], 10)
	assert.Greater(t, opened[7], 5)
}

// A store of many segments keeps few of its files open, whatever is asked, and closes them all.
func TestStoreKeepsFewFilesOpen(t *testing.T) {
	fsys := &countingFS{FS: vfs.NewMem()}
	fsys.cache = vfs.NewFileCache(6)
	s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: format.MinSegmentSize, files: fsys.cache})
	ctx := context.Background()
	event := func(i int) []engine.NewEvent {
		return []engine.NewEvent{{
			Type:    "T" + strconv.Itoa(i%3),
			Payload: []byte(fmt.Sprintf(`{"n":%d,"x":"%s"}`, i, strings.Repeat("x", 900))),
		}}
	}
	const events, streams = 2000, 50
	for i := range events {
		mustAppend(t, s, fmt.Sprint("s", i%streams), engine.Exact(engine.Version(i/streams-1)), event(i)...)
	}
	settleIndexes(t, s)
	require.Greater(t, s.Stats().Segments, 50)
	check := func(s *FileStore) {
		t.Helper()
		for n := range streams {
			c := s.ReadIndex().ReadStream(ctx, fmt.Sprint("s", n), 0, engine.Forwards)
			found := 0
			for c.Next() {
				require.Equal(t, engine.Position(n+found*streams), c.Event().Position)
				found++
			}
			require.NoError(t, c.Err())
			require.Equal(t, events/streams, found)
			require.NoError(t, c.Close())
		}
		got, err := payloads(s)
		require.NoError(t, err)
		require.Len(t, got, events)
		report, err := s.Verify(ctx)
		require.NoError(t, err)
		require.Empty(t, report.BadIndexes)
		require.Equal(t, int64(events), report.Events)
	}
	fsys.greatest.Store(0)
	check(s)
	assert.Less(t, fsys.greatest.Load(), int64(20))
	require.NoError(t, s.Close())
	assert.Zero(t, fsys.now.Load(), "nothing stays open")

	// Now the system refuses more, before the cache's own bound is reached.
	fsys.most = 16
	fsys.cache.Limit(1000)
	s, err := Open(imageDir, Options{FS: fsys, SegmentSize: format.MinSegmentSize, files: fsys.cache})
	require.NoError(t, err)
	check(s)
	mustAppend(t, s, "s0", engine.Exact(events/streams-1), event(events)...)
	_, err = s.Backup(ctx, "backup")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	assert.Zero(t, fsys.now.Load())
}

// A reader whose file has been replaced meanwhile, by another process that compresses, goes on with
// the one that is there.
func TestShutFileThatIsReplaced(t *testing.T) {
	fsys := vfs.NewMem()
	w := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
	appendNumbered(t, w, 0, 500)
	settleIndexes(t, w)
	require.NoError(t, w.Close())

	r := openStore(t, imageDir, Options{FS: fsys, ReadOnly: true})
	old := r.ReadIndex()
	r.files.Limit(1)
	for r.files.Shrink() {
	}
	w = openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize, Compress: CompressZstd})
	appendNumbered(t, w, 500, 501)
	require.Eventually(t, func() bool {
		return w.Stats().Compressed == w.Stats().Segments-1
	}, time.Minute, time.Millisecond)
	_, err := fsys.Stat(vfs.Join(imageDir, format.SegmentFileName(1, 0)))
	require.ErrorIs(t, err, fs.ErrNotExist)

	c := old.ReadAll(context.Background(), 0, engine.Forwards)
	defer c.Close()
	var got []string
	for c.Next() {
		got = append(got, string(c.Event().Payload))
	}
	require.NoError(t, c.Err())
	assert.Equal(t, numbered(500), got)

	// A file of the same name that is not the same is not taken for it.
	for r.files.Shrink() {
	}
	other := openStore(t, "other", Options{FS: fsys, SegmentSize: testSegmentSize})
	appendNumbered(t, other, 0, 500)
	require.NoError(t, other.Close())
	names, err := fsys.List("other")
	require.NoError(t, err)
	for _, name := range names {
		if _, _, ok := format.ParseSegmentFileName(name); ok {
			require.NoError(t,
				fsys.Rename(vfs.Join("other", name), vfs.Join(imageDir, strings.TrimSuffix(name, ".log")+".9.log")))
		}
	}
	mine, err := fsys.List(imageDir)
	require.NoError(t, err)
	for _, name := range mine {
		if strings.HasSuffix(name, ".1.log") {
			require.NoError(t, fsys.Remove(vfs.Join(imageDir, name)))
		}
	}
	c = old.ReadAll(context.Background(), 0, engine.Forwards)
	defer c.Close()
	for c.Next() {
	}
	var corrupt *engine.CorruptError
	require.ErrorAs(t, c.Err(), &corrupt)
}

// An index file that is shut, and replaced by one about more events, is not read as if it were the
// same.
func TestShutIndexThatIsReplaced(t *testing.T) {
	fsys := vfs.NewMem()
	fill := func(from, to int) {
		s := openStore(t, imageDir, Options{FS: fsys})
		var batch []engine.Append
		for i := from; i < to; i++ {
			batch = append(batch, engine.Append{Stream: fmt.Sprint("s", i%97), Events: one(fmt.Sprint(i))})
		}
		_, err := s.Append(context.Background(), batch...)
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
	const part = minActiveIndex + 500
	fill(0, part)
	r := openStore(t, imageDir, Options{FS: fsys, ReadOnly: true})
	old := r.ReadIndex()
	require.NotNil(t, r.log.index.PrefixFile(), "the index was saved")
	for r.files.Shrink() {
	}
	fill(part, 2*part)
	for n := range 97 {
		c := old.ReadStream(context.Background(), fmt.Sprint("s", n), 0, engine.Forwards)
		at := n
		for c.Next() {
			require.Equal(t, engine.Position(at), c.Event().Position)
			at += 97
		}
		require.NoError(t, c.Err())
		require.GreaterOrEqual(t, at, part)
		require.NoError(t, c.Close())
	}
}
