package engine

import "context"

// ReadStream implements ReadIndex.
func (r *readIndex) ReadStream(ctx context.Context, stream string, from Version, dir Direction) Cursor {
	c := &streamEvents{index: r, stream: stream, dir: dir, older: len(r.view.segments) - 1, chunk: pointGroup}
	c.reader.ctx = ctx
	c.reader.memory = &c.memory
	c.err = r.usable(ctx)
	if c.err == nil {
		c.err = c.begin(from)
	}
	return c
}

// streamEvents reads one stream. The index of each segment tells where its events are; each record is checked to be of the
// stream and of the version that follows.
type streamEvents struct {
	eventBuffer
	index  *readIndex
	stream string
	dir    Direction

	reader segmentReader // of the current segment
	older  int           // the newest segment in which the stream has not been looked up
	hits   []streamHit   // segments to be read, the next one last
	entry  indexEntry    // of the stream in the current segment
	i, j   uint32        // which of the entry's events are still to be read
	next   Version       // of the next event
	chunk  uint32        // events whose places are asked for next
	ords   []uint32      // the places
	points pointRows
	row    row

	memory blockMemory
	done   bool
	err    error
}

// maxChunk is how many places are asked for at once at most.
const maxChunk = 1 << 16

// A streamHit is a segment that has events of the stream.
type streamHit struct {
	segment int
	entry   indexEntry
}

// begin finds the segment of the first event to be read.
func (c *streamEvents) begin(from Version) error {
	hit, ok, err := c.lookup()
	if err != nil {
		return err
	}
	if !ok {
		return &StreamNotFoundError{Stream: c.stream}
	}
	last := hit.entry.lastVersion()
	if c.dir == Backwards {
		c.next = min(from, last)
		c.done = from < 0
		c.hits = append(c.hits, hit)
		return nil
	}
	c.next = max(from, 0)
	c.done = c.next > last
	for !c.done && ok {
		c.hits = append(c.hits, hit)
		if hit.entry.firstVersion <= c.next {
			return nil
		}
		if hit, ok, err = c.lookup(); err != nil {
			return err
		}
	}
	if !c.done { // the stream's first events are not stored any more
		c.next = c.hits[len(c.hits)-1].entry.firstVersion
	}
	return nil
}

// lookup finds the newest segment not looked at yet that has events of the stream.
func (c *streamEvents) lookup() (hit streamHit, ok bool, err error) {
	for ; c.older >= 0 && !ok && err == nil; c.older-- {
		s := c.index.reader(c.reader.ctx, c.older, &c.memory)
		if s.limit > 0 {
			hit.segment = c.older
			hit.entry, ok, err = s.lookup(byStream, c.stream, s.limit)
		}
	}
	return hit, ok, err
}

func (c *streamEvents) Next() bool {
	c.memory.recycle()
	for !c.done && c.err == nil {
		ok, err := c.points.nextRow(&c.row)
		switch {
		case err != nil:
			c.err = err
		case !ok:
			c.err = c.advance()
		default:
			c.err = c.check()
			c.set(c.reader.seg.base+Position(c.row.ord), &c.row)
			return c.err == nil
		}
	}
	return false
}

// check checks that the current row is the event that is expected.
func (c *streamEvents) check() error {
	if string(c.row.stream) != c.stream || c.row.version != c.next {
		return c.reader.corrupt(c.points.current(), c.row.ord, NoPosition, errVersionOrder)
	}
	if c.dir == Forwards {
		c.next++
	} else {
		c.next--
	}
	return nil
}

// advance asks for the next places in the current segment, or goes to the next segment; done is set if there is none.
func (c *streamEvents) advance() error {
	if c.i >= c.j {
		return c.enter()
	}
	i, j := c.i, c.j
	if c.dir == Forwards {
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
	if len(c.hits) == 0 && c.dir == Backwards && c.next >= 0 {
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
	c.entry, c.i, c.j = hit.entry, 0, hit.entry.count
	if c.dir == Forwards {
		c.i = uint32(max(0, c.next-c.entry.firstVersion))
	} else {
		c.j = uint32(max(0, min(c.next, c.entry.lastVersion())-c.entry.firstVersion+1))
	}
	return nil
}

func (c *streamEvents) Err() error { return c.err }

func (c *streamEvents) Close() error {
	c.done = true
	c.points, c.memory, c.hits, c.ords = pointRows{}, blockMemory{}, nil, nil
	return nil
}

// Reuse implements Reuser.
func (c *streamEvents) Reuse() { c.memory.reuse = true }
