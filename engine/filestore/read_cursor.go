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
	c.rows.begin(ctx, r, what, true)
	if dir == engine.Backwards && what.To <= 0 {
		c.rows.done = true
	}
	return c
}

// An allCursor reads every event.
type allCursor struct {
	rows rowCursor
	eventBuffer
}

func (c *allCursor) Next() bool {
	if !c.rows.next() {
		return false
	}
	c.set(c.rows.position(), &c.rows.row)
	return true
}

func (c *allCursor) Err() error { return c.rows.err }

func (c *allCursor) Close() error {
	c.rows.stop()
	return nil
}

// Reuse implements Reuser.
func (c *allCursor) Reuse() { c.rows.memory.reuse = true }

// errVersionOrder means that a stream's records contradict its index, or each other.
var errVersionOrder = errors.New("the record is not the stream's next version")
