package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// operations are the operations by their operators.
var operations = map[parser.Op]*value.Operation{
	parser.OpAdd: value.Add, parser.OpSub: value.Sub, parser.OpMul: value.Mul,
	parser.OpDiv: value.Div, parser.OpMod: value.Mod, parser.OpIntDiv: value.IntDiv,
}

// arithmetic compiles a op b.
func (c *exprCompiler) arithmetic(op parser.Op, l, r *expr, pos parser.Pos) (*expr, error) {
	if l.isTime() || r.isTime() {
		if op != parser.OpSub {
			return nil, timeAsNumber(pos)
		}
		return c.timeDifference(l, r, pos)
	}
	o := operations[op]
	left, right, ints := l.eval, r.eval, o.Ints
	eval := func(e *env) value.Value {
		a := left(e)
		if a.Kind == value.Null {
			return null
		}
		b := right(e)
		if a.Kind == value.Int && b.Kind == value.Int {
			if n, ok := ints(a.N, b.N); ok {
				return value.OfInt(n)
			}
		}
		if a.Kind == value.Time || b.Kind == value.Time {
			return computeTimes(e, op, a, b, pos)
		}
		if (a.Kind >= value.String || b.Kind >= value.String) && !e.Effort(len(a.S)+len(b.S)) {
			return null
		}
		return o.Apply(a, b)
	}
	x := &expr{eval: eval, pos: pos, nullable: true}
	x.typ = arithmeticType(op, l, r)
	if x.typ == Integer && (op == parser.OpAdd || op == parser.OpSub || op == parser.OpMul) {
		x.nullable = l.nullable || r.nullable
	}
	return finish(x, l, r), nil
}

// arithmeticType is Integer for integers, although a sum that does not fit is a REAL; Real if one side is.
func arithmeticType(op parser.Op, l, r *expr) Type {
	switch {
	case op == parser.OpIntDiv:
		return Integer
	case l.typ == Integer && r.typ == Integer:
		return Integer
	case l.typ == Real || r.typ == Real:
		return Real
	}
	return Any
}

// sum compiles a chain of +, from left to right. Terms may be INTERVALs beside a time.
func (c *exprCompiler) sum(e *parser.Nary) (*expr, error) {
	total, rest, err := c.sumStart(e.Terms)
	if err != nil {
		return nil, err
	}
	for len(rest) > 0 {
		if iv, ok := rest[0].(*parser.Interval); ok {
			if total, err = c.plusInterval(total, iv, 1); err != nil {
				return nil, err
			}
			rest = rest[1:]
			continue
		}
		n := 0
		for n < len(rest) && !isInterval(rest[n]) {
			n++
		}
		terms, err := c.exprs(rest[:n])
		if err != nil {
			return nil, err
		}
		if total, err = c.addAll(append([]*expr{total}, terms...)); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	return total, nil
}

// sumStart compiles the first term; in INTERVAL 1 DAY + x that is x plus the interval.
func (c *exprCompiler) sumStart(terms []parser.Expr) (*expr, []parser.Expr, error) {
	if iv, ok := terms[0].(*parser.Interval); ok && len(terms) > 1 && !isInterval(terms[1]) {
		x, err := c.expr(terms[1])
		if err != nil {
			return nil, nil, err
		}
		x, err = c.plusInterval(x, iv, 1)
		return x, terms[2:], err
	}
	x, err := c.expr(terms[0])
	return x, terms[1:], err
}

func isInterval(e parser.Expr) bool {
	_, ok := e.(*parser.Interval)
	return ok
}

// addAll is the sum of two or more terms, in one closure however many they are.
func (c *exprCompiler) addAll(terms []*expr) (*expr, error) {
	if len(terms) == 2 {
		return c.arithmetic(parser.OpAdd, terms[0], terms[1], terms[0].pos)
	}
	for _, t := range terms {
		if t.isTime() {
			return nil, timeAsNumber(t.pos)
		}
	}
	add := operations[parser.OpAdd]
	x := &expr{typ: terms[0].typ, nullable: terms[0].nullable, pos: terms[0].pos}
	for _, t := range terms[1:] {
		x.typ = arithmeticType(parser.OpAdd, x, t)
		x.nullable = x.nullable || t.nullable
	}
	x.nullable = x.nullable || x.typ != Integer
	x.eval = func(e *env) value.Value {
		total := terms[0].eval(e)
		for _, t := range terms[1:] {
			if total.Kind == value.Null {
				return null
			}
			if !e.Effort(termEffort) {
				return null
			}
			v := t.eval(e)
			if total.Kind == value.Time || v.Kind == value.Time {
				return computeTimes(e, parser.OpAdd, total, v, t.pos)
			}
			total = add.Apply(total, v)
		}
		return total
	}
	return finish(x, terms...), nil
}

// concat is x || y || ...: a text, NULL if one of them is.
func concat(terms []*expr) *expr {
	x := &expr{typ: Text, pos: terms[0].pos}
	for _, t := range terms {
		x.nullable = x.nullable || t.nullable
	}
	x.eval = func(e *env) value.Value {
		var buf [128]byte
		b := textMaker{e, buf[:0]}
		for _, t := range terms {
			v := t.eval(e)
			if v.Kind == value.Null || !b.add(v) {
				e.err = at(e.err, x.pos)
				return null
			}
		}
		if !e.Room(len(b.b)) {
			return null
		}
		if len(b.b) > len(buf) {
			return value.OfText(value.StringOf(b.b))
		}
		return value.OfText(string(b.b))
	}
	return finish(x, terms...)
}
