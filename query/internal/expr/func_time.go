package expr

import (
	"slices"
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

var timeFunctions = []function{
	{name: "date", min: 0, max: -1, typ: value.Text, nulls: nullOwn,
		fn: momentFunc((*value.Moment).Date)},
	{name: "time", min: 0, max: -1, typ: value.Text, nulls: nullOwn,
		fn: momentFunc((*value.Moment).Clock)},
	{name: "datetime", min: 0, max: -1, typ: value.Text, nulls: nullOwn,
		fn: momentFunc((*value.Moment).DateAndClock)},
	{name: "julianday", min: 0, max: -1, typ: value.Real, nulls: nullOwn,
		fn: momentFunc((*value.Moment).JulianDay)},
	{name: "unixepoch", min: 0, max: -1, typ: value.Integer, nulls: nullOwn, fn: unixepochFunc},
	{name: "strftime", min: 1, max: -1, typ: value.Text, nulls: nullOwn, fn: strftimeFunc},

	{name: "now", min: 0, max: 1, typ: value.Timestamp, nulls: nullNever, fn: nowFunc},
	{name: "current_date", min: 0, max: 0, typ: value.Text, nulls: nullNever,
		fn: momentFunc((*value.Moment).Date)},
	{name: "current_time", min: 0, max: 1, typ: value.Text, nulls: nullNever,
		fn: func(e *Env,
			_ []value.Value) value.Value {
			return momentFunc((*value.Moment).Clock)(e, nil)
		}},
	{name: "unix_timestamp", min: 0, max: 1, typ: value.Integer, nulls: nullOwn,
		fn: unixTimestampFunc},
	{name: "from_unixtime", min: 1, max: 2, typ: value.Timestamp, compile: compileFromUnixtime},
	{name: "timestamp", min: 1, max: 2, typ: value.Timestamp, compile: compileTimestamp},
	{name: "timezone", min: 2, max: 2, typ: value.Timestamp, compile: compileTimezone},
	{name: "date_trunc", min: 2, max: 3, typ: value.Timestamp, compile: compileDateTrunc},
	{name: "date_bin", min: 2, max: 4, typ: value.Timestamp, compile: compileDateBin},
	{name: "date_diff", min: 3, max: 4, typ: value.Integer, compile: compileDateDiff},
	{name: "datesub", min: 3, max: 4, typ: value.Integer, compile: compileDateDiff},
	{name: "date_part", min: 2, max: 2, compile: compileDatePart},
	{name: "date_add", min: 2, max: 2,
		compile: func(_ *compiler, _ *function, a []*Expr, pos parser.Pos) (*Expr, error) {
			return shifted(a[0], a[1], 1, pos)
		}},
	{name: "date_sub", min: 2, max: 2,
		compile: func(_ *compiler, _ *function, a []*Expr, pos parser.Pos) (*Expr, error) {
			return shifted(a[0], a[1], -1, pos)
		}},
	{name: "date_format", min: 2, max: 2, typ: value.Text, nulls: nullMaybe, f2: dateFormatFunc},
	partFunc("year", value.DateParts["year"]), partFunc("month", value.DateParts["month"]),
	partFunc("day", value.DateParts["day"]),
	partFunc("hour", value.DateParts["hour"]), partFunc("minute", value.DateParts["minute"]),
	partFunc("second", value.WholeSecond),
	partFunc("quarter", value.DateParts["quarter"]), partFunc("week", value.DateParts["week"]),
	{name: "dayname", min: 1, max: 1, typ: value.Text, nulls: nullMaybe, f1: timeNameFunc(value.DayName)},
	{name: "monthname", min: 1, max: 1, typ: value.Text, nulls: nullMaybe, f1: timeNameFunc(value.MonthName)},
}

// clockless are the functions of time that never read the clock. Of the others, all do without
// arguments.
var clockFunctions = map[string]bool{"now": true, "current_date": true, "current_time": true,
	"current_timestamp": true, "localtimestamp": true}

// usesClock reports whether a call reads the statement's instant, or might.
func usesClock(f *function, args []*Expr) bool {
	if clockFunctions[f.name] {
		return true
	}
	values := args
	switch f.name {
	case "date", "time", "datetime", "julianday", "unixepoch", "unix_timestamp":
	case "strftime":
		values = args[1:]
	default:
		return false
	}
	if len(values) == 0 {
		return true
	}
	v := values[0]
	if v.fixed {
		return isNow(v)
	}
	return v.Type != value.Timestamp && v.Type != value.Integer && v.Type != value.Real
}

func nowFunc(e *Env, _ []value.Value) value.Value { return value.OfTime(e.Now.UnixMicro()) }

// timeArg returns the time that an argument means: a time, any text that SQLite's date functions
// read, or seconds since 1970.
func timeArg(e *Env, v value.Value) (micros int64, ok bool) { return value.AnyTime(e.Now, v) }

// momentArgs returns the moment that the arguments of a date function mean; ok is false for NULL.
func momentArgs(e *Env, args []value.Value) (m value.Moment, ok bool) {
	m, ok, err := value.MomentOf(e.Now, args)
	switch err {
	case nil:
	case value.ErrLocalTime:
		e.Fail(&fault.Error{Kind: fault.BadArgument, Pos: -1, Msg: err.Error(),
			Hint: "name the zone in the place of 'localtime', as in 'Europe/Berlin'"})
	default:
		e.Fail(&fault.Error{Kind: fault.BadArgument, Pos: -1, Msg: err.Error(), Hint: zoneHint})
	}
	return m, ok
}

// momentFunc is a date function of SQLite that gives something of a moment.
func momentFunc(of func(*value.Moment) value.Value) func(e *Env, args []value.Value) value.Value {
	return func(e *Env, args []value.Value) value.Value {
		m, ok := momentArgs(e, args)
		if !ok {
			return null
		}
		return of(&m)
	}
}

func unixepochFunc(e *Env, args []value.Value) value.Value {
	if len(args) == 1 && args[0].Kind == value.Time {
		return value.OfInt(value.FloorDiv(args[0].N, value.Second))
	}
	return momentFunc((*value.Moment).UnixEpoch)(e, args)
}

func strftimeFunc(e *Env, args []value.Value) value.Value {
	if args[0].Kind == value.Null {
		return null
	}
	m, ok := momentArgs(e, args[1:])
	if !ok {
		return null
	}
	s, ok := m.Format(&e.Meter, args[0].Text())
	if !ok {
		return null
	}
	return value.OfText(s)
}

func unixTimestampFunc(e *Env, args []value.Value) value.Value {
	if len(args) == 0 {
		return value.OfInt(e.Now.Unix())
	}
	micros, ok := timeArg(e, args[0])
	if !ok {
		return null
	}
	return value.OfInt(value.FloorDiv(micros, value.Second))
}

// timeExpr is a function that gives a time.
func timeExpr(pos parser.Pos, eval func(e *Env) value.Value, args []*Expr) *Expr {
	return finish(&Expr{
		Type: value.Timestamp, Affinity: value.AffTime, Nullable: true, Pos: pos, Eval: eval,
		Clock: slices.ContainsFunc(args, isNow),
	}, args...)
}

// isNow reports whether x is a literal text that stands for the statement's instant.
func isNow(x *Expr) bool {
	if !x.fixed || x.value.Kind != value.String {
		return false
	}
	s := value.Lower(x.value.S)
	return s == "now" || strings.HasPrefix(s, "subsec")
}

// compileFromUnixtime is from_unixtime(seconds), a time, or from_unixtime(seconds, format), a text.
func compileFromUnixtime(_ *compiler, _ *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	x := args[0]
	eval := func(e *Env) value.Value {
		n := value.ToNumber(x.Eval(e))
		micros, ok := value.ToTime(n)
		if !ok {
			return null
		}
		return value.OfTime(micros)
	}
	if len(args) == 1 {
		return timeExpr(pos, eval, args), nil
	}
	text := &Expr{Type: value.Text, Nullable: true, Pos: pos, Eval: func(e *Env) value.Value {
		t, format := eval(e), args[1].Eval(e)
		if t.Kind == value.Null || format.Kind == value.Null {
			return null
		}
		return dateFormatFunc(e, t, format)
	}}
	text.Eval = withPos(text.Eval, pos)
	return finish(text, args...), nil
}

// compileDatePart is date_part(unit, x) and EXTRACT(unit FROM x).
func compileDatePart(_ *compiler, _ *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	unit := args[0]
	if !unit.fixed {
		return nil, &fault.Error{
			Kind: fault.BadArgument, Pos: unit.Pos, Msg: "the unit must be a literal",
		}
	}
	part, ok := value.DateParts[value.UnitName(unit.value.Text())]
	if !ok {
		return nil, unknownUnit(unit.value.Text(), unit.Pos)
	}
	return partOf(part, args[1], pos), nil
}

func partOf(part value.DatePart, x *Expr, pos parser.Pos) *Expr {
	y := &Expr{Type: value.Real, Nullable: true, Pos: pos, Clock: isNow(x)}
	if part.Whole {
		y.Type = value.Integer
	}
	y.Eval = func(e *Env) value.Value {
		micros, ok := timeArg(e, x.Eval(e))
		if !ok {
			return null
		}
		return part.Of(micros)
	}
	return finish(y, x)
}

// partFunc is year(x) and its like: a whole number, also of seconds, which EXTRACT gives with their
// fraction.
func partFunc(name string, part value.DatePart) function {
	return function{name: name, min: 1, max: 1, typ: value.Integer,
		compile: func(_ *compiler, _ *function, args []*Expr, pos parser.Pos) (*Expr, error) {
			return partOf(part, args[0], pos), nil
		}}
}

// timeNameFunc is a function that gives a name of a time.
func timeNameFunc(name func(micros int64) string) func(e *Env, v value.Value) value.Value {
	return func(e *Env, v value.Value) value.Value {
		micros, ok := timeArg(e, v)
		if !ok {
			return null
		}
		return value.OfText(name(micros))
	}
}

// dateFormatFunc is MySQL's date_format(x, format). A letter that means nothing is an error: MySQL
// leaves it as it is, and nobody sees the slip.
func dateFormatFunc(e *Env, v, format value.Value) value.Value {
	micros, ok := timeArg(e, v)
	if !ok {
		return null
	}
	s, ok := value.DateFormat(&e.Meter, micros, format.Text())
	if !ok {
		return e.Fail(&fault.Error{Kind: fault.BadArgument, Pos: -1,
			Msg:  "date_format knows no " + value.UnknownDirective(format.Text()),
			Hint: "its letters are MySQL's; strftime has SQLite's, and %% is a percent sign"})
	}
	return value.OfText(s)
}
