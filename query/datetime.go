package query

import (
	"math"
	"strconv"
	"strings"
)

// A moment is what SQLite's date functions compute with. A point in time is either known as milliseconds or as
// fields of the calendar; each is computed from the other when it is needed. There are no time zones: all is UTC.
type moment struct {
	ms           int64 // since 1970
	year         int
	month, day   int
	hour, minute int
	second       float64 // with a raw number: the number
	zone         int     // minutes ahead of UTC
	overflow     int     // days by which the day lies beyond its month
	hasMs        bool    // ms is valid
	hasDate      bool
	hasClock     bool
	raw          bool // second is a number without a meaning yet: a Julian day or seconds since 1970
	subsec       bool // results carry milliseconds
	failed       bool
}

// julianEpoch is noon of the first Julian day, in milliseconds since 1970. Dates before it do not exist.
const (
	julianEpoch = -210866760000000
	lastMs      = 253402300799999 // the end of the year 9999
	dayMs       = 86400000
)

func (m *moment) valid() bool { return m.ms >= julianEpoch && m.ms <= lastMs }

// momentOf returns the moment that the arguments of a date function mean: a value and modifiers, now without any.
// ok is false where SQLite's result is NULL.
func momentOf(e *env, args []Value) (m moment, ok bool) {
	if len(args) == 0 {
		m.setNow(e)
	} else if !m.set(e, args[0]) {
		return m, false
	}
	for i, a := range args {
		if i == 0 {
			continue
		}
		if a.kind == Null {
			return m, false
		}
		if lowerASCII(a.text()) == "localtime" {
			e.fail(noLocalTime())
			return m, false
		}
		if !m.modify(a.text(), i) {
			return m, false
		}
	}
	m.needMs()
	if m.failed || !m.valid() {
		return m, false
	}
	if len(args) == 1 && m.hasDate && m.day > 28 {
		m.hasDate = false
	}
	return m, true
}

func noLocalTime() error {
	return &Error{Kind: BadArgument, Pos: -1, Msg: "there is no local time: all times are UTC, whatever machine asks",
		Hint: "leave 'localtime' out, and add the difference, as in '+02:00'"}
}

func (m *moment) setNow(e *env) {
	*m = moment{ms: e.now.UnixMilli(), hasMs: true, subsec: m.subsec}
}

// set reads a value: a number, or a text in one of SQLite's formats.
func (m *moment) set(e *env, v Value) bool {
	switch v.kind {
	case Null:
		return false
	case Int, Float:
		m.setRaw(v.real())
		return true
	case Time:
		m.setTime(v.n)
		return true
	}
	s := v.s
	if m.parseDate(s) || m.parseClock(s) {
		if m.hour == 24 { // the beginning of the next day
			m.needMs()
			m.onlyMs()
		}
		return true
	}
	switch lowerASCII(s) {
	case "now":
		m.setNow(e)
		return true
	case "subsec", "subsecond":
		m.setNow(e)
		m.subsec = true
		return true
	}
	p := numericPrefix(s)
	if p.whole {
		*m = moment{}
		m.setRaw(p.value().real())
	}
	return p.whole
}

func (m *moment) setRaw(f float64) {
	m.second, m.raw = f, true
	if f >= 0 && f < 5373484.5 {
		m.ms, m.hasMs = int64(f*dayMs+0.5)+julianEpoch, true
	}
}

func (m *moment) setTime(micros int64) {
	c := civilOf(micros)
	m.year, m.month, m.day, m.hasDate = c.year, c.month, c.day, true
	m.hour, m.minute, m.hasClock = c.hour, c.minute, true
	m.second = float64(c.second) + min(float64(c.micros)/1e6, 0.999)
}

// digits reads n digits as a number from 0 to limit.
func digits(s string, n, limit int) (value int, rest string, ok bool) {
	if len(s) < n || !number(s[:n], &value) || value > limit {
		return 0, s, false
	}
	return value, s[n:], true
}

