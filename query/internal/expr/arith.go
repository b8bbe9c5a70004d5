package expr

import (
	"slices"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// operations are the operations by their operators.
var operations = map[parser.Op]*value.Operation{
	parser.OpAdd: value.Add, parser.OpSub: value.Sub, parser.OpMul: value.Mul,
	parser.OpDiv: value.Div, parser.OpMod: value.Mod, parser.OpIntDiv: value.IntDiv,
}

// arithmetic compiles a op b.
func (c *compiler) arithmetic(op parser.Op, l, r *Expr, pos parser.Pos) (*Expr, error) {
	if l.IsTime() || r.IsTime() {
		if op != parser.OpSub {
			return nil, ErrTimeAsNumber(pos)
		}
		return c.timeDifference(l, r, pos)
	}
	o := operations[op]
	left, right, ints := l.Eval, r.Eval, o.Ints
	eval := func(e *Env) value.Value {
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
	x := &Expr{Eval: eval, Pos: pos, Nullable: true}
	x.Type = arithmeticType(op, l, r)
	if x.Type == value.Integer && (op == parser.OpAdd || op == parser.OpSub || op == parser.OpMul) {
		x.Nullable = l.Nullable || r.Nullable
	}
	return finish(x, l, r), nil
}

// arithmeticType is Integer for integers, although a sum that does not fit is a REAL; Real if one
// side is.
func arithmeticType(op parser.Op, l, r *Expr) value.Type {
	switch {
	case op == parser.OpIntDiv:
		return value.Integer
	case l.Type == value.Integer && r.Type == value.Integer:
		return value.Integer
	case l.Type == value.Real || r.Type == value.Real:
		return value.Real
	}
	return value.Any
}

// sum compiles a chain of +, from left to right. Terms may be INTERVALs beside a time.
func (c *compiler) sum(e *parser.Nary) (*Expr, error) {
	first := slices.IndexFunc(e.Terms, func(t parser.Expr) bool { return !IsInterval(t) })
	if first < 0 {
		return c.sumOfIntervals(e.Terms...)
	}
	total, err := c.expr(e.Terms[first])
	if err != nil {
		return nil, err
	}
	rest := slices.Concat(e.Terms[:first], e.Terms[first+1:]) // INTERVAL 1 DAY + x is x plus the interval
	for len(rest) > 0 {
		if IsInterval(rest[0]) {
			if total, err = c.plusInterval(total, rest[0], 1); err != nil {
				return nil, err
			}
			rest = rest[1:]
			continue
		}
		n := 0
		for n < len(rest) && !IsInterval(rest[n]) {
			n++
		}
		terms, err := c.exprs(rest[:n])
		if err != nil {
			return nil, err
		}
		if total, err = c.addAll(append([]*Expr{total}, terms...)); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	return total, nil
}

// addAll is the sum of two or more terms, in one closure however many they are.
func (c *compiler) addAll(terms []*Expr) (*Expr, error) {
	if len(terms) == 2 {
		return c.arithmetic(parser.OpAdd, terms[0], terms[1], terms[0].Pos)
	}
	for _, t := range terms {
		if t.IsTime() {
			return nil, ErrTimeAsNumber(t.Pos)
		}
	}
	add := operations[parser.OpAdd]
	x := &Expr{Type: terms[0].Type, Nullable: terms[0].Nullable, Pos: terms[0].Pos}
	for _, t := range terms[1:] {
		x.Type = arithmeticType(parser.OpAdd, x, t)
		x.Nullable = x.Nullable || t.Nullable
	}
	x.Nullable = x.Nullable || x.Type != value.Integer
	x.Eval = func(e *Env) value.Value {
		total := terms[0].Eval(e)
		for _, t := range terms[1:] {
			if total.Kind == value.Null {
				return null
			}
			if !e.Effort(value.TermEffort) {
				return null
			}
			v := t.Eval(e)
			if total.Kind == value.Time || v.Kind == value.Time {
				return computeTimes(e, parser.OpAdd, total, v, t.Pos)
			}
			total = add.Apply(total, v)
		}
		return total
	}
	return finish(x, terms...), nil
}

// concat is x || y || ...: a text, NULL if one of them is.
func concat(terms []*Expr) *Expr {
	x := &Expr{Type: value.Text, Pos: terms[0].Pos}
	for _, t := range terms {
		x.Nullable = x.Nullable || t.Nullable
	}
	x.Eval = func(e *Env) value.Value {
		var buf [128]byte
		b := textMaker{e, buf[:0]}
		for _, t := range terms {
			v := t.Eval(e)
			if v.Kind == value.Null || !b.add(v) {
				e.Err = fault.At(e.Err, x.Pos)
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
