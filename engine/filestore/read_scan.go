package filestore

import (
	"context"

	"github.com/eventfold/eventfold/engine"
)

// pointing are the columns whose values point into blocks.
const pointing = engine.ColStream | engine.ColPayload | engine.ColMetadata | engine.ColTags

// Scan implements ReadIndex.
func (r *readIndex) Scan(ctx context.Context, what engine.Filter, columns engine.ColumnSet) engine.BatchCursor {
	if c := r.scanIndexes(ctx, what, columns); c != nil {
		return c
	}
	c := new(scanCursor)
	c.columns, c.types.shared = columns, &r.shared.types
	c.events.begin(ctx, r, what, columns&engine.ColTime != 0)
	c.events.memory.reuse = columns&pointing == 0
	return c
}

// A scanCursor reads the events that pass a filter in batches.
type scanCursor struct {
	batchBuilder
	events eventCursor
	room   int // of the batch before
}

// firstBatch is how many events the first batch of a scan holds at most; each may then hold four
// times as many as the one before. Most queries find few events, for which a long batch would be
// the largest part of their memory.
const firstBatch = 32

func (c *scanCursor) Next() *engine.Batch {
	c.events.memory.recycle()
	c.clear()
	if c.room == 0 {
		c.room = min(c.events.plan.most(), firstBatch)
	} else {
		c.room = min(4*max(c.room, firstBatch), batchRows)
	}
	room := c.room
	if c.events.index.hasToGiveWay() { // who works on a batch works on all of it before the next one gives way
		room = min(room, yieldEvents)
	}
	if c.events.wanted > 0 {
		room = min(room, c.events.wanted)
	}
	for c.batch.Len < room && c.bytes < batchBytes && c.events.more() {
		if c.batch.Len == 0 {
			c.reserve(room)
		}
		c.add(c.events.position(), &c.events.found)
	}
	if c.batch.Len == 0 || c.events.err != nil {
		return nil
	}
	return &c.batch
}

func (c *scanCursor) Err() error { return c.events.err }

func (c *scanCursor) Examined() (events int64, skippedSegments int) {
	return c.events.examined, c.events.skipped
}

func (c *scanCursor) Close() error {
	c.events.stop()
	return nil
}

// Reuse implements Reuser.
func (c *scanCursor) Reuse() { c.events.memory.reuse = true }