// parseDate reads [-]YYYY-MM-DD, and a time of day after blanks or Ts.
func (m *moment) parseDate(s string) bool {
	*m = moment{}
	negative := strings.HasPrefix(s, "-")
	if negative {
		s = s[1:]
	}
	year, month, dayOfMonth, s, ok := ymd(s, 4, 12, 31)
	if !ok || month == 0 || dayOfMonth == 0 {
		return false
	}
	s = strings.TrimLeft(s, " \t\n\v\f\rT")
	if s != "" && !m.parseClock(s) {
		return false
	}
	if negative {
		year = -year
	}
	m.year, m.month, m.day, m.hasDate = year, month, dayOfMonth, true
	m.findOverflow()
	if m.zone != 0 {
		m.needMs()
	}
	return true
}

// ymd reads a year of some digits, -MM and -DD.
func ymd(s string, yearDigits, months, days int) (year, month, dayOfMonth int, rest string, ok bool) {
	if year, s, ok = digits(s, yearDigits, math.MaxInt); !ok || !strings.HasPrefix(s, "-") {
		return 0, 0, 0, "", false
	}
	if month, s, ok = digits(s[1:], 2, months); !ok || !strings.HasPrefix(s, "-") {
		return 0, 0, 0, "", false
	}
	dayOfMonth, s, ok = digits(s[1:], 2, days)
	return year, month, dayOfMonth, s, ok
}

// parseClock reads HH:MM[:SS[.f]] and a zone.
func (m *moment) parseClock(s string) bool {
	var ok bool
	t := moment{}
	if t.hour, s, ok = digits(s, 2, 24); !ok || !strings.HasPrefix(s, ":") {
		return false
	}
	if t.minute, s, ok = digits(s[1:], 2, 59); !ok {
		return false
	}
	if strings.HasPrefix(s, ":") {
		whole, rest, ok := digits(s[1:], 2, 59)
		if !ok {
			return false
		}
		s = rest
		t.second = float64(whole)
		if len(s) > 1 && s[0] == '.' && isDigit(s[1]) {
			end := digitsEnd(s, 1)
			f, _ := strconv.ParseFloat("0"+s[:end], 64) // cannot fail
			t.second += min(f, 0.999)
			s = s[end:]
		}
	}
	if t.zone, ok = parseOffset(s); !ok || t.hour == 24 && (t.minute > 0 || t.second > 0) {
		return false
	}
	*m = moment{hour: t.hour, minute: t.minute, second: t.second, zone: t.zone, hasClock: true}
	return true
}

// parseOffset reads [+|-]HH:MM, Z or nothing, among blanks, as minutes.
func parseOffset(s string) (minutes int, ok bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	if s == "" || s == "Z" || s == "z" {
		return 0, true
	}
	sign := 1
	switch s[0] {
	case '-':
		sign = -1
	case '+':
	default:
		return 0, false
	}
	h, s, ok := digits(s[1:], 2, 14)
	if !ok || !strings.HasPrefix(s, ":") {
		return 0, false
	}
	minutes, s, ok = digits(s[1:], 2, 59)
	return sign * (h*60 + minutes), ok && s == ""
}

// findOverflow computes by how many days the day lies beyond its month.
func (m *moment) findOverflow() {
	m.overflow = 0
	if m.month >= 1 && m.month <= 12 {
		m.overflow = max(0, m.day-monthDays(m.year, m.month))
	}
}

// needMs computes ms from the fields.
func (m *moment) needMs() {
	if m.hasMs {
		return
	}
	year, month, dayOfMonth := 2000, 1, 1
	if m.hasDate {
		year, month, dayOfMonth = m.year, m.month, m.day
	}
	if year < -4713 || year > 9999 || m.raw {
		*m = moment{failed: true, hasMs: true}
		return
	}
	m.ms = civil{year: year, month: month, day: dayOfMonth}.unixMicros() / 1000
	m.hasMs = true
	if !m.hasClock {
		return
	}
	m.ms += int64(m.hour)*3600000 + int64(m.minute)*60000 + int64(m.second*1000+0.5)
	if m.zone != 0 {
		m.ms -= int64(m.zone) * 60000
		m.hasDate, m.hasClock, m.zone = false, false, 0
	}
}

