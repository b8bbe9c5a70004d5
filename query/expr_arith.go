package query

import (
	"math"
	"math/bits"

	"github.com/eventfold/eventfold/parser"
)

// An operation computes with two numbers, neither of them NULL.
type operation struct {
	ints  func(a, b int64) (n int64, ok bool) // not ok: it does not fit, reals shall do it
	reals func(a, b Value) Value              // numbers of which at least one is a Float, or ints that ints cannot do
	texts bool                                // reals is given texts as they are
}

var operations = map[parser.Op]*operation{
	parser.OpAdd:    {addInts, func(a, b Value) Value { return realValue(a.real() + b.real()) }, false},
	parser.OpSub:    {subInts, func(a, b Value) Value { return realValue(a.real() - b.real()) }, false},
	parser.OpMul:    {mulInts, func(a, b Value) Value { return realValue(a.real() * b.real()) }, false},
	parser.OpDiv:    {divInts, divReals, false},
	parser.OpMod:    {modInts, modReals, true},
	parser.OpIntDiv: {divInts, intDivReals, false},
}

// real returns a number as a float64.
func (v Value) real() float64 {
	if v.kind == Int {
		return float64(v.n)
	}
	return v.f
}

func addInts(a, b int64) (int64, bool) {
	n := a + b
	return n, (n > a) == (b > 0)
}

func subInts(a, b int64) (int64, bool) {
	n := a - b
	return n, (n < a) == (b > 0)
}

func mulInts(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	// Mul64 takes the factors as unsigned: correct the upper half.
	top := int64(hi) - (a>>63)&b - (b>>63)&a
	return int64(lo), top == int64(lo)>>63
}

func divInts(a, b int64) (int64, bool) {
	if b == 0 || a == math.MinInt64 && b == -1 {
		return 0, false
	}
	return a / b, true
}

func modInts(a, b int64) (int64, bool) {
	if b == 0 {
		return 0, false
	}
	if b == -1 {
		return 0, true
	}
	return a % b, true
}

func divReals(a, b Value) Value {
	if b.real() == 0 {
		return null
	}
	return realValue(a.real() / b.real())
}

// modReals computes with the integer parts, of texts with the integers that they begin with, and gives a real.
func modReals(a, b Value) Value {
	n, ok := modInts(toInt(a), toInt(b))
	if !ok {
		return null
	}
	return realValue(float64(n))
}

// intDivReals is the quotient without its fraction: an integer if it fits.
func intDivReals(a, b Value) Value {
	v := divReals(a, b)
	if v.kind == Null {
		return null
	}
	v.f = math.Trunc(v.f)
	if n, ok := isInt(v.f); ok {
		return intValue(n)
	}
	return v
}

// apply computes a op b, NULL if either is. Texts count by their numeric prefix.
func (o *operation) apply(a, b Value) Value {
	x, y := a, b
	a, b = toNumber(a), toNumber(b)
	if a.kind == Null || b.kind == Null {
		return null
	}
	if a.kind == Int && b.kind == Int {
		if n, ok := o.ints(a.n, b.n); ok {
			return intValue(n)
		}
	}
	if o.texts {
		return o.reals(x, y)
	}
	return o.reals(signedZero(a, x), signedZero(b, y))
}

// signedZero is the number n that v counts as, but -0.0 for a text such as '-0', whose sign counts beside a real.
func signedZero(n, v Value) Value {
	if n.kind == Int && n.n == 0 && v.kind == String {
		return realValue(toReal(v))
	}
	return n
}

// arithmetic compiles a op b.
func (c *compiler) arithmetic(op parser.Op, l, r *expr, pos parser.Pos) (*expr, error) {
	if l.isTime() || r.isTime() {
		if op != parser.OpSub {
			return nil, timeAsNumber(pos)
		}
		return c.timeDifference(l, r, pos)
	}
	o := operations[op]
	left, right, ints := l.eval, r.eval, o.ints
	eval := func(e *env) Value {
		a := left(e)
		if a.kind == Null {
			return null
		}
		b := right(e)
		if a.kind == Int && b.kind == Int {
			if n, ok := ints(a.n, b.n); ok {
				return intValue(n)
			}
		}
		if a.kind == Time || b.kind == Time {
			return computeTimes(e, op, a, b, pos)
		}
		if (a.kind >= String || b.kind >= String) && !e.effort(len(a.s)+len(b.s)) {
			return null
		}
		return o.apply(a, b)
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
func (c *compiler) sum(e *parser.Nary) (*expr, error) {
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
func (c *compiler) sumStart(terms []parser.Expr) (*expr, []parser.Expr, error) {
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
func (c *compiler) addAll(terms []*expr) (*expr, error) {
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
	x.eval = func(e *env) Value {
		total := terms[0].eval(e)
		for _, t := range terms[1:] {
			if total.kind == Null {
				return null
			}
			if e.work += termEffort; e.work >= effortStep && !e.wanted() {
				return null
			}
			v := t.eval(e)
			if total.kind == Time || v.kind == Time {
				return computeTimes(e, parser.OpAdd, total, v, t.pos)
			}
			total = add.apply(total, v)
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
	x.eval = func(e *env) Value {
		var buf [128]byte
		b := textMaker{e, buf[:0]}
		for _, t := range terms {
			v := t.eval(e)
			if v.kind == Null || !b.add(v) {
				e.err = at(e.err, x.pos)
				return null
			}
		}
		if !e.room(len(b.b)) {
			return null
		}
		if len(b.b) > len(buf) {
			return textValue(stringOf(b.b))
		}
		return textValue(string(b.b))
	}
	return finish(x, terms...)
}

// appendText appends v's text.
func appendText(dst []byte, v Value) []byte {
	switch v.kind {
	case String, Bytes:
		return append(dst, v.s...)
	case Float:
		return appendReal(dst, v.f)
	}
	return append(dst, v.text()...)
}
