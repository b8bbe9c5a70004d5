package filestore

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The next segment is filled with zeros little by little, in step with the last one.
func TestZerosKeepPaceWithTheLog(t *testing.T) {
	const capacity = 8 << 20
	fsys := &roomFS{FS: vfs.NewMem()}
	s := openStore(t, "store", Options{FS: fsys, SegmentSize: capacity})
	mustAppend(t, s, "s", engine.Any, one("x")...)
	require.Equal(t, int64(capacity), fsys.zeroed.Load(), "the first segment, at once")

	payload := strings.Repeat("x", 100<<10)
	var events int64 = 1
	fill := func(eighths int64) {
		for ; events*int64(len(payload)) < capacity*eighths/8; events++ {
			mustAppend(t, s, "s", engine.Any, one(payload)...)
		}
	}
	fill(prepareFrom)
	assert.Equal(t, int64(capacity), fsys.zeroed.Load(), "not before a quarter is full")
	for eighths := int64(prepareFrom + 1); eighths < prepareUntil; eighths++ {
		fill(eighths)
		target := zeroTarget(events*int64(len(payload)), 0, capacity, capacity)
		assert.LessOrEqual(t, fsys.zeroed.Load(), capacity+target+zeroChunk, "%d eighths", eighths)
		assert.Eventually(t, func() bool {
			return fsys.zeroed.Load() >= capacity+target-zeroChunk
		}, time.Minute, time.Millisecond, "%d eighths", eighths)
	}
	fill(prepareUntil)
	mustAppend(t, s, "s", engine.Any, one("x")...)
	assert.Eventually(t, func() bool {
		return fsys.zeroed.Load() == 2*capacity
	}, time.Minute, time.Millisecond, "before it is needed")
	fill(20)
	checkContiguous(t, s, int(events)+1)
	require.NoError(t, s.Close())
	_, err := fsys.Open("store/"+nextTemp, 0)
	assert.Error(t, err, "what was begun is not left")
}

// A segment whose index takes too much memory is full, although its file is not. The next one is
// prepared in time all the same.
func TestLargeIndexEndsSegment(t *testing.T) {
	const capacity, most = 8 << 20, 256 << 10
	fsys := &roomFS{FS: vfs.NewMem()}
	o := Options{FS: fsys, SegmentSize: capacity, maxIndexSize: most}
	s := openStore(t, "store", o)
	const events = 20_000
	largest := int64(0)
	for n := range events {
		mustAppend(t, s, fmt.Sprint("stream-", n), engine.NoStream, one("x")...)
		if n == 0 {
			require.Equal(t, int64(capacity), fsys.zeroed.Load(), "the first segment, at once")
		}
		size := s.writer.log.index.Size() // the writer waits for the next append
		if largest < most/2 && size >= most/2 {
			require.Eventually(t, func() bool {
				return fsys.zeroed.Load() > capacity
			}, time.Minute, time.Millisecond, "the next segment is begun, though this one is nearly empty")
			require.Equal(t, 1, s.Stats().Segments)
		}
		largest = max(largest, size)
	}
	assert.Less(t, largest, int64(2*most))
	stats := s.Stats()
	require.Greater(t, stats.Segments, 5)
	for _, seg := range s.view.Load().segments[:stats.Segments-1] {
		assert.Less(t, seg.sealed.Load().end, int64(capacity/2))
	}
	assert.GreaterOrEqual(t, fsys.zeroed.Load(), int64(stats.Segments)*capacity)
	checkContiguous(t, s, events)
	_, err := s.Verify(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close())

	s = openStore(t, "store", o)
	checkContiguous(t, s, events)
	mustAppend(t, s, "stream-7", engine.Exact(0), one("x")...)
	mustAppend(t, s, "more", engine.NoStream, one("x")...)
}