// needFields computes the date and the time of day from ms.
func (m *moment) needFields() {
	m.needDate()
	if m.hasClock {
		return
	}
	m.needMs()
	rest := m.ms - floorDiv(m.ms, dayMs)*dayMs
	m.hour, m.minute = int(rest/3600000), int(rest/60000%60)
	m.second = float64(rest%60000) / 1000
	m.raw, m.hasClock = false, true
}

func (m *moment) needDate() {
	switch {
	case m.hasDate:
		return
	case !m.hasMs:
		m.year, m.month, m.day = 2000, 1, 1
	case !m.valid():
		*m = moment{failed: true, hasMs: true}
		return
	default:
		m.year, m.month, m.day = dateOf(floorDiv(m.ms, dayMs))
	}
	m.hasDate = true
}

// onlyMs forgets the fields.
func (m *moment) onlyMs() { m.hasDate, m.hasClock, m.zone = false, false, 0 }

// modify applies the i-th argument of a date function, a modifier. It returns false if it is none.
func (m *moment) modify(s string, i int) bool {
	name := lowerASCII(s)
	if f, ok := modifiers[name]; ok {
		return f(m, i)
	}
	if rest, ok := strings.CutPrefix(name, "weekday "); ok {
		return m.toWeekday(rest)
	}
	if name != "" && (name[0] == '+' || name[0] == '-' || isDigit(name[0])) {
		return m.shift(name)
	}
	return false
}

var modifiers = map[string]func(m *moment, i int) bool{
	"auto":           func(m *moment, i int) bool { return i == 1 && m.guess() },
	"ceiling":        func(m *moment, _ int) bool { m.needMs(); m.onlyMs(); m.overflow = 0; return true },
	"floor":          func(m *moment, _ int) bool { m.needMs(); m.ms -= int64(m.overflow) * dayMs; m.onlyMs(); return true },
	"julianday":      func(m *moment, i int) bool { ok := i == 1 && m.hasMs && m.raw; m.raw = false; return ok },
	"unixepoch":      func(m *moment, i int) bool { return i == 1 && m.raw && m.fromUnix() },
	"utc":            func(m *moment, _ int) bool { m.needMs(); m.onlyMs(); return true }, // what all times are already
	"subsec":         func(m *moment, _ int) bool { m.subsec = true; return true },
	"subsecond":      func(m *moment, _ int) bool { m.subsec = true; return true },
	"start of day":   func(m *moment, _ int) bool { return m.startOf(func(*moment) {}) },
	"start of month": func(m *moment, _ int) bool { return m.startOf(func(m *moment) { m.day = 1 }) },
	"start of year":  func(m *moment, _ int) bool { return m.startOf(func(m *moment) { m.month, m.day = 1, 1 }) },
}

// guess takes a raw number for a Julian day if it can be one, otherwise for seconds since 1970.
func (m *moment) guess() bool {
	if !m.raw || m.hasMs {
		m.raw = false
		return true
	}
	return m.fromUnix()
}

// fromUnix takes the raw number for seconds since 1970.
func (m *moment) fromUnix() bool {
	f := m.second*1000 - julianEpoch
	if f < 0 || f >= lastMs+1-julianEpoch {
		return false
	}
	m.onlyMs()
	m.ms, m.hasMs, m.raw = int64(f+0.5)+julianEpoch, true, false
	return true
}

func (m *moment) startOf(cut func(*moment)) bool {
	if !m.hasMs && !m.hasDate && !m.hasClock {
		return false
	}
	m.needDate()
	m.hour, m.minute, m.second, m.zone, m.hasClock = 0, 0, 0, 0, true
	m.raw, m.hasMs = false, false
	cut(m)
	return !m.failed
}

