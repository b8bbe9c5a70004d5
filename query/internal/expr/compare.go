package expr

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

var relations = map[parser.Op]value.Comparison{
	parser.OpEq: value.Equal, parser.OpNe: value.Less | value.Greater,
	parser.OpLt: value.Less, parser.OpLe: value.Less | value.Equal,
	parser.OpGt: value.Greater, parser.OpGe: value.Greater | value.Equal,
}

// A match is how one side of a comparison is made comparable with the other.
type match struct {
	left  value.Affinity // what to convert the left value to first; AffNone for nothing
	right *Expr          // the right side, converted
	coll  value.Collation
}

// match applies the rules of affinity to the two sides of a comparison. A column or CAST with a
// numeric type makes a number of the other side's text if it is one; a column or CAST of type TEXT
// makes a text of the other side's number; a time makes a time of the other side's text. Literals
// convert nothing.
func (c *compiler) match(l, r *Expr) (match, error) {
	m := match{right: r, coll: CommonCollation(l, r)}
	err := c.matchTags(l, r)
	if err != nil {
		return m, err
	}
	switch {
	case l.IsTime() && r.IsTime():
	case l.IsTime():
		m.right, err = c.timeOperand(r)
	case r.IsTime():
		m.left = value.AffTime
		_, err = c.timeOperand(l)
	default:
		a := value.CommonAffinity(l.Affinity, r.Affinity)
		if !unchanged(a, l.Type) {
			m.left = a
		}
		if !unchanged(a, r.Type) {
			m.right = converted(r, a)
		}
	}
	return m, err
}

// matchTags checks what tags are compared with, if one side is tags.
func (c *compiler) matchTags(l, r *Expr) error {
	switch {
	case l.Tags == r.Tags:
		return nil
	case l.Tags:
		return c.tagsOperand(r)
	}
	return c.tagsOperand(l)
}

// TakeCollation gives x the collation that an expression was written with, if it was with any.
func (x *Expr) TakeCollation(of *Expr) {
	if of.explicit {
		x.Collate, x.explicit = of.Collate, true
	}
}

// CommonCollation is the collation of a comparison: an explicit one, the left one first; then that
// of a column, also of a sub-query's, whose collation is that of the result.
func CommonCollation(l, r *Expr) value.Collation {
	switch {
	case l.explicit:
		return l.Collate
	case r.explicit:
		return r.Collate
	case l.Column || l.Affinity != value.AffNone:
		return l.Collate
	}
	return r.Collate
}

// converted is x with its value converted to an affinity. Values that need no conversion cost next
// to nothing.
func converted(x *Expr, a value.Affinity) *Expr {
	convert := value.Conversion(a)
	if convert == nil {
		return x
	}
	y := *x
	y.Test = nil
	if x.fixed {
		y.value = convert(x.value)
		v := y.value
		y.Eval = func(*Env) value.Value { return v }
		return &y
	}
	eval := x.Eval
	y.Eval = func(e *Env) value.Value { return convert(eval(e)) }
	if a.Numeric() {
		y.Eval = func(e *Env) value.Value {
			v := eval(e)
			if v.Kind != value.String {
				return v
			}
			return value.AsNumber(v)
		}
	}
	return &y
}

// unchanged reports whether a conversion by affinity leaves all values of a static type alone.
func unchanged(a value.Affinity, t value.Type) bool {
	switch {
	case a.Numeric():
		return t == value.Integer || t == value.Real || t == value.Blob
	case a == value.AffText:
		return t == value.Text || t == value.JSON || t == value.Blob
	}
	return false
}

// compare compiles x op y for the six comparisons.
func (c *compiler) compare(op parser.Op, l, r *Expr, pos parser.Pos) (*Expr, error) {
	m, err := c.match(l, r)
	if err != nil {
		return nil, err
	}
	rel := relations[op]
	x := &Expr{Type: value.Integer, Nullable: l.Nullable || r.Nullable, Pos: pos}
	left := converted(l, m.left)
	if left.fixed && !m.right.fixed {
		x.Test = relate(rel.Mirrored(), m.right, left, m.coll)
	} else {
		x.Test = relate(rel, left, m.right, m.coll)
	}
	return finish(x, l, r), nil
}

// relate compares two sides that need no more conversion. Comparing with a known number or text is
// the common case of WHERE, and has ways of its own.
func relate(rel value.Comparison, l, r *Expr, coll value.Collation) func(*Env) value.Truth {
	left, right := l.Eval, r.Eval
	switch {
	case r.fixed && r.value.IsNull():
		return func(e *Env) value.Truth { return value.Unknown }
	case r.fixed && r.value.Kind == value.Int:
		return relateInt(rel, left, r.value, r.Pos)
	case r.fixed && r.value.Kind == value.String && coll == value.Binary && rel == value.Equal:
		return equalText(left, r.value.S)
	case r.param > 0:
		return relateParam(rel, l, r, coll)
	}
	return relateAny(rel, left, right, coll, r.Pos)
}

