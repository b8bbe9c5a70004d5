package expr

import (
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
	length := *concat([]*Expr{x, fixed(value.OfText(" "+e.Unit), e.Pos)})
	length.interval = true
	return &length, nil
}

func unknownUnit(name string, pos parser.Pos) error {
	return &fault.Error{Kind: fault.BadArgument, Pos: pos, Msg: "no such unit of time: " + name,
		Hint: "there are microsecond, millisecond, second, minute, hour, day, week, month, quarter and year"}
}

// minusInterval compiles x - INTERVAL n unit.
func (c *compiler) minusInterval(e *parser.Binary, iv *parser.Interval) (*Expr, error) {
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	return c.plusInterval(x, iv, -1)
}

// plusInterval compiles x + INTERVAL n unit, or minus with sign -1. x is a time or a text that is
// one.
func (c *compiler) plusInterval(x *Expr, e *parser.Interval, sign int64) (*Expr, error) {
	n, err := c.interval(e)
	if err != nil {
		return nil, err
	}
	return shifted(x, n, sign, e.Pos)
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

// IsInterval reports whether x is written as INTERVAL n unit.
func (x *Expr) IsInterval() bool { return x.interval }
