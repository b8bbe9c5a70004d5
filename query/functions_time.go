package query

import (
	"math"
	"strings"

	"github.com/eventfold/eventfold/parser"
)

var timeFunctions = []function{
	{name: "date", min: 0, max: -1, typ: Text, nulls: nullOwn, fn: dateFunc},
	{name: "time", min: 0, max: -1, typ: Text, nulls: nullOwn, fn: timeFunc},
	{name: "datetime", min: 0, max: -1, typ: Text, nulls: nullOwn, fn: datetimeFunc},
	{name: "julianday", min: 0, max: -1, typ: Real, nulls: nullOwn, fn: juliandayFunc},
	{name: "unixepoch", min: 0, max: -1, typ: Integer, nulls: nullOwn, fn: unixepochFunc},
	{name: "strftime", min: 1, max: -1, typ: Text, nulls: nullOwn, fn: strftimeFunc},

	{name: "now", min: 0, max: 1, typ: Timestamp, nulls: nullNever, fn: nowFunc},
	{name: "current_date", min: 0, max: 0, typ: Text, nulls: nullNever, fn: dateFunc},
	{name: "current_time", min: 0, max: 1, typ: Text, nulls: nullNever, fn: func(e *env, _ []Value) Value { return timeFunc(e, nil) }},
	{name: "unix_timestamp", min: 0, max: 1, typ: Integer, nulls: nullOwn, fn: unixTimestampFunc},
	{name: "from_unixtime", min: 1, max: 2, typ: Timestamp, compile: compileFromUnixtime},
	{name: "timestamp", min: 1, max: 1, typ: Timestamp, compile: compileTimestamp},
	{name: "date_trunc", min: 2, max: 2, typ: Timestamp, compile: compileDateTrunc},
	{name: "date_bin", min: 2, max: 3, typ: Timestamp, compile: compileDateBin},
	{name: "date_part", min: 2, max: 2, compile: compileDatePart},
	{name: "date_add", min: 2, max: 2, compile: func(_ *compiler, _ *function, a []*expr, pos parser.Pos) (*expr, error) {
		return shifted(a[0], a[1], 1, pos)
	}},
	{name: "date_sub", min: 2, max: 2, compile: func(_ *compiler, _ *function, a []*expr, pos parser.Pos) (*expr, error) {
		return shifted(a[0], a[1], -1, pos)
	}},
	{name: "date_format", min: 2, max: 2, typ: Text, nulls: nullMaybe, f2: dateFormatFunc},
	partFunc("year", dateParts["year"]), partFunc("month", dateParts["month"]), partFunc("day", dateParts["day"]),
	partFunc("hour", dateParts["hour"]), partFunc("minute", dateParts["minute"]), partFunc("second", wholePart(func(c civil) int { return c.second })),
}

// clockless are the functions of time that never read the clock. Of the others, all do without arguments.
var clockFunctions = map[string]bool{"now": true, "current_date": true, "current_time": true, "current_timestamp": true, "localtimestamp": true}

// usesClock reports whether a call reads the statement's instant, or might.
func usesClock(f *function, args []*expr) bool {
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
		s := lowerASCII(v.value.text())
		return s == "now" || strings.HasPrefix(s, "subsec")
	}
	return v.typ != Timestamp && v.typ != Integer && v.typ != Real
}

func nowFunc(e *env, _ []Value) Value { return timeValue(e.now.UnixMicro()) }

// timeArg returns the time that an argument means: a time, any text that SQLite's date functions read, or seconds since 1970.
func timeArg(e *env, v Value) (micros int64, ok bool) {
	if micros, ok = toTime(v); ok || v.kind != String {
		return micros, ok
	}
	m, ok := momentOf(e, []Value{v})
	return m.ms * 1000, ok && m.ms >= minTime/1000
}

func unixTimestampFunc(e *env, args []Value) Value {
	if len(args) == 0 {
		return intValue(e.now.Unix())
	}
	micros, ok := timeArg(e, args[0])
	if !ok {
		return null
	}
	return intValue(floorDiv(micros, second))
}

// timeExpr is a function that gives a time.
func timeExpr(pos parser.Pos, eval func(e *env) Value, args []*expr) *expr {
	return finish(&expr{typ: Timestamp, affinity: affTime, nullable: true, pos: pos, eval: eval}, args...)
}

