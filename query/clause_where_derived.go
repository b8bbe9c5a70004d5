package query

import (
	"slices"

	"github.com/eventfold/eventfold/parser"
)

// An origin is where a result comes from that is a column and nothing else.
type origin struct {
	from   relation // an item of FROM; nil if the result is something else
	column int      // ordinal of from's columns
}

// originOf finds where a result comes from.
func (c *coreScope) originOf(e parser.Expr) origin {
	col, ok := e.(*parser.Column)
	if !ok {
		return origin{}
	}
	i, err := c.find(col)
	if err != nil || i < 0 {
		return origin{}
	}
	src := &c.sources[c.sourceOf(i)]
	return origin{src.rel, i - src.offset}
}

// pushBelow gives a condition on a sub-query or a view of FROM to the tables that are read for it,
// as bounds. It still decides about the rows itself, so that the bounds need only keep every event
// of which a row that passes is made.
func (c *coreScope) pushBelow(src *fromItem, cond parser.Expr) error {
	for _, l := range leavesBelow(src, src.rel, nil) {
		bounds, _, err := c.boundsOf(l, cond)
		if err != nil {
			return err
		}
		for _, b := range bounds {
			b.pushed = true
		}
		l.scan.bounds = append(l.scan.bounds, bounds...)
		l.scan.inexact = true
	}
	return nil
}

// leavesBelow lists the tables below a sub-query of which columns stand among its results. columns
// translates the ordinals of src into those of rel, -1 for what is something else; nil if they are
// the same.
func leavesBelow(src *fromItem, rel relation, columns []int) (list []leaf) {
	plan := planOf(rel)
	if plan == nil || plan.limit != nil { // other rows would come within the limit
		return nil
	}
	for _, core := range plan.cores {
		if core.windows != nil { // they look at rows that do not pass
			continue
		}
		for _, from := range core.sources() {
			below := core.columnsOf(from, columns)
			if scan, ok := from.(*tableScan); ok {
				list = append(list, leaf{scan: scan, src: src, columns: below})
			} else {
				list = append(list, leavesBelow(src, from, below)...)
			}
		}
	}
	return list
}

// planOf returns the plan of a sub-query or a view, nil for other relations.
func planOf(rel relation) *selectPlan {
	switch rel := rel.(type) {
	case *derivedRelation:
		return rel.plan
	case *viewRelation:
		return rel.plan
	}
	return nil
}

// sources lists the items of FROM of which columns stand among the results.
func (p *corePlan) sources() (list []relation) {
	for _, o := range p.origins {
		if o.from != nil && !slices.Contains(list, o.from) {
			list = append(list, o.from)
		}
	}
	return list
}

// columnsOf tells for each column of what reads the core, whose ordinals columns translates into
// those of the results, which column of an item of FROM it is.
func (p *corePlan) columnsOf(from relation, columns []int) []int {
	if columns == nil {
		columns = make([]int, len(p.origins))
		for i := range columns {
			columns[i] = i
		}
	}
	below := make([]int, len(columns))
	for i, result := range columns {
		below[i] = -1
		if result >= 0 && p.origins[result].from == from {
			below[i] = p.origins[result].column
		}
	}
	return below
}
