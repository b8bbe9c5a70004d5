package value

import (
	"bytes"
	"math"
	"strconv"
)

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }

// FormatReal returns f with up to 17 significant digits, always with a point: 1.0, 0.1, 1.0e+20,
// Inf.
func FormatReal(f float64) string { return string(appendReal(nil, f)) }

// realDigits is how many significant digits of a REAL its text has.
const realDigits = 17

func appendReal(dst []byte, f float64) []byte {
	if n, ok := IsInt(f); ok && n > -1e15 && n < 1e15 {
		return append(strconv.AppendInt(dst, n, 10), ".0"...)
	}
	if math.IsInf(f, 0) {
		if f < 0 {
			return append(dst, "-Inf"...)
		}
		return append(dst, "Inf"...)
	}
	d := textDigits(f)
	if d.negative {
		dst = append(dst, '-')
	}
	if exp := d.point - 1; exp < -4 || exp >= realDigits {
		dst = append(dst, d.digits[0], '.')
		dst = append(dst, d.digits[1:]...)
		if len(d.digits) == 1 {
			dst = append(dst, '0')
		}
		return appendExponent(dst, 'e', exp)
	}
	dst = d.appendFixed(dst)
	if d.point >= len(d.digits) {
		return append(dst, ".0"...)
	}
	return dst
}

// smallestNormal is the smallest REAL with all its digits.
const smallestNormal = 2.2250738585072014e-308

// textDigits returns the digits of a REAL's text: 17, unless far fewer, followed by zeros or nines,
// mean the same number. So 0.1 is 0.1 and not 0.10000000000000001, but a third is
// 0.33333333333333332. These are SQLite's rules since 3.52.
func textDigits(f float64) decimal {
	short := decodeDigits(f, -1)
	if len(short.digits) < realDigits-3 && math.Abs(f) >= smallestNormal {
		return short
	}
	long := decodeReal(f)
	long.round(realDigits)
	if len(short.digits) == realDigits-3 && long.digit(realDigits-3) == '9' &&
		long.digit(realDigits-2) == '9' {
		return short
	}
	return long
}

// appendExponent appends e+05 and its like.
func appendExponent(dst []byte, e byte, exp int) []byte {
	dst = append(dst, e)
	if exp < 0 {
		dst, exp = append(dst, '-'), -exp
	} else {
		dst = append(dst, '+')
	}
	if exp < 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, int64(exp), 10)
}

// A decimal is a finite number in decimal digits: 0.d1d2d3... times ten to the power of point. Zero
// has the digit 0 and point 1.
type decimal struct {
	negative bool
	digits   []byte // without zeros at the end, at least one
	point    int
}

// decodeReal returns the 18 or 19 most significant digits of f, which must be finite: as many as
// SQLite computes with, whose estimate of the exponent is that of the power of two below f.
func decodeReal(f float64) decimal {
	_, exp := math.Frexp(f)
	estimate := (exp - 1) * 78913 >> 18 // times log10(2)
	d := decodeDigits(f, 25)
	if d.point-1 != estimate {
		d.round(19)
	} else {
		d.round(18)
	}
	return d
}

// decodeDigits returns the n most significant digits of f, which must be finite; with -1 as many as
// tell it from its neighbours.
func decodeDigits(f float64, n int) decimal {
	if f == 0 {
		return decimal{digits: []byte{'0'}, point: 1}
	}
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], math.Abs(f), 'e', max(n-1, -1), 64)
	e := bytes.IndexByte(text, 'e')
	d := decimal{negative: f < 0, digits: make([]byte, 0, 20)}
	d.digits = append(d.digits, text[0])
	if e > 2 {
		d.digits = append(d.digits, text[2:e]...)
	}
	exp, _ := strconv.Atoi(string(text[e+1:])) // cannot fail: strconv wrote it
	d.point = exp + 1
	d.trim()
	return d
}

func (d *decimal) trim() {
	for len(d.digits) > 1 && d.digits[len(d.digits)-1] == '0' {
		d.digits = d.digits[:len(d.digits)-1]
	}
}

// round cuts d to n significant digits, a five at the end up, away from zero. n may be zero or
// less: then 0 or 1 remains.
func (d *decimal) round(n int) {
	if n >= len(d.digits) {
		return
	}
	up := n >= 0 && d.digits[n] >= '5'
	d.digits = d.digits[:max(n, 0)]
	if up {
		i := len(d.digits) - 1
		for i >= 0 && d.digits[i] == '9' {
			i--
		}
		d.digits = d.digits[:i+1]
		if i < 0 {
			d.digits, d.point = append(d.digits, '1'), d.point+1
		} else {
			d.digits[i]++
		}
	}
	if len(d.digits) == 0 {
		d.digits, d.point = append(d.digits, '0'), 1
	}
	d.trim()
}

// roundAt rounds to n digits after the point.
func (d *decimal) roundAt(n int) { d.round(d.point + n) }

