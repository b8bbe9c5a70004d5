package expr

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// conjunction is AND over any number of conditions. It stops at the first that is false.
func conjunction(tests []func(*Env) value.Truth) func(*Env) value.Truth {
	if len(tests) == 2 {
		a, b := tests[0], tests[1]
		return func(e *Env) value.Truth {
			t := a(e)
			if t == value.No {
				return value.No
			}
			return value.And(t, b(e))
		}
	}
	return func(e *Env) value.Truth {
		if !e.Effort(len(tests)) {
			return value.Unknown
		}
		all := value.Yes
		for _, test := range tests {
			switch test(e) {
			case value.No:
				return value.No
			case value.Unknown:
				all = value.Unknown
			}
		}
		return all
	}
}

// disjunction is OR over any number of conditions. It stops at the first that is true.
func disjunction(tests []func(*Env) value.Truth) func(*Env) value.Truth {
	return func(e *Env) value.Truth {
		if !e.Effort(len(tests)) {
			return value.Unknown
		}
		some := value.No
		for _, test := range tests {
			switch test(e) {
			case value.Yes:
				return value.Yes
			case value.Unknown:
				some = value.Unknown
			}
		}
		return some
	}
}

// logic compiles a chain of AND or OR.
func (c *compiler) logic(op parser.Op, terms []*Expr) *Expr {
	tests := make([]func(*Env) value.Truth, len(terms))
	x := &Expr{Type: value.Integer, Pos: terms[0].Pos}
	for i, t := range terms {
		tests[i] = t.Condition()
		x.Nullable = x.Nullable || t.Nullable
	}
	if op == parser.OpAnd {
		x.Test = conjunction(tests)
	} else {
		x.Test = disjunction(tests)
	}
	return finish(x, terms...)
}

// nary compiles a flat chain.
func (c *compiler) nary(e *parser.Nary) (*Expr, error) {
	if e.Op == parser.OpAdd {
		return c.sum(e)
	}
	terms, err := c.exprs(e.Terms)
	if err != nil {
		return nil, err
	}
	if e.Op == parser.OpConcat {
		return concat(terms), nil
	}
	return c.logic(e.Op, terms), nil
}

// unary compiles NOT x, -x and +x.
func (c *compiler) unary(e *parser.Unary) (*Expr, error) {
	if IsInterval(e) {
		return c.intervals(e)
	}
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case parser.OpNot:
		cond := x.Condition()
		test := func(e *Env) value.Truth { return cond(e).Not() }
		return finish(&Expr{Test: test, Type: value.Integer, Nullable: x.Nullable, Pos: e.Pos}, x), nil
	case parser.OpNeg:
		if l, ok := e.X.(*parser.Literal); ok && x.value.Kind == value.Float && x.fixed {
			return fixed(value.OfReal(-x.value.F), l.Pos), nil // 0 - 0.0 would not be -0.0
		}
		return c.arithmetic(parser.OpSub, fixed(value.OfInt(0), e.Pos), x, e.Pos)
	}
	y := *x // +x is x without its affinity
	y.Affinity = value.AffNone
	return &y, nil
}

// binary compiles an operator of two sides.
func (c *compiler) binary(e *parser.Binary) (*Expr, error) {
	switch e.Op {
	case parser.OpArrow, parser.OpArrowText:
		return c.arrow(e)
	case parser.OpSub, parser.OpMul, parser.OpDiv:
		if IsInterval(e) {
			return c.intervals(e)
		}
	}
	if isRow(e.X) || isRow(e.Y) || isWide(e.X) && isWide(e.Y) {
		return c.rows(e)
	}
	l, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	if e.Op == parser.OpSub && IsInterval(e.Y) {
		return c.plusInterval(l, e.Y, -1)
	}
	r, err := c.expr(e.Y)
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case parser.OpIs, parser.OpIsNot:
		return c.is(e, l, r)
	case parser.OpRegexp:
		return c.regexp(l, r, e.Pos)
	case parser.OpSub, parser.OpMul, parser.OpDiv, parser.OpMod, parser.OpIntDiv:
		return c.arithmetic(e.Op, l, r, e.Pos)
	}
	if _, ok := relations[e.Op]; !ok {
		return nil, &fault.Error{
			Kind: fault.BadStatement, Pos: e.Pos, Msg: "an operator of an unknown kind",
		}
	}
	return c.compare(e.Op, l, r, e.Pos)
}

// caseOf compiles CASE: the first branch whose condition is true, or whose value equals the
// operand.
func (c *compiler) caseOf(e *parser.Case) (*Expr, error) {
	if isRow(e.Operand) {
		return c.expr(rowsCase(e))
	}
	var operand *Expr
	var err error
	if e.Operand != nil {
		if operand, err = c.expr(e.Operand); err != nil {
			return nil, err
		}
	}
	branches := make([]branch, len(e.Whens))
	var parts, results []*Expr
	for i, w := range e.Whens {
		cond, err := c.expr(w.Cond)
		if err != nil {
			return nil, err
		}
		then, err := c.expr(w.Then)
		if err != nil {
			return nil, err
		}
		if branches[i], err = c.branch(operand, cond, then); err != nil {
			return nil, err
		}
		parts, results = append(parts, cond, then), append(results, then)
	}
	otherwise := fixed(null, e.Pos)
	if e.Else != nil {
		if otherwise, err = c.expr(e.Else); err != nil {
			return nil, err
		}
	}
	parts, results = append(parts, otherwise), append(results, otherwise)
	x := &Expr{Eval: firstBranch(operand, branches, otherwise), Pos: e.Pos}
	x.Type, x.Nullable = commonType(results...)
	if operand != nil {
		parts = append(parts, operand)
	}
	return finish(x, parts...), nil
}

// A branch is one WHEN ... THEN ... of a CASE.
type branch struct {
	test func(*Env, value.Value) value.Truth // of the operand's value, which is NULL without an operand
	then func(*Env) value.Value
}

func (c *compiler) branch(operand, cond, then *Expr) (branch, error) {
	if operand == nil {
		test := cond.Condition()
		return branch{func(e *Env, _ value.Value) value.Truth { return test(e) }, then.Eval}, nil
	}
	m, err := c.match(operand, cond)
	if err != nil {
		return branch{}, err
	}
	return branch{m.tester(value.Equal), then.Eval}, nil
}

func firstBranch(operand *Expr, branches []branch, otherwise *Expr) func(*Env) value.Value {
	return func(e *Env) value.Value {
		var v value.Value
		if operand != nil {
			v = operand.Eval(e)
		}
		if !e.Effort(len(branches)) {
			return null
		}
		for i := range branches {
			if branches[i].test(e, v) == value.Yes {
				return branches[i].then(e)
			}
		}
		return otherwise.Eval(e)
	}
}

// commonType returns the static type of a value that comes from one of several expressions: theirs
// if they agree. A NULL literal agrees with every type.
func commonType(list ...*Expr) (t value.Type, nullable bool) {
	first := true
	for _, x := range list {
		nullable = nullable || x.Nullable
		switch {
		case x.fixed && x.value.IsNull():
		case first:
			t, first = x.Type, false
		case x.Type != t:
			t = value.Any
		}
	}
	return t, nullable
}
