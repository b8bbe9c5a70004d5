package query

import (
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A join of event tables that says that both sides are of the same stream reads both stream by stream:
// the rows of one stream on the right side are all that is held at a time, and nothing is kept for the
// whole of a side.

// noteStreams notes that key number i of the join compares the streams of events of both sides.
func (p *joinRelation) noteStreams(c *coreScope, w *pendingCond, i int) {
	if p.byStream == 0 && !p.full && c.isStreamOfAll(w.columns[0]) && c.isStreamOfAll(w.columns[1]) {
		p.byStream = i + 1
	}
}

// isStreamOfAll reports whether a column is the stream of $all.
func (c *coreScope) isStreamOfAll(x *equalColumn) bool {
	if x == nil {
		return false
	}
	src := &c.sources[x.source]
	scan, ok := src.rel.(*tableScan)
	return ok && scan.events() != nil && scan.events().all && x.ordinal-src.offset == ordStream
}

// keepOrder makes the joins of the core give their rows in the order of their left sides if an aggregate
// depends on it.
func (c *coreScope) keepOrder(p *corePlan) {
	for _, a := range c.aggs {
		if a.ordered() {
			eachJoin(p.from, func(j *joinRelation) { j.byStream = 0 })
			return
		}
	}
}

// ordered reports whether the result may depend on the order of the rows.
func (a *aggregateCall) ordered() bool {
	held := a.def.holding == "values" && a.name != "mode"
	return a.order != nil || a.def.sorted != nil || a.def.extreme != noExtreme || a.collate != value.Binary ||
		a.def.merge == nil && !held
}

// eachJoin visits the joins that a relation is made of.
func eachJoin(in relation, visit func(*joinRelation)) {
	switch in := in.(type) {
	case *joinRelation:
		visit(in)
		eachJoin(in.left, visit)
		eachJoin(in.right, visit)
	case *lateralJoin:
		eachJoin(in.left, visit)
		eachJoin(in.right, visit)
	case *copiedRelation:
		eachJoin(in.in, visit)
	case *filteredRelation:
		eachJoin(in.relation, visit)
	}
}

// readsStreams reports whether both sides of the join can be read stream by stream, and whether that is
// of use: where records have to be read, it is less work to read them as they lie.
func (p *joinRelation) readsStreams(ex *execution, outer *expr.Env, bare bool) (bool, error) {
	if p.byStream == 0 {
		return false, nil
	}
	for _, side := range []relation{p.left, p.right} {
		ok, err := false, error(nil)
		switch side := side.(type) {
		case *joinRelation:
			ok, err = side.readsStreams(ex, outer, bare)
		case *tableScan:
			ok, err = side.readsStreams(ex, outer, bare)
		}
		if !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// readsStreams reports whether the scan can be read stream by stream from the indexes alone. bare leaves
// out of its bounds those that depend on a row that EXPLAIN has not.
func (s *tableScan) readsStreams(ex *execution, outer *expr.Env, bare bool) (bool, error) {
	if s.events() == nil || !s.events().all || s.columnSet()&^indexedColumns != 0 {
		return false, nil
	}
	if bare {
		s = s.withoutOuter()
	}
	scanner, _, err := s.streamScanner(ex, outer)
	return scanner != nil, err
}

// openStreams starts the join stream by stream, nil if that cannot be or is of no use.
func (p *joinRelation) openStreams(ex *execution, outer *expr.Env) (rows, error) {
	ok, err := p.readsStreams(ex, outer, false)
	if !ok || err != nil {
		return nil, err
	}
	return p.openSides(ex, outer)
}

// openSides is openStreams of a join that readsStreams has looked at.
func (p *joinRelation) openSides(ex *execution, outer *expr.Env) (rows, error) {
	left, err := openSide(p.left, ex, outer)
	if left == nil || err != nil {
		return nil, err
	}
	right, err := openSide(p.right, ex, outer)
	if right == nil || err != nil {
		left.close()
		return nil, err
	}
	return filtered(newStreamJoin(p, ex, outer, left, right), p.where), nil
}

func openSide(side relation, ex *execution, outer *expr.Env) (rows, error) {
	if join, ok := side.(*joinRelation); ok {
		return join.openSides(ex, outer)
	}
	return side.(*tableScan).scanStreams(ex, outer, false)
}

// streamsText tells EXPLAIN that the join reads stream by stream.
func (p *joinRelation) streamsText(x *explainer) string {
	if ok, err := p.readsStreams(x.ex, nil, true); !ok || err != nil {
		return ""
	}
	return ", stream by stream"
}
