package filestore

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/require"
)

// A countingIndex counts the events that its index is asked about one by one or in groups.
type countingIndex struct {
	index.Index
	asked  *atomic.Int64 // events whose place was asked for
	groups *atomic.Int64 // times that places was asked
}

func (c countingIndex) Offset(ord uint32) (int64, error) {
	c.asked.Add(1)
	return c.Index.Offset(ord)
}

func (c countingIndex) RecordedAt(ord uint32) (int64, error) {
	c.asked.Add(1)
	return c.Index.RecordedAt(ord)
}

func (c countingIndex) Places(ords []uint32, time bool, offsets, micros []int64) (_, _ []int64, err error) {
	c.asked.Add(int64(len(ords)))
	c.groups.Add(1)
	return c.Index.(index.Placer).Places(ords, time, offsets, micros)
}

// countQuestions makes the indexes of a store count what they are asked.
func countQuestions(s *FileStore) (asked, groups *atomic.Int64) {
	asked, groups = new(atomic.Int64), new(atomic.Int64)
	for _, seg := range s.view.Load().segments {
		seg.setIndex(countingIndex{seg.index(), asked, groups})
	}
	return asked, groups
}

// cacheIndexes brings the places of all events into the cache of a store's indexes. What that takes
// is no read's affair.
func cacheIndexes(t *testing.T, s *FileStore) {
	all := s.current()
	for i, seg := range all.view.segments {
		ords := make([]uint32, all.limit(i))
		for ord := range ords {
			ords[ord] = uint32(ord)
		}
		_, _, err := seg.index().(index.Placer).Places(ords, true, nil, nil)
		require.NoError(t, err)
	}
}

// A spread is a stream, and how its events lie in the log.
type spread struct {
	name     string
	events   int
	payload  int // bytes of each
	together int // events that lie side by side
	gap      int // bytes of other events between them, 0 for none
}

var spreads = []spread{
	{"dense", 1000, 320, 1000, 0},
	{"near", 1000, 320, 1, 2 << 10},
	{"scattered", 1000, 320, 1, 12 << 10},
	{"in pairs", 1000, 320, 2, 20 << 10},
	{"in fives", 1000, 320, 5, 40 << 10},
	{"of pages", 1000, 5000, 1, 5 << 10},
	{"of long events", 100, 30_000, 1, 10 << 10},
	{"of very long events", 40, 300_000, 1, 1 << 10},
}

// write writes the stream "s", and others between its events, into a new store. At least the first
// segment is complete.
func (l *spread) write(tb testing.TB, options Options) (dir string) {
	dir = tb.TempDir()
	options.Sync, options.SegmentSize = SyncInterval, 8<<20
	s, err := Open(dir, options)
	require.NoError(tb, err)
	var batch []engine.Append
	size := 0
	flush := func() {
		_, err := s.Append(bg, batch...)
		require.NoError(tb, err)
		batch, size = batch[:0], 0
	}
	add := func(stream string, payload int) {
		batch = append(batch, engine.Append{
			Stream: stream,
			Events: []engine.NewEvent{{Type: "t", Payload: make([]byte, payload)}},
		})
		size += payload
	}
	for i := range l.events {
		add("s", l.payload)
		if l.gap > 0 && (i+1)%l.together == 0 {
			for range l.gap >> 9 {
				add("others", 512)
			}
		}
		if size > 256<<10 || i == l.events-1 {
			flush()
		}
	}
	for s.Stats().Segments < 2 {
		add("others", 256<<10)
		flush()
	}
	waitIndexed(tb, s)
	if options.Compress == CompressZstd {
		settleCompression(tb, s)
	}
	require.NoError(tb, s.Close())
	return dir
}

