package query

import (
	"context"

	"github.com/eventfold/eventfold/engine"
)

// An ownErasure is a buffered erasure of a transaction.
type ownErasure struct {
	*engine.Erasure
	parts int // events that will tell of it
}

// erase buffers an erasure. From now on the transaction shows the events without content.
func (tx *Tx) erase(e *engine.Erasure) error {
	size := tx.size
	events := e.NewEvents()
	for _, told := range events {
		size += int64(eventHead + len(engine.ErasuresStream) + len(told.Type) + len(told.Payload))
	}
	if size > engine.MaxAppendSize {
		return &engine.TooLargeError{What: "append", Size: size, Limit: engine.MaxAppendSize}
	}
	tx.size, tx.erasures = size, append(tx.erasures, ownErasure{e, len(events)})
	tx.showErased(tx.erased.Union(e.Events))
	return nil
}

// showErased makes the transaction show these events, and no others, without content that the
// snapshot shows.
func (tx *Tx) showErased(events engine.Spans) {
	if shown, ok := tx.index.(erasedIndex); ok {
		tx.index = shown.ReadIndex
	}
	if tx.erased = events; len(events) > 0 {
		tx.index = erasedIndex{tx.index, events}
	}
}

// batch is what Commit appends. Erasures come last, so that the events of a transaction that is
// tried again, which finds them erased already, are those that it has appended, one behind the
// other.
func (tx *Tx) batch() []engine.Append {
	batch := tx.appends
	for i := range batch {
		if batch[i].Define != nil { // the store makes the events itself
			batch[i].Stream, batch[i].Events = "", nil
		}
	}
	for _, e := range tx.erasures {
		batch = append(batch, engine.Append{Erase: e.Erasure})
	}
	return batch
}

// written returns how many events Commit will append or erase.
func (tx *Tx) written() int64 {
	n := int64(len(tx.events))
	for _, e := range tx.erasures {
		n += e.Events.Count()
	}
	return n
}

// An erasedIndex shows some events without content, whatever the index behind it shows of them.
type erasedIndex struct {
	engine.ReadIndex
	erased engine.Spans
}

var _ engine.Parter = erasedIndex{}

func (x erasedIndex) At(h engine.Position) engine.ReadIndex {
	return erasedIndex{x.ReadIndex.At(h), x.erased}
}

// Parts returns the filter itself if the index behind it does not divide scans.
func (x erasedIndex) Parts(what engine.Filter, n int) []engine.Filter {
	if parter, ok := x.ReadIndex.(engine.Parter); ok {
		return parter.Parts(what, n)
	}
	return []engine.Filter{what}
}

func (x erasedIndex) ReadAll(
	ctx context.Context, from engine.Position, dir engine.Direction,
) engine.Cursor {
	return &erasedCursor{Cursor: x.ReadIndex.ReadAll(ctx, from, dir), erased: x.erased}
}

func (x erasedIndex) ReadStream(
	ctx context.Context, stream string, from engine.Version, dir engine.Direction,
) engine.Cursor {
	return &erasedCursor{Cursor: x.ReadIndex.ReadStream(ctx, stream, from, dir), erased: x.erased}
}

func (x erasedIndex) Scan(
	ctx context.Context, what engine.Filter, columns engine.ColumnSet,
) engine.BatchCursor {
	return &erasedBatches{x.ReadIndex.Scan(ctx, what, columns), x.erased}
}

// An erasedCursor gives the events of a cursor as an erasedIndex shows them.
type erasedCursor struct {
	engine.Cursor
	erased engine.Spans
	event  engine.Event
}

func (c *erasedCursor) Event() *engine.Event {
	c.event = *c.Cursor.Event()
	if e := &c.event; c.erased.Has(e.Position) {
		e.Payload, e.Metadata, e.JSON, e.Redacted = nil, noMetadata(), false, true
	}
	return &c.event
}

// erasedBatches are the batches of a cursor as an erasedIndex shows them.
type erasedBatches struct {
	engine.BatchCursor
	erased engine.Spans
}

func (c *erasedBatches) Next() *engine.Batch {
	b := c.BatchCursor.Next()
	if b != nil {
		for i, p := range b.Positions {
			if c.erased.Has(p) {
				hideContent(b, i)
			}
		}
	}
	return b
}

func (c *erasedBatches) Reuse() {
	if r, ok := c.BatchCursor.(engine.Reuser); ok {
		r.Reuse()
	}
}

// hideContent takes the content of a row out of a batch, which may have any columns.
func hideContent(b *engine.Batch, i int) {
	if len(b.Payloads) > i {
		b.Payloads[i], b.JSON[i] = nil, false
	}
	if len(b.Metadata) > i {
		b.Metadata[i] = noMetadata()
	}
	if len(b.Redacted) > i {
		b.Redacted[i] = true
	}
}

func noMetadata() []byte { return []byte("{}") }

// erasedMatch is match for events of which the transaction has erased some, which the store may not
// have done yet when it asks.
func erasedMatch(
	erased engine.Spans, match func(*engine.Batch, int) (bool, error),
) func(*engine.Batch, int) (bool, error) {
	if len(erased) == 0 {
		return match
	}
	return func(b *engine.Batch, row int) (bool, error) {
		if erased.Has(b.Positions[row]) {
			one := rowOf(b, row)
			hideContent(one, 0)
			return match(one, 0)
		}
		return match(b, row)
	}
}

// rowOf copies a row of a batch, which may have any columns.
func rowOf(b *engine.Batch, i int) *engine.Batch {
	return &engine.Batch{
		Len: 1, Positions: cell(b.Positions, i), Streams: cell(b.Streams, i),
		Versions: cell(b.Versions, i), IDs: cell(b.IDs, i), Types: cell(b.Types, i),
		Payloads: cell(b.Payloads, i), JSON: cell(b.JSON, i), Metadata: cell(b.Metadata, i),
		Tags: cell(b.Tags, i), Times: cell(b.Times, i), Redacted: cell(b.Redacted, i),
	}
}

func cell[T any](column []T, i int) []T {
	if len(column) <= i {
		return nil
	}
	return []T{column[i]}
}
