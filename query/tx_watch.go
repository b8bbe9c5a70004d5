package query

import (
	"context"
	"math"
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/sabotage"
)

// A watchedIndex is the snapshot of a serializable transaction as one of its statements reads it:
// whoever asks it anything has looked at what the answer depends on, which it notes. Scans of event
// tables note more precisely what they look at, and ask the index behind it (see quiet).
type watchedIndex struct {
	engine.ReadIndex
	reads *txReads
	past  bool // AS OF POSITION: whatever comes, it stays as it is, but for what is erased

	place readPlace // of the table that is being opened, if it is not one of events
	first bool      // of which only that streams are there is of interest
}

var _ engine.Parter = (*watchedIndex)(nil)

// quiet returns the index behind a watchedIndex, for what is noted otherwise.
func quiet(index engine.ReadIndex) engine.ReadIndex {
	if x, ok := index.(*watchedIndex); ok {
		return x.ReadIndex
	}
	return index
}

// sawHead notes that what a statement gives depends on how long the log is.
func (ex *execution) sawHead() {
	if x, ok := ex.index.(*watchedIndex); ok {
		x.saw(engine.Filter{})
	}
}

// saw notes that the answer depends on the events that pass the filter.
func (x *watchedIndex) saw(what engine.Filter) {
	if !sabotage.On(sabotage.SerialIndex) {
		x.reads.note(&seenScan{run: x, place: x.place, filter: what, exact: true})
	}
}

// sawContent is saw where payloads or metadata are read.
func (x *watchedIndex) sawContent(what engine.Filter) {
	x.saw(what)
	x.reads.noteContent(&what, x.end(), x.place)
}

// end is where what the index can ever show ends.
func (x *watchedIndex) end() engine.Position {
	if x.past {
		return x.Head()
	}
	return math.MaxInt64
}

// At implements engine.ReadIndex, as do the methods that follow.
func (x *watchedIndex) At(h engine.Position) engine.ReadIndex {
	return &watchedIndex{ReadIndex: x.ReadIndex.At(h), reads: x.reads, past: true}
}

// StreamVersion has seen the stream.
func (x *watchedIndex) StreamVersion(stream string) (engine.Version, bool, error) {
	x.saw(engine.Filter{Streams: []string{stream}})
	return x.ReadIndex.StreamVersion(stream)
}

// ReadAll has seen everything, and content.
func (x *watchedIndex) ReadAll(
	ctx context.Context, from engine.Position, dir engine.Direction,
) engine.Cursor {
	x.sawContent(engine.Filter{})
	return x.ReadIndex.ReadAll(ctx, from, dir)
}

// ReadStream has seen the stream, and content.
func (x *watchedIndex) ReadStream(
	ctx context.Context, stream string, from engine.Version, dir engine.Direction,
) engine.Cursor {
	x.sawContent(engine.Filter{Streams: []string{stream}})
	return x.ReadIndex.ReadStream(ctx, stream, from, dir)
}

// Scan has seen what passes the filter.
func (x *watchedIndex) Scan(
	ctx context.Context, what engine.Filter, columns engine.ColumnSet,
) engine.BatchCursor {
	if columns&readContent != 0 {
		x.sawContent(what)
	} else {
		x.saw(what)
	}
	return x.ReadIndex.Scan(ctx, what, columns)
}

// Count has seen what passes the filter.
func (x *watchedIndex) Count(ctx context.Context, what engine.Filter) (int64, error) {
	x.saw(what)
	return x.ReadIndex.Count(ctx, what)
}

// Streams has seen all events of the streams, or the first ones if nothing else is of interest.
func (x *watchedIndex) Streams(ctx context.Context, prefix string) engine.StreamCursor {
	x.saw(engine.Filter{Prefix: prefix, HasMaxVersion: x.first})
	return x.ReadIndex.Streams(ctx, prefix)
}

// named notes that streams were looked for by their names, and returns the index to do so.
func (x *watchedIndex) named(streams []string) engine.ReadIndex {
	x.saw(engine.Filter{Streams: streams, HasMaxVersion: x.first})
	return x.ReadIndex
}

// Types has seen everything.
func (x *watchedIndex) Types(ctx context.Context) ([]engine.TypeInfo, error) {
	x.saw(engine.Filter{})
	return x.ReadIndex.Types(ctx)
}

// Parts implements engine.Parter: it reads nothing.
func (x *watchedIndex) Parts(what engine.Filter, n int) []engine.Filter {
	if parter, ok := x.ReadIndex.(engine.Parter); ok {
		return parter.Parts(what, n)
	}
	return []engine.Filter{what}
}

// streamExists are the columns of $streams that the first event of a stream decides.
var streamExists = []string{"stream", "category", "first_position", "created_at"}

// opening lets the index of a serializable transaction know which table, not one of events, is
// being opened; it returns what undoes that.
func (s *tableScan) opening(ex *execution) (done func()) {
	x, ok := ex.index.(*watchedIndex)
	if !ok || s.events() != nil {
		return func() {}
	}
	at := *x
	at.place, at.first = s.place, s.def.name() == pendingStreams.label
	for _, i := range s.needed() {
		at.first = at.first && slices.Contains(streamExists, s.columns[i].Name)
	}
	ex.index = &at
	return func() { ex.index = x }
}

// A seenScan is a table that is being read in a serializable transaction.
type seenScan struct {
	run    *watchedIndex
	ex     *execution
	scan   *tableScan // nil if it is not known
	place  readPlace
	filter engine.Filter
	exact  bool // the filter says all that the conditions say
	noted  bool
}

// sees tells the transaction, if it is serializable, that the scan is about to read events.
func (s *tableScan) sees(ex *execution, what *narrowing) *seenScan {
	run, ok := ex.index.(*watchedIndex)
	if !ok || what.empty || s.events() == nil {
		return nil
	}
	seen := &seenScan{run: run, ex: ex, scan: s, place: s.place, filter: s.filter(what),
		exact: !s.inexact && !what.inexact}
	if s.columnSet()&readContent != 0 {
		run.reads.noteContent(&seen.filter, run.end(), s.place)
	}
	return seen
}

// toEnd notes that the scan has come to the end of the snapshot, or that what it gives depends on
// what stands there.
func (s *seenScan) toEnd() {
	if s == nil || s.noted {
		return
	}
	s.noted = true
	if !sabotage.On(sabotage.SerialScan) {
		s.run.reads.note(s)
	}
}
