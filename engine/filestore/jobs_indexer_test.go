package filestore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/filestore/internal/index/indextest"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/require"
)

// A fullFS has no room for new index files while full is true.
type fullFS struct {
	vfs.FS
	full atomic.Bool
}

func (f *fullFS) Open(name string, flag int) (vfs.File, error) {
	if f.full.Load() && flag&os.O_CREATE != 0 {
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.ENOSPC}
	}
	return f.FS.Open(name, flag)
}

// An indexerCase is an indexer with sealed segments whose events are known.
type indexerCase struct {
	t        *testing.T
	fs       *fullFS
	x        *indexer
	write    atomic.Bool
	rebuilt  atomic.Int32
	segments []*segment
	models   []*indextest.Model
	r        *rand.Rand
}

func newIndexerCase(t *testing.T, segments int) *indexerCase {
	c := &indexerCase{t: t, fs: &fullFS{FS: vfs.NewMem()}, r: rand.New(rand.NewPCG(51, 52))}
	c.write.Store(true)
	for range segments {
		c.addSegment()
	}
	c.restart()
	t.Cleanup(func() { c.x.close() })
	return c
}

// restart begins anew with an indexer that has opened nothing.
func (c *indexerCase) restart() {
	if c.x != nil {
		c.x.close()
	}
	c.x = newIndexer(c.fs, index.NewBlockCache(1<<20, 1<<20), c.write.Load,
		func(ctx context.Context, seg *segment) (*index.Memory, error) {
			c.rebuilt.Add(1)
			return indextest.MemoryOf(c.models[seg.number-1].Events), ctx.Err()
		})
	c.x.retry = time.Millisecond
}

func (c *indexerCase) addSegment() {
	model := &indextest.Model{Events: indextest.Corpora["few"].Make(c.r)}
	n := int64(len(c.segments) + 1)
	seg := &segment{
		number: n,
		name:   format.SegmentFileName(n, 0),
		base:   engine.Position(n) * 1000,
		header: format.SegmentHeader{Store: indextest.Store},
	}
	seg.setIndex(indextest.MemoryOf(model.Events))
	seg.sealed.Store(&sealedInfo{end: 1 << 20, count: uint32(len(model.Events)), lastChain: [32]byte{byte(n)}})
	c.segments, c.models = append(c.segments, seg), append(c.models, model)
}

func (c *indexerCase) meta(i int) index.Meta {
	return c.segments[i].indexMeta(indextest.Store, c.segments[i].sealed.Load())
}

func (c *indexerCase) addAll() {
	for _, seg := range c.segments {
		c.x.add(seg)
	}
}

// wait waits until every segment answers from a file, and compares the answers.
func (c *indexerCase) wait() {
	c.t.Helper()
	for i, seg := range c.segments {
		require.Eventually(c.t, func() bool { _, ok := seg.fileIndex(); return ok }, time.Minute, time.Millisecond)
		x := seg.index()
		indextest.Compare(c.t, c.r, c.models[i], x, uint32(len(c.models[i].Events)))
	}
}

// reopen puts what openSealed gives into every segment, as opening a store does.
func (c *indexerCase) reopen() {
	for i, seg := range c.segments {
		seg.setIndex(c.x.openSealed(seg, c.meta(i)))
	}
}

func TestIndexerMakesFiles(t *testing.T) {
	c := newIndexerCase(t, 3)
	c.addAll()
	c.wait()
	c.addSegment()
	c.x.add(c.segments[3])
	c.wait()
	require.Zero(t, c.rebuilt.Load(), "segments that were in memory were read")
}

func TestIndexerOpensWhatIsThere(t *testing.T) {
	c := newIndexerCase(t, 3)
	c.addAll()
	c.wait()
	c.restart()
	c.reopen()
	c.wait()
	require.NoError(t, c.fs.Remove("000000000002.idx"))
	c.restart()
	c.reopen()
	missing, ok := c.segments[1].index().(missingIndex)
	require.True(t, ok)
	_, _, err := missing.Lookup(index.ByStream, "a", 1)
	var damage *index.Damage
	require.ErrorAs(t, err, &damage)
	c.addAll()
	c.wait()
	require.EqualValues(t, 1, c.rebuilt.Load())
}

