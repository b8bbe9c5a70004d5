package value

import (
	"math"
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
	f := ToReal(n)
	if math.Abs(f)*float64(u.months) > 1e6 || math.Abs(f)*float64(u.micros) > 4e17 {
		return iv, false
	}
	if n := ToNumber(n); n.Kind == Int {
		return Interval{n.N * u.months, n.N * u.micros}, true
	}
	return Interval{int64(f * float64(u.months)), int64(math.Round(f * float64(u.micros)))}, true
}

// ParseInterval reads texts such as '15 minutes' and '1 day 2 hours'.
func ParseInterval(s string) (iv Interval, ok bool) {
	fields := strings.Fields(s)
	if len(fields) == 0 || len(fields)%2 != 0 {
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
		iv.Months, iv.Micros = iv.Months+part.Months, iv.Micros+part.Micros
	}
	return iv, true
}

// AddTo returns the time that lies the interval after micros. A day that its month does not have
// becomes the month's last.
func (iv Interval) AddTo(micros int64) Value {
	if iv.Months != 0 {
		c := civilOf(micros)
		months := int64(c.year)*12 + int64(c.month-1) + iv.Months
		year := FloorDiv(months, 12)
		c.year, c.month = int(year), int(months-year*12)+1
		c.day = min(c.day, monthDays(c.year, c.month))
		micros = c.unixMicros()
	}
	return TimeResult(micros + iv.Micros)
}
