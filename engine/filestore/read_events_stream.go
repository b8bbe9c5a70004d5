package filestore

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
)

// ReadStream implements ReadIndex.
func (r *readIndex) ReadStream(
	ctx context.Context, stream string, from engine.Version, dir engine.Direction,
) engine.Cursor {
	c := &streamEvents{index: r, stream: stream, dir: dir, chunk: pointGroup}
	c.reader.ctx = ctx
	c.reader.memory = &c.memory
	r.giveWay()
	c.err = r.usable(ctx)
	if c.err == nil {
		c.err = c.begin(from)
	}
	return c
}

// streamEvents reads one stream. The index of each segment tells where its events are; each record
// is checked to be of the stream and of the version that follows.
type streamEvents struct {
	eventBuffer
	index  *readIndex
	stream string
	dir    engine.Direction

	reader  segmentReader  // of the current segment
	older   backWalk       // through the segments in which the stream has not been looked up
	hits    []streamHit    // segments to be read, the next one last
	entry   index.Entry    // of the stream in the current segment
	i, j    uint32         // which of the entry's events are still to be read
	version engine.Version // of the next event
	chunk   uint32         // events whose places are asked for next
	ords    []uint32       // the places
	points  pointEvents
	found   logEvent

	walking bool   // older has begun
	hash    uint64 // of the stream's name
	memory  blockMemory
	done    bool
	err     error
}

// maxChunk is how many places are asked for at once at most.
const maxChunk = 1 << 16

// A streamHit is a segment that has events of the stream.
type streamHit struct {
	segment int
	entry   index.Entry
}

// begin finds the segment of the first event to be read.
func (c *streamEvents) begin(from engine.Version) error {
	hit, ok, err := c.lookup()
	if err != nil {
		return err
	}
	if !ok {
		return &engine.StreamNotFoundError{Stream: c.stream}
	}
	last := hit.entry.LastVersion()
	if c.dir == engine.Backwards {
		c.version = min(from, last)
		c.done = from < 0
		c.hits = append(c.hits, hit)
		return nil
	}
	c.version = max(from, 0)
	c.done = c.version > last
	for !c.done && ok {
		c.hits = append(c.hits, hit)
		if hit.entry.FirstVersion <= c.version {
			return nil
		}
		if hit, ok, err = c.lookup(); err != nil {
			return err
		}
	}
	if !c.done { // the stream's first events are not stored any more
		c.version = c.hits[len(c.hits)-1].entry.FirstVersion
	}
	return nil
}

// lookup finds the newest segment not looked at yet that has events of the stream.
func (c *streamEvents) lookup() (hit streamHit, ok bool, err error) {
	if !c.walking {
		c.walking = true
		c.older = c.index.walkBack()
		c.hash = format.HashKey(format.IndexSeed(c.index.view.store), format.BytesOf(c.stream))
		if hit, ok, err = c.lookupIn(c.older.i); ok || err != nil {
			return hit, ok, err
		}
	}
	for c.older.next() {
		if c.older.run != nil {
			c.older.enter(c.stream, c.hash)
			continue
		}
		if c.index.view.segments[c.older.i].excludes(index.ByStream, c.hash) {
			continue
		}
		if hit, ok, err = c.lookupIn(c.older.i); ok || err != nil {
			return hit, ok, err
		}
	}
	return hit, false, nil
}

// lookupIn asks segment i.
func (c *streamEvents) lookupIn(i int) (hit streamHit, ok bool, err error) {
	if i < 0 || c.index.limit(i) == 0 {
		return hit, false, nil
	}
	s := c.index.reader(c.reader.ctx, i, &c.memory)
	hit.segment = i
	hit.entry, ok, err = s.Lookup(index.ByStream, c.stream, s.limit)
	return hit, ok, err
}

// enter goes through the run's segments one by one if the run knows the stream; otherwise it stays
// before them all.
func (w *backWalk) enter(stream string, hash uint64) {
	_, known, err := w.run.LastVersion(stream, hash)
	if err != nil {
		w.avoid(err)
	} else if known {
		w.i, w.runs = w.i+int(w.run.Span()), w.runs[:len(w.runs)-1]
	}
}

func (c *streamEvents) Next() bool {
	c.memory.recycle()
	for !c.done && c.err == nil {
		ok, err := c.points.nextEvent(&c.found)
		switch {
		case err != nil:
			c.err = err
		case !ok:
			c.err = c.advance()
		default:
			c.err = c.check()
			c.set(c.reader.seg.base+engine.Position(c.found.ord), &c.found)
			return c.err == nil
		}
	}
	return false
}

// check checks that the current event is the event that is expected.
func (c *streamEvents) check() error {
	if string(c.found.Stream) != c.stream || c.found.Version != c.version {
		return c.reader.corrupt(c.points.current(), c.found.ord, engine.NoPosition, errVersionOrder)
	}
	if c.dir == engine.Forwards {
		c.version++
	} else {
		c.version--
	}
	if c.version%yieldEvents == 0 {
		c.index.giveWay()
	}
	return nil
}

// advance asks for the next places in the current segment, or goes to the next segment; done is set
// if there is none.
func (c *streamEvents) advance() error {
	if c.i >= c.j {
		return c.enter()
	}
	i, j := c.i, c.j
	if c.dir == engine.Forwards {
		j = i + min(j-i, c.chunk)
		c.i = j
	} else {
		i = j - min(j-i, c.chunk)
		c.j = i
	}
	c.chunk = min(4*c.chunk, maxChunk)
	ords, err := c.reader.part(&c.entry, i, j, c.ords[:0])
	if err == nil {
		c.ords = ords
		c.points.begin(&c.reader, ords, c.dir, true)
	}
	return err
}

// enter goes to the next segment that has events to be read.
func (c *streamEvents) enter() error {
	if len(c.hits) == 0 && c.dir == engine.Backwards && c.version >= 0 {
		hit, ok, err := c.lookup()
		if err != nil {
			return err
		}
		if ok {
			c.hits = append(c.hits, hit)
		}
	}
	if len(c.hits) == 0 {
		c.done = true
		return nil
	}
	hit := c.hits[len(c.hits)-1]
	c.hits = c.hits[:len(c.hits)-1]
	c.reader = c.index.reader(c.reader.ctx, hit.segment, &c.memory)
	c.entry, c.i, c.j = hit.entry, 0, hit.entry.Count
	if c.dir == engine.Forwards {
		c.i = uint32(max(0, c.version-c.entry.FirstVersion))
	} else {
		c.j = uint32(max(0, min(c.version, c.entry.LastVersion())-c.entry.FirstVersion+1))
	}
	return nil
}

func (c *streamEvents) Err() error { return c.err }

func (c *streamEvents) Close() error {
	c.done = true
	c.points, c.memory, c.hits, c.ords = pointEvents{}, blockMemory{}, nil, nil
	return nil
}

// Reuse implements Reuser.
func (c *streamEvents) Reuse() { c.memory.reuse = true }
