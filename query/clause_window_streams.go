package query

import (
	"slices"
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// Windows of which every partition is of one stream are computed with a few streams after the other,
// which the store reads in that order: in memory for those alone, and where the order is that of a
// stream's events, without sorting.

// compareStreams notes what a window has to do with streams.
func (s *clauseScope) compareStreams(over *windowOrder, w *parser.Window) {
	if s.coreScope.aggregate || len(s.sources) != 1 {
		return
	}
	column := func(e parser.Expr) int { return s.leafColumn(leaf{src: &s.sources[0]}, e) }
	isStream := func(e parser.Expr) bool { return column(e) == ordStream }
	over.byStream = slices.ContainsFunc(w.PartitionBy, isStream)
	over.natural = over.byStream && len(w.PartitionBy) == 1 && len(w.OrderBy) <= 1
	for _, o := range w.OrderBy {
		ord := column(o.Expr)
		over.natural = over.natural && !o.Desc && (ord == ordVersion || ord == ordPosition)
	}
}

// streamsOf returns what the rows of the windows are copied from, if that can be read stream by
// stream and each window looks at one stream at a time.
func (c *coreScope) streamsOf(p *windowPlan) *copiedRelation {
	m, ok := c.from.(*copiedRelation)
	if !ok || len(p.calls) == 0 || c.live != nil {
		return nil
	}
	scan, ok := m.in.(*tableScan)
	if !ok || scan.events() == nil || slices.ContainsFunc(p.calls, func(call *windowCall) bool { return !call.over.byStream }) {
		return nil
	}
	for _, call := range p.calls {
		if call.frame.start.offset != nil && call.frame.unit == parser.FrameRange ||
			call.frame.end.offset != nil && call.frame.unit == parser.FrameRange {
			for _, calls := range p.orders { // those of one order are computed together
				for _, other := range calls {
					other.over.natural = other.over.natural && other.over.key != call.over.key
				}
			}
		}
	}
	return m
}

// openStreams starts the rows of the windows stream by stream, nil if that cannot be.
func (p *windowPlan) openStreams(ex *execution, outer *expr.Env) (rows, error) {
	if p == nil || p.streams == nil {
		return nil, nil
	}
	in, err := p.streams.in.(*tableScan).scanStreams(ex, outer, true)
	if in == nil || err != nil {
		return nil, err
	}
	return p.streams.copied(ex, outer, in), nil
}

// readsStreams reports whether EXPLAIN's execution would read stream by stream.
func (p *windowPlan) readsStreams(x *explainer) bool {
	if p.streams == nil {
		return false
	}
	scanner, _, err := p.streams.in.(*tableScan).withoutOuter().streamScanner(x.ex, nil)
	return scanner != nil && err == nil
}

// compareStreams orders two rows by their streams.
func (w *windowedRows) compareStreams(a, b []value.Value) int {
	slot := w.plan.streams.slots[ordStream]
	return strings.Compare(a[slot].S, b[slot].S)
}

// begins reports whether a row is of another stream than the one before it.
func (w *windowedRows) begins(row []value.Value) bool {
	slot := w.plan.streams.slots[ordStream]
	return row[slot].S != w.rows[len(w.rows)-1][slot].S
}

// inOrder is sort for rows that come in order.
func (w *windowedRows) inOrder(part *partition) ([]int, error) {
	if err := part.keep.account(8 * int64(len(w.rows))); err != nil {
		return nil, err
	}
	rows := make([]int, len(w.rows))
	for i := range rows {
		rows[i] = i
	}
	return rows, w.en.Ctx.Err()
}

// cloneRow copies a row that is about to be overwritten.
func cloneRow(row []value.Value) []value.Value {
	kept := slices.Clone(row)
	for i := range kept {
		kept[i].S = strings.Clone(kept[i].S)
	}
	return kept
}