func relateAny(
	rel value.Comparison, left, right func(*Env) value.Value, coll value.Collation, pos parser.Pos,
) func(*Env) value.Truth {
	return func(e *Env) value.Truth {
		a := left(e)
		if a.Kind == value.Null {
			return value.Unknown
		}
		b := right(e)
		if b.Kind == value.Null {
			return value.Unknown
		}
		if a.Kind == value.Int && b.Kind == value.Int {
			return rel.Holds(value.CompareInts(a.N, b.N))
		}
		if (a.Kind == value.Time) != (b.Kind == value.Time) {
			return compareTimes(e, rel, a, b, coll, pos)
		}
		if !e.Effort(min(len(a.S), len(b.S))) {
			return value.Unknown
		}
		return rel.Between(a, b, coll)
	}
}

// is compiles x IS y and x IS NOT y, which are never NULL. A literal TRUE or FALSE on the right
// asks for the truth of x.
func (c *compiler) is(e *parser.Binary, l, r *Expr) (*Expr, error) {
	negate := e.Op == parser.OpIsNot
	if want, ok := boolLiteral(e.Y); ok {
		return isTruth(l, want, negate, e.Pos), nil
	}
	m, err := c.match(l, r)
	if err != nil {
		return nil, err
	}
	left, right, coll, pos := converted(l, m.left).Eval, m.right.Eval, m.coll, e.Pos
	x := &Expr{Type: value.Integer, Pos: e.Pos}
	if r.fixed && r.value.IsNull() {
		eval := l.Eval
		x.Test = func(e *Env) value.Truth { return value.TruthOf((eval(e).Kind == value.Null) != negate) }
		return finish(x, l, r), nil
	}
	x.Test = func(e *Env) value.Truth {
		a, b := left(e), right(e)
		same := a.Kind == value.Null && b.Kind == value.Null
		switch {
		case a.Kind == value.Null || b.Kind == value.Null:
		case (a.Kind == value.Time) != (b.Kind == value.Time):
			same = compareTimes(e, value.Equal, a, b, coll, pos) == value.Yes
		default:
			same = value.Equal.Between(a, b, coll) == value.Yes
		}
		return value.TruthOf(same != negate)
	}
	return finish(x, l, r), nil
}

// boolLiteral reports whether e is TRUE or FALSE; x IN () and x NOT IN () are the same as those.
func boolLiteral(e parser.Expr) (truth, ok bool) {
	switch e := e.(type) {
	case *parser.Literal:
		truth, ok = e.Value.(bool)
	case *parser.In:
		return e.Not, e.Select == nil && len(e.List) == 0
	}
	return truth, ok
}

func isTruth(x *Expr, want, negate bool, pos parser.Pos) *Expr {
	cond := x.Condition()
	y := &Expr{Type: value.Integer, Pos: pos, Test: func(e *Env) value.Truth {
		return value.TruthOf((cond(e) == value.TruthOf(want)) != negate)
	}}
	return finish(y, x)
}

// between compiles x [NOT] BETWEEN lo AND hi: x >= lo AND x <= hi with one evaluation of x.
func (c *compiler) between(e *parser.Between) (*Expr, error) {
	if isRow(e.X) {
		return c.expr(rowsBetween(e))
	}
	list, err := c.exprs([]parser.Expr{e.X, e.Lo, e.Hi})
	if err != nil {
		return nil, err
	}
	x, lo, hi := list[0], list[1], list[2]
	ml, err := c.match(x, lo)
	if err != nil {
		return nil, err
	}
	mh, err := c.match(x, hi)
	if err != nil {
		return nil, err
	}
	above, below := ml.tester(value.Greater|value.Equal), mh.tester(value.Less|value.Equal)
	y := &Expr{Type: value.Integer, Nullable: x.Nullable || lo.Nullable || hi.Nullable, Pos: e.Pos}
	y.Test = func(env *Env) value.Truth {
		v := x.Eval(env)
		t := above(env, v)
		if t != value.No {
			t = value.And(t, below(env, v))
		}
		if e.Not {
			return t.Not()
		}
		return t
	}
	return finish(y, x, lo, hi), nil
}

// tester returns a function that compares a left value with the right side.
func (m match) tester(rel value.Comparison) func(*Env, value.Value) value.Truth {
	convert, right, coll, pos := value.Conversion(m.left), m.right.Eval, m.coll, m.right.Pos
	return func(e *Env, a value.Value) value.Truth {
		if a.Kind == value.Null {
			return value.Unknown
		}
		if convert != nil {
			a = convert(a)
		}
		b := right(e)
		if b.Kind == value.Null {
			return value.Unknown
		}
		if a.Kind == value.Int && b.Kind == value.Int {
			return rel.Holds(value.CompareInts(a.N, b.N))
		}
		if (a.Kind == value.Time) != (b.Kind == value.Time) {
			return compareTimes(e, rel, a, b, coll, pos)
		}
		return rel.Between(a, b, coll)
	}
}
