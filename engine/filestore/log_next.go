package filestore

import (
	"sync/atomic"
	"time"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// A nextSegment is next.tmp while it is made by a goroutine of its own.
type nextSegment struct {
	capacity int64
	pace     *zeroPace
	done     chan struct{} // closed when file and err are there
	file     vfs.File
	err      error
}

// A zeroPace says how far the next segment is to be filled with zeros by now. Zeros written at once
// would fill the queue of the disk, and every commit would wait behind them: 64 MiB were seen to
// hold up commits for a third of a second.
type zeroPace struct {
	target atomic.Int64  // in bytes; only grows
	wake   chan struct{} // holds one: target has grown
	stop   chan struct{} // closed to end early
}

func newZeroPace() *zeroPace {
	return &zeroPace{wake: make(chan struct{}, 1), stop: make(chan struct{})}
}

// raise lets the zeros go on up to the target.
func (p *zeroPace) raise(target int64) {
	if target <= p.target.Load() {
		return
	}
	p.target.Store(target)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// until waits until the target is at least off. It returns errStopped when stop is closed. A nil
// pace never waits.
func (p *zeroPace) until(off int64) error {
	if p == nil {
		return nil
	}
	for {
		select {
		case <-p.stop:
			return errStopped
		default:
		}
		if p.target.Load() >= off {
			return nil
		}
		select {
		case <-p.wake:
		case <-p.stop:
			return errStopped
		}
	}
}

// The next segment is prepared while the last one is filled from its first quarter to its seventh
// eighth.
const (
	prepareFrom  = 2 // eighths
	prepareUntil = 7
)

// zeroTarget returns how many of the capacity bytes of the next segment are to be zeros when the
// last one, of size bytes, is filled up to filled, and was up to began when this process took it
// over. What was filled before does not count: zeros are laid in step with what the process writes,
// so that one that appends a few events and ends lays none for the next one to lay again.
func zeroTarget(filled, began, size, capacity int64) int64 {
	from := max(size/8*prepareFrom, began)
	until := max(size/8*prepareUntil, (from+size)/2)
	if filled >= until {
		return capacity
	}
	if filled <= from {
		return 0
	}
	return int64(float64(capacity) * float64(filled-from) / float64(until-from))
}

// filled returns how many bytes of the last segment are filled, or would be if its capacity were
// filled as its index is.
func (g *logWriter) filled() int64 {
	size := g.last().header.Capacity
	return max(g.end.offset, int64(float64(size)*float64(g.index.Size())/float64(g.maxIndexSize)))
}

// prepareNext begins to prepare the next segment when there is a first piece of it to be laid, and
// lets the preparation keep pace with the last one.
func (g *logWriter) prepareNext() {
	if g.named != nil {
		return
	}
	capacity := g.usualCapacity(g.fullAt())
	if g.prepared != nil {
		capacity = g.prepared.capacity
	}
	target := zeroTarget(g.filled(), g.began, g.last().header.Capacity, capacity)
	if g.prepared == nil {
		if target < min(zeroChunk, capacity/8) || g.lowSpace && time.Now().Before(g.retryAt) {
			return
		}
		g.prepared = g.beginNext(capacity)
	}
	g.prepared.pace.raise(min(target+zeroChunk, capacity)) // one piece ahead
}

// fullAt returns where the last segment ends when it, or its index, is full, if it goes on as it began.
func (g *logWriter) fullAt() int64 {
	return int64(float64(g.last().header.Capacity) * float64(g.end.offset) / float64(max(g.filled(), 1)))
}

// usualCapacity returns the capacity of the next segment if the last one is completed at end. It grows
// with the store: while segments are completed long before they are full, for the sake of erasures, it
// does not. While their indexes fill them it is what the log has by then, and a quarter more: nobody
// comes to zeros behind that.
func (g *logWriter) usualCapacity(end int64) int64 {
	usual, last := format.SegmentCapacity(g.last().number+1, g.fixed, 0), g.last().header.Capacity
	if g.fixed > 0 {
		return usual
	}
	if filled := g.filled(); filled > g.end.offset {
		byIndex := int64(float64(last) * float64(g.end.offset) / float64(filled))
		usual = min(usual, max(format.AlignUp(byIndex/4*5, capacityStep), leastByIndex))
	}
	if end < last/2 {
		return min(usual, last)
	}
	return min(usual, 4*last)
}

// What the capacity of a segment that its index fills is a multiple of, and its least, bytes.
const (
	capacityStep = 1 << 20
	leastByIndex = 8 << 20
)

// neededCapacity returns the capacity of a next segment that has room for a frame of the size given.
func (g *logWriter) neededCapacity(frame int) int64 {
	usual := g.usualCapacity(g.end.offset)
	if hasRoom(usual, frame) {
		return usual
	}
	return format.SegmentCapacity(g.last().number+1, g.fixed, frame)
}

// hasRoom reports whether a segment of some capacity has room for a frame of the size given and its
// seal.
func hasRoom(capacity int64, frame int) bool {
	return format.SealAt(format.SegmentHeaderSize+int64(frame))+format.PageSize <= capacity
}

func (g *logWriter) beginNext(capacity int64) *nextSegment {
	n := &nextSegment{
		capacity: capacity,
		pace:     newZeroPace(),
		done:     make(chan struct{}),
	}
	maker := g.nextMaker()
	// It ends when the file is made, early when stop is closed; takeNext and dropNext wait for it.
	go func() {
		defer close(n.done)
		n.file, n.err = maker.prepare(n.capacity, n.pace)
	}()
	return n
}

// bulkFrame is the size of frames from which on zeros do not pay: they save each commit some writes
// of the file system's own, and cost as many bytes as the log itself.
const bulkFrame = 256 << 10

// nextMaker returns what makes the next segment. While frames are large it reserves room instead of
// zeroing it.
func (g *logWriter) nextMaker() *segmentMaker {
	if g.maker.prealloc != PreallocZero || g.frameMean < bulkFrame {
		return g.maker
	}
	m := *g.maker
	m.prealloc = PreallocReserve
	return &m
}

// noticeNext looks whether preparing has failed.
func (g *logWriter) noticeNext() {
	if g.prepared == nil {
		return
	}
	select {
	case <-g.prepared.done:
		if g.prepared.err != nil {
			g.lowSpace, g.retryAt, g.prepared = true, time.Now().Add(time.Second), nil
		} else {
			g.lowSpace = false
		}
	default:
	}
}

// takeNext returns next.tmp, prepared, with room for a frame of the size given. What was prepared while
// the last segment was filled is taken whatever would be usual by now: nobody waits for zeros.
func (g *logWriter) takeNext(frame int) (vfs.File, int64, error) {
	if n := g.prepared; n != nil {
		n.pace.raise(n.capacity)
		<-n.done
		g.prepared = nil
		if n.err == nil && hasRoom(n.capacity, frame) {
			g.lowSpace = false
			return n.file, n.capacity, nil
		}
		if n.err == nil {
			n.file.Close()
		}
	}
	capacity := g.neededCapacity(frame)
	f, err := g.nextMaker().prepare(capacity, nil)
	g.lowSpace = err != nil
	return f, capacity, err
}

// dropNext ends the preparation of a segment that is not needed.
func (g *logWriter) dropNext() {
	if g.prepared == nil {
		return
	}
	close(g.prepared.pace.stop)
	<-g.prepared.done
	if g.prepared.err == nil {
		g.prepared.file.Close()
		g.maker.discard()
	}
	g.prepared = nil
}
