package value

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Moment is what SQLite's date functions compute with. A point in time is either known as
// milliseconds or as fields of the calendar; each is computed from the other when it is needed.
// There are no time zones: all is UTC.
type Moment struct {
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

// julianEpoch is noon of the first Julian day, in milliseconds since 1970. Dates before it do not
// exist.
const (
	julianEpoch = -210866760000000
	lastMs      = 253402300799999 // the end of the year 9999
	dayMs       = 86400000
)

func (m *Moment) valid() bool { return m.ms >= julianEpoch && m.ms <= lastMs }

// MomentOf returns the moment that the arguments of a date function mean: a value and modifiers,
// now without any. ok is false where SQLite's result is NULL. A modifier with a slash in it is a zone,
// by whose clocks it is from there on. The errors are ErrLocalTime and a *NoZoneError.
func MomentOf(now time.Time, args []Value) (m Moment, ok bool, err error) {
	if len(args) == 0 {
		m.setNow(now)
	} else if !m.set(now, args[0]) {
		return m, false, nil
	}
	for i, a := range args {
		if i == 0 {
			continue
		}
		if a.Kind == Null {
			return m, false, nil
		}
		if Lower(a.Text()) == "localtime" {
			return m, false, ErrLocalTime
		}
		if strings.Contains(a.Text(), "/") {
			if !m.toZone(a.Text()) {
				return m, false, &NoZoneError{a.Text()}
			}
			continue
		}
		if !m.modify(a.Text(), i) {
			return m, false, nil
		}
	}
	m.needMs()
	if m.failed || !m.valid() {
		return m, false, nil
	}
	if len(args) == 1 && m.hasDate && m.day > 28 {
		m.hasDate = false
	}
	return m, true, nil
}

// ErrLocalTime is the error for the modifier 'localtime'.
var ErrLocalTime = errors.New("there is no local time: all times are UTC, whatever machine asks")

// A NoZoneError is that of a modifier that looks like the name of a zone and is none.
type NoZoneError struct{ Name string }

// Error tells the name.
func (e *NoZoneError) Error() string {
	return "there is no time zone " + strconv.Quote(e.Name[:min(len(e.Name), 2*maxZoneName)])
}

// toZone makes of the moment what the clocks of a zone show then; false if there is no such zone.
func (m *Moment) toZone(name string) bool {
	z, ok := ZoneOf(name)
	if !ok {
		return false
	}
	if m.needMs(); m.valid() {
		m.ms = FloorDiv(z.Wall(m.ms*1000), 1000)
	}
	m.onlyMs()
	return true
}

// AnyTime returns the time that a value means: a time, any text that SQLite's date functions read,
// or seconds since 1970.
func AnyTime(now time.Time, v Value) (micros int64, ok bool) {
	if micros, ok = ToTime(v); ok || v.Kind != String {
		return micros, ok
	}
	m, ok, _ := MomentOf(now, []Value{v}) // without modifiers there is no error
	return m.ms * 1000, ok && m.ms >= minTime/1000
}

func (m *Moment) setNow(now time.Time) {
	*m = Moment{ms: now.UnixMilli(), hasMs: true, subsec: m.subsec}
}

// set reads a value: a number, or a text in one of SQLite's formats.
func (m *Moment) set(now time.Time, v Value) bool {
	switch v.Kind {
	case Null:
		return false
	case Int, Float:
		m.setRaw(v.Real())
		return true
	case Time:
		m.setTime(v.N)
		return true
	}
	s := v.S
	if m.parseDate(s) || m.parseClock(s) {
		if m.hour == 24 { // the beginning of the next day
			m.needMs()
			m.onlyMs()
		}
		return true
	}
	switch Lower(s) {
	case "now":
		m.setNow(now)
		return true
	case "subsec", "subsecond":
		m.setNow(now)
		m.subsec = true
		return true
	}
	p := NumericPrefix(s)
	if p.whole {
		*m = Moment{}
		m.setRaw(p.Value().Real())
	}
	return p.whole
}

func (m *Moment) setRaw(f float64) {
	m.second, m.raw = f, true
	if f >= 0 && f < 5373484.5 {
		m.ms, m.hasMs = int64(f*dayMs+0.5)+julianEpoch, true
	}
}

func (m *Moment) setTime(micros int64) {
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
func (m *Moment) parseDate(s string) bool {
	*m = Moment{}
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
func ymd(
	s string, yearDigits, months, days int,
) (year, month, dayOfMonth int, rest string, ok bool) {
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
func (m *Moment) parseClock(s string) bool {
	var ok bool
	t := Moment{}
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
		if len(s) > 1 && s[0] == '.' && IsDigit(s[1]) {
			end := DigitsEnd(s, 1)
			f, _ := strconv.ParseFloat("0"+s[:end], 64) // cannot fail
			t.second += min(f, 0.999)
			s = s[end:]
		}
	}
	if t.zone, ok = parseOffset(s); !ok || t.hour == 24 && (t.minute > 0 || t.second > 0) {
		return false
	}
	*m = Moment{hour: t.hour, minute: t.minute, second: t.second, zone: t.zone, hasClock: true}
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
func (m *Moment) findOverflow() {
	m.overflow = 0
	if m.month >= 1 && m.month <= 12 {
		m.overflow = max(0, m.day-monthDays(m.year, m.month))
	}
}

// needMs computes ms from the fields.
func (m *Moment) needMs() {
	if m.hasMs {
		return
	}
	year, month, dayOfMonth := 2000, 1, 1
	if m.hasDate {
		year, month, dayOfMonth = m.year, m.month, m.day
	}
	if year < -4713 || year > 9999 || m.raw {
		*m = Moment{failed: true, hasMs: true}
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
func (m *Moment) needFields() {
	m.needDate()
	if m.hasClock {
		return
	}
	m.needMs()
	rest := m.ms - FloorDiv(m.ms, dayMs)*dayMs
	m.hour, m.minute = int(rest/3600000), int(rest/60000%60)
	m.second = float64(rest%60000) / 1000
	m.raw, m.hasClock = false, true
}

func (m *Moment) needDate() {
	switch {
	case m.hasDate:
		return
	case !m.hasMs:
		m.year, m.month, m.day = 2000, 1, 1
	case !m.valid():
		*m = Moment{failed: true, hasMs: true}
		return
	default:
		m.year, m.month, m.day = dateOf(FloorDiv(m.ms, dayMs))
	}
	m.hasDate = true
}

// onlyMs forgets the fields.
func (m *Moment) onlyMs() { m.hasDate, m.hasClock, m.zone = false, false, 0 }

// modify applies the i-th argument of a date function, a modifier. It returns false if it is none.
func (m *Moment) modify(s string, i int) bool {
	name := Lower(s)
	if f, ok := modifiers[name]; ok {
		return f(m, i)
	}
	if rest, ok := strings.CutPrefix(name, "weekday "); ok {
		return m.toWeekday(rest)
	}
	if name != "" && (name[0] == '+' || name[0] == '-' || IsDigit(name[0])) {
		return m.shift(name)
	}
	return false
}

var modifiers = map[string]func(m *Moment, i int) bool{
	"auto": func(m *Moment, i int) bool { return i == 1 && m.guess() },
	"ceiling": func(m *Moment,
		_ int) bool {
		m.needMs()
		m.onlyMs()
		m.overflow = 0
		return true
	},
	"floor": func(m *Moment,
		_ int) bool {
		m.needMs()
		m.ms -= int64(m.overflow) * dayMs
		m.onlyMs()
		return true
	},
	"julianday": func(m *Moment,
		i int) bool {
		ok := i == 1 && m.hasMs && m.raw
		m.raw = false
		return ok
	},
	"unixepoch":      func(m *Moment, i int) bool { return i == 1 && m.raw && m.fromUnix() },
	"utc":            func(m *Moment, _ int) bool { m.needMs(); m.onlyMs(); return true }, // what all times are already
	"subsec":         func(m *Moment, _ int) bool { m.subsec = true; return true },
	"subsecond":      func(m *Moment, _ int) bool { m.subsec = true; return true },
	"start of day":   func(m *Moment, _ int) bool { return m.startOf(func(*Moment) {}) },
	"start of month": func(m *Moment, _ int) bool { return m.startOf(func(m *Moment) { m.day = 1 }) },
	"start of year": func(m *Moment,
		_ int) bool {
		return m.startOf(func(m *Moment) { m.month, m.day = 1, 1 })
	},
}

// guess takes a raw number for a Julian day if it can be one, otherwise for seconds since 1970.
func (m *Moment) guess() bool {
	if !m.raw || m.hasMs {
		m.raw = false
		return true
	}
	return m.fromUnix()
}

// fromUnix takes the raw number for seconds since 1970.
func (m *Moment) fromUnix() bool {
	f := m.second*1000 - julianEpoch
	if f < 0 || f >= lastMs+1-julianEpoch {
		return false
	}
	m.onlyMs()
	m.ms, m.hasMs, m.raw = int64(f+0.5)+julianEpoch, true, false
	return true
}

func (m *Moment) startOf(cut func(*Moment)) bool {
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
func (m *Moment) toWeekday(s string) bool {
	p := NumericPrefix(s)
	n, ok := IsInt(p.Value().Real())
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
func (m *Moment) weekday() int {
	w := (FloorDiv(m.ms, dayMs) + 4) % 7
	if w < 0 {
		w += 7
	}
	return int(w)
}

// shift applies modifiers that begin with a number: +3 days, -01:30, +0001-02-03 04:05.
func (m *Moment) shift(s string) bool {
	n := 1
	for n < len(s) && s[n] != ':' && !isBlank(s[n]) && !(s[n] == '-' && isYear(s[1:n])) {
		n++
	}
	p := NumericPrefix(s[:n])
	if !p.whole {
		return false
	}
	if n < len(s) && s[n] == '-' {
		return m.shiftDate(s, n-1)
	}
	if n < len(s) && s[n] == ':' {
		return m.shiftClock(strings.TrimLeft(s, "+-"), s[0] == '-')
	}
	return m.shiftUnits(p.Value().Real(), strings.TrimLeft(s[n:], " \t\n\v\f\r"))
}

// isYear reports whether s is four or five digits.
func isYear(s string) bool {
	return (len(s) == 4 || len(s) == 5) && DigitsEnd(s, 0) == len(s)
}

// shiftDate adds or subtracts years, months and days, and perhaps a time of day.
func (m *Moment) shiftDate(s string, yearDigits int) bool {
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
func (m *Moment) addMonths(n int) {
	months := int64(m.year)*12 + int64(m.month-1) + int64(n)
	year := FloorDiv(months, 12)
	m.year, m.month = int(year), int(months-year*12)+1
	m.findOverflow()
	m.hasMs = false
}

// shiftClock adds or subtracts hours, minutes and seconds.
func (m *Moment) shiftClock(s string, back bool) bool {
	var t Moment
	if !t.parseClock(s) {
		return false
	}
	t.needMs()
	by := t.ms - FloorDiv(t.ms, dayMs)*dayMs
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

// shiftUnits adds a number of units. Whole months and years go by the calendar, parts of them by 30
// and 365 days.
func (m *Moment) shiftUnits(f float64, name string) bool {
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
func (m *Moment) appendDate(b []byte) []byte {
	b = appendPadded(b, m.year, 4)
	b = appendPadded(append(b, '-'), m.month, 2)
	return appendPadded(append(b, '-'), m.day, 2)
}

// appendClock appends HH:MM:SS, with milliseconds if they are asked for.
func (m *Moment) appendClock(b []byte) []byte {
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
func (m *Moment) dayOfYear() int {
	year := int64(m.year)
	return int(daysFromCivil(year, m.month)-daysFromCivil(year, 1)) + m.day - 1
}

// isoWeek returns the year and the number of the week, as ISO 8601 counts them: that of its
// Thursday.
func (m *Moment) isoWeek() (year, week int) {
	t := Moment{ms: m.ms + int64(3-(m.weekday()+6)%7)*dayMs, hasMs: true}
	t.needDate()
	return t.year, t.dayOfYear()/7 + 1
}

// Date is what date() gives.
func (m *Moment) Date() Value {
	m.needDate()
	var room [32]byte
	return OfText(string(m.appendDate(room[:0])))
}

// Clock is what time() gives.
func (m *Moment) Clock() Value {
	m.needFields()
	var room [32]byte
	return OfText(string(m.appendClock(room[:0])))
}

// DateAndClock is what datetime() gives.
func (m *Moment) DateAndClock() Value {
	m.needFields()
	var room [32]byte
	return OfText(string(m.appendClock(append(m.appendDate(room[:0]), ' '))))
}

// JulianDay is what julianday() gives.
func (m *Moment) JulianDay() Value { return OfReal(float64(m.ms-julianEpoch) / dayMs) }

// UnixEpoch is what unixepoch() gives.
func (m *Moment) UnixEpoch() Value {
	if m.subsec {
		return OfReal(float64(m.ms) / 1000)
	}
	return OfInt(FloorDiv(m.ms, 1000))
}
