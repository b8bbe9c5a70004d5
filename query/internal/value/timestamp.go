package value

import (
	"strings"
)

const (
	Second = int64(1e6) // in microseconds
	minute = 60 * Second
	hour   = 60 * minute
	day    = 24 * hour
)

// The times that have a text: from the year 0000 to the end of 9999.
const (
	minTime = -62167219200 * Second
	maxTime = 253402300800*Second - 1
)

// A civil is a point in time in the calendar, UTC.
type civil struct {
	year, month, day     int // month and day from 1
	hour, minute, second int
	micros               int // of the second
}

// civilOf takes microseconds since 1970 apart.
func civilOf(micros int64) civil {
	days := FloorDiv(micros, day)
	rest := micros - days*day
	var c civil
	c.year, c.month, c.day = dateOf(days)
	c.hour, rest = int(rest/hour), rest%hour
	c.minute, rest = int(rest/minute), rest%minute
	c.second, c.micros = int(rest/Second), int(rest%Second)
	return c
}

// unixMicros is the inverse of civilOf. Months beyond 1 to 12 count on into other years, days and
// smaller units likewise.
func (c civil) unixMicros() int64 {
	months := int64(c.year)*12 + int64(c.month-1)
	year := FloorDiv(months, 12)
	days := daysFromCivil(year, int(months-year*12)+1) + int64(c.day-1)
	return days*day + int64(c.hour)*hour + int64(c.minute)*minute + int64(c.second)*Second + int64(c.micros)
}

// FloorDiv returns the quotient rounded down; b is above zero.
func FloorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// daysFromCivil returns the days from 1970-01-01 to the first of a month, in the Gregorian calendar
// for all times. The year is counted from March, so that the leap day is its last.
func daysFromCivil(year int64, month int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := FloorDiv(year, 400)
	ofEra := year - era*400
	ofYear := int64(153*(month-3)+2) / 5
	return era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719468
}

// dateOf returns the date that lies days after 1970-01-01.
func dateOf(days int64) (year, month, dayOfMonth int) {
	days += 719468
	era := FloorDiv(days, 146097)
	ofEra := days - era*146097
	yearOfEra := (ofEra - ofEra/1460 + ofEra/36524 - ofEra/146096) / 365
	ofYear := ofEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	m := (5*ofYear + 2) / 153
	dayOfMonth = int(ofYear-(153*m+2)/5) + 1
	month = int(m) + 3
	year = int(yearOfEra + era*400)
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, dayOfMonth
}

