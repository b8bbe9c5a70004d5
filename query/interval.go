package query

import (
	"math"
	"strings"

	"github.com/eventfold/eventfold/parser"
)

// An interval is a length of time: months, whose days differ, and microseconds.
type interval struct {
	months int64
	micros int64
}

// A timeUnit is a unit of INTERVAL, EXTRACT and date_trunc. One is so many months, or so many microseconds.
type timeUnit struct {
	months, micros int64
}

var timeUnits = map[string]timeUnit{
	"microsecond": {0, 1},
	"millisecond": {0, 1000},
	"second":      {0, second},
	"minute":      {0, minute},
	"hour":        {0, hour},
	"day":         {0, day},
	"week":        {0, 7 * day},
	"month":       {1, 0},
	"quarter":     {3, 0},
	"year":        {12, 0},
	"decade":      {120, 0},
	"century":     {1200, 0},
	"millennium":  {12000, 0},
}

// unitName returns the singular, lower-case name of a unit as users write it.
func unitName(s string) string {
	s = lowerASCII(strings.TrimSpace(s))
	switch s {
	case "centuries":
		return "century"
	case "millennia", "millenniums":
		return "millennium"
	}
	return strings.TrimSuffix(s, "s")
}

// times returns n units; ok is false if they are too many.
func (u timeUnit) times(n Value) (iv interval, ok bool) {
	f := toReal(n)
	if math.Abs(f)*float64(u.months) > 1e6 || math.Abs(f)*float64(u.micros) > 4e17 {
		return iv, false
	}
	if n := toNumber(n); n.kind == Int {
		return interval{n.n * u.months, n.n * u.micros}, true
	}
	return interval{int64(f * float64(u.months)), int64(math.Round(f * float64(u.micros)))}, true
}

// parseInterval reads texts such as '15 minutes' and '1 day 2 hours'.
func parseInterval(s string) (iv interval, ok bool) {
	fields := strings.Fields(s)
	if len(fields) == 0 || len(fields)%2 != 0 {
		return iv, false
	}
	for i := 0; i < len(fields); i += 2 {
		p := numericPrefix(fields[i])
		unit, known := timeUnits[unitName(fields[i+1])]
		if !p.whole || !known {
			return iv, false
		}
		part, ok := unit.times(p.value())
		if !ok {
			return iv, false
		}
		iv.months, iv.micros = iv.months+part.months, iv.micros+part.micros
	}
	return iv, true
}

// addTo returns the time that lies the interval after micros. A day that its month does not have becomes the month's last.
func (iv interval) addTo(micros int64) Value {
	if iv.months != 0 {
		c := civilOf(micros)
		months := int64(c.year)*12 + int64(c.month-1) + iv.months
		year := floorDiv(months, 12)
		c.year, c.month = int(year), int(months-year*12)+1
		c.day = min(c.day, monthDays(c.year, c.month))
		micros = c.unixMicros()
	}
	return timeResult(micros + iv.micros)
}

// interval compiles INTERVAL x unit where it is not beside + or -: the text that date_add and its like take.
func (c *compiler) interval(e *parser.Interval) (*expr, error) {
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	if e.Unit == "" {
		return x, nil
	}
	if _, ok := timeUnits[unitName(e.Unit)]; !ok {
		return nil, unknownUnit(e.Unit, e.Pos)
	}
	return concat([]*expr{x, fixed(textValue(" "+e.Unit), e.Pos)}), nil
}

func unknownUnit(name string, pos parser.Pos) error {
	return &Error{Kind: BadArgument, Pos: pos, Msg: "no such unit of time: " + name, Hint: "there are microsecond, millisecond, second, minute, hour, day, week, month, quarter and year"}
}

// minusInterval compiles x - INTERVAL n unit.
func (c *compiler) minusInterval(e *parser.Binary, iv *parser.Interval) (*expr, error) {
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	return c.plusInterval(x, iv, -1)
}

// plusInterval compiles x + INTERVAL n unit, or minus with sign -1. x is a time or a text that is one.
func (c *compiler) plusInterval(x *expr, e *parser.Interval, sign int64) (*expr, error) {
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
	if by.fixed && by.value.kind != Null {
		if _, ok := parseInterval(by.value.text()); !ok {
			return nil, badInterval(by.value, by.pos)
		}
	}
	y := &expr{typ: Timestamp, affinity: affTime, nullable: true, pos: pos}
	length := intervalOf(by)
	y.eval = func(e *env) Value {
		v := x.eval(e)
		iv := length(e)
		micros, ok := toTime(v)
		if !ok || iv == nil {
			return null
		}
		return interval{sign * iv.months, sign * iv.micros}.addTo(micros)
	}
	return finish(y, x, by), nil
}

// intervalOf returns how to get an interval that is given as a text; nil for NULL.
func intervalOf(x *expr) func(*env) *interval {
	compute := func(e *env) *interval {
		v := x.eval(e)
		if v.kind == Null {
			return nil
		}
		iv, ok := parseInterval(v.text())
		if !ok {
			e.fail(badInterval(v, x.pos))
			return nil
		}
		return &iv
	}
	if x.fixed {
		iv := compute(new(env))
		return func(*env) *interval { return iv }
	}
	if x.constant {
		return memoized(compute)
	}
	return compute
}

func badInterval(v Value, pos parser.Pos) error {
	return &Error{Kind: BadArgument, Pos: pos, Msg: "'" + v.text() + "' is no interval", Hint: "write a number and a unit, as in '15 minutes'"}
}
