package filestore

import (
	"context"
	"github.com/eventfold/eventfold/engine"
)

// pointing are the columns whose values point into blocks.
const pointing = engine.ColStream | engine.ColPayload | engine.ColMetadata | engine.ColTags

// Scan implements ReadIndex.
func (r *readIndex) Scan(ctx context.Context, what engine.Filter, columns engine.ColumnSet) engine.BatchCursor {
	c := new(scanCursor)
	c.columns, c.types.shared = columns, &r.shared.types
	c.rows.begin(ctx, r, what, columns&engine.ColTime != 0)
	c.rows.memory.reuse = columns&pointing == 0
	return c
}

// A scanCursor reads the events that pass a filter in batches.
type scanCursor struct {
	batchBuilder
	rows rowCursor
	room int // of the batch before
}

// firstBatch is how many events the first batch of a scan holds at most; each may then hold four
// times as many as the one before. Most queries find few events, for which a long batch would be
// the largest part of their memory.
const firstBatch = 32

func (c *scanCursor) Next() *engine.Batch {
	c.rows.memory.recycle()
	c.clear()
	c.room = min(max(4*c.room, firstBatch), batchRows)
	room := c.room
	if c.rows.index.hasToGiveWay() { // who works on a batch works on all of it before the next one gives way
		room = min(room, yieldEvents)
	}
	if c.rows.wanted > 0 {
		room = min(room, c.rows.wanted)
	}
	for c.batch.Len < room && c.bytes < batchBytes && c.rows.more() {
		if c.batch.Len == 0 {
			c.reserve(room)
		}
		c.add(c.rows.position(), &c.rows.row)
	}
	if c.batch.Len == 0 || c.rows.err != nil {
		return nil
	}
	return &c.batch
}

func (c *scanCursor) Err() error { return c.rows.err }

func (c *scanCursor) Examined() (events int64, skippedSegments int) {
	return c.rows.examined, c.rows.skipped
}

func (c *scanCursor) Close() error {
	c.rows.stop()
	return nil
}

// Reuse implements Reuser.
func (c *scanCursor) Reuse() { c.rows.memory.reuse = true }
