package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// interval compiles INTERVAL x unit where it is not beside + or -: the text that date_add and its like take.
func (c *exprCompiler) interval(e *parser.Interval) (*expr, error) {
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
	return concat([]*expr{x, fixed(value.OfText(" "+e.Unit), e.Pos)}), nil
}

func unknownUnit(name string, pos parser.Pos) error {
	return &Error{Kind: BadArgument, Pos: pos, Msg: "no such unit of time: " + name, Hint: "there are microsecond, millisecond, second, minute, hour, day, week, month, quarter and year"}
}

// minusInterval compiles x - INTERVAL n unit.
func (c *exprCompiler) minusInterval(e *parser.Binary, iv *parser.Interval) (*expr, error) {
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	return c.plusInterval(x, iv, -1)
}

// plusInterval compiles x + INTERVAL n unit, or minus with sign -1. x is a time or a text that is one.
func (c *exprCompiler) plusInterval(x *expr, e *parser.Interval, sign int64) (*expr, error) {
	n, err := c.interval(e)
	if err != nil {
		return nil, err
	}
	return shifted(x, n, sign, e.Pos)
}

// shifted is x plus or minus an interval that is given as a text.
func shifted(x, by *expr, sign int64, pos parser.Pos) (*expr, error) {
	if err := checkTimeLiteral(x); err != nil {
		return nil, err
	}
	if by.fixed && by.value.Kind != value.Null {
		if _, ok := value.ParseInterval(by.value.Text()); !ok {
			return nil, badInterval(by.value, by.pos)
		}
	}
	y := &expr{typ: Timestamp, affinity: value.AffTime, nullable: true, pos: pos}
	length := intervalOf(by)
	y.eval = func(e *env) value.Value {
		v := x.eval(e)
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
func intervalOf(x *expr) func(*env) *value.Interval {
	compute := func(e *env) *value.Interval {
		v := x.eval(e)
		if v.Kind == value.Null {
			return nil
		}
		iv, ok := value.ParseInterval(v.Text())
		if !ok {
			e.fail(badInterval(v, x.pos))
			return nil
		}
		return &iv
	}
	if x.fixed {
		iv := compute(newEnv(env{}))
		return func(*env) *value.Interval { return iv }
	}
	if x.constant {
		return memoized(compute)
	}
	return compute
}

func badInterval(v value.Value, pos parser.Pos) error {
	return &Error{Kind: BadArgument, Pos: pos, Msg: "'" + v.Text() + "' is no interval", Hint: "write a number and a unit, as in '15 minutes'"}
}
