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
	"dayofweek":   momentPart(func(m *Moment) int { return m.weekday() }),
	"dayofyear":   momentPart(func(m *Moment) int { return m.dayOfYear() + 1 }),
	"week":        isoWeekPart,
	"isoweek":     isoWeekPart,
	"isoyear":     momentPart(func(m *Moment) int { y, _ := m.isoWeek(); return y }),
	"millennium":  wholePart(func(c civil) int { return int(FloorDiv(int64(c.year)-1, 1000)) + 1 }),
}

// isoWeekPart is the week as ISO 8601 counts it.
var isoWeekPart = momentPart(func(m *Moment) int { _, w := m.isoWeek(); return w })

// DayName is the English name of the day of the week.
func DayName(micros int64) string {
	m := Moment{ms: FloorDiv(micros, 1000), hasMs: true}
	return weekdayNames[m.weekday()]
}

// MonthName is the English name of the month.
func MonthName(micros int64) string { return monthNames[civilOf(micros).month-1] }

// A Unit counts times in a unit of the calendar or the clock.
type Unit struct {
	timeUnit
	first int64 // where counting begins: in microseconds since 1970, or in months of the year 0
}

// UnitOf returns a unit by its name, as UnitName returns it.
func UnitOf(name string) (u Unit, ok bool) {
	t, ok := TimeUnits[name]
	u.timeUnit = t
	switch name {
	case "week":
		u.first = 4 * day // 1970-01-05 was a Monday
	case "century", "millennium":
		u.first = 12 // they begin with a year that ends in 1
	}
	return u, ok
}

// Short reports whether the unit is shorter than a day.
func (u Unit) Short() bool { return u.months == 0 && u.micros < day }

// Number tells which unit a time lies in: one that follows another has the next number.
func (u Unit) Number(micros int64) int64 {
	if u.months == 0 {
		return FloorDiv(micros-u.first, u.micros)
	}
	c := civilOf(micros)
	return FloorDiv(int64(c.year)*12+int64(c.month-1)-u.first, u.months)
}

// Start is the beginning of the unit with a number.
func (u Unit) Start(n int64) int64 {
	if u.months == 0 {
		return n*u.micros + u.first
	}
	months := n*u.months + u.first
	year := FloorDiv(months, 12)
	return civil{year: int(year), month: int(months-year*12) + 1, day: 1}.unixMicros()
}

// Floor is the beginning of the unit that a time lies in. Weeks begin on Monday.
func (u Unit) Floor(micros int64) int64 { return u.Start(u.Number(micros)) }

// Whole is how many whole units lie between a time and a later one, with a minus if it is earlier.
func (u Unit) Whole(from, to int64) int64 {
	if from > to {
		return -u.Whole(to, from)
	}
	if u.months == 0 {
		return (to - from) / u.micros
	}
	a, b := civilOf(from), civilOf(to)
	months := int64(b.year-a.year)*12 + int64(b.month-a.month)
	if (Interval{Months: months}).after(from) > to {
		months--
	}
	return months / u.months
}
