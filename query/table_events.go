package query

import (
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// An eventTable is $all, or one stream.
type eventTable struct {
	all     bool
	stream  string
	label   string
	pending bool // its schema is that of a table with events whose places are not known yet
}

func (t *eventTable) name() string { return t.label }

func (t *eventTable) schema() []tableColumn {
	if t.pending {
		return pendingSchema
	}
	return eventSchema
}

// scan gives the events of the snapshot from the execution's since on, then those of the open
// transaction. What the indexes answer without a scan knows nothing of since.
func (t *eventTable) scan(ex *execution, columns []int, b scanBounds) (batches, error) {
	b.From = max(b.From, ex.since)
	index := ex.index
	if b.seen != nil {
		index = quiet(index)
	}
	if b.Direction == engine.Backwards {
		b.seen.toEnd()
	}
	s := &eventBatches{ex: ex, table: t, seen: b.seen,
		cursor: index.Scan(ex.ctx, t.filter(b.Filter), columnSet(columns))}
	if r, ok := s.cursor.(engine.Reuser); ok && b.fleeting {
		r.Reuse()
	}
	return s, nil
}

// filter narrows a filter to the events of the table.
func (t *eventTable) filter(what engine.Filter) engine.Filter {
	if t.all {
		return what
	}
	return onlyStream(what, t.stream)
}

// onlyStream narrows a filter to one stream.
func onlyStream(what engine.Filter, stream string) engine.Filter {
	if what.Streams == nil {
		what.Streams = []string{stream}
		return what
	}
	for _, s := range what.Streams {
		if s == stream {
			what.Streams = []string{stream}
			return what
		}
	}
	what.Streams = []string{}
	return what
}

// eventBatches are the batches of a scan of events.
type eventBatches struct {
	ex     *execution
	table  *eventTable
	cursor engine.BatchCursor
	seen   *seenScan // nil without a serializable transaction
	batch  expr.Batch
	ended  bool // the snapshot's events are all out
	own    int  // events of the transaction that are out
}

func (s *eventBatches) next() (*expr.Batch, error) {
	if !s.ended {
		if b := s.cursor.Next(); b != nil {
			s.batch.Len, s.batch.Events = b.Len, b
			s.batch.Serial++
			return &s.batch, nil
		}
		s.ended = true
		if err := s.cursor.Err(); err != nil {
			return nil, err
		}
		s.seen.toEnd()
	}
	return s.nextOwn(), nil
}

func (s *eventBatches) close() error {
	events, skipped := s.cursor.Examined()
	s.ex.counters.examined.Add(events)
	s.ex.counters.skipped.Add(int64(skipped))
	return s.cursor.Close()
}

// nextOwn yields the transaction's own events of the table's stream, nil at the end.
func (s *eventBatches) nextOwn() *expr.Batch {
	own := s.ex.own
	if s.own >= len(own) {
		return nil
	}
	b := new(engine.Batch)
	for ; s.own < len(own) && b.Len < batchRows; s.own++ {
		e := &own[s.own]
		if s.table.all || e.stream == s.table.stream {
			s.ex.streams.add(b, e)
		}
	}
	if b.Len == 0 {
		return s.nextOwn()
	}
	s.batch = expr.Batch{Len: b.Len, Events: b, Pending: true, Serial: s.batch.Serial + 1}
	return &s.batch
}
