package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// flipped gives the operator that compares the operands the other way around.
var flipped = map[parser.Op]parser.Op{
	parser.OpEq: parser.OpEq, parser.OpLt: parser.OpGt, parser.OpLe: parser.OpGe,
	parser.OpGt: parser.OpLt, parser.OpGe: parser.OpLe,
}

// A leaf is a table of FROM with the scope in which conditions on it alone are compiled, or one below
// a sub-query of FROM, which is src then.
type leaf struct {
	scan    *tableScan
	src     *fromItem
	columns []int // ordinals of src's columns in scan, -1 for what is no column of it; nil if they are the same

	group *groupPlan // of a materialised view that is src, or below it; its keys are columns then
	slots []int      // which key a column of src is, -1 for what is none
}

// push gives a condition to the scan as bounds, as far as it can be one.
func (c *coreScope) push(l leaf, cond parser.Expr) error {
	bounds, whole, err := c.boundsOf(l, cond)
	if err != nil {
		return err
	}
	l.scan.bounds = append(l.scan.bounds, bounds...)
	if !whole {
		l.scan.inexact = true
	}
	return c.noteStride(l, cond)
}

// boundsOf translates a condition into bounds. whole tells that they say all that the condition
// says.
func (c *coreScope) boundsOf(l leaf, cond parser.Expr) (bounds []*bound, whole bool, err error) {
	if parser.Contains(cond, isReveal) { // EXPLAIN shows bounds
		return nil, false, nil
	}
	if c.independent(cond) {
		operands, err := c.operands(cond)
		return []*bound{{gate: true, operands: operands}}, true, err
	}
	if l.scan.events() == nil && l.scan.def.name() != "$streams" && l.scan.def.name() != "$types" {
		return nil, false, nil
	}
	switch e := cond.(type) {
	case *parser.Binary:
		return c.comparisonBound(l, e)
	case *parser.In:
		if x, ok := e.X.(*parser.Row); ok {
			return c.rowsBound(l, e, x)
		}
		if !e.Not && e.Select == nil {
			bounds, whole, err := c.bound(l, e.X, parser.OpEq, e.List...)
			for _, b := range bounds {
				expr.MarkItems(b.operands, e.List)
			}
			return bounds, whole, err
		}
	case *parser.Between:
		if e.Not {
			return nil, false, nil
		}
		lo, ok1, err := c.bound(l, e.X, parser.OpGe, e.Lo)
		if err != nil {
			return nil, false, err
		}
		hi, ok2, err := c.bound(l, e.X, parser.OpLe, e.Hi)
		return append(lo, hi...), ok1 && ok2, err
	case *parser.Nary:
		if e.Op != parser.OpOr {
			return nil, false, nil
		}
		if bounds, whole, err := c.orBound(l, e); bounds != nil || err != nil {
			return bounds, whole, err
		}
		return c.alternativesBound(l, e)
	case *parser.Like:
		return c.likeBound(l, e)
	case *parser.Call:
		return c.tagBound(l, e)
	}
	return nil, false, nil
}

// isReveal tells whether an expression opens a sealed value.
func isReveal(e parser.Expr) bool {
	call, ok := e.(*parser.Call)
	return ok && call.Name == "reveal"
}

func (c *coreScope) comparisonBound(l leaf, e *parser.Binary) ([]*bound, bool, error) {
	if first, ok := firstOfRows(e); ok {
		if first == nil {
			return nil, false, nil
		}
		bounds, _, err := c.comparisonBound(l, first)
		return bounds, false, err
	}
	flip, ok := flipped[e.Op]
	if !ok {
		return nil, false, nil
	}
	if c.leafColumn(l, e.X) >= 0 || c.timeFloor(l, e.X) != nil {
		return c.bound(l, e.X, e.Op, e.Y)
	}
	return c.bound(l, e.Y, flip, e.X)
}

// orBound translates "column = a OR column = b".
func (c *coreScope) orBound(l leaf, e *parser.Nary) ([]*bound, bool, error) {
	ord, operands := -1, []parser.Expr(nil)
	var x parser.Expr
	for _, t := range e.Terms {
		eq, ok := t.(*parser.Binary)
		if !ok || eq.Op != parser.OpEq {
			return nil, false, nil
		}
		col, other := eq.X, eq.Y
		if c.leafColumn(l, col) < 0 {
			col, other = other, col
		}
		i := c.leafColumn(l, col)
		if i < 0 || ord >= 0 && i != ord {
			return nil, false, nil
		}
		ord, x = i, col
		operands = append(operands, other)
	}
	return c.bound(l, x, parser.OpEq, operands...)
}

