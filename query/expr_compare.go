package query

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
	right *expr          // the right side, converted
	coll  value.Collation
}

// match applies the rules of affinity to the two sides of a comparison. A column or CAST with a numeric type makes a number
// of the other side's text if it is one; a column or CAST of type TEXT makes a text of the other side's number; a time makes
// a time of the other side's text. Literals convert nothing.
func (c *exprCompiler) match(l, r *expr) (match, error) {
	m := match{right: r, coll: commonCollation(l, r)}
	err := c.matchTags(l, r)
	if err != nil {
		return m, err
	}
	switch {
	case l.isTime() && r.isTime():
	case l.isTime():
		m.right, err = c.timeOperand(r)
	case r.isTime():
		m.left = value.AffTime
		_, err = c.timeOperand(l)
	default:
		a := value.CommonAffinity(l.affinity, r.affinity)
		if !unchanged(a, l.typ) {
			m.left = a
		}
		if !unchanged(a, r.typ) {
			m.right = converted(r, a)
		}
	}
	return m, err
}

// matchTags checks what tags are compared with, if one side is tags.
func (c *exprCompiler) matchTags(l, r *expr) error {
	switch {
	case l.tags == r.tags:
		return nil
	case l.tags:
		return c.tagsOperand(r)
	}
	return c.tagsOperand(l)
}

// commonCollation is the collation of a comparison: an explicit one, the left one first; then that of a column.
func commonCollation(l, r *expr) value.Collation {
	switch {
	case l.explicit:
		return l.collate
	case r.explicit:
		return r.collate
	case l.affinity != value.AffNone:
		return l.collate
	}
	return r.collate
}

