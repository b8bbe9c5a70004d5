package filestore

import (
	"container/heap"
	"context"
	"iter"
	"math"
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
)

// indexed are the columns that the indexes know.
const indexed = engine.ColStream | engine.ColVersion | engine.ColType | engine.ColTime

// maxTyped is how many events a store may have whose types are held in memory while streams are
// scanned, two bytes for each.
const maxTyped = 1 << 25

// ScanStreams implements StreamScanner. It merges the segments' lists of streams, which are sorted.
func (r *readIndex) ScanStreams(
	ctx context.Context, what engine.Filter, columns engine.ColumnSet,
) engine.BatchCursor {
	if what.Streams != nil || what.Tags != nil || what.IDs != nil || what.Any != nil {
		return nil
	}
	c := &streamScan{index: r, content: columns&^indexed != 0}
	c.columns, c.types.shared = columns, &r.shared.types
	typed := !c.content && (columns&engine.ColType != 0 || what.Types != nil)
	if typed && r.head > maxTyped {
		return nil
	}
	what.Direction, what.Limit = engine.Forwards, 0
	c.plan, c.ctx = r.plan(what), ctx
	r.giveWay()
	if c.err = r.usable(ctx); c.err != nil || c.plan.nothing {
		return c
	}
	if c.err = c.begin(ctx, typed); c.err != nil {
		c.Close()
	}
	return c
}

// A streamScan reads events stream by stream. Close, the end, and an error stop the goroutines that
// the segments' lists are read in.
type streamScan struct {
	batchBuilder
	ctx      context.Context
	index    *readIndex
	plan     scanPlan
	content  bool // records are read
	lists    mergeHeap[*segmentLists]
	open     bool   // the first of lists has events to be added
	name     string // of the stream that was added to last
	points   pointEvents
	found    logEvent
	memory   blockMemory
	examined int64
	looked   int // streams and events since the context was looked at
	skipped  int
	err      error
}

// begin starts the list of each segment in which an event can pass.
func (c *streamScan) begin(ctx context.Context, typed bool) error {
	for i := range c.index.view.segments {
		c.index.giveWay()
		if err := c.index.usable(ctx); err != nil {
			return err
		}
		l := &segmentLists{reader: c.index.reader(ctx, i, &c.memory), segment: i}
		var err error
		if l.lo, l.hi, err = c.plan.within(&l.reader); err != nil {
			return err
		}
		if l.lo >= l.hi {
			c.skipped++
			continue
		}
		if typed {
			few, err := l.readTypes(&c.plan, &c.types)
			if err != nil {
				return err
			}
			c.content = c.content || !few
		}
		l.pieces = newAhead(l.all(c.plan.filter.Prefix))
		if l.advance() {
			c.lists = append(c.lists, l)
		} else if l.err != nil {
			return l.err
		}
	}
	heap.Init(&c.lists)
	return nil
}

func (c *streamScan) Next() *engine.Batch {
	c.clear()
	if c.err != nil || len(c.lists) == 0 {
		return nil
	}
	c.reserve(batchRows)
	c.looked = yieldEvents
	for c.err == nil && len(c.lists) > 0 && c.batch.Len < batchRows && c.bytes < batchBytes {
		if c.err = c.pause(); c.err == nil {
			c.err = c.add()
		}
	}
	if c.err != nil {
		c.Close()
	}
	if c.err != nil || c.batch.Len == 0 {
		return nil
	}
	return &c.batch
}

// pause lets others run, and looks at the context, after so many streams and events as a reader may look
// at before it does.
func (c *streamScan) pause() error {
	if c.looked < yieldEvents {
		return nil
	}
	c.looked = 0
	c.index.giveWay()
	return c.index.usable(c.ctx)
}

// add adds some of the events of the first of the lists, or goes to the one that is the first then.
func (c *streamScan) add() error {
	l := c.lists[0]
	if !c.open {
		c.enter(l)
		c.looked++
	}
	c.open = true
	more, err := false, error(nil)
	if c.content {
		more, err = c.addRecords(l)
	} else {
		more, err = c.addPlaces(l)
	}
	if more || err != nil {
		return err
	}
	c.open = false
	if l.advance() {
		heap.Fix(&c.lists, 0)
		return nil
	}
	heap.Pop(&c.lists)
	return l.err
}

// enter begins with the events of a stream in a segment.
func (c *streamScan) enter(l *segmentLists) {
	if c.name != l.entry.Key {
		c.name = l.entry.Key
	}
	i, j := c.plan.versions(&l.entry)
	l.version, l.left = l.entry.FirstVersion+engine.Version(i), l.ords[i:j]
	for len(l.left) > 0 && l.left[0] < l.lo {
		l.left, l.version = l.left[1:], l.version+1
	}
	n, _ := slices.BinarySearch(l.left, l.hi)
	l.left = l.left[:n]
	if c.content {
		c.points.begin(&l.reader, slices.Clone(l.left), engine.Forwards, true)
	}
}

// addRecords adds events that are read from the log. more is false if there are none left.
func (c *streamScan) addRecords(l *segmentLists) (more bool, err error) {
	for c.batch.Len < batchRows && c.bytes < batchBytes && c.looked < yieldEvents {
		ok, err := c.points.nextEvent(&c.found)
		if !ok || err != nil {
			return false, err
		}
		c.examined++
		c.looked++
		if !c.plan.match.passes(&c.found) {
			continue
		}
		if l.reader.hidden != nil {
			l.reader.hide(&c.found)
		}
		c.batchBuilder.add(l.reader.position(c.found.ord), &c.found)
		if c.columns&engine.ColStream != 0 {
			c.batch.Streams[c.batch.Len-1] = c.name
		}
	}
	return true, nil
}