// alternativesBound translates an OR whose every term asks for a stream, a type or a tag: the
// engine unites what their indexes give.
func (c *coreScope) alternativesBound(l leaf, e *parser.Nary) ([]*bound, bool, error) {
	if l.scan.events() == nil {
		return nil, false, nil
	}
	b, exact := &bound{}, true
	for _, t := range e.Terms {
		var parts []*bound
		for _, cond := range conjuncts(t) {
			bounds, whole, err := c.boundsOf(l, cond)
			if err != nil {
				return nil, false, err
			}
			exact = exact && whole
			for _, part := range bounds {
				if part.tag || !part.gate && !part.like && part.alternatives == nil &&
					(part.ord == ordStream || part.ord == ordType) {
					parts = append(parts, part)
				} else {
					exact = false
				}
			}
		}
		if len(parts) == 0 {
			return nil, false, nil
		}
		b.alternatives = append(b.alternatives, parts)
	}
	return []*bound{b}, exact, nil
}

func (c *coreScope) likeBound(l leaf, e *parser.Like) ([]*bound, bool, error) {
	if e.Not || e.Escape != nil || c.leafColumn(l, e.X) != ordStream || l.scan.events() == nil {
		return nil, false, nil
	}
	operands, err := c.operands(e.Pattern)
	if operands == nil || err != nil {
		return nil, false, err
	}
	return []*bound{{ord: ordStream, like: true, fold: e.Fold, operands: operands}}, false, nil
}

func (c *coreScope) tagBound(l leaf, e *parser.Call) ([]*bound, bool, error) {
	if e.Name != "has" || len(e.Args) != 2 || e.Star || e.Distinct || l.scan.events() == nil ||
		c.leafColumn(l, e.Args[0]) != ordTags {
		return nil, false, nil
	}
	operands, err := c.operands(e.Args[1])
	if operands == nil || err != nil {
		return nil, false, err
	}
	return []*bound{{ord: ordTags, tag: true, operands: operands}}, true, nil
}

// bound makes "x op values" a bound if x is a column that has bounds and the values do not depend
// on the core's rows.
func (c *coreScope) bound(
	l leaf, x parser.Expr, op parser.Op, values ...parser.Expr,
) ([]*bound, bool, error) {
	if floor := c.timeFloor(l, x); floor != nil {
		operands, err := c.operands(values...)
		if operands == nil || err != nil {
			return nil, false, err
		}
		return []*bound{{ord: ordRecordedAt, op: op, operands: operands, floor: floor}}, op == parser.OpEq, nil
	}
	ord := c.leafColumn(l, x)
	if l.scan.events() == nil {
		ord = systemBound(l.scan.def, ord)
	}
	switch ord {
	case ordPosition, ordVersion, ordRecordedAt:
	case ordStream, ordType, ordID, ordCategory:
		if op != parser.OpEq {
			return nil, false, nil
		}
	default:
		return nil, false, nil
	}
	operands, err := c.operands(values...)
	if operands == nil || err != nil {
		return nil, false, err
	}
	return []*bound{{ord: ord, op: op, operands: operands}}, true, nil
}

// systemBound translates the ordinal of a column of $streams or $types into the event column that
// it lists.
func systemBound(def table, ord int) int {
	switch {
	case ord == 1 && def.name() == "$streams":
		return ordCategory
	case ord != 0:
		return -1
	case def.name() == "$streams":
		return ordStream
	}
	return ordType
}

// leafColumn returns the ordinal in the leaf of the column that x is, -1 if it is none of the
// leaf's.
func (c *coreScope) leafColumn(l leaf, x parser.Expr) int {
	col, ok := x.(*parser.Column)
	if !ok {
		return -1
	}
	i, err := c.find(col)
	if err != nil || i < l.src.offset || i >= l.src.offset+len(l.src.columns) {
		return -1
	}
	if i -= l.src.offset; l.columns != nil {
		return l.columns[i]
	}
	return i
}

// operands compiles expressions that do not depend on the core's own rows; nil if one of them does.
func (c *coreScope) operands(list ...parser.Expr) ([]*expr.Expr, error) {
	out := make([]*expr.Expr, len(list))
	for i, e := range list {
		if !c.independent(e) {
			return nil, nil
		}
		x, err := expr.Compile(e, c.whereScope())
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

// independent reports whether an expression uses neither the core's own columns nor sub-queries nor
// names of results.
func (c *coreScope) independent(e parser.Expr) bool {
	return !parser.Contains(e, func(e parser.Expr) bool {
		if col, ok := e.(*parser.Column); ok {
			i, err := c.find(col)
			return i >= 0 || err != nil || c.isAlias(col)
		}
		call, ok := e.(*parser.Call)
		return hasSelect(e) || ok && (call.Over != nil || c.isAggregate(call) || c.functions.volatile(call.Name))
	})
}

// hasSelect reports whether an expression is one of those that hold a sub-query.
func hasSelect(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.Subquery, *parser.Exists:
		return true
	case *parser.In:
		return e.Select != nil
	}
	return false
}

func (c *coreScope) isAlias(col *parser.Column) bool {
	if col.Table != "" {
		return false
	}
	for _, r := range c.results {
		if r.Alias != "" && sameName(r.Alias, col.Name) {
			return true
		}
	}
	return false
}
