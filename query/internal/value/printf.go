package value

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// formatE returns f as printf's %.*e does.
func formatE(f float64, precision int) string {
	return string(spec{verb: 'e', precision: precision}.appendReal(nil, f))
}

// formatG returns f as printf's %.*g does.
func formatG(f float64, precision int) string {
	return string(spec{verb: 'g', precision: precision}.appendReal(nil, f))
}

// A spec is one directive of printf: %[flags][width][.precision]verb.
type spec struct {
	verb      byte
	left      bool // -
	plus      bool // +
	blank     bool // a blank before numbers that are not negative
	zero      bool // 0
	alternate bool // #
	exact     bool // !: more digits, and a point in every real
	comma     bool // , between thousands
	width     int
	precision int // -1 if it is not given
}

// maxWidth bounds widths and precisions: what asks for more is longer than any text.
const maxWidth = MaxText + 1

// Printf is printf(format, ...), as SQLite has it. Arguments that are missing count as NULL.
func Printf(m *Meter, args []Value) Value {
	if len(args) == 0 || args[0].Kind == Null {
		return null
	}
	format, args := args[0].Text(), args[1:]
	next := func() Value {
		if len(args) == 0 {
			return null
		}
		v := args[0]
		args = args[1:]
		return v
	}
	limit := m.TextLimit()
	var b []byte
	for format != "" {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			b = append(b, format...)
			break
		}
		b = append(b, format[:i]...)
		s, rest := parseSpec(format[i+1:], next)
		if s.verb == 0 {
			if rest == "" && i+1 == len(format) {
				b = append(b, '%')
			}
			break
		}
		format = rest
		isText := strings.ContainsRune("szqQw", rune(s.verb)) // of which a precision cuts
		if s.width > limit-len(b) || !isText && s.precision > limit-len(b) {
			m.TooLong()
			return null
		}
		before := len(b)
		var ok bool
		if b, ok = s.append(b, next); !ok {
			break
		}
		if len(b) > limit {
			m.TooLong()
			return null
		}
		m.Discard(int64(len(b) - before)) // what the directive's part was put together from
		if !m.Effort(len(b) - before + i + 16) {
			return null
		}
	}
	if !m.Room(len(b)) {
		return null
	}
	return OfText(StringOf(b))
}

// parseSpec reads what follows a percent sign. The verb is 0 if there is none.
func parseSpec(s string, next func() Value) (spec, string) {
	d := spec{precision: -1}
	flags := map[byte]*bool{'-': &d.left, '+': &d.plus, ' ': &d.blank, '0': &d.zero, '#': &d.alternate,
		'!': &d.exact, ',': &d.comma}
	for s != "" && flags[s[0]] != nil {
		*flags[s[0]] = true
		s = s[1:]
	}
	d.width, s = parseSize(s, next)
	switch {
	case d.width == math.MinInt32: // an int of C, which has no such positive number
		d.left, d.width = true, 0
	case d.width < 0:
		d.left, d.width = true, -d.width
	}
	if strings.HasPrefix(s, ".") {
		d.precision, s = parseSize(s[1:], next)
		if d.precision == math.MinInt32 {
			d.precision = -1
		} else {
			d.precision = max(d.precision, -d.precision)
		}
	}
	s = strings.TrimLeft(s, "l")
	if s == "" {
		return d, ""
	}
	d.verb = s[0]
	return d, s[1:]
}

// parseSize reads a number, or * for the next argument.
func parseSize(s string, next func() Value) (n int, rest string) {
	if strings.HasPrefix(s, "*") {
		return int(int32(ToInt(next()))), s[1:] // an int of C, as it is for SQLite
	}
	end := DigitsEnd(s, 0)
	return int(min(maxWidth, integerPrefix(s[:end]))), s[end:]
}