// read reads the stream and returns how many bytes that allocated.
func (l *spread) read(tb testing.TB, s *FileStore, dir engine.Direction, reuse bool) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := s.ReadIndex().ReadStream(bg, "s", engine.Version(dir)*maxVersion, dir)
	if reuse {
		c.(engine.Reuser).Reuse()
	}
	n := 0
	for ; c.Next(); n++ {
		want := engine.Version(n)
		if dir == engine.Backwards {
			want = engine.Version(l.events - 1 - n)
		}
		if e := c.Event(); e.Version != want || len(e.Payload) != l.payload {
			require.Fail(tb, "wrong event", "%d: version %d, %d bytes", n, e.Version, len(e.Payload))
		}
	}
	require.NoError(tb, c.Err())
	require.NoError(tb, c.Close())
	require.Equal(tb, l.events, n)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// maxVersion is beyond the last version of every stream here.
const maxVersion = 1 << 40

// TestAFirstReadAllocatesLittleAndAsksForEachPlaceOnce holds that a stream's first read by a
// process, and the next, ask the index for the place of each event once, in groups, and take about
// as much memory as the events have bytes, however they lie in the log.
func TestAFirstReadAllocatesLittleAndAsksForEachPlaceOnce(t *testing.T) {
	skipUnderRace(t)
	for _, l := range spreads {
		path := l.write(t, Options{})
		for _, dir := range []engine.Direction{engine.Forwards, engine.Backwards} {
			for _, reuse := range []bool{false, true} {
				s, err := Open(path, Options{}) // nothing is known to have been read
				require.NoError(t, err)
				segments := int64(len(s.view.Load().segments))
				cacheIndexes(t, s)
				asked, groups := countQuestions(s)
				most := uint64(l.events*(l.payload+100))*5/4 + 384<<10 // bytes
				if reuse {
					most = 1 << 20
				}
				for i := range 3 {
					asked.Store(0)
					groups.Store(0)
					spent := l.read(t, s, dir, reuse)
					what := fmt.Sprintf("a stream %s, direction %d, reuse %v, read %d", l.name, dir, reuse, i)
					require.LessOrEqual(t, asked.Load(), int64(l.events)+16*segments, what)
					require.LessOrEqual(t, groups.Load(), 16+2*segments, what)
					require.LessOrEqual(t, spent, most, what)
				}
				require.NoError(t, s.Close())
			}
		}
	}
}

// TestAFirstScanAllocatesLittle holds the same for a query's scan, which keeps a batch of records
// at a time.
func TestAFirstScanAllocatesLittle(t *testing.T) {
	skipUnderRace(t)
	l := spread{"scattered", 1000, 320, 1, 12 << 10}
	s, err := Open(l.write(t, Options{}), Options{})
	require.NoError(t, err)
	defer s.Close()
	cacheIndexes(t, s)
	for range 2 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c := s.ReadIndex().Scan(bg, engine.Filter{Streams: []string{"s"}}, engine.ColPayload|engine.ColVersion)
		c.(engine.Reuser).Reuse()
		n := 0
		for b := c.Next(); b != nil; b = c.Next() {
			n += b.Len
		}
		require.NoError(t, c.Err())
		require.NoError(t, c.Close())
		require.Equal(t, l.events, n)
		runtime.ReadMemStats(&after)
		require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
	}
}

// A countedReads counts what is read of a file that can be mapped.
type countedReads struct {
	vfs.File
	bytes, reads *atomic.Int64
}

func (f countedReads) ReadAt(b []byte, off int64) (int, error) {
	f.bytes.Add(int64(len(b)))
	f.reads.Add(1)
	return f.File.ReadAt(b, off)
}

func (f countedReads) Hold(to int64) *vfs.FileMap { return f.File.(vfs.Mapper).Hold(to) }
func (f countedReads) Release()                   { f.File.(vfs.Mapper).Release() }

