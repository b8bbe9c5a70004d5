package query

import (
	"slices"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
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
		if err := c.pushKey(l, cond); err != nil {
			return err
		}
	}
	return nil
}

// leavesBelow lists the tables below a sub-query of which columns stand among its results. columns
// translates the ordinals of src into those of rel, -1 for what is something else; nil if they are
// the same.
func leavesBelow(src *fromItem, rel relation, columns []int) (list []leaf) {
	plan := planOf(rel)
	if plan == nil || plan.limit != nil || plan.recursion != nil { // other rows would come within the limit
		return nil
	}
	for _, core := range plan.cores {
		if core.windows != nil || core.on != nil { // they look at rows that do not pass
			continue
		}
		for _, from := range core.sources() {
			below := core.columnsOf(from, columns)
			if scan, ok := from.(*tableScan); ok {
				l := leaf{scan: scan, src: src, columns: comparedAlike(src, scan, below)}
				if core.group != nil && core.group.view != nil {
					l.group, l.slots = core.group, core.slotsOf(columns)
				}
				list = append(list, l)
			} else {
				list = append(list, leavesBelow(src, from, below)...)
			}
		}
	}
	return list
}

// comparedAlike leaves out of columns, ordinals of a table's columns by those of src, what src
// compares in another way than the table: a column of a UNION has one affinity and one collation for
// all of its SELECTs.
func comparedAlike(src *fromItem, scan *tableScan, columns []int) []int {
	alike := slices.Clone(columns)
	below := scan.def.schema()
	for i, ordinal := range columns {
		if ordinal < 0 {
			continue
		}
		a, b := &src.columns[i], &below[ordinal]
		if a.Type != b.Type || a.affinity != b.affinity || a.collate != b.collate || a.tags != b.tags {
			alike[i] = -1
		}
	}
	return alike
}

// planOf returns the plan of a sub-query or a view, nil for other relations: what a LATERAL one reads
// depends on the row of another, so that no condition may go into it.
func planOf(rel relation) *selectPlan {
	switch rel := rel.(type) {
	case *derivedRelation:
		if rel.lateral == nil {
			return rel.plan
		}
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

// slotsOf tells for each column of what reads the core which of its GROUP BY expressions it is.
func (p *corePlan) slotsOf(columns []int) []int {
	if columns == nil {
		return p.slots
	}
	slots := make([]int, len(columns))
	for i, result := range columns {
		slots[i] = -1
		if result >= 0 {
			slots[i] = p.slots[result]
		}
	}
	return slots
}

// pushKey notes for a materialised view that a condition asks for one value of a GROUP BY
// expression, if that is a text and compared as it is.
func (c *coreScope) pushKey(l leaf, cond parser.Expr) error {
	eq, ok := cond.(*parser.Binary)
	if l.group == nil || !ok || eq.Op != parser.OpEq {
		return nil
	}
	for _, side := range [][2]parser.Expr{{eq.X, eq.Y}, {eq.Y, eq.X}} {
		i := c.leafColumn(leaf{src: l.src}, side[0])
		if i < 0 || l.slots[i] < 0 {
			continue
		}
		key := l.group.keys[l.slots[i]]
		if l.src.columns[i].affinity != key.Affinity {
			continue
		}
		operands, err := c.operands(side[1])
		if err != nil || operands == nil {
			return err
		}
		affinity := value.CommonAffinity(key.Affinity, operands[0].Affinity)
		if key.Type == Text && key.Collate == value.Binary &&
			expr.CommonCollation(key, operands[0]) == value.Binary &&
			(affinity == value.AffNone || affinity == value.AffText) {
			l.group.equals = append(l.group.equals, keptEqual{l.slots[i], operands[0]})
		}
	}
	return nil
}