// addPlaces adds events of which the index knows enough.
func (c *streamScan) addPlaces(l *segmentLists) (more bool, err error) {
	n := min(len(l.left), batchRows-c.batch.Len)
	ords := l.left[:n]
	l.left = l.left[n:]
	c.looked += n
	if c.columns&engine.ColTime != 0 {
		if l.offsets, l.times, err = l.reader.Places(ords, true, l.offsets, l.times); err != nil {
			return false, err
		}
	}
	b := &c.batch
	for i, ord := range ords {
		version := l.version + engine.Version(i)
		if l.types != nil && !l.wanted[l.types[ord]] {
			continue
		}
		b.Len++
		b.Positions = append(b.Positions, l.reader.position(ord))
		if c.columns&engine.ColStream != 0 {
			b.Streams = append(b.Streams, c.name)
		}
		if c.columns&engine.ColVersion != 0 {
			b.Versions = append(b.Versions, version)
		}
		if c.columns&engine.ColType != 0 {
			b.Types = append(b.Types, l.names[l.types[ord]])
		}
		if c.columns&engine.ColTime != 0 {
			b.Times = append(b.Times, l.times[i])
		}
	}
	l.version += engine.Version(n)
	return len(l.left) > 0, nil
}

func (c *streamScan) Err() error { return c.err }

func (c *streamScan) Examined() (events int64, skippedSegments int) { return c.examined, c.skipped }

func (c *streamScan) Close() error {
	for _, l := range c.lists {
		l.pieces.stop()
	}
	c.lists, c.points, c.memory = nil, pointEvents{}, blockMemory{}
	return nil
}

// segmentLists are one segment's streams with their events, the next of them in entry and ords.
type segmentLists struct {
	reader  segmentReader
	segment int
	lo, hi  uint32 // events that can pass
	entry   index.Entry
	ords    []uint32
	left    []uint32       // of ords, to be added
	version engine.Version // of the first of left
	piece   listPiece      // what is left of it
	types   []uint16       // by ordinal; nil if they are not asked for
	names   []string       // of the types
	wanted  []bool         // by type
	offsets []int64        // room
	times   []int64
	pieces  *ahead[*listPiece]
	err     error
}

// A listPiece is some streams of a segment with their events.
type listPiece struct {
	entries []index.Entry
	ords    []uint32 // of all of them, one after the other
}

// all returns the segment's streams as a sequence, some at a time. An error ends it and is left in
// l.err.
func (l *segmentLists) all(prefix string) iter.Seq[*listPiece] {
	reader := l.reader // which may be asked beside l.reader
	reader.memory = new(blockMemory)
	return func(yield func(*listPiece) bool) {
		some, other := new(listPiece), new(listPiece)
		size, more := firstPiece, true
		l.err = reader.Lists(index.ByStream, prefix, reader.limit, func(e index.Entry, ords []uint32) bool {
			e.Count = uint32(len(ords))
			some.entries, some.ords = append(some.entries, e), append(some.ords, ords...)
			if len(some.entries) >= size || len(some.ords) >= batchRows {
				more = yield(some)
				some, other = other, some
				some.entries, some.ords = some.entries[:0], some.ords[:0]
				size = min(4*size, largePiece)
			}
			return more
		})
		if more && l.err == nil && len(some.entries) > 0 {
			yield(some)
		}
	}
}

// advance goes to the next stream of the segment.
func (l *segmentLists) advance() bool {
	p := &l.piece
	if len(p.entries) == 0 {
		piece, ok := l.pieces.next()
		if !ok {
			return false
		}
		*p = *piece
	}
	l.entry, p.entries = p.entries[0], p.entries[1:]
	l.ords, p.ords = p.ords[:l.entry.Count], p.ords[l.entry.Count:]
	return true
}

// readTypes notes the type of each event; few is false if there are too many types for that.
func (l *segmentLists) readTypes(p *scanPlan, names *typeNames) (few bool, err error) {
	l.types = make([]uint16, l.reader.limit)
	err = l.reader.Lists(index.ByType, "", l.reader.limit, func(e index.Entry, ords []uint32) bool {
		number := uint16(len(l.names))
		if len(l.names) > math.MaxUint16 {
			return false
		}
		l.names = append(l.names, names.intern([]byte(e.Key)))
		l.wanted = append(l.wanted, p.match.types.has([]byte(e.Key)))
		for _, ord := range ords {
			l.types[ord] = number
		}
		return true
	})
	return len(l.names) <= math.MaxUint16, err
}

// Lists yields the keys that begin with prefix in byte order, with the ordinals of their events.
func (s *segmentReader) Lists(
	d index.Dictionary, prefix string, limit uint32, yield func(index.Entry, []uint32) bool,
) error {
	var last string // the last that was yielded
	seen, stopped := false, false
	each := func(e index.Entry, ords []uint32) bool {
		if seen && e.Key <= last {
			return true // it was yielded before the index turned out to be damaged
		}
		last, seen = e.Key, true
		stopped = !yield(e, ords)
		return !stopped
	}
	return s.ask(func(x index.Index) (err error) {
		if lister, ok := x.(index.Lister); ok {
			err = lister.Lists(d, prefix, limit, each)
		} else {
			err = index.ListsOneByOne(x, d, prefix, limit, each)
		}
		if stopped {
			return nil
		}
		return err
	})
}

// place is where the list stands in a mergeHeap.
func (l *segmentLists) place() (stream string, segment int) { return l.entry.Key, l.segment }