// toWeekday moves on to a day of the week, 0 for Sunday, unless it is that day.
func (m *moment) toWeekday(s string) bool {
	p := numericPrefix(s)
	n, ok := isInt(p.value().real())
	if !p.whole || !ok || n < 0 || n > 6 {
		return false
	}
	m.needFields()
	m.zone, m.hasMs = 0, false
	m.needMs()
	ahead := n - int64(m.weekday())
	if ahead < 0 {
		ahead += 7
	}
	m.ms += ahead * dayMs
	m.onlyMs()
	return true
}

// weekday returns the day of the week, 0 for Sunday. needMs must have been called.
func (m *moment) weekday() int {
	w := (floorDiv(m.ms, dayMs) + 4) % 7
	if w < 0 {
		w += 7
	}
	return int(w)
}

// shift applies modifiers that begin with a number: +3 days, -01:30, +0001-02-03 04:05.
func (m *moment) shift(s string) bool {
	n := 1
	for n < len(s) && s[n] != ':' && !isBlank(s[n]) && !(s[n] == '-' && isYear(s[1:n])) {
		n++
	}
	p := numericPrefix(s[:n])
	if !p.whole {
		return false
	}
	if n < len(s) && s[n] == '-' {
		return m.shiftDate(s, n-1)
	}
	if n < len(s) && s[n] == ':' {
		return m.shiftClock(strings.TrimLeft(s, "+-"), s[0] == '-')
	}
	return m.shiftUnits(p.value().real(), strings.TrimLeft(s[n:], " \t\n\v\f\r"))
}

// isYear reports whether s is four or five digits.
func isYear(s string) bool {
	return (len(s) == 4 || len(s) == 5) && digitsEnd(s, 0) == len(s)
}

// shiftDate adds or subtracts years, months and days, and perhaps a time of day.
func (m *moment) shiftDate(s string, yearDigits int) bool {
	sign := 1
	switch s[0] {
	case '-':
		sign = -1
	case '+':
	default:
		return false
	}
	years, months, days, rest, ok := ymd(s[1:], yearDigits, 11, 30)
	if !ok {
		return false
	}
	m.needFields()
	m.addMonths(sign*years*12 + sign*months)
	m.needMs()
	m.onlyMs()
	m.ms += int64(sign*days) * dayMs
	if rest == "" {
		return true
	}
	if !isBlank(rest[0]) || len(rest) < 6 {
		return false
	}
	return m.shiftClock(rest[1:], sign < 0)
}

// addMonths moves the month; the day stays, even if the month is too short for it.
func (m *moment) addMonths(n int) {
	months := int64(m.year)*12 + int64(m.month-1) + int64(n)
	year := floorDiv(months, 12)
	m.year, m.month = int(year), int(months-year*12)+1
	m.findOverflow()
	m.hasMs = false
}

// shiftClock adds or subtracts hours, minutes and seconds.
func (m *moment) shiftClock(s string, back bool) bool {
	var t moment
	if !t.parseClock(s) {
		return false
	}
	t.needMs()
	by := t.ms - floorDiv(t.ms, dayMs)*dayMs
	if back {
		by = -by
	}
	m.needMs()
	m.onlyMs()
	m.ms += by
	return true
}

// units are the units of modifiers: how large the number may be, and how many seconds one is.
var units = map[string]struct{ limit, seconds float64 }{
	"second": {4.6427e+14, 1},
	"minute": {7.7379e+12, 60},
	"hour":   {1.2897e+11, 3600},
	"day":    {5373485, 86400},
	"month":  {176546, 2592000},
	"year":   {14713, 31536000},
}

// shiftUnits adds a number of units. Whole months and years go by the calendar, parts of them by 30 and 365 days.
func (m *moment) shiftUnits(f float64, name string) bool {
	unit, ok := units[strings.TrimSuffix(name, "s")]
	if !ok || f <= -unit.limit || f >= unit.limit {
		return false
	}
	m.needMs()
	m.overflow = 0
	rounder := 0.5
	if f < 0 {
		rounder = -0.5
	}
	if months := map[string]int{"month": 1, "year": 12}[strings.TrimSuffix(name, "s")]; months > 0 {
		m.needFields()
		m.addMonths(int(f) * months)
		f -= math.Trunc(f)
	}
	m.needMs()
	m.ms += int64(f*1000*unit.seconds + rounder)
	m.onlyMs()
	return true
}