// compileFromUnixtime is from_unixtime(seconds), a time, or from_unixtime(seconds, format), a text.
func compileFromUnixtime(_ *compiler, _ *function, args []*expr, pos parser.Pos) (*expr, error) {
	x := args[0]
	eval := func(e *env) Value {
		n := toNumber(x.eval(e))
		micros, ok := toTime(n)
		if !ok {
			return null
		}
		return timeValue(micros)
	}
	if len(args) == 1 {
		return timeExpr(pos, eval, args), nil
	}
	text := &expr{typ: Text, nullable: true, pos: pos, eval: func(e *env) Value {
		t, format := eval(e), args[1].eval(e)
		if t.kind == Null || format.kind == Null {
			return null
		}
		return dateFormatFunc(e, t, format)
	}}
	text.eval = withPos(text.eval, pos)
	return finish(text, args...), nil
}

// compileTimestamp is timestamp(x): x as a time. A literal that is none is an error.
func compileTimestamp(_ *compiler, _ *function, args []*expr, pos parser.Pos) (*expr, error) {
	x := args[0]
	if err := checkTimeLiteral(x); err != nil {
		return nil, err
	}
	return timeExpr(pos, func(e *env) Value {
		micros, ok := timeArg(e, x.eval(e))
		if !ok {
			return null
		}
		return timeValue(micros)
	}, args), nil
}

// compileDateTrunc is date_trunc(unit, x): the beginning of the unit that x lies in. Weeks begin on Monday.
func compileDateTrunc(_ *compiler, _ *function, args []*expr, pos parser.Pos) (*expr, error) {
	unit, x := args[0], args[1]
	if unit.fixed && unit.value.kind != Null {
		name := unitName(unit.value.text())
		truncate, ok := truncation(name)
		if !ok {
			return nil, unknownUnit(unit.value.text(), unit.pos)
		}
		return timeExpr(pos, func(e *env) Value {
			micros, ok := timeArg(e, x.eval(e))
			if !ok {
				return null
			}
			return timeResult(truncate(micros))
		}, args), nil
	}
	return timeExpr(pos, func(e *env) Value {
		name, v := unit.eval(e), x.eval(e)
		micros, ok := timeArg(e, v)
		if !ok || name.kind == Null {
			return null
		}
		truncate, ok := truncation(unitName(name.text()))
		if !ok {
			return e.fail(unknownUnit(name.text(), unit.pos))
		}
		return timeResult(truncate(micros))
	}, args), nil
}

// truncation returns the function that finds the beginning of the unit that a time lies in.
func truncation(name string) (truncate func(micros int64) int64, ok bool) {
	u, ok := timeUnits[name]
	switch {
	case !ok:
		return nil, false
	case name == "week":
		const monday = 4 * day // 1970-01-05
		return func(micros int64) int64 { return floorDiv(micros-monday, 7*day)*7*day + monday }, true
	case u.micros > 0:
		return func(micros int64) int64 { return floorDiv(micros, u.micros) * u.micros }, true
	}
	var first int64 // in months: centuries begin with a year that ends in 1
	if name == "century" || name == "millennium" {
		first = 12
	}
	return func(micros int64) int64 {
		c := civilOf(micros)
		months := floorDiv(int64(c.year)*12+int64(c.month-1)-first, u.months)*u.months + first
		return civil{year: int(floorDiv(months, 12)), month: int(months-floorDiv(months, 12)*12) + 1, day: 1}.unixMicros()
	}, true
}

// compileDateBin is date_bin(interval, x[, origin]): the beginning of the interval that x lies in, counted from the origin,
// which is 1970-01-01 unless it is given.
func compileDateBin(_ *compiler, _ *function, args []*expr, pos parser.Pos) (*expr, error) {
	length := intervalOf(args[0])
	if a := args[0]; a.fixed && a.value.kind != Null {
		if iv, ok := parseInterval(a.value.text()); !ok || iv.months != 0 || iv.micros <= 0 {
			return nil, badInterval(a.value, a.pos)
		}
	}
	return timeExpr(pos, func(e *env) Value {
		iv := length(e)
		micros, ok := timeArg(e, args[1].eval(e))
		origin, ok2 := int64(0), true
		if len(args) > 2 {
			origin, ok2 = timeArg(e, args[2].eval(e))
		}
		if iv == nil || !ok || !ok2 {
			return null
		}
		if iv.months != 0 || iv.micros <= 0 {
			return e.fail(&Error{Kind: BadValue, Pos: args[0].pos, Msg: "date_bin takes an interval above zero, without months"})
		}
		return timeResult(floorDiv(micros-origin, iv.micros)*iv.micros + origin)
	}, args), nil
}