// monthDays returns the number of days of a month from 1 to 12.
func monthDays(year, month int) int {
	if month == 2 && (year%4 == 0 && year%100 != 0 || year%400 == 0) {
		return 29
	}
	return [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
}

// FormatTime returns 2026-01-02T03:04:05.123456Z.
func FormatTime(micros int64) string {
	var buf [32]byte
	return string(appendTime(buf[:0], micros))
}

// appendTime appends what FormatTime returns.
func appendTime(dst []byte, micros int64) []byte {
	c := civilOf(micros)
	dst = appendPadded(dst, c.year, 4)
	dst = appendPadded(append(dst, '-'), c.month, 2)
	dst = appendPadded(append(dst, '-'), c.day, 2)
	dst = appendPadded(append(dst, 'T'), c.hour, 2)
	dst = appendPadded(append(dst, ':'), c.minute, 2)
	dst = appendPadded(append(dst, ':'), c.second, 2)
	dst = appendPadded(append(dst, '.'), c.micros, 6)
	return append(dst, 'Z')
}

// appendPadded appends n with zeros in front up to width, a minus before them.
func appendPadded(dst []byte, n, width int) []byte {
	if n < 0 {
		dst, n = append(dst, '-'), -n
	}
	var digits [20]byte
	i := len(digits)
	for n > 0 || width > 0 {
		i--
		digits[i] = byte('0' + n%10)
		n /= 10
		width--
	}
	return append(dst, digits[i:]...)
}

// canonicalTime returns the time whose text the collation takes for s, if there is one.
func canonicalTime(s string, c Collation) (micros int64, ok bool) {
	if len(s) != 27 || s[19] != '.' {
		return 0, false
	}
	t, z := s[10], s[26]
	if c == Nocase {
		t, z = t&^('a'-'A'), z&^('a'-'A')
	}
	if t != 'T' || z != 'Z' {
		return 0, false
	}
	return ParseTime(s)
}

// ParseTime reads a text that is compared with a time: RFC 3339 with any fraction and zone, or
// YYYY-MM-DD[ HH:MM[:SS[.f]]][Z|+hh:mm]. Without a zone it is UTC. Digits behind the microseconds
// are dropped.
func ParseTime(s string) (micros int64, ok bool) {
	var c civil
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	ok = number(s[0:4], &c.year) && number(s[5:7], &c.month) && number(s[8:10], &c.day)
	if !ok || c.month < 1 || c.month > 12 || c.day < 1 || c.day > monthDays(c.year, c.month) {
		return 0, false
	}
	s = s[10:]
	if s == "" {
		return c.unixMicros(), true
	}
	if c0 := s[0]; c0 == ' ' || c0 == 'T' || c0 == 't' {
		if s, ok = c.parseClock(s[1:]); !ok {
			return 0, false
		}
	}
	zone, ok := parseZone(s)
	micros = c.unixMicros() - zone
	return micros, ok && micros >= minTime && micros <= maxTime
}

// HasOffset reports whether a text that is a time says how far it is ahead of UTC.
func HasOffset(s string) bool {
	n := len(s)
	return n > 10 && (s[n-1] == 'Z' || s[n-1] == 'z') ||
		n >= 16 && s[n-3] == ':' && (s[n-6] == '+' || s[n-6] == '-')
}

// parseClock reads HH:MM[:SS[.f]] and returns what follows.
func (c *civil) parseClock(s string) (rest string, ok bool) {
	if len(s) < 5 || s[2] != ':' || !number(s[0:2], &c.hour) || !number(s[3:5], &c.minute) ||
		c.hour > 23 || c.minute > 59 {
		return "", false
	}
	s = s[5:]
	if len(s) < 3 || s[0] != ':' {
		return s, true
	}
	if !number(s[1:3], &c.second) || c.second > 59 {
		return "", false
	}
	s = s[3:]
	if s == "" || s[0] != '.' {
		return s, true
	}
	end := DigitsEnd(s, 1)
	for i := 1; i <= 6; i++ {
		c.micros *= 10
		if i < end {
			c.micros += int(s[i] - '0')
		}
	}
	return s[end:], end > 1
}

// parseZone reads Z, +hh:mm, -hh:mm or nothing, after blanks, and returns how far it is ahead of
// UTC.
func parseZone(s string) (micros int64, ok bool) {
	s = strings.TrimLeft(s, " ")
	if s == "" || s == "Z" || s == "z" {
		return 0, true
	}
	var h, m int
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' || !number(s[1:3], &h) ||
		!number(s[4:6], &m) || h > 23 || m > 59 {
		return 0, false
	}
	micros = int64(h)*hour + int64(m)*minute
	if s[0] == '-' {
		micros = -micros
	}
	return micros, true
}

// number reads a text of digits alone.
func number(s string, n *int) bool {
	*n = 0
	for i := 0; i < len(s); i++ {
		if !IsDigit(s[i]) {
			return false
		}
		*n = *n*10 + int(s[i]-'0')
	}
	return true
}

// ToTime returns v as a time: texts are parsed, numbers are seconds since 1970.
func ToTime(v Value) (micros int64, ok bool) {
	switch v.Kind {
	case Time:
		return v.N, true
	case String:
		return ParseTime(v.S)
	case Int:
		return v.N * Second, v.N >= minTime/Second && v.N <= maxTime/Second
	case Float:
		return int64(v.F * 1e6), v.F >= float64(minTime/Second) && v.F <= float64(maxTime/Second)
	}
	return 0, false
}

// TimeResult is a time that may have left the range of times that have a text; then it is NULL.
func TimeResult(micros int64) Value {
	if micros < minTime || micros > maxTime {
		return null
	}
	return OfTime(micros)
}