// appendDate appends YYYY-MM-DD.
func (m *moment) appendDate(b []byte) []byte {
	b = appendPadded(b, m.year, 4)
	b = appendPadded(append(b, '-'), m.month, 2)
	return appendPadded(append(b, '-'), m.day, 2)
}

// appendClock appends HH:MM:SS, with milliseconds if they are asked for.
func (m *moment) appendClock(b []byte) []byte {
	b = appendPadded(b, m.hour, 2)
	b = appendPadded(append(b, ':'), m.minute, 2)
	b = append(b, ':')
	if !m.subsec {
		return appendPadded(b, int(m.second), 2)
	}
	ms := int(m.second*1000 + 0.5)
	b = appendPadded(b, ms/1000, 2)
	return appendPadded(append(b, '.'), ms%1000, 3)
}

// dayOfYear returns 0 for the first of January.
func (m *moment) dayOfYear() int {
	return int(daysFromCivil(int64(m.year), m.month) - daysFromCivil(int64(m.year), 1) + int64(m.day-1))
}

// isoWeek returns the year and the number of the week, as ISO 8601 counts them: that of its Thursday.
func (m *moment) isoWeek() (year, week int) {
	t := moment{ms: m.ms + int64(3-(m.weekday()+6)%7)*dayMs, hasMs: true}
	t.needDate()
	return t.year, t.dayOfYear()/7 + 1
}

// A directive is what a letter after a percent sign of strftime appends.
type directive func(b []byte, m *moment) []byte

// padded appends a number with zeros in front, as C's %04d has it: a minus is part of the width.
func padded(width int, of func(m *moment) int) directive {
	return func(b []byte, m *moment) []byte {
		n := of(m)
		if n < 0 {
			return appendPadded(b, n, width-1)
		}
		return appendPadded(b, n, width)
	}
}

// spaced pads to two places with a blank.
func spaced(of func(m *moment) int) directive {
	return func(b []byte, m *moment) []byte {
		n := of(m)
		if n < 10 {
			b = append(b, ' ')
		}
		return strconv.AppendInt(b, int64(n), 10)
	}
}

// chosen appends one of two texts for the half of the day.
func chosen(morning, afternoon string) directive {
	return func(b []byte, m *moment) []byte {
		if m.hour >= 12 {
			return append(b, afternoon...)
		}
		return append(b, morning...)
	}
}

func (m *moment) hour12() int {
	if h := m.hour % 12; h != 0 {
		return h
	}
	return 12
}

var yearDirective = padded(4, func(m *moment) int { return m.year })