// TestIndexerRemakesTheSameBytes: a file that is made from the records is the one that was made
// from memory.
func TestIndexerRemakesTheSameBytes(t *testing.T) {
	c := newIndexerCase(t, 1)
	c.addAll()
	c.wait()
	want := indextest.Content(t, c.fs, "000000000001.idx")
	old := c.segments[0].index()
	c.x.rewrite(c.segments[0])
	require.Eventually(t, func() bool { return c.segments[0].index() != old }, time.Minute, time.Millisecond)
	require.Equal(t, want, indextest.Content(t, c.fs, "000000000001.idx"))
	require.EqualValues(t, 1, c.rebuilt.Load())
	c.wait()
	c.x.add(c.segments[0])
	require.Eventually(t, func() bool { c.x.mu.Lock(); defer c.x.mu.Unlock(); return !c.x.active }, time.Minute,
		time.Millisecond)
	require.EqualValues(t, 1, c.rebuilt.Load(), "a file that is right was made again")
}

func TestIndexerRefusesFilesOfOtherEvents(t *testing.T) {
	c := newIndexerCase(t, 2)
	c.addAll()
	c.wait()
	require.NoError(t, c.fs.Rename("000000000001.idx", "000000000002.idx"))
	c.restart()
	c.reopen()
	c.addAll()
	c.wait()
	require.EqualValues(t, 2, c.rebuilt.Load())
}

// TestIndexerOnAFullDisk: nothing but the file is missing, and it is made when there is room.
func TestIndexerOnAFullDisk(t *testing.T) {
	c := newIndexerCase(t, 2)
	c.fs.full.Store(true)
	c.addAll()
	require.Eventually(t, func() bool {
		c.x.mu.Lock()
		defer c.x.mu.Unlock()
		return errors.Is(c.x.lastErr, syscall.ENOSPC)
	}, time.Minute, time.Millisecond)
	for i, seg := range c.segments {
		indextest.Compare(t, c.r, c.models[i], seg.index(), uint32(len(c.models[i].Events)))
	}
	c.fs.full.Store(false)
	c.wait()
}

// TestIndexerThatMayNotWrite uses the files of the process that may.
func TestIndexerThatMayNotWrite(t *testing.T) {
	c := newIndexerCase(t, 2)
	c.write.Store(false)
	c.addAll()
	time.Sleep(20 * time.Millisecond) // it tries now and then
	names, err := c.fs.List(".")
	require.NoError(t, err)
	require.Empty(t, names)
	for i := range c.segments { // the other process
		require.NoError(t,
			index.WriteFile(context.Background(), c.fs, indexFileName(c.segments[i].name),
				indextest.MemoryOf(c.models[i].Events), c.meta(i)))
	}
	c.wait()
	// Having found damage it keeps its own index and leaves the file alone.
	seg := c.segments[0]
	mem := indextest.MemoryOf(c.models[0].Events)
	seg.setIndex(mem)
	c.x.rewrite(seg)
	require.Eventually(t, func() bool { c.x.mu.Lock(); defer c.x.mu.Unlock(); return len(c.x.pending) == 0 },
		time.Minute, time.Millisecond)
	require.Equal(t, index.Index(mem), seg.index())
}

// TestIndexerStops in the middle of its work. What it leaves behind does not disturb the next one.
func TestIndexerStops(t *testing.T) {
	for range 30 {
		c := newIndexerCase(t, 4)
		c.addAll()
		if c.r.IntN(2) == 0 {
			time.Sleep(time.Duration(c.r.IntN(1000)) * time.Microsecond)
		}
		c.x.stop()
		c.addAll() // too late
		c.restart()
		c.reopen()
		c.addAll()
		c.wait()
	}
}

func TestIndexerWaitsForTheSeal(t *testing.T) {
	c := newIndexerCase(t, 1)
	sealed := c.segments[0].sealed.Swap(nil)
	c.addAll()
	time.Sleep(5 * time.Millisecond)
	require.IsType(t, &index.Memory{}, c.segments[0].index())
	c.segments[0].sealed.Store(sealed)
	c.wait()
}

