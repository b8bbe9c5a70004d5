package value

import (
	"math"
)

// DateFormat is MySQL's date_format of a time, in microseconds since 1970; ok is false if the
// format has a letter that means nothing, or the text becomes too long.
func DateFormat(meter *Meter, micros int64, format string) (text string, ok bool) {
	var m Moment
	m.setTime(micros)
	whole := FloorDiv(micros, Second)
	m.second = float64(whole%60) + float64(micros-whole*Second)/1e6
	if m.second < 0 {
		m.second += 60
	}
	m.needMs()
	return m.strftime(meter, format, mysqlDirectives)
}

// UnknownDirective returns the first directive of a format of DateFormat that means nothing.
func UnknownDirective(format string) string {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		if i++; i == len(format) {
			break
		}
		if mysqlDirectives[format[i]] == nil {
			return format[i-1 : NextChar(format, i)]
		}
	}
	return "% at the end"
}

var (
	weekdayNames = [...]string{
		"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
	}
	monthNames = [...]string{"January", "February", "March", "April", "May", "June", "July",
		"August", "September", "October", "November", "December"}
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
	text := func(of func(m *Moment) string) directive {
		return func(b []byte, m *Moment) []byte { return append(b, of(m)...) }
	}
	d['e'] = padded(1, func(m *Moment) int { return m.day })
	d['c'] = padded(1, func(m *Moment) int { return m.month })
	d['k'] = padded(1, func(m *Moment) int { return m.hour })
	d['l'] = padded(1, func(m *Moment) int { return m.hour12() })
	d['y'] = padded(2, func(m *Moment) int { return m.year % 100 })
	d['f'] = padded(6,
		func(m *Moment) int { return int(math.Round((m.second - math.Floor(m.second)) * 1e6)) })
	d['D'] = func(b []byte,
		m *Moment) []byte {
		return spec{precision: -1}.appendOrdinal(b, int64(m.day))
	}
	d['W'] = text(func(m *Moment) string { return weekdayNames[m.weekday()] })
	d['a'] = text(func(m *Moment) string { return weekdayNames[m.weekday()][:3] })
	d['M'] = text(func(m *Moment) string { return monthNames[m.month-1] })
	d['b'] = text(func(m *Moment) string { return monthNames[m.month-1][:3] })
	d['r'] = func(b []byte, m *Moment) []byte {
		s, _ := m.strftime(new(Meter), "%I:%M:%S %p", strftimeDirectives)
		return append(b, s...)
	}
	// Weeks: %U and %V begin on Sunday, the first has the year's first Sunday in it; %u begins on
	// Monday, the first has four days or more of the year in it, as has that of %v. %U and %u call 0
	// what lies before, %V and %v count it as the last of the year before, which %X and %x are.
	d['U'] = padded(2, func(m *Moment) int { return m.sundayWeek() })
	d['u'] = padded(2, func(m *Moment) int { return m.mondayWeek() })
	d['V'] = padded(2, func(m *Moment) int { _, week := m.sundayYearWeek(); return week })
	d['X'] = padded(4, func(m *Moment) int { year, _ := m.sundayYearWeek(); return year })
	return d
}()

// sundayWeek is the number of the week in its year; weeks begin on Sunday, and the days before the
// first Sunday are in week 0.
func (m *Moment) sundayWeek() int { return (m.dayOfYear() + 7 - m.weekday()) / 7 }

// sundayYearWeek is the week as sundayWeek counts it, but that the days before the first Sunday are
// in the last week of the year before.
func (m *Moment) sundayYearWeek() (year, week int) {
	sunday := Moment{ms: m.ms - int64(m.weekday())*dayMs, hasMs: true}
	sunday.needDate()
	return sunday.year, sunday.sundayWeek()
}

// mondayWeek is the number of the week in its year; weeks begin on Monday, and the first has at
// least four days of the year.
func (m *Moment) mondayWeek() int {
	year, week := m.isoWeek()
	switch {
	case year < m.year:
		return 0
	case year > m.year: // MySQL's mode 1 does not count into the next year
		before := Moment{ms: m.ms - 7*dayMs, hasMs: true}
		_, week = before.isoWeek()
		return week + 1
	}
	return week
}