func TestZeroTarget(t *testing.T) {
	const size, capacity = 64 << 20, 128 << 20
	assert.Zero(t, zeroTarget(0, 0, size, capacity))
	assert.Zero(t, zeroTarget(size/8*prepareFrom, 0, size, capacity))
	assert.EqualValues(t, capacity/2, zeroTarget(size/16*(prepareFrom+prepareUntil), 0, size, capacity))
	assert.EqualValues(t, capacity, zeroTarget(size/8*prepareUntil, 0, size, capacity))
	assert.EqualValues(t, capacity, zeroTarget(size, 0, size, capacity))

	// taken over by this process when half of it, or nearly all, was full
	assert.Zero(t, zeroTarget(size/2, size/2, size, capacity))
	assert.EqualValues(t, capacity/3, zeroTarget(size/8*5, size/2, size, capacity))
	assert.EqualValues(t, capacity, zeroTarget(size/8*prepareUntil, size/2, size, capacity))
	assert.Zero(t, zeroTarget(size/16*15, size/16*15, size, capacity))
	assert.EqualValues(t, capacity, zeroTarget(size/32*31, size/16*15, size, capacity))
	assert.EqualValues(t, capacity, zeroTarget(size, size, size, capacity), "an index that is full from the start")
}

// A pace that is stopped lets go of who waits for it.
func TestZeroPaceStops(t *testing.T) {
	p := newZeroPace()
	p.raise(10)
	p.raise(5) // never falls
	require.NoError(t, p.until(10))
	waiting := make(chan error)
	go func() { waiting <- p.until(11) }() // ends with stop
	close(p.stop)
	assert.ErrorIs(t, <-waiting, errStopped)
	assert.ErrorIs(t, p.until(1), errStopped)
}

// A failure half way through the zeros is no failure of an append: the segment is made when it is
// needed.
func TestZerosThatFailAreMadeLater(t *testing.T) {
	const capacity = 4 << 20
	writes, failed := 0, false
	fsys := &faultFS{FS: vfs.NewMem(), fail: func(op, name string) error {
		if op != "write" || name != nextTemp {
			return nil
		}
		if writes++; writes != (capacity/zeroChunk+1)+3 { // the first segment, its header, and two pieces of the next
			return nil
		}
		failed = true
		return errors.New("injected")
	}}
	s := openStore(t, "store", Options{FS: fsys, SegmentSize: capacity})
	payload := strings.Repeat("x", 100<<10)
	const events = 100
	for range events {
		mustAppend(t, s, "s", engine.Any, one(payload)...)
	}
	fsys.set(nil) // which waits for whoever asks
	assert.True(t, failed)
	checkContiguous(t, s, events)
}

// madeFS counts the files of next segments.
type madeFS struct {
	vfs.FS
	made atomic.Int64
}

func (m *madeFS) Open(name string, flag int) (vfs.File, error) {
	if flag&os.O_CREATE != 0 && strings.HasSuffix(name, nextTemp) {
		m.made.Add(1)
	}
	return m.FS.Open(name, flag)
}

// While a store grows, each segment larger than the one before, the segment that was prepared beside the
// log is the one that is taken: no commit waits for the zeros of another one. So it is where indexes fill
// the segments.
func TestAStoreThatGrowsTakesEverySegmentThatWasPrepared(t *testing.T) {
	for _, c := range []struct {
		name      string
		indexSize int64
		streams   int // of how many streams a frame has an event
		payload   int
		segments  int
	}{
		{"by size", 0, 1, 200 << 10, 4},
		{"by index", 96 << 10, 100, 4 << 10, 6},
	} {
		fsys := &madeFS{FS: vfs.NewMem()}
		s := openStore(t, "store", Options{FS: fsys, maxIndexSize: c.indexSize})
		payload := strings.Repeat("x", c.payload)
		for n := 0; s.Stats().Segments < c.segments; n++ {
			var batch []engine.Append
			for i := range c.streams {
				batch = append(batch, engine.Append{Stream: fmt.Sprint("s-", n, "-", i), Events: one(payload)})
			}
			_, err := s.Append(t.Context(), batch...)
			require.NoError(t, err)
		}
		segments := s.view.Load().segments
		for i, seg := range segments {
			t.Logf("%s: segment %d has %d MiB", c.name, i+1, seg.header.Capacity>>20)
		}
		require.Less(t, segments[0].header.Capacity, segments[len(segments)-1].header.Capacity, c.name)
		made := fsys.made.Load()
		require.NoError(t, s.Close())
		assert.LessOrEqual(t, made, int64(c.segments+1), "%s: the first, one for each, and the next one", c.name)
	}
}
