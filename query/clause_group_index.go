package query

import (
	"github.com/eventfold/eventfold/query/internal/value"
)

// A shortcut is how the indexes of a store answer an aggregate without every event being read.
type shortcut struct {
	text string // for EXPLAIN
	// fill fills the group table. done is false if it cannot this time.
	fill  func(g *groupedRows) (done bool, err error)
	exact *tableScan // the scan whose bounds must say all that its conditions say, nil for none
}

// shortcut recognises the groupings that the indexes of a store can answer.
func (c *coreScope) shortcut(p *groupPlan) *shortcut {
	scan, ok := p.from.(*tableScan)
	if !ok || scan.events() == nil || len(p.where) > 0 {
		return nil
	}
	switch {
	case len(p.keys) == 0 && allAggs(p, isCountStar):
		return &shortcut{"counted in the indexes", scan.countShortcut, scan}
	case len(p.keys) == 0 && len(p.aggs) == 1:
		return c.edgeShortcut(scan, p.aggs[0])
	case len(p.keys) == 1 && allAggs(p, isCountStar) && len(scan.bounds) == 0 &&
		len(scan.conds) == 0 && scan.events().all:
		if c.isGroupColumn("type") {
			return &shortcut{"counted in the indexes", scan.typesShortcut, nil}
		}
	}
	return nil
}

func allAggs(p *groupPlan, ok func(*aggregateCall) bool) bool {
	for _, a := range p.aggs {
		if !ok(a) {
			return false
		}
	}
	return len(p.aggs) > 0
}

func isCountStar(a *aggregateCall) bool { return a.name == "count" && a.star && a.filter == nil }

// countShortcut answers COUNT(*) where the bounds say all that the conditions say.
func (s *tableScan) countShortcut(g *groupedRows) (bool, error) {
	what, err := s.narrow(g.ex, g.outer)
	if err != nil {
		return false, err
	}
	if len(g.ex.own) > 0 || s.inexact || what.inexact {
		return false, nil
	}
	n := int64(0)
	if !what.empty {
		s.sees(g.ex, what).toEnd()
		if n, err = quiet(g.ex.index).Count(g.ex.ctx, s.filter(what)); err != nil {
			return false, err
		}
	}
	group, err := g.table.insert("", nil)
	if err != nil {
		return false, err
	}
	for i := range group.aggs {
		group.aggs[i].n = n
	}
	return true, nil
}

// typesShortcut answers SELECT type, COUNT(*) FROM $all GROUP BY type.
func (s *tableScan) typesShortcut(g *groupedRows) (bool, error) {
	if len(g.ex.own) > 0 {
		return false, nil
	}
	s.sees(g.ex, newNarrowing()).toEnd()
	types, err := quiet(g.ex.index).Types(g.ex.ctx)
	if err != nil {
		return false, err
	}
	for _, t := range types {
		name := value.OfText(t.Type)
		key := value.AppendKey(nil, name, g.plan.keys[0].Collate)
		group, err := g.table.insert(string(key), []value.Value{name})
		if err != nil {
			return false, err
		}
		for i := range group.aggs {
			group.aggs[i].n = t.Events
		}
	}
	return true, nil
}

// edgeShortcut answers MIN and MAX of what grows along the log: the first row that passes, read
// from the right end.
func (c *coreScope) edgeShortcut(scan *tableScan, a *aggregateCall) *shortcut {
	if a.name != "min" && a.name != "max" || a.filter != nil {
		return nil
	}
	ord := -1
	for i := range eventColumns {
		if c.aggArgIs(a, i) {
			ord = i
		}
	}
	switch ord {
	case ordPosition, ordRecordedAt:
	case ordVersion:
		if !scan.ofOneStream() {
			return nil
		}
	default:
		return nil
	}
	backwards := a.name == "max"
	fill := func(g *groupedRows) (bool, error) {
		if len(g.ex.own) > 0 {
			return false, nil
		}
		return true, g.readEdge(scan, backwards)
	}
	text := "the first event from the front"
	if backwards {
		text = "the first event from the end"
	}
	return &shortcut{text, fill, nil}
}

// aggArgIs reports whether the aggregate's argument is a column of the only table.
func (c *coreScope) aggArgIs(a *aggregateCall, ord int) bool {
	return a.column != nil && c.leafColumn(leaf{src: &c.sources[0]}, a.column) == ord
}

// readEdge gives the aggregate only the first row that a scan in a direction gives.
func (g *groupedRows) readEdge(scan *tableScan, backwards bool) (err error) {
	defer g.ex.leave(g.ex.envs)
	in, err := scan.openLimited(g.ex, g.outer, backwards, 1)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := in.close(); err == nil {
			err = cerr
		}
	}()
	en := g.ex.env(g.outer)
	ok, err := in.next(en)
	if err != nil {
		return err
	}
	if !ok {
		_, err = g.table.insert("", nil)
		return err
	}
	return g.table.add(en)
}
