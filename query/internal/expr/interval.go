package expr

import (
	"slices"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// interval compiles INTERVAL x unit where it is not beside + or -: the text that date_add and its
// like take.
func (c *compiler) interval(e *parser.Interval) (*Expr, error) {
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	if e.Unit == "" {
		return x, nil
	}
	if _, ok := value.TimeUnits[value.UnitName(e.Unit)]; !ok {
		return nil, unknownUnit(e.Unit, e.Pos)
	}
	return concat([]*Expr{x, fixed(value.OfText(" "+e.Unit), e.Pos)}), nil
}

func unknownUnit(name string, pos parser.Pos) error {
	return &fault.Error{Kind: fault.BadArgument, Pos: pos, Msg: "no such unit of time: " + name,
		Hint: "there are microsecond, millisecond, second, minute, hour, day, week, month, quarter and year"}
}

// IsInterval reports whether an expression is an INTERVAL, or computed from such alone: a text like
// '1 day'.
func IsInterval(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.Interval:
		return true
	case *parser.Cast:
		return e.Type == "INTERVAL"
	case *parser.Unary:
		return e.Op != parser.OpNot && IsInterval(e.X)
	case *parser.Binary:
		switch e.Op {
		case parser.OpMul:
			return IsInterval(e.X) != IsInterval(e.Y)
		case parser.OpDiv:
			return IsInterval(e.X) && !IsInterval(e.Y)
		case parser.OpSub:
			return IsInterval(e.X) && IsInterval(e.Y)
		}
	case *parser.Nary:
		return e.Op == parser.OpAdd && !slices.ContainsFunc(e.Terms, func(t parser.Expr) bool { return !IsInterval(t) })
	}
	return false
}

// intervals compiles what IsInterval holds for: a text that date_add and its like take.
func (c *compiler) intervals(e parser.Expr) (*Expr, error) {
	switch e := e.(type) {
	case *parser.Unary:
		if e.Op == parser.OpPlus {
			return c.intervals(e.X)
		}
		return c.scaled(e.X, &parser.Literal{Pos: e.Pos, Value: int64(-1)}, false)
	case *parser.Binary:
		switch {
		case e.Op == parser.OpSub:
			return c.sumOfIntervals(e.X, &parser.Unary{Pos: e.Pos, Op: parser.OpNeg, X: e.Y})
		case IsInterval(e.X):
			return c.scaled(e.X, e.Y, e.Op == parser.OpDiv)
		}
		return c.scaled(e.Y, e.X, false)
	case *parser.Nary:
		return c.sumOfIntervals(e.Terms...)
	}
	return c.expr(e)
}

// scaled compiles an interval times a number, or divided by one.
func (c *compiler) scaled(iv, by parser.Expr, divide bool) (*Expr, error) {
	x, err := c.intervals(iv)
	if err != nil {
		return nil, err
	}
	n, err := c.expr(by)
	if err != nil {
		return nil, err
	}
	if n, err = numberOperand(n); err != nil {
		return nil, err
	}
	length := intervalOf(x)
	y := &Expr{Type: value.Text, Nullable: true, Pos: x.Pos}
	y.Eval = func(e *Env) value.Value {
		l, f := length(e), n.Eval(e)
		if divide && f.Kind != value.Null {
			f = value.Div.Apply(value.OfReal(1), f)
		}
		if l == nil || f.Kind == value.Null {
			return null
		}
		product, ok := l.Times(f)
		if !ok {
			return e.Fail(longInterval(x.Pos))
		}
		return value.OfText(product.String())
	}
	return finish(y, x, n), nil
}

// sumOfIntervals compiles intervals that are added.
func (c *compiler) sumOfIntervals(terms ...parser.Expr) (*Expr, error) {
	list := make([]*Expr, len(terms))
	lengths := make([]func(*Env) *value.Interval, len(terms))
	for i, t := range terms {
		x, err := c.intervals(t)
		if err != nil {
			return nil, err
		}
		list[i], lengths[i] = x, intervalOf(x)
	}
	y := &Expr{Type: value.Text, Nullable: true, Pos: list[0].Pos}
	y.Eval = func(e *Env) value.Value {
		var sum value.Interval
		for _, length := range lengths {
			l := length(e)
			if l == nil || !e.Effort(value.TermEffort) {
				return null
			}
			var ok bool
			if sum, ok = sum.Plus(*l); !ok {
				return e.Fail(longInterval(y.Pos))
			}
		}
		return value.OfText(sum.String())
	}
	return finish(y, list...), nil
}

func longInterval(pos parser.Pos) error {
	return &fault.Error{Kind: fault.BadValue, Pos: pos, Msg: "the interval is too long"}
}

// plusInterval compiles x plus an interval, or minus with sign -1. x is a time or a text that is
// one.
func (c *compiler) plusInterval(x *Expr, e parser.Expr, sign int64) (*Expr, error) {
	by, err := c.intervals(e)
	if err != nil {
		return nil, err
	}
	return shifted(x, by, sign, e.At())
}

// shifted is x plus or minus an interval that is given as a text.
func shifted(x, by *Expr, sign int64, pos parser.Pos) (*Expr, error) {
	if err := checkTimeLiteral(x); err != nil {
		return nil, err
	}
	if by.fixed && by.value.Kind != value.Null {
		if _, ok := value.ParseInterval(by.value.Text()); !ok {
			return nil, badInterval(by.value, by.Pos)
		}
	}
	y := &Expr{Type: value.Timestamp, Affinity: value.AffTime, Nullable: true, Pos: pos}
	length := intervalOf(by)
	y.Eval = func(e *Env) value.Value {
		v := x.Eval(e)
		iv := length(e)
		micros, ok := value.ToTime(v)
		if !ok || iv == nil {
			return null
		}
		return value.Interval{Months: sign * iv.Months, Micros: sign * iv.Micros}.AddTo(micros)
	}
	return finish(y, x, by), nil
}

// intervalOf returns how to get an interval that is given as a text; nil for NULL.
func intervalOf(x *Expr) func(*Env) *value.Interval {
	compute := func(e *Env) *value.Interval {
		v := x.Eval(e)
		if v.Kind == value.Null {
			return nil
		}
		iv, ok := value.ParseInterval(v.Text())
		if !ok {
			e.Fail(badInterval(v, x.Pos))
			return nil
		}
		return &iv
	}
	if x.fixed {
		iv := compute(NewEnv(Env{}))
		return func(*Env) *value.Interval { return iv }
	}
	if x.Constant {
		return memoized(compute)
	}
	return compute
}

func badInterval(v value.Value, pos parser.Pos) error {
	return &fault.Error{Kind: fault.BadArgument, Pos: pos, Msg: "'" + v.Text() + "' is no interval",
		Hint: "write a number and a unit, as in '15 minutes'"}
}