// append formats the next argument; ok is false if the verb is unknown, which ends the result.
func (d spec) append(b []byte, next func() Value) (out []byte, ok bool) {
	switch d.verb {
	case '%':
		return d.pad(b, "%", false), true
	case 'd', 'i':
		n := ToInt(next())
		return d.appendInteger(b, strconv.FormatUint(magnitude(n), 10), n < 0, true), true
	case 'r':
		return d.appendOrdinal(b, ToInt(next())), true
	case 'u':
		return d.appendInteger(b, strconv.FormatUint(uint64(ToInt(next())), 10), false, false), true
	case 'x', 'X', 'o', 'p':
		return d.appendRadix(b, uint64(ToInt(next()))), true
	case 'f', 'e', 'E', 'g', 'G':
		return d.pad(b, StringOf(d.appendReal(nil, ToReal(next()))), d.zero), true
	case 'c':
		return d.appendChar(b, next().Text()), true
	case 's', 'z':
		return d.appendString(b, next().Text()), true
	case 'q', 'Q', 'w':
		return d.appendQuoted(b, next()), true
	case 'n':
		return b, true
	}
	return b, false
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// sign is what stands before a number.
func (d spec) sign(negative bool) string {
	switch {
	case negative:
		return "-"
	case d.plus:
		return "+"
	case d.blank:
		return " "
	}
	return ""
}

func (d spec) appendInteger(b []byte, digits string, negative, signed bool) []byte {
	prefix := ""
	if signed {
		prefix = d.sign(negative)
	}
	digits = d.zeros(digits, len(prefix))
	if d.comma {
		digits = withCommas(digits)
	}
	return d.pad(b, prefix+digits, false)
}

// appendOrdinal appends 1st, 2nd, 3rd, 4th and so on.
func (d spec) appendOrdinal(b []byte, n int64) []byte {
	digits := strconv.FormatUint(magnitude(n), 10)
	suffix := "th"
	if last := digits[len(digits)-1] - '0'; last >= 1 && last <= 3 &&
		!strings.HasSuffix("0"+digits, string([]byte{'1', '0' + last})) {
		suffix = [...]string{"st", "nd", "rd"}[last-1]
	}
	prefix := d.sign(n < 0)
	d.precision -= len(suffix) // which is part of what it counts
	return d.pad(b, prefix+d.zeros(digits, len(prefix)+len(suffix))+suffix, false)
}

// zeros puts zeros before digits: as many as the precision asks for, or the width with the flag 0,
// less what stands before.
func (d spec) zeros(digits string, before int) string {
	size := d.precision
	if d.zero {
		size = max(size, d.width-before)
	}
	if n := size - len(digits); n > 0 {
		return strings.Repeat("0", n) + digits
	}
	return digits
}

func withCommas(digits string) string {
	b := make([]byte, 0, len(digits)+len(digits)/3)
	for i := 0; i < len(digits); i++ {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b = append(b, ',')
		}
		b = append(b, digits[i])
	}
	return StringOf(b)
}

func (d spec) appendRadix(b []byte, n uint64) []byte {
	base, prefix := 16, "0x"
	if d.verb == 'o' {
		base, prefix = 8, "0"
	}
	digits := strconv.FormatUint(n, base)
	if d.verb == 'X' || d.verb == 'p' {
		digits = strings.ToUpper(digits)
	}
	if d.verb == 'X' {
		prefix = "0X"
	}
	digits = d.zeros(digits, 0)
	if d.alternate && n != 0 {
		digits = prefix + digits
	}
	return d.pad(b, digits, false)
}

// appendReal appends f for the verbs f, e and g, without padding.
func (d spec) appendReal(b []byte, f float64) []byte {
	precision := d.precision
	if precision < 0 {
		precision = 6
	}
	var n decimal
	switch {
	case !math.IsInf(f, 0):
		n = decodeReal(f)
	case d.zero: // a number that is read as an infinity
		n = decimal{negative: f < 0, digits: []byte{'9'}, point: 1000}
	default:
		return append(append(b, d.sign(f < 0)...), "Inf"...)
	}
	b = append(b, d.sign(n.negative)...)
	verb, exp := d.verb|0x20, 0
	trim := verb == 'g' && !d.alternate
	switch verb {
	case 'f':
		n.round(d.limit(n.point + precision))
	case 'e':
		n = d.rounded(f, n, precision+1)
	case 'g':
		precision = max(precision, 1)
		n = d.rounded(f, n, precision)
		precision--
		if exp = n.point - 1; exp < -4 || exp > precision {
			verb = 'e'
		} else {
			verb, precision = 'f', precision-exp
		}
	}
	if verb == 'e' {
		exp = n.point - 1
		n.point = 1
	}
	b = d.appendDigits(b, &n, precision, trim)
	if verb == 'e' {
		b = appendExponent(b, 'E'|d.verb&0x20, exp)
	}
	return b
}