// A datePart is one number taken out of a time.
type datePart struct {
	typ Type
	of  func(micros int64) Value
}

func wholePart(f func(c civil) int) datePart {
	return datePart{Integer, func(micros int64) Value { return intValue(int64(f(civilOf(micros)))) }}
}

// secondPart is the part of a time within its minute, with a fraction, in units of so many microseconds.
func secondPart(micros int64, unit float64) Value {
	c := civilOf(micros)
	return realValue(float64(c.second*1000000+c.micros) / unit)
}

func momentPart(f func(m *moment) int) datePart {
	return datePart{Integer, func(micros int64) Value {
		m := moment{ms: floorDiv(micros, 1000), hasMs: true}
		m.needFields()
		return intValue(int64(f(&m)))
	}}
}

var dateParts = map[string]datePart{
	"epoch":       {Real, func(micros int64) Value { return realValue(float64(micros) / 1e6) }},
	"julian":      {Real, func(micros int64) Value { return realValue((float64(micros)/1000 - julianEpoch) / dayMs) }},
	"year":        wholePart(func(c civil) int { return c.year }),
	"quarter":     wholePart(func(c civil) int { return (c.month + 2) / 3 }),
	"month":       wholePart(func(c civil) int { return c.month }),
	"day":         wholePart(func(c civil) int { return c.day }),
	"hour":        wholePart(func(c civil) int { return c.hour }),
	"minute":      wholePart(func(c civil) int { return c.minute }),
	"second":      {Real, func(micros int64) Value { return secondPart(micros, 1e6) }},
	"millisecond": {Real, func(micros int64) Value { return secondPart(micros, 1e3) }},
	"microsecond": wholePart(func(c civil) int { return c.second*1000000 + c.micros }),
	"decade":      wholePart(func(c civil) int { return int(floorDiv(int64(c.year), 10)) }),
	"century":     wholePart(func(c civil) int { return int(floorDiv(int64(c.year)-1, 100)) + 1 }),
	"dow":         momentPart(func(m *moment) int { return m.weekday() }),
	"isodow":      momentPart(func(m *moment) int { return (m.weekday()+6)%7 + 1 }),
	"doy":         momentPart(func(m *moment) int { return m.dayOfYear() + 1 }),
	"week":        momentPart(func(m *moment) int { _, w := m.isoWeek(); return w }),
	"isoyear":     momentPart(func(m *moment) int { y, _ := m.isoWeek(); return y }),
}

// compileDatePart is date_part(unit, x) and EXTRACT(unit FROM x).
func compileDatePart(_ *compiler, _ *function, args []*expr, pos parser.Pos) (*expr, error) {
	unit := args[0]
	if !unit.fixed {
		return nil, &Error{Kind: BadArgument, Pos: unit.pos, Msg: "the unit must be a literal"}
	}
	part, ok := dateParts[unitName(unit.value.text())]
	if !ok {
		return nil, unknownUnit(unit.value.text(), unit.pos)
	}
	return partOf(part, args[1], pos), nil
}

func partOf(part datePart, x *expr, pos parser.Pos) *expr {
	y := &expr{typ: part.typ, nullable: true, pos: pos}
	y.eval = func(e *env) Value {
		micros, ok := timeArg(e, x.eval(e))
		if !ok {
			return null
		}
		return part.of(micros)
	}
	return finish(y, x)
}

// partFunc is year(x) and its like: a whole number, also of seconds, which EXTRACT gives with their fraction.
func partFunc(name string, part datePart) function {
	return function{name: name, min: 1, max: 1, typ: Integer, compile: func(_ *compiler, _ *function, args []*expr, pos parser.Pos) (*expr, error) {
		return partOf(part, args[0], pos), nil
	}}
}