func TestIndexFileName(t *testing.T) {
	for segment, want := range map[string]string{
		"dir/000000000007.log":   "dir/000000000007.idx",
		"dir/000000000007.2.log": "dir/000000000007.2.idx",
	} {
		require.Equal(t, want, indexFileName(segment))
	}
}

// TestActiveIndex saves the index of a real segment and goes on behind it.
func TestActiveIndex(t *testing.T) {
	fsys := vfs.NewMem()
	store, err := Open("store", Options{FS: fsys, SegmentSize: 64 << 20})
	require.NoError(t, err)
	const events, batch = minActiveIndex + 500, 500
	appendMany := func(from, to int) {
		for i := from; i < to; {
			a := engine.Append{Stream: fmt.Sprintf("s%d", i%7)}
			for n := 0; n < batch && i < to; n++ {
				a.Events = append(a.Events, engine.NewEvent{
					Type:    "T",
					Payload: fmt.Append(nil, i),
					Tags:    []string{fmt.Sprint("t", i%3)},
				})
				i++
			}
			_, err := store.Append(context.Background(), a)
			require.NoError(t, err)
		}
	}
	appendMany(0, events)
	require.NoError(t, store.Close())

	x := newIndexer(fsys, index.NewBlockCache(1<<20, 1<<20), func() bool { return true }, nil)
	l := &logState{fs: fsys, dir: "store", indexer: x}
	require.NoError(t, l.load())
	want := l.end
	seg := l.last()
	whole := index.NewMemory(seg.base, l.store)
	s, err := newLogScanner(seg, startOf(&seg.header, 0))
	require.NoError(t, err)
	for f, err := s.next(); f != nil; f, err = s.next() {
		require.NoError(t, err)
		indexFrame(whole, &f.FrameHeader, f.bytes, f.offset)
	}
	require.EqualValues(t, events, whole.Count())
	require.NoError(t, x.saveActive(seg, l.store, whole, want, 0))

	m, end, ok := x.openActive(seg, l.store, want.offset)
	require.True(t, ok)
	require.Equal(t, s.end, end)
	require.Equal(t, want, end)
	require.EqualValues(t, events, m.Count())
	_, _, ok = x.openActive(seg, l.store, want.offset-8)
	require.False(t, ok, "an index of what is not promised was used")

	// Few new events are not worth another file; many are, or a file that is damaged.
	before := indextest.Content(t, fsys, indexFileName(seg.name))
	require.NoError(t, fsys.Remove(indexFileName(seg.name)))
	require.NoError(t, x.saveActive(seg, l.store, m, end, 0))
	_, err = fsys.Stat(indexFileName(seg.name))
	require.ErrorIs(t, err, os.ErrNotExist)
	m.ReplacePrefix(whole)
	require.NoError(t, x.saveActive(seg, l.store, m, end, 0))
	require.Equal(t, before, indextest.Content(t, fsys, indexFileName(seg.name)))

	// A segment with other content is not taken for the one that was indexed.
	meta := index.Meta{
		Store:  l.store,
		Number: seg.number,
		Base:   seg.base,
		Count:  whole.Count(),
		End:    end.offset,
		Chain:  [32]byte{1},
	}
	require.NoError(t, index.WriteFile(context.Background(), fsys, indexFileName(seg.name), whole, meta))
	_, _, ok = x.openActive(seg, l.store, want.offset)
	require.False(t, ok)
	x.close()
	l.close()
}

// Who asks for something while a round comes to its end is not forgotten: nobody might ask again.
func TestWhatIsAskedForWhileARoundEndsIsDone(t *testing.T) {
	x := newIndexer(vfs.NewMem(), nil, func() bool { return true }, nil)
	rounds := make(chan int, 100)
	n := 0
	x.spare = func(context.Context) (more bool, err error) {
		if n++; n == 1 {
			x.look()
		}
		rounds <- n
		return false, nil
	}
	x.look()
	require.Equal(t, 1, <-rounds)
	select {
	case again := <-rounds:
		require.Equal(t, 2, again)
	case <-time.After(time.Minute):
		require.Fail(t, "nobody has looked again")
	}
	x.close()
}