// limit bounds the number of significant digits: there are at most 16, or 20 with the flag !.
func (d spec) limit(digits int) int {
	if d.exact {
		return min(digits, 20)
	}
	return min(digits, 16)
}

// rounded rounds n, the digits of f, to so many significant digits.
func (d spec) rounded(f float64, n decimal, digits int) decimal {
	switch digits = d.limit(digits); {
	case math.IsInf(f, 0):
		return n
	case digits == realDigits:
		return textDigits(f)
	case digits < realDigits:
		n = decodeDigits(f, 25) // what was rounded once must not be rounded again
	}
	n.round(digits)
	return n
}

// appendDigits appends the digits around the point, precision of them behind it.
func (d spec) appendDigits(b []byte, n *decimal, precision int, trim bool) []byte {
	if precision > SmallPiece {
		b = slices.Grow(b, max(n.point, 0)+precision+len(".0e+308"))
	}
	whole := len(b)
	if n.point <= 0 {
		b = append(b, '0')
	}
	for i := 0; i < n.point; i++ {
		b = append(b, n.digit(i))
	}
	if d.comma {
		b = append(b[:whole:whole], withCommas(string(b[whole:]))...)
	}
	if precision == 0 && !d.alternate && !d.exact {
		return b
	}
	b = append(b, '.')
	for i := 0; i < precision; i++ {
		b = append(b, n.digit(n.point+i))
	}
	if trim || d.exact && d.verb|0x20 != 'g' {
		for b[len(b)-1] == '0' {
			b = b[:len(b)-1]
		}
	}
	if b[len(b)-1] == '.' {
		if d.exact {
			return append(b, '0')
		}
		if !d.alternate {
			return b[:len(b)-1]
		}
	}
	return b
}

// appendChar appends the first character, a NUL for none, as often as the precision says. The width
// counts characters.
func (d spec) appendChar(b []byte, s string) []byte {
	if s == "" {
		s = "\x00"
	}
	s = s[:NextChar(s, 0)]
	n := max(d.precision, 1)
	if !d.left && d.width > n {
		b = appendRepeated(b, " ", d.width-n)
	}
	if b = appendRepeated(b, s, n); d.left && d.width > n {
		b = appendRepeated(b, " ", d.width-n)
	}
	return b
}

func appendRepeated(b []byte, s string, n int) []byte {
	from, size := len(b), n*len(s)
	b = append(slices.Grow(b, size), s[:min(len(s), size)]...)
	for done := len(s); done < size; done *= 2 {
		b = append(b, b[from:from+min(done, size-done)]...)
	}
	return b
}

// appendString appends a text of at most as many bytes as the precision says, or characters with
// the flag !.
func (d spec) appendString(b []byte, s string) []byte {
	return d.pad(b, d.cut(s), false)
}

func (d spec) cut(s string) string {
	switch {
	case d.precision < 0:
		return s
	case d.exact:
		return s[:CharOffset(s, int64(d.precision))]
	}
	return s[:min(len(s), d.precision)]
}

// appendQuoted appends a text with its quotes doubled; for Q within quotes.
func (d spec) appendQuoted(b []byte, v Value) []byte {
	if v.Kind == Null {
		s := "(NULL)"
		if d.verb == 'Q' {
			s = "NULL"
		}
		return d.appendString(b, s)
	}
	quote := "'"
	if d.verb == 'w' {
		quote = `"`
	}
	s := strings.ReplaceAll(d.cut(v.Text()), quote, quote+quote)
	if d.verb == 'Q' {
		s = "'" + s + "'"
	}
	return d.pad(b, s, false)
}

// pad appends s, padded to the width.
func (d spec) pad(b []byte, s string, zero bool) []byte {
	size := len(s)
	if d.exact {
		size = utf8.RuneCountInString(s)
	}
	n := d.width - size
	switch {
	case n <= 0:
		return append(b, s...)
	case d.left:
		return appendRepeated(append(b, s...), " ", n)
	case zero:
		sign := len(s) - len(strings.TrimLeft(s, "+- "))
		b = appendRepeated(append(b, s[:sign]...), "0", n)
		return append(b, s[sign:]...)
	}
	return append(appendRepeated(b, " ", n), s...)
}
