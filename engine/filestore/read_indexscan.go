package filestore

import (
	"context"
	"math"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
)

// ordered are the columns that an indexScan takes from the indexes, besides the position.
const ordered = engine.ColVersion | engine.ColType | engine.ColTime

// An indexScan reads so many events, or such a part of a segment, before it asks the indexes for more than
// positions: who wants a few events does not wait until the columns of a segment have been made.
const (
	recordsFirst = 4096
	firstShare   = 8
)

// An indexScan gives events of which the indexes know all that is asked for, in the order of positions
// or its reverse. It reads no records but a few.
type indexScan struct {
	batchBuilder
	ctx      context.Context
	index    *readIndex
	what     engine.Filter
	plan     scanPlan
	from, to engine.Position // what has not been begun
	begun    bool
	records  *scanCursor // of a part that is read from the log; nil for none
	part     indexPart   // of a part that is not
	memory   blockMemory
	examined int64
	skipped  int
	err      error
}

// ScansIndexes implements IndexedScanner.
func (r *readIndex) ScansIndexes(what engine.Filter, columns engine.ColumnSet) bool {
	p := r.plan(what)
	return inIndexes(&what, columns) && p.to-p.from > firstBatch
}

// inIndexes reports whether the indexes know all that is asked for, in the order of positions.
func inIndexes(what *engine.Filter, columns engine.ColumnSet) bool {
	return columns&^ordered == 0 && what.Streams == nil && what.IDs == nil && what.Prefix == "" &&
		len(what.Types) <= math.MaxUint16
}

// scanIndexes returns an indexScan, nil if the records have to be read or if there are so few that
// reading them is less work.
func (r *readIndex) scanIndexes(ctx context.Context, what engine.Filter, columns engine.ColumnSet) engine.BatchCursor {
	if !inIndexes(&what, columns) {
		return nil
	}
	c := &indexScan{ctx: ctx, index: r, what: what, plan: r.plan(what)}
	if (what.Limit > 0 || c.plan.to-c.plan.from <= firstBatch) && !c.bare(columns) {
		return nil
	}
	c.columns, c.types.shared = columns, &r.shared.types
	r.giveWay()
	if c.err = r.usable(ctx); c.err != nil || c.plan.nothing {
		c.skipped = len(r.view.segments)
		return c
	}
	c.from, c.to = c.plan.from, c.plan.to
	c.skipped = r.find(c.from) + len(r.view.segments) - 1 - r.find(c.to-1)
	return c
}

// bare reports whether nothing is asked for but positions, of whatever events.
func (c *indexScan) bare(columns engine.ColumnSet) bool { return columns == 0 && c.plan.match.all }

func (c *indexScan) Next() *engine.Batch {
	for c.err == nil {
		switch {
		case c.records != nil:
			if b := c.records.Next(); b != nil {
				return b
			}
			c.endRecords()
		case c.part.lo < c.part.hi:
			if c.fill(); c.err == nil && c.batch.Len > 0 {
				return &c.batch
			}
		case c.from >= c.to:
			return nil
		default:
			c.err = c.enter()
		}
	}
	return nil
}

// read begins to read a part from the log.
func (c *indexScan) read(from, to engine.Position) {
	what := c.what
	what.From, what.To = from, to
	c.records = new(scanCursor)
	c.records.columns, c.records.types.shared = c.columns, &c.index.shared.types
	c.records.events.begin(c.ctx, c.index, what, c.columns&engine.ColTime != 0)
	c.records.events.memory.reuse = true
}

func (c *indexScan) endRecords() {
	c.examined += c.records.events.examined
	c.err = c.records.events.err
	c.records.events.stop()
	c.records = nil
}

// enter begins with the next segment, or with the first events of all.
func (c *indexScan) enter() error {
	if err := c.index.usable(c.ctx); err != nil {
		return err
	}
	backwards := c.what.Direction == engine.Backwards
	i := c.index.find(c.from)
	if backwards {
		i = c.index.find(c.to - 1)
	}
	s := c.index.reader(c.ctx, i, &c.memory)
	from, to := max(c.from, s.position(0)), min(c.to, s.position(s.limit))
	first := !c.begun && !c.bare(c.columns)
	few := min(recordsFirst, max((to-from)/firstShare, firstBatch), to-from)
	if c.begun = true; first && backwards {
		from = to - few
	} else if first {
		to = from + few
	}
	if backwards {
		c.to = from
	} else {
		c.from = to
	}
	if first || c.sorts(&s) {
		c.read(from, to)
		return nil
	}
	lo, hi, err := c.plan.within(&s)
	if err != nil {
		return err
	}
	lo, hi = max(lo, s.ordinal(from)), min(hi, s.ordinal(to))
	if lo >= hi {
		c.skipped++
		return nil
	}
	useful, err := c.part.begin(c, s, lo, hi)
	if err == nil && !useful {
		c.part.hi = c.part.lo
		c.read(from, to)
	}
	return err
}

// sorts reports whether versions are needed and the segment's index would have to sort its streams to
// tell them.
func (c *indexScan) sorts(s *segmentReader) bool {
	_, inMemory := s.index.(*index.Memory)
	return inMemory && c.versioned()
}

// versioned reports whether versions are read.
func (c *indexScan) versioned() bool {
	return c.columns&engine.ColVersion != 0 || c.plan.match.minVersion > 0 || c.plan.filter.HasMaxVersion
}

// fill makes the batch one of the part's next events.
func (c *indexScan) fill() {
	c.index.giveWay()
	if c.err = c.index.usable(c.ctx); c.err != nil {
		return
	}
	room := uint32(batchRows)
	if c.index.hasToGiveWay() {
		room = yieldEvents
	}
	c.clear()
	c.reserve(int(room))
	c.err = c.part.addTo(c, c.part.take(room, c.what.Direction))
}

func (c *indexScan) Err() error { return c.err }

func (c *indexScan) Examined() (events int64, skippedSegments int) {
	events = c.examined
	if c.records != nil {
		events += c.records.events.examined
	}
	return events, c.skipped
}

func (c *indexScan) Close() error {
	if c.records != nil {
		c.records.events.stop()
	}
	c.from, c.to = 0, 0
	c.records, c.part, c.memory = nil, indexPart{}, blockMemory{}
	return nil
}
