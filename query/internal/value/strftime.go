package value

import (
	"strconv"
)

// A directive is what a letter after a percent sign of strftime appends.
type directive func(b []byte, m *Moment) []byte

// padded appends a number with zeros in front, as C's %04d has it: a minus is part of the width.
func padded(width int, of func(m *Moment) int) directive {
	return func(b []byte, m *Moment) []byte {
		n := of(m)
		if n < 0 {
			return appendPadded(b, n, width-1)
		}
		return appendPadded(b, n, width)
	}
}

// spaced pads to two places with a blank.
func spaced(of func(m *Moment) int) directive {
	return func(b []byte, m *Moment) []byte {
		n := of(m)
		if n < 10 {
			b = append(b, ' ')
		}
		return strconv.AppendInt(b, int64(n), 10)
	}
}

// chosen appends one of two texts for the half of the day.
func chosen(morning, afternoon string) directive {
	return func(b []byte, m *Moment) []byte {
		if m.hour >= 12 {
			return append(b, afternoon...)
		}
		return append(b, morning...)
	}
}

var strftimeDirectives = map[byte]directive{
	'd': padded(2, func(m *Moment) int { return m.day }),
	'e': spaced(func(m *Moment) int { return m.day }),
	'f': func(b []byte, m *Moment) []byte {
		s := strconv.FormatFloat(min(m.second, 59.999), 'f', 3, 64)
		if len(s) < 6 {
			b = append(b, '0')
		}
		return append(b, s...)
	},
	'F': func(b []byte, m *Moment) []byte {
		b = appendPadded(append(yearDirective(b, m), '-'), m.month, 2)
		return appendPadded(append(b, '-'), m.day, 2)
	},
	'G': padded(4, func(m *Moment) int { y, _ := m.isoWeek(); return y }),
	'g': padded(2, func(m *Moment) int { y, _ := m.isoWeek(); return y % 100 }),
	'H': padded(2, func(m *Moment) int { return m.hour }),
	'k': spaced(func(m *Moment) int { return m.hour }),
	'I': padded(2, func(m *Moment) int { return m.hour12() }),
	'l': spaced(func(m *Moment) int { return m.hour12() }),
	'j': padded(3, func(m *Moment) int { return m.dayOfYear() + 1 }),
	'J': func(b []byte, m *Moment) []byte {
		return append(b, formatG(float64(m.ms-julianEpoch)/dayMs, 16)...)
	},
	'm': padded(2, func(m *Moment) int { return m.month }),
	'M': padded(2, func(m *Moment) int { return m.minute }),
	'p': chosen("AM", "PM"),
	'P': chosen("am", "pm"),
	'R': func(b []byte, m *Moment) []byte {
		return appendPadded(append(appendPadded(b, m.hour, 2), ':'), m.minute, 2)
	},
	's': func(b []byte, m *Moment) []byte {
		if m.subsec {
			return strconv.AppendFloat(b, float64(m.ms)/1000, 'f', 3, 64)
		}
		return strconv.AppendInt(b, FloorDiv(m.ms, 1000), 10)
	},
	'S': padded(2, func(m *Moment) int { return int(m.second) }),
	'T': func(b []byte, m *Moment) []byte {
		t := *m
		t.subsec = false
		return t.appendClock(b)
	},
	'u': padded(1, func(m *Moment) int { return (m.weekday()+6)%7 + 1 }),
	'w': padded(1, func(m *Moment) int { return m.weekday() }),
	'U': padded(2, func(m *Moment) int { return (m.dayOfYear() + 7 - m.weekday()) / 7 }),
	'W': padded(2, func(m *Moment) int { return (m.dayOfYear() + 7 - (m.weekday()+6)%7) / 7 }),
	'V': padded(2, func(m *Moment) int { _, w := m.isoWeek(); return w }),
	'Y': yearDirective,
	'%': func(b []byte, _ *Moment) []byte { return append(b, '%') },
}

// directiveEffort is what a directive counts for.
const directiveEffort = 32

// strftime formats m; ok is false if the format has a letter that means nothing, or the text
// becomes too long.
func (m *Moment) strftime(
	meter *Meter, format string, directives map[byte]directive,
) (text string, ok bool) {
	m.needFields()
	var b []byte
	limit := meter.TextLimit()
	for i := 0; i < len(format); i++ {
		if len(b) > limit {
			meter.TooLong()
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
		if d == nil || !meter.Effort(directiveEffort) {
			return "", false
		}
		b = d(b, m)
	}
	return StringOf(b), meter.Room(len(b))
}

// Format is what strftime() gives; ok is false where that is NULL.
func (m *Moment) Format(meter *Meter, format string) (text string, ok bool) {
	return m.strftime(meter, format, strftimeDirectives)
}

func (m *Moment) hour12() int {
	if h := m.hour % 12; h != 0 {
		return h
	}
	return 12
}

var yearDirective = padded(4, func(m *Moment) int { return m.year })