// dateFormatFunc is MySQL's date_format(x, format). A letter that means nothing is an error: MySQL leaves it as it is, and nobody sees the slip.
func dateFormatFunc(e *env, v, format Value) Value {
	micros, ok := timeArg(e, v)
	if !ok {
		return null
	}
	var m moment
	m.setTime(micros)
	m.second = float64(floorDiv(micros, second)%60) + float64(micros-floorDiv(micros, second)*second)/1e6
	if m.second < 0 {
		m.second += 60
	}
	m.needMs()
	s, ok := m.strftime(e, format.text(), mysqlDirectives)
	if !ok {
		return e.fail(&Error{Kind: BadArgument, Pos: -1, Msg: "date_format knows no " + unknownDirective(format.text(), mysqlDirectives),
			Hint: "its letters are MySQL's; strftime has SQLite's, and %% is a percent sign"})
	}
	return textValue(s)
}

// unknownDirective returns the first directive of a format that means nothing.
func unknownDirective(format string, directives map[byte]directive) string {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		if i++; i == len(format) {
			break
		}
		if directives[format[i]] == nil {
			return format[i-1 : nextChar(format, i)]
		}
	}
	return "% at the end"
}

var (
	weekdayNames = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	monthNames   = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
)

// mysqlDirectives are the letters of date_format.
var mysqlDirectives = func() map[byte]directive {
	d := make(map[byte]directive)
	for theirs, ours := range map[byte]byte{
		'd': 'd', 'H': 'H', 'h': 'I', 'I': 'I', 'j': 'j', 'm': 'm', 'i': 'M', 'p': 'p', 's': 'S', 'S': 'S',
		'T': 'T', 'v': 'V', 'x': 'G', 'Y': 'Y', 'w': 'w', '%': '%',
	} {
		d[theirs] = strftimeDirectives[ours]
	}
	text := func(of func(m *moment) string) directive {
		return func(b []byte, m *moment) []byte { return append(b, of(m)...) }
	}
	d['e'] = padded(1, func(m *moment) int { return m.day })
	d['c'] = padded(1, func(m *moment) int { return m.month })
	d['k'] = padded(1, func(m *moment) int { return m.hour })
	d['l'] = padded(1, func(m *moment) int { return m.hour12() })
	d['y'] = padded(2, func(m *moment) int { return m.year % 100 })
	d['f'] = padded(6, func(m *moment) int { return int(math.Round((m.second - math.Floor(m.second)) * 1e6)) })
	d['D'] = func(b []byte, m *moment) []byte { return spec{precision: -1}.appendOrdinal(b, int64(m.day)) }
	d['W'] = text(func(m *moment) string { return weekdayNames[m.weekday()] })
	d['a'] = text(func(m *moment) string { return weekdayNames[m.weekday()][:3] })
	d['M'] = text(func(m *moment) string { return monthNames[m.month-1] })
	d['b'] = text(func(m *moment) string { return monthNames[m.month-1][:3] })
	d['r'] = func(b []byte, m *moment) []byte {
		s, _ := m.strftime(new(env), "%I:%M:%S %p", strftimeDirectives)
		return append(b, s...)
	}
	// Weeks: %U and %V begin on Sunday, the first has the year's first Sunday in it; %u begins on Monday, the first has four days or more of
	// the year in it, as has that of %v. %U and %u call 0 what lies before, %V and %v count it as the last of the year before, which %X and
	// %x are.
	d['U'] = padded(2, func(m *moment) int { return m.sundayWeek() })
	d['u'] = padded(2, func(m *moment) int { return m.mondayWeek() })
	d['V'] = padded(2, func(m *moment) int { _, week := m.sundayYearWeek(); return week })
	d['X'] = padded(4, func(m *moment) int { year, _ := m.sundayYearWeek(); return year })
	return d
}()

// sundayWeek is the number of the week in its year; weeks begin on Sunday, and the days before the first Sunday are in week 0.
func (m *moment) sundayWeek() int { return (m.dayOfYear() + 7 - m.weekday()) / 7 }

// sundayYearWeek is the week as sundayWeek counts it, but that the days before the first Sunday are in the last week of the year before.
func (m *moment) sundayYearWeek() (year, week int) {
	sunday := moment{ms: m.ms - int64(m.weekday())*dayMs, hasMs: true}
	sunday.needDate()
	return sunday.year, sunday.sundayWeek()
}

// mondayWeek is the number of the week in its year; weeks begin on Monday, and the first has at least four days of the year.
func (m *moment) mondayWeek() int {
	year, week := m.isoWeek()
	switch {
	case year < m.year:
		return 0
	case year > m.year: // MySQL's mode 1 does not count into the next year
		before := moment{ms: m.ms - 7*dayMs, hasMs: true}
		_, week = before.isoWeek()
		return week + 1
	}
	return week
}
