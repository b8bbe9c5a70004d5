package value

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// NextChar returns the start of the character after the one at i.
func NextChar(s string, i int) int {
	if s[i] < utf8.RuneSelf {
		return i + 1
	}
	for i++; i < len(s) && !utf8.RuneStart(s[i]); i++ {
	}
	return i
}

// CharCount counts characters as NextChar steps over them.
func CharCount(s string) (n int) {
	for i := 0; i < len(s); i = NextChar(s, i) {
		n++
	}
	return n
}

// CharOffset returns the offset of the n-th character from 0, len(s) if there are not so many.
func CharOffset(s string, n int64) int {
	i := 0
	for ; n > 0 && i < len(s); n-- {
		i = NextChar(s, i)
	}
	return i
}

func isBlank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// AppendHex appends the bytes of s as hexadecimal digits.
func AppendHex(dst []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		dst = append(dst, digits[s[i]>>4], digits[s[i]&15])
	}
	return dst
}

// QuoteSQL returns v as a literal of SQL.
func QuoteSQL(v Value) string {
	switch v.Kind {
	case Null:
		return "NULL"
	case Int:
		return formatInt(v.N)
	case Float:
		return quoteReal(v.F)
	case Bytes:
		b := make([]byte, 0, 2*len(v.S)+3)
		return StringOf(append(AppendHex(append(b, "X'"...), v.S), '\''))
	}
	s := v.Text()
	b := append(make([]byte, 0, len(s)+strings.Count(s, "'")+2), '\'')
	for {
		i := strings.IndexByte(s, '\'')
		if i < 0 {
			return StringOf(append(append(b, s...), '\''))
		}
		b = append(append(b, s[:i+1]...), '\'')
		s = s[i+1:]
	}
}

// quoteReal returns a text that is read as exactly f.
func quoteReal(f float64) string {
	s := FormatReal(min(max(f, -maxReal), maxReal))
	if back, err := strconv.ParseFloat(s, 64); err == nil && back == f {
		return s
	}
	switch {
	case f > maxReal:
		return "9.0e+999"
	case f < -maxReal:
		return "-9.0e+999"
	}
	return formatE(f, 20)
}

const maxReal = 1.7976931348623157e308

// Substr takes length characters from start, which counts from 1, or from the end if it is
// negative. The place before the first character is 0; characters that are not there are not taken.
// A negative length takes the characters before start. Of a blob without bytes nothing can be
// taken: the result is NULL, as in SQLite.
func Substr(v Value, start, length int64) Value {
	s := v.Text()
	blob := v.Kind == Bytes
	if blob && s == "" {
		return null
	}
	if start < 0 {
		size := int64(len(s))
		if !blob {
			size = int64(CharCount(s))
		}
		start += size + 1
	}
	from, to := start, start+length
	if length < 0 {
		from, to = to, start
	}
	if length > 0 && to < start || length == math.MaxInt64 { // as far as it goes
		to = math.MaxInt64
	}
	from, to = max(from, 1), max(to, 1)
	switch {
	case from >= to:
		s = ""
	case blob:
		s = s[min(from-1, int64(len(s))):min(to-1, int64(len(s)))]
	default:
		begin := CharOffset(s, from-1)
		s = s[begin : begin+CharOffset(s[begin:], to-from)]
	}
	if blob {
		return OfBlob(s)
	}
	return OfText(s)
}

// StringOf gives bytes that are never written again as a string, without copying them.
func StringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// BytesOf gives a string's bytes without copying them. Nobody may write to them.
func BytesOf(s string) []byte {
	if s == "" {
		return []byte{} // not nil, which is NULL
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}
