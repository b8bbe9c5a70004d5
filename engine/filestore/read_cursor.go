package filestore

import (
	"context"
	"errors"

	"github.com/eventfold/eventfold/engine"
)

// ReadAll implements ReadIndex.
func (r *readIndex) ReadAll(ctx context.Context, from engine.Position, dir engine.Direction) engine.Cursor {
	what := engine.Filter{From: max(from, 0), Direction: dir}
	if dir == engine.Backwards {
		what.From, what.To = 0, min(from, r.head-1)+1
	}
	c := new(allCursor)
	c.events.begin(ctx, r, what, true)
	if dir == engine.Backwards && what.To <= 0 {
		c.events.done = true
	}
	return c
}

// An allCursor reads every event.
type allCursor struct {
	events eventCursor
	eventBuffer
}

func (c *allCursor) Next() bool {
	if !c.events.next() {
		return false
	}
	c.set(c.events.position(), &c.events.found)
	return true
}

func (c *allCursor) Err() error { return c.events.err }

func (c *allCursor) Close() error {
	c.events.stop()
	return nil
}

// Reuse implements Reuser.
func (c *allCursor) Reuse() { c.events.memory.reuse = true }

// errVersionOrder means that a stream's records contradict its index, or each other.
var errVersionOrder = errors.New("the record is not the stream's next version")
