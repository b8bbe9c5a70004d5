package value

import (
	"math"
	"strconv"
	"strings"
)

// An Interval is a length of time: months, whose days differ, and microseconds.
type Interval struct {
	Months int64
	Micros int64
}

// A timeUnit is a unit of INTERVAL, EXTRACT and date_trunc. One is so many months, or so many
// microseconds.
type timeUnit struct {
	months, micros int64
}

// TimeUnits are the units of time by their names, as UnitName returns them.
var TimeUnits = map[string]timeUnit{
	"microsecond": {0, 1},
	"millisecond": {0, 1000},
	"second":      {0, Second},
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

// UnitName returns the singular, lower-case name of a unit as users write it.
func UnitName(s string) string {
	s = Lower(strings.TrimSpace(s))
	switch s {
	case "centuries":
		return "century"
	case "millennia", "millenniums":
		return "millennium"
	}
	return strings.TrimSuffix(s, "s")
}

// times returns n units; ok is false if they are too many.
func (u timeUnit) times(n Value) (iv Interval, ok bool) {
	if u == (timeUnit{}) {
		return iv, true
	}
	f := math.Abs(ToReal(n))
	if f*math.Abs(float64(u.months)) > maxMonths || f*math.Abs(float64(u.micros)) > maxMicros {
		return iv, false
	}
	if n := ToNumber(n); n.Kind == Int {
		return Interval{n.N * u.months, n.N * u.micros}, true
	}
	f = ToReal(n)
	return Interval{int64(f * float64(u.months)), int64(math.Round(f * float64(u.micros)))}, true
}

// ParseInterval reads texts such as '15 minutes', '1 day 2 hours' and '1 day 02:30:00'.
func ParseInterval(s string) (iv Interval, ok bool) {
	fields := strings.Fields(s)
	if n := len(fields); n%2 == 1 { // a time of day at the end
		part, ok := parseClockInterval(fields[n-1])
		if !ok {
			return iv, false
		}
		iv.Micros, fields = part, fields[:n-1]
	} else if n == 0 {
		return iv, false
	}
	for i := 0; i < len(fields); i += 2 {
		p := NumericPrefix(fields[i])
		unit, known := TimeUnits[UnitName(fields[i+1])]
		if !p.whole || !known {
			return iv, false
		}
		part, ok := unit.times(p.Value())
		if !ok {
			return iv, false
		}
		if iv, ok = iv.Plus(part); !ok {
			return iv, false
		}
	}
	return iv, true
}

// parseClockInterval reads [-]HH:MM[:SS[.f]].
func parseClockInterval(s string) (micros int64, ok bool) {
	var c civil
	back := strings.HasPrefix(s, "-")
	rest, ok := c.parseClock(strings.TrimLeft(s, "+-"))
	micros = int64(c.hour)*hour + int64(c.minute)*minute + int64(c.second)*Second + int64(c.micros)
	if back {
		micros = -micros
	}
	return micros, ok && rest == ""
}

// The longest intervals: so much can be added to every time without going round.
const (
	maxMonths = 1_000_000
	maxMicros = 400_000_000_000_000_000
)

// Short reports whether the interval is shorter than a day.
func (iv Interval) Short() bool { return iv.Months == 0 && iv.Micros < day }

// Plus returns the sum of two intervals; ok is false if it is too long.
func (iv Interval) Plus(other Interval) (sum Interval, ok bool) {
	sum = Interval{iv.Months + other.Months, iv.Micros + other.Micros}
	return sum, max(sum.Months, -sum.Months) <= maxMonths && max(sum.Micros, -sum.Micros) <= maxMicros
}

// Times returns the interval n times, rounded to whole months and microseconds; ok is false if it is
// too long.
func (iv Interval) Times(n Value) (product Interval, ok bool) {
	months, ok1 := timeUnit{months: iv.Months}.times(n)
	micros, ok2 := timeUnit{micros: iv.Micros}.times(n)
	return Interval{months.Months, micros.Micros}, ok1 && ok2
}

// String returns a text that ParseInterval reads as iv.
func (iv Interval) String() string {
	var b []byte
	rest := iv.Micros
	for _, part := range []struct {
		n    int64
		unit string
	}{
		{iv.Months / 12, "year"}, {iv.Months % 12, "month"}, {rest / day, "day"}, {rest % day / hour, "hour"},
		{rest % hour / minute, "minute"}, {rest % minute / Second, "second"}, {rest % Second, "microsecond"},
	} {
		if part.n == 0 {
			continue
		}
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = append(append(strconv.AppendInt(b, part.n, 10), ' '), part.unit...)
		if part.n != 1 {
			b = append(b, 's')
		}
	}
	if len(b) == 0 {
		return "0 seconds"
	}
	return string(b)
}

// AddTo returns the time that lies the interval after micros. A day that its month does not have
// becomes the month's last.
func (iv Interval) AddTo(micros int64) Value { return TimeResult(iv.after(micros)) }

func (iv Interval) after(micros int64) int64 {
	if iv.Months != 0 {
		c := civilOf(micros)
		months := int64(c.year)*12 + int64(c.month-1) + iv.Months
		year := FloorDiv(months, 12)
		c.year, c.month = int(year), int(months-year*12)+1
		c.day = min(c.day, monthDays(c.year, c.month))
		micros = c.unixMicros()
	}
	return micros + iv.Micros
}
