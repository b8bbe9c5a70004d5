package filestore

import (
	"context"
	"github.com/eventfold/eventfold/engine"
	"math"
)

// A eventCursor finds the events that pass a filter, in either direction, segment by segment. Most
// cursors over events are made of it. It holds pointers into itself and must not be copied.
type eventCursor struct {
	index  *readIndex
	plan   scanPlan
	dir    engine.Direction
	time   bool // recorded_at is wanted
	wanted int  // events that the caller expects to read from now on; 0 if that is not known

	reader     segmentReader // of the current segment
	segment    int           // the next to be visited
	conditions []condition   // of the current segment
	lo, hi     uint32        // the part of the current segment for which no step has been made
	whole      uint32        // how many events of the current segment the bounds of position and time leave
	stretch    int           // how much wider than estimated the next window is

	single bool // the step's events are points, otherwise frames
	frames frameEvents
	points pointEvents
	found  logEvent // the current event

	memory   blockMemory
	examined int64
	skipped  int // segments that were not looked into
	done     bool
	err      error
}

// begin makes the cursor ready.
func (c *eventCursor) begin(ctx context.Context, r *readIndex, what engine.Filter, time bool) {
	c.index, c.plan, c.dir, c.wanted = r, r.plan(what), what.Direction, what.Limit
	c.time = time || c.plan.match.timed
	c.reader.ctx = ctx
	c.reader.memory = &c.memory
	r.giveWay()
	c.err = r.usable(ctx)
	c.done = c.err != nil || c.plan.nothing
	if c.done {
		c.skipped = len(r.view.segments)
		return
	}
	first, last := r.find(c.plan.from), r.find(c.plan.to-1)
	c.skipped = first + len(r.view.segments) - 1 - last
	c.segment = first
	if c.dir == engine.Backwards {
		c.segment = last
	}
}

// next finds the next event. It returns false at the end and after an error. What the last event
// pointed to may be used again.
func (c *eventCursor) next() bool {
	c.memory.recycle()
	return c.more()
}

// more is next for those who still need the events found before.
func (c *eventCursor) more() bool {
	for !c.done {
		ok, err := c.nextEvent()
		switch {
		case err != nil:
			c.fail(err)
		case !ok:
			c.fail(c.advance())
		default:
			c.examined++
			if c.examined%yieldEvents == 0 {
				c.index.giveWay()
				c.fail(c.reader.ctx.Err())
			}
			if c.plan.match.passes(&c.found) {
				if c.wanted > 0 {
					c.wanted--
				}
				return !c.done
			}
		}
	}
	return false
}

func (c *eventCursor) nextEvent() (bool, error) {
	if c.single {
		return c.points.nextEvent(&c.found)
	}
	return c.frames.nextEvent(&c.found)
}

// position returns the position of the current event.
func (c *eventCursor) position() engine.Position {
	return c.reader.seg.base + engine.Position(c.found.ord)
}

// fail ends the cursor unless err is nil.
func (c *eventCursor) fail(err error) {
	if err != nil {
		c.err, c.done = err, true
	}
}

// stop ends the cursor and lets go of its memory.
func (c *eventCursor) stop() {
	c.done = true
	c.frames, c.points, c.memory = frameEvents{}, pointEvents{}, blockMemory{}
}

// advance makes the next step of the current segment, or enters the next segment; done is set if
// there is none.
func (c *eventCursor) advance() error {
	if c.lo < c.hi {
		return c.step()
	}
	if c.segment < 0 || c.segment >= len(c.index.view.segments) {
		c.done = true
		return nil
	}
	i := c.segment
	if c.dir == engine.Forwards {
		c.segment++
	} else {
		c.segment--
	}
	return c.enter(i)
}

// enter goes to segment i, if an event in it can pass.
func (c *eventCursor) enter(i int) error {
	base := c.index.view.segments[i].base
	if base >= c.plan.to || base+engine.Position(c.index.limit(i)) <= c.plan.from {
		c.done = base >= c.plan.to && c.dir == engine.Forwards || base < c.plan.to && c.dir == engine.Backwards
		return nil // counted as skipped by begin
	}
	if err := c.index.usable(c.reader.ctx); err != nil {
		return err
	}
	if c.plan.excludes(c.index.view.segments[i]) {
		c.skipped++
		return nil
	}
	c.reader = c.index.reader(c.reader.ctx, i, &c.memory)
	lo, hi, err := c.plan.within(&c.reader)
	if err != nil {
		return err
	}
	none := lo >= hi
	if !none && c.plan.filter.IDs == nil {
		c.conditions, none, err = c.plan.conditions(&c.reader, lo, hi)
	}
	if err != nil || none {
		c.skipped++
		return err
	}
	c.lo, c.hi, c.whole, c.stretch = lo, hi, hi-lo, 1
	return nil
}

// step begins to read the rest of the current segment, or, if few events are wanted, a window of
// it.
func (c *eventCursor) step() error {
	lo, hi := c.lo, c.hi
	size, few := c.window()
	if few = few && size < hi-lo; !few {
		c.lo = c.hi
	} else if c.dir == engine.Forwards {
		hi = lo + size
		c.lo = hi
	} else {
		lo = hi - size
		c.hi = lo
	}
	st, err := c.plan.step(&c.reader, c.conditions, lo, hi, few || hi-lo <= fewEvents)
	if err != nil {
		return err
	}
	if c.single = st.single; c.single {
		if len(st.ords) == 0 && st.hi-st.lo == c.whole {
			c.skipped++ // the index has shown that no event passes
		}
		c.points.begin(&c.reader, st.ords, c.dir, c.time)
		return nil
	}
	block := max(c.frames.size, firstBlock)
	if c.wanted > 0 {
		block = int(min(largeBlock, float64(c.wanted)/st.share*usualRecord))
	}
	return c.frames.begin(&c.reader, lo, hi, c.dir, block)
}

// fewEvents is how many events of a segment are read one by one, or in one go if they lie together,
// and not as whole frames, which may be long.
const fewEvents = 64

// usualRecord is how many bytes a record has if nothing is known about it.
const usualRecord = 512

// window returns how many events of the segment probably hold as many as are wanted; few is false
// if that is not known to be few.
func (c *eventCursor) window() (size uint32, few bool) {
	if c.wanted <= 0 || c.wanted > windowed {
		return 0, false
	}
	events := float64(c.wanted * c.stretch)
	c.stretch = min(4*c.stretch, math.MaxUint16)
	for i := range c.conditions {
		events /= c.conditions[i].share
	}
	if len(c.conditions) > 0 {
		events *= 1.5
	}
	return uint32(min(math.Ceil(events), math.MaxUint32)), true
}