// appendFixed appends d without an exponent, without sign, and without a point if there is nothing
// behind it.
func (d *decimal) appendFixed(dst []byte) []byte {
	whole := d.point
	if whole <= 0 {
		dst = append(dst, '0')
	}
	for i := 0; i < whole; i++ {
		dst = append(dst, d.digit(i))
	}
	if whole >= len(d.digits) {
		return dst
	}
	dst = append(dst, '.')
	for i := whole; i < len(d.digits); i++ {
		dst = append(dst, d.digit(i))
	}
	return dst
}

// digit returns the i-th digit from the left, zeros on both sides.
func (d *decimal) digit(i int) byte {
	if i < 0 || i >= len(d.digits) {
		return '0'
	}
	return d.digits[i]
}

// A prefix is the number at the beginning of a text, after blanks.
type prefix struct {
	text  string // "" if there is no number
	Real  bool   // has a point or an exponent
	whole bool   // nothing but blanks follows
}

// NumericPrefix finds the longest number at the beginning of s.
func NumericPrefix(s string) prefix {
	start := 0
	for start < len(s) && isBlank(s[start]) {
		start++
	}
	i := start
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	var p prefix
	first := i
	i = DigitsEnd(s, i)
	digits := i - first
	if i < len(s) && s[i] == '.' {
		end := DigitsEnd(s, i+1)
		digits += end - i - 1
		if digits > 0 {
			p.Real, i = true, end
		}
	}
	if digits == 0 {
		return prefix{}
	}
	if end := ExponentEnd(s, i); end > i {
		p.Real, i = true, end
	}
	p.text = s[start:i]
	for i < len(s) && isBlank(s[i]) {
		i++
	}
	p.whole = i == len(s)
	return p
}

// Value returns the number: an Int if it is written as one and fits, otherwise a Float; 0 if there
// is none.
func (p prefix) Value() Value {
	if p.text == "" {
		return OfInt(0)
	}
	if !p.Real {
		if n, err := strconv.ParseInt(p.text, 10, 64); err == nil {
			return OfInt(n)
		}
	}
	f, _ := strconv.ParseFloat(p.text, 64) // out of range is an infinity, as wanted
	return OfReal(f)
}

// ToNumber returns v as arithmetic takes it: texts and blobs count by their numeric prefix. NULL
// stays NULL.
func ToNumber(v Value) Value {
	switch v.Kind {
	case Null, Int, Float:
		return v
	case Time:
		return NumericPrefix(FormatTime(v.N)).Value()
	}
	return NumericPrefix(v.S).Value()
}

// ToReal returns v as a float64; 0 for NULL and for texts without a number.
func ToReal(v Value) float64 {
	if v.Kind == Int || v.Kind == Float {
		return v.Real()
	}
	f, _ := strconv.ParseFloat(NumericPrefix(v.Text()).text, 64) // "" is 0, out of range is an infinity, as wanted
	return f
}

// ToInt returns v as an integer: reals are cut towards zero and held within the range, texts count
// by the integer they begin with.
func ToInt(v Value) int64 {
	switch v.Kind {
	case Null:
		return 0
	case Int:
		return v.N
	case Float:
		return realToInt(v.F)
	}
	return integerPrefix(v.Text())
}

func realToInt(f float64) int64 {
	if f >= 9223372036854775807.0 {
		return math.MaxInt64
	}
	if f <= -9223372036854775808.0 {
		return math.MinInt64
	}
	return int64(f)
}

// integerPrefix returns the integer that s begins with, held within the range; 0 if there is none.
func integerPrefix(s string) int64 {
	i := 0
	for i < len(s) && isBlank(s[i]) {
		i++
	}
	start := i
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	end := DigitsEnd(s, i)
	if end == i {
		return 0
	}
	n, _ := strconv.ParseInt(s[start:end], 10, 64) // out of range is the nearest end of the range, as wanted
	return n
}

// RoundTo rounds f, which must be finite, to n digits after the point.
func RoundTo(f float64, n int) float64 {
	d := decodeReal(f)
	d.roundAt(n)
	return d.real()
}

// real returns the nearest float64.
func (d decimal) real() float64 {
	s := "0." + string(d.digits) + "e" + strconv.Itoa(d.point)
	if d.negative {
		s = "-" + s
	}
	f, _ := strconv.ParseFloat(s, 64) // cannot fail: out of range is an infinity
	return f
}

// ToNumeric is CAST(v AS NUMERIC): numbers stay as they are, texts become integers if nothing is
// lost.
func ToNumeric(v Value) Value {
	if v.Kind == Int || v.Kind == Float {
		return v
	}
	n := ToNumber(v)
	if n.Kind == Float {
		if i, ok := IsInt(n.F); ok && i >= -1<<51 && i < 1<<51 {
			return OfInt(i)
		}
	}
	return n
}