// TestAFirstReadOfScatteredEventsReadsLittleMoreThanTheyHave counts the bytes that a process's first
// read of a stream reads, and how often it reads.
func TestAFirstReadOfScatteredEventsReadsLittleMoreThanTheyHave(t *testing.T) {
	for _, c := range []struct {
		spread
		kib   int64 // read at most
		reads int64 // at most
	}{
		{spread{"scattered", 1000, 320, 1, 12 << 10}, 700, 1050},
		{spread{"scattered, of 1,500 bytes", 500, 1500, 1, 12 << 10}, 1100, 550},
		{spread{"scattered, of pages", 200, 6000, 1, 12 << 10}, 1400, 250},
	} {
		path := c.write(t, Options{})
		for _, dir := range []engine.Direction{engine.Forwards, engine.Backwards} {
			s, err := Open(path, Options{})
			require.NoError(t, err)
			var bytes, reads atomic.Int64
			for _, seg := range s.view.Load().segments {
				if _, ok := seg.file.(vfs.Mapper); !ok {
					t.Skip("no file can be mapped here")
				}
				seg.file = countedReads{seg.file, &bytes, &reads}
			}
			c.read(t, s, dir, true)
			t.Logf("%s, direction %d: %d KiB in %d reads", c.name, dir, bytes.Load()>>10, reads.Load())
			require.LessOrEqual(t, bytes.Load(), c.kib<<10, c.name)
			require.LessOrEqual(t, reads.Load(), c.reads, c.name)
			require.NoError(t, s.Close())
		}
	}
}

// A hostileMap is a hostileFile that can be mapped. What is looked at in the map is what was read
// before.
type hostileMap struct{ *hostileFile }

func (f hostileMap) Hold(to int64) *vfs.FileMap { return f.File.(vfs.Mapper).Hold(to) }
func (f hostileMap) Release()                   { f.File.(vfs.Mapper).Release() }

// TestFirstReadsStayBelowTheWatermark reads an active segment that can be mapped and whose file
// goes on behind the head.
func TestFirstReadsStayBelowTheWatermark(t *testing.T) {
	r := testRand(t)
	l := newHandLog(t, dirFS{vfs.OS(), t.TempDir()})
	for i := range 200 {
		l.append(randomEvent(r, i), randomEvent(r, i))
		if i%20 != 7 {
			continue
		}
		file := l.hostile(0)
		file.bound = l.off
		l.view.segments[0].file = hostileMap{file}
		index, events := l.index(), slices.Clone(l.events)
		for range 3 {
			l.append(randomEvent(r, i))
		}
		compareReads(t, r, index, events, 30)
		l.view.segments[0].file = file.File
	}
}

// TestAFirstReadIsRepeatedIfItDoesNotCheck damages what the first read of several records brings,
// but not what is read after it.
func TestAFirstReadIsRepeatedIfItDoesNotCheck(t *testing.T) {
	r := testRand(t)
	l := newHandLog(t, dirFS{vfs.OS(), t.TempDir()})
	for i := range 50 {
		e := randomEvent(r, i)
		e.Stream = "s"
		l.append(e, randomEvent(r, i))
	}
	l.seal()
	file := l.hostile(0)
	l.view.segments[0].file = hostileMap{file}
	want := readCursor(t, l.index().ReadStream(bg, "s", 0, engine.Forwards))
	require.GreaterOrEqual(t, len(want), 50)
	l.view.segments[0].file = reopened(t, l, file)
	file.damage = func(b []byte, _, reads int64) {
		for i := range b {
			b[i] ^= byte(reads & 1) // of two reads one is wrong, and the first is
		}
	}
	file.reads.Store(0)
	c := l.index().ReadStream(bg, "s", 0, engine.Forwards)
	require.True(t, c.Next(), "%v", c.Err())
	require.Equal(t, want[0].Payload, c.Event().Payload)
	require.NoError(t, c.Close())
}

// reopened returns the file anew, so that nothing of it is known to have been read.
func reopened(t *testing.T, l *handLog, file *hostileFile) vfs.File {
	f, err := l.fs.Open(l.view.segments[0].name, os.O_RDONLY)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	file.File = f
	return hostileMap{file}
}