// converted is x with its value converted to an affinity. Values that need no conversion cost next to nothing.
func converted(x *expr, a value.Affinity) *expr {
	convert := value.Conversion(a)
	if convert == nil {
		return x
	}
	y := *x
	y.test = nil
	if x.fixed {
		y.value = convert(x.value)
		v := y.value
		y.eval = func(*env) value.Value { return v }
		return &y
	}
	eval := x.eval
	y.eval = func(e *env) value.Value { return convert(eval(e)) }
	if a.Numeric() {
		y.eval = func(e *env) value.Value {
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
func unchanged(a value.Affinity, t Type) bool {
	switch {
	case a.Numeric():
		return t == Integer || t == Real || t == Blob
	case a == value.AffText:
		return t == Text || t == JSON || t == Blob
	}
	return false
}

// compare compiles x op y for the six comparisons.
func (c *exprCompiler) compare(op parser.Op, l, r *expr, pos parser.Pos) (*expr, error) {
	m, err := c.match(l, r)
	if err != nil {
		return nil, err
	}
	rel := relations[op]
	x := &expr{typ: Integer, nullable: l.nullable || r.nullable, pos: pos}
	left := converted(l, m.left)
	if left.fixed && !m.right.fixed {
		x.test = relate(rel.Mirrored(), m.right, left, m.coll)
	} else {
		x.test = relate(rel, left, m.right, m.coll)
	}
	return finish(x, l, r), nil
}

// relate compares two sides that need no more conversion. Comparing with a known number or text is the common case
// of WHERE, and has ways of its own.
func relate(rel value.Comparison, l, r *expr, coll value.Collation) func(*env) value.Truth {
	left, right := l.eval, r.eval
	switch {
	case r.fixed && r.value.IsNull():
		return func(e *env) value.Truth { return value.Unknown }
	case r.fixed && r.value.Kind == value.Int:
		return relateInt(rel, left, r.value, r.pos)
	case r.fixed && r.value.Kind == value.String && coll == value.Binary && rel == value.Equal:
		return equalText(left, r.value.S)
	case r.param > 0:
		return relateParam(rel, l, r, coll)
	}
	return relateAny(rel, left, right, coll, r.pos)
}

func relateAny(rel value.Comparison, left, right func(*env) value.Value, coll value.Collation, pos parser.Pos) func(*env) value.Truth {
	return func(e *env) value.Truth {
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

// relateParam looks at the argument in its place: integers and texts are compared there. The right side's conversion may
// be left out: two texts of which the left one has been converted and is still a text are equal only as texts.
func relateParam(rel value.Comparison, l, r *expr, coll value.Collation) func(*env) value.Truth {
	left, i := l.eval, r.param-1
	others := relateAny(rel, left, r.eval, coll, r.pos)
	texts := coll == value.Binary && rel == value.Equal
	return func(e *env) value.Truth {
		if uint(i) < uint(len(e.args)) {
			switch b := &e.args[i].Value; {
			case b.Kind == value.Int:
				if a := left(e); a.Kind == value.Int {
					return rel.Holds(value.CompareInts(a.N, b.N))
				}
			case b.Kind == value.String && texts:
				if a := left(e); a.Kind == value.String {
					return value.TruthOf(a.S == b.S)
				}
			}
		}
		return others(e)
	}
}

func relateInt(rel value.Comparison, left func(*env) value.Value, b value.Value, pos parser.Pos) func(*env) value.Truth {
	return func(e *env) value.Truth {
		a := left(e)
		switch a.Kind {
		case value.Int:
			return rel.Holds(value.CompareInts(a.N, b.N))
		case value.Null:
			return value.Unknown
		case value.Time:
			return compareTimes(e, rel, a, b, value.Binary, pos)
		}
		return rel.Holds(value.Compare(a, b, value.Binary))
	}
}

func equalText(left func(*env) value.Value, s string) func(*env) value.Truth {
	asTime := value.AsTime(value.OfText(s))
	return func(e *env) value.Truth {
		a := left(e)
		switch a.Kind {
		case value.String:
			return value.TruthOf(a.S == s)
		case value.Null:
			return value.Unknown
		case value.Time:
			return value.TruthOf(a == asTime)
		}
		return value.No
	}
}

// is compiles x IS y and x IS NOT y, which are never NULL. A literal TRUE or FALSE on the right asks for the truth of x.
func (c *exprCompiler) is(e *parser.Binary, l, r *expr) (*expr, error) {
	negate := e.Op == parser.OpIsNot
	if want, ok := boolLiteral(e.Y); ok {
		return isTruth(l, want, negate, e.Pos), nil
	}
	m, err := c.match(l, r)
	if err != nil {
		return nil, err
	}
	left, right, coll, pos := converted(l, m.left).eval, m.right.eval, m.coll, e.Pos
	x := &expr{typ: Integer, pos: e.Pos}
	if r.fixed && r.value.IsNull() {
		eval := l.eval
		x.test = func(e *env) value.Truth { return value.TruthOf((eval(e).Kind == value.Null) != negate) }
		return finish(x, l, r), nil
	}
	x.test = func(e *env) value.Truth {
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
func boolLiteral(e parser.Expr) (value, ok bool) {
	switch e := e.(type) {
	case *parser.Literal:
		value, ok = e.Value.(bool)
	case *parser.In:
		return e.Not, e.Select == nil && len(e.List) == 0
	}
	return value, ok
}

func isTruth(x *expr, want, negate bool, pos parser.Pos) *expr {
	cond := x.condition()
	y := &expr{typ: Integer, pos: pos, test: func(e *env) value.Truth {
		return value.TruthOf((cond(e) == value.TruthOf(want)) != negate)
	}}
	return finish(y, x)
}

// between compiles x [NOT] BETWEEN lo AND hi: x >= lo AND x <= hi with one evaluation of x.
func (c *exprCompiler) between(e *parser.Between) (*expr, error) {
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
	y := &expr{typ: Integer, nullable: x.nullable || lo.nullable || hi.nullable, pos: e.Pos}
	y.test = func(env *env) value.Truth {
		v := x.eval(env)
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
func (m match) tester(rel value.Comparison) func(*env, value.Value) value.Truth {
	convert, right, coll, pos := value.Conversion(m.left), m.right.eval, m.coll, m.right.pos
	return func(e *env, a value.Value) value.Truth {
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
