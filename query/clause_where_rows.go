package query

import "github.com/eventfold/eventfold/parser"

// rowPair returns the sides of a comparison of two rows of the same length; ok is false for any
// other comparison.
func rowPair(e *parser.Binary) (x, y []parser.Expr, ok bool) {
	l, ok1 := e.X.(*parser.Row)
	r, ok2 := e.Y.(*parser.Row)
	if !ok1 || !ok2 || len(l.Items) != len(r.Items) {
		return nil, nil, false
	}
	return l.Items, r.Items, true
}

// rowEqualities splits (a, b) = (c, d) into a = c and b = d; nil for anything else.
func rowEqualities(e parser.Expr) (list []parser.Expr) {
	eq, ok := e.(*parser.Binary)
	if !ok || eq.Op != parser.OpEq {
		return nil
	}
	x, y, ok := rowPair(eq)
	if !ok {
		return nil
	}
	for i := range x {
		list = append(list, conjuncts(&parser.Binary{Pos: eq.Pos, Op: parser.OpEq, X: x[i], Y: y[i]})...)
	}
	return list
}

// orEqual are what the order of two rows says of their first values.
var orEqual = map[parser.Op]parser.Op{
	parser.OpLt: parser.OpLe, parser.OpLe: parser.OpLe, parser.OpGt: parser.OpGe, parser.OpGe: parser.OpGe,
}

// firstOfRows returns what a comparison of rows says of their first values, nil if it says nothing;
// ok is false for a comparison of anything else.
func firstOfRows(e *parser.Binary) (first *parser.Binary, ok bool) {
	x, y, ok := rowPair(e)
	if !ok || orEqual[e.Op] == 0 {
		return nil, ok
	}
	return &parser.Binary{Pos: e.Pos, Op: orEqual[e.Op], X: x[0], Y: y[0]}, true
}

// rowsBound translates (a, b) IN ((1, 2), (3, 4)) into what it says of each column.
func (c *coreScope) rowsBound(l leaf, in *parser.In, x *parser.Row) (bounds []*bound, whole bool, err error) {
	if in.Not || in.Select != nil || len(in.List) == 0 {
		return nil, false, nil
	}
	for i, item := range x.Items {
		var list []parser.Expr
		for _, row := range in.List {
			r, ok := row.(*parser.Row)
			if !ok || len(r.Items) != len(x.Items) {
				return nil, false, nil
			}
			list = append(list, r.Items[i])
		}
		more, _, err := c.bound(l, item, parser.OpEq, list...)
		if err != nil {
			return nil, false, err
		}
		bounds = append(bounds, more...)
	}
	return bounds, false, nil
}