var strftimeDirectives = map[byte]directive{
	'd': padded(2, func(m *moment) int { return m.day }),
	'e': spaced(func(m *moment) int { return m.day }),
	'f': func(b []byte, m *moment) []byte {
		s := strconv.FormatFloat(min(m.second, 59.999), 'f', 3, 64)
		if len(s) < 6 {
			b = append(b, '0')
		}
		return append(b, s...)
	},
	'F': func(b []byte, m *moment) []byte {
		b = appendPadded(append(yearDirective(b, m), '-'), m.month, 2)
		return appendPadded(append(b, '-'), m.day, 2)
	},
	'G': padded(4, func(m *moment) int { y, _ := m.isoWeek(); return y }),
	'g': padded(2, func(m *moment) int { y, _ := m.isoWeek(); return y % 100 }),
	'H': padded(2, func(m *moment) int { return m.hour }),
	'k': spaced(func(m *moment) int { return m.hour }),
	'I': padded(2, func(m *moment) int { return m.hour12() }),
	'l': spaced(func(m *moment) int { return m.hour12() }),
	'j': padded(3, func(m *moment) int { return m.dayOfYear() + 1 }),
	'J': func(b []byte, m *moment) []byte {
		return append(b, formatG(float64(m.ms-julianEpoch)/dayMs, 16)...)
	},
	'm': padded(2, func(m *moment) int { return m.month }),
	'M': padded(2, func(m *moment) int { return m.minute }),
	'p': chosen("AM", "PM"),
	'P': chosen("am", "pm"),
	'R': func(b []byte, m *moment) []byte {
		return appendPadded(append(appendPadded(b, m.hour, 2), ':'), m.minute, 2)
	},
	's': func(b []byte, m *moment) []byte {
		if m.subsec {
			return strconv.AppendFloat(b, float64(m.ms)/1000, 'f', 3, 64)
		}
		return strconv.AppendInt(b, floorDiv(m.ms, 1000), 10)
	},
	'S': padded(2, func(m *moment) int { return int(m.second) }),
	'T': func(b []byte, m *moment) []byte {
		t := *m
		t.subsec = false
		return t.appendClock(b)
	},
	'u': padded(1, func(m *moment) int { return (m.weekday()+6)%7 + 1 }),
	'w': padded(1, func(m *moment) int { return m.weekday() }),
	'U': padded(2, func(m *moment) int { return (m.dayOfYear() + 7 - m.weekday()) / 7 }),
	'W': padded(2, func(m *moment) int { return (m.dayOfYear() + 7 - (m.weekday()+6)%7) / 7 }),
	'V': padded(2, func(m *moment) int { _, w := m.isoWeek(); return w }),
	'Y': yearDirective,
	'%': func(b []byte, _ *moment) []byte { return append(b, '%') },
}

// directiveEffort is what a directive counts for.
const directiveEffort = 32

// strftime formats m; ok is false if the format has a letter that means nothing, or the text becomes too long.
func (m *moment) strftime(e *env, format string, directives map[byte]directive) (text string, ok bool) {
	m.needFields()
	var b []byte
	limit := e.textLimit()
	for i := 0; i < len(format); i++ {
		if len(b) > limit {
			e.tooLong(limit)
			return "", false
		}
		if format[i] != '%' {
			b = append(b, format[i])
			continue
		}
		if i++; i == len(format) {
			return "", false
		}
		d := directives[format[i]]
		if d == nil || !e.effort(directiveEffort) {
			return "", false
		}
		b = d(b, m)
	}
	return stringOf(b), e.room(len(b))
}

// The date functions of SQLite.

func dateFunc(e *env, args []Value) Value {
	m, ok := momentOf(e, args)
	if !ok {
		return null
	}
	m.needDate()
	var room [32]byte
	return textValue(string(m.appendDate(room[:0])))
}

func timeFunc(e *env, args []Value) Value {
	m, ok := momentOf(e, args)
	if !ok {
		return null
	}
	m.needFields()
	var room [32]byte
	return textValue(string(m.appendClock(room[:0])))
}

func datetimeFunc(e *env, args []Value) Value {
	m, ok := momentOf(e, args)
	if !ok {
		return null
	}
	m.needFields()
	var room [32]byte
	return textValue(string(m.appendClock(append(m.appendDate(room[:0]), ' '))))
}

func juliandayFunc(e *env, args []Value) Value {
	m, ok := momentOf(e, args)
	if !ok {
		return null
	}
	return realValue(float64(m.ms-julianEpoch) / dayMs)
}

func unixepochFunc(e *env, args []Value) Value {
	if len(args) == 1 && args[0].kind == Time {
		return intValue(floorDiv(args[0].n, second))
	}
	m, ok := momentOf(e, args)
	if !ok {
		return null
	}
	if m.subsec {
		return realValue(float64(m.ms) / 1000)
	}
	return intValue(floorDiv(m.ms, 1000))
}

func strftimeFunc(e *env, args []Value) Value {
	if args[0].kind == Null {
		return null
	}
	m, ok := momentOf(e, args[1:])
	if !ok {
		return null
	}
	s, ok := m.strftime(e, args[0].text(), strftimeDirectives)
	if !ok {
		return null
	}
	return textValue(s)
}
