package filestore

import (
	"container/heap"
	"context"
	"iter"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
)

// Streams implements ReadIndex. It merges the segments' lists of streams, which are sorted.
func (r *readIndex) Streams(ctx context.Context, prefix string) engine.StreamCursor {
	c := &streamList{ctx: ctx, index: r}
	if c.err = r.usable(ctx); c.err != nil {
		return c
	}
	for i := range r.view.segments {
		l := &segmentStreams{reader: r.reader(ctx, i, new(blockMemory)), segment: i}
		if l.reader.limit == 0 {
			continue // behind the head; or its only frames were moved to the next segment
		}
		l.pieces = newAhead(l.keys(prefix))
		if l.advance() {
			c.lists = append(c.lists, l)
		} else if c.err = l.err; c.err != nil {
			c.Close()
			return c
		}
	}
	heap.Init(&c.lists)
	return c
}

// How many streams of a segment are taken from its index at a time: at first, for who wants a few, and
// at most.
const (
	firstPiece = 8
	largePiece = 256
)

// A streamList lists streams. Close, the end, and an error stop the goroutines that the segments'
// lists are read in.
type streamList struct {
	ctx    context.Context
	index  *readIndex
	lists  mergeHeap[*segmentStreams]
	stream engine.StreamInfo
	listed int
	bare   bool // times are not wanted
	err    error
}

// WithoutTimes implements Timeless.
func (c *streamList) WithoutTimes() { c.bare = true }

func (c *streamList) Next() bool {
	if c.err != nil || len(c.lists) == 0 {
		return false
	}
	c.listed++
	if c.listed%yieldEvents == 0 {
		c.index.giveWay()
		c.err = c.index.usable(c.ctx)
	}
	if c.err == nil {
		c.err = c.merge()
	}
	if c.err != nil {
		c.Close()
	}
	return c.err == nil
}

// merge makes the next stream of the segments' lists, of which there is one, the current one.
func (c *streamList) merge() error {
	first := true
	for len(c.lists) > 0 && (first || c.lists[0].entry.Key == c.stream.Stream) {
		l := c.lists[0]
		if err := c.add(l, first); err != nil {
			return err
		}
		first = false
		if l.advance() {
			heap.Fix(&c.lists, 0)
			continue
		}
		if l.err != nil {
			return l.err
		}
		heap.Pop(&c.lists)
	}
	return nil
}

// add adds what a segment knows of its next stream to the current stream; first if it is the oldest
// segment that has it.
func (c *streamList) add(l *segmentStreams, first bool) error {
	e, base := &l.entry, l.reader.seg.base
	if first {
		c.stream = engine.StreamInfo{Stream: e.Key, FirstPosition: base + engine.Position(e.First)}
	}
	c.stream.Events += int64(e.Count)
	c.stream.Version = e.LastVersion()
	c.stream.LastPosition = base + engine.Position(e.Last)
	if c.bare {
		return nil
	}
	return c.addTimes(l, first)
}

// addTimes is add for the times.
func (c *streamList) addTimes(l *segmentStreams, first bool) error {
	if first {
		at, err := l.reader.RecordedAt(l.entry.First)
		if err != nil {
			return err
		}
		c.stream.CreatedAt = time.UnixMicro(at).UTC()
	}
	at, err := l.reader.RecordedAt(l.entry.Last)
	c.stream.UpdatedAt = time.UnixMicro(at).UTC()
	return err
}

func (c *streamList) Stream() engine.StreamInfo { return c.stream }

func (c *streamList) Err() error { return c.err }

func (c *streamList) Close() error {
	for _, l := range c.lists {
		l.pieces.stop()
	}
	c.lists = nil
	return nil
}

// segmentStreams is the list of one segment's streams, with the next of them in entry.
type segmentStreams struct {
	reader  segmentReader
	segment int
	entry   index.Entry
	left    []index.Entry // behind entry, of the same piece
	pieces  *ahead[[]index.Entry]
	err     error
}

// keys returns the segment's streams as a sequence, some at a time. An error ends it and is left in
// l.err.
func (l *segmentStreams) keys(prefix string) iter.Seq[[]index.Entry] {
	reader := l.reader // which may be asked beside l.reader
	reader.memory = new(blockMemory)
	return func(yield func([]index.Entry) bool) {
		var some, other []index.Entry
		size, more := firstPiece, true
		l.err = reader.Keys(index.ByStream, prefix, reader.limit, func(e index.Entry) bool {
			if some = append(some, e); len(some) >= size {
				more = yield(some)
				some, other = other[:0], some
				size = min(4*size, largePiece)
			}
			return more
		})
		if more && l.err == nil && len(some) > 0 {
			yield(some)
		}
	}
}

// advance goes to the next stream of the segment.
func (l *segmentStreams) advance() (ok bool) {
	if len(l.left) == 0 {
		if l.left, ok = l.pieces.next(); !ok {
			return false
		}
	}
	l.entry, l.left = l.left[0], l.left[1:]
	return true
}

// place is where the list stands in a mergeHeap.
func (l *segmentStreams) place() (stream string, segment int) { return l.entry.Key, l.segment }
