package engine

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The next segment is filled with zeros little by little, in step with the last one.
func TestZerosKeepPaceWithTheLog(t *testing.T) {
	const capacity = 8 << 20
	fsys := &roomFS{FS: NewMemFS()}
	s := openStore(t, "store", Options{FS: fsys, SegmentSize: capacity})
	mustAppend(t, s, "s", Any, one("x")...)
	require.Equal(t, int64(capacity), fsys.zeroed.Load(), "the first segment, at once")

	payload := strings.Repeat("x", 100<<10)
	var events int64 = 1
	fill := func(eighths int64) {
		for ; events*int64(len(payload)) < capacity*eighths/8; events++ {
			mustAppend(t, s, "s", Any, one(payload)...)
		}
	}
	fill(prepareFrom)
	assert.Equal(t, int64(capacity), fsys.zeroed.Load(), "not before a quarter is full")
	for eighths := int64(prepareFrom + 1); eighths < prepareUntil; eighths++ {
		fill(eighths)
		target := zeroTarget(events*int64(len(payload)), capacity, capacity)
		assert.LessOrEqual(t, fsys.zeroed.Load(), capacity+target+zeroChunk, "%d eighths", eighths)
		assert.Eventually(t, func() bool { return fsys.zeroed.Load() >= capacity+target-zeroChunk }, 10*time.Second, time.Millisecond, "%d eighths", eighths)
	}
	fill(prepareUntil)
	mustAppend(t, s, "s", Any, one("x")...)
	assert.Eventually(t, func() bool { return fsys.zeroed.Load() == 2*capacity }, 10*time.Second, time.Millisecond, "before it is needed")
	fill(20)
	checkContiguous(t, s, int(events)+1)
	require.NoError(t, s.Close())
	_, err := fsys.Open("store/"+nextTemp, 0)
	assert.Error(t, err, "what was begun is not left")
}

func TestZeroTarget(t *testing.T) {
	const size, capacity = 64 << 20, 128 << 20
	assert.EqualValues(t, zeroChunk, zeroTarget(size/8*prepareFrom, size, capacity))
	assert.EqualValues(t, zeroChunk+capacity/2, zeroTarget(size/16*(prepareFrom+prepareUntil), size, capacity))
	assert.EqualValues(t, capacity, zeroTarget(size/8*prepareUntil, size, capacity))
	assert.EqualValues(t, capacity, zeroTarget(size, size, capacity))
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

// A failure half way through the zeros is no failure of an append: the segment is made when it is needed.
func TestZerosThatFailAreMadeLater(t *testing.T) {
	const capacity = 4 << 20
	fsys := &failingNext{FS: NewMemFS(), after: capacity + 2*zeroChunk}
	s := openStore(t, "store", Options{FS: fsys, SegmentSize: capacity})
	payload := strings.Repeat("x", 100<<10)
	const events = 100
	for range events {
		mustAppend(t, s, "s", Any, one(payload)...)
	}
	assert.True(t, fsys.failed)
	checkContiguous(t, s, events)
}

// A failingNext fails one write to next.tmp, the first after so many bytes.
type failingNext struct {
	FS
	after   int
	written int
	failed  bool
}

type failingNextFile struct {
	File
	fs *failingNext
}

func (f *failingNext) Open(name string, flag int) (File, error) {
	file, err := f.FS.Open(name, flag)
	if err == nil && strings.HasSuffix(name, nextTemp) {
		file = &failingNextFile{file, f}
	}
	return file, err
}

func (f *failingNextFile) WriteAt(b []byte, off int64) (int, error) {
	if f.fs.written += len(b); f.fs.written > f.fs.after && !f.fs.failed {
		f.fs.failed = true
		return 0, errors.New("injected")
	}
	return f.File.WriteAt(b, off)
}
