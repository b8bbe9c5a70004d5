package value

// A DatePart is one number taken out of a time.
type DatePart struct {
	Whole bool // it is an integer, otherwise a real
	Of    func(micros int64) Value
}

func wholePart(f func(c civil) int) DatePart {
	return DatePart{true, func(micros int64) Value { return OfInt(int64(f(civilOf(micros)))) }}
}

// secondPart is the part of a time within its minute, with a fraction, in units of so many
// microseconds.
func secondPart(micros int64, unit float64) Value {
	c := civilOf(micros)
	return OfReal(float64(c.second*1000000+c.micros) / unit)
}

func momentPart(f func(m *Moment) int) DatePart {
	return DatePart{true, func(micros int64) Value {
		m := Moment{ms: FloorDiv(micros, 1000), hasMs: true}
		m.needFields()
		return OfInt(int64(f(&m)))
	}}
}

// WholeSecond is the second of the minute without its fraction.
var WholeSecond = wholePart(func(c civil) int { return c.second })

// DateParts are the parts of a time by the names of their units.
var DateParts = map[string]DatePart{
	"epoch": {false, func(micros int64) Value { return OfReal(float64(micros) / 1e6) }},
	"julian": {false,
		func(micros int64) Value { return OfReal((float64(micros)/1000 - julianEpoch) / dayMs) }},
	"year":        wholePart(func(c civil) int { return c.year }),
	"quarter":     wholePart(func(c civil) int { return (c.month + 2) / 3 }),
	"month":       wholePart(func(c civil) int { return c.month }),
	"day":         wholePart(func(c civil) int { return c.day }),
	"hour":        wholePart(func(c civil) int { return c.hour }),
	"minute":      wholePart(func(c civil) int { return c.minute }),
	"second":      {false, func(micros int64) Value { return secondPart(micros, 1e6) }},
	"millisecond": {false, func(micros int64) Value { return secondPart(micros, 1e3) }},
	"microsecond": wholePart(func(c civil) int { return c.second*1000000 + c.micros }),
	"decade":      wholePart(func(c civil) int { return int(FloorDiv(int64(c.year), 10)) }),
	"century":     wholePart(func(c civil) int { return int(FloorDiv(int64(c.year)-1, 100)) + 1 }),
	"dow":         momentPart(func(m *Moment) int { return m.weekday() }),
	"isodow":      momentPart(func(m *Moment) int { return (m.weekday()+6)%7 + 1 }),
	"doy":         momentPart(func(m *Moment) int { return m.dayOfYear() + 1 }),
	"week":        momentPart(func(m *Moment) int { _, w := m.isoWeek(); return w }),
	"isoyear":     momentPart(func(m *Moment) int { y, _ := m.isoWeek(); return y }),
}

// Truncation returns the function that finds the beginning of the unit that a time lies in.
func Truncation(name string) (truncate func(micros int64) int64, ok bool) {
	u, ok := TimeUnits[name]
	switch {
	case !ok:
		return nil, false
	case name == "week":
		const monday = 4 * day // 1970-01-05
		return func(micros int64) int64 { return FloorDiv(micros-monday, 7*day)*7*day + monday }, true
	case u.micros > 0:
		return func(micros int64) int64 { return FloorDiv(micros, u.micros) * u.micros }, true
	}
	var first int64 // in months: centuries begin with a year that ends in 1
	if name == "century" || name == "millennium" {
		first = 12
	}
	return func(micros int64) int64 {
		c := civilOf(micros)
		months := FloorDiv(int64(c.year)*12+int64(c.month-1)-first, u.months)*u.months + first
		return civil{
			year: int(FloorDiv(months, 12)), month: int(months-FloorDiv(months, 12)*12) + 1, day: 1,
		}.unixMicros()
	}, true
}
