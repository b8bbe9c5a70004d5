package jsonpath

import (
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// FindMember returns where the value of a member of the object at i begins, -1 if there is no such
// member.
func FindMember(doc string, i int, key string) int {
	if i >= len(doc) || doc[i] != '{' {
		return -1
	}
	for i = SkipBlanks(doc, i+1); i < len(doc) && doc[i] == '"'; {
		end, plain := KeyEnd(doc, i+1)
		if end < 0 {
			return -1
		}
		raw := doc[i+1 : end-1]
		found := raw == key
		if !plain {
			found = Unescape(raw) == key
		}
		if i = AfterColon(doc, end); i < 0 || found {
			return i
		}
		if i = NextItem(doc, i); i < 0 {
			return -1
		}
	}
	return -1
}

// AfterColon returns where a member's value begins, given where its key ends, -1 if there is no
// colon.
func AfterColon(doc string, i int) int {
	if i < len(doc) && doc[i] != ':' {
		i = SkipBlanks(doc, i)
	}
	if i >= len(doc) || doc[i] != ':' {
		return -1
	}
	return SkipBlanks(doc, i+1)
}

// KeyEnd is StringEnd for short strings; plain tells that the string is ASCII without escapes.
func KeyEnd(s string, i int) (end int, plain bool) {
	var care byte
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1, care&utf8.RuneSelf == 0
		case c == '\\':
			return StringEnd(s, i), false
		default:
			care |= c
		}
	}
	return -1, false
}

// needsCare reports whether a string is more than plain ASCII without escapes.
func needsCare(raw string) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' || raw[i] >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

// FindElement returns where element n of the array at i begins, -1 if there is none.
func FindElement(doc string, i int, n int64) int {
	if i >= len(doc) || doc[i] != '[' {
		return -1
	}
	i = SkipBlanks(doc, i+1)
	if i >= len(doc) || doc[i] == ']' {
		return -1
	}
	for ; n > 0; n-- {
		if i = NextItem(doc, i); i < 0 {
			return -1
		}
	}
	return i
}

// CountElements returns the number of elements of the array at i, 0 if there is no array.
func CountElements(doc string, i int) (n int64) {
	for i = FindElement(doc, i, 0); i >= 0; i = NextItem(doc, i) {
		n++
	}
	return n
}

// NextItem skips the value at i and the comma after it. It returns -1 where no comma follows.
func NextItem(doc string, i int) int {
	i = ValueEnd(doc, i)
	if i < 0 {
		return -1
	}
	if i < len(doc) && doc[i] != ',' {
		i = SkipBlanks(doc, i)
	}
	if i >= len(doc) || doc[i] != ',' {
		return -1
	}
	return SkipBlanks(doc, i+1)
}

// SkipBlanks returns the place of the first byte at or after i that is no white space.
func SkipBlanks(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

// ValueEnd returns the end of the value at i, -1 if the document ends within it.
func ValueEnd(doc string, i int) int {
	if i >= len(doc) {
		return -1
	}
	switch doc[i] {
	case '"':
		return StringEnd(doc, i+1)
	case '{', '[':
		return containerEnd(doc, i+1)
	}
	start := i
	for i < len(doc) && !ends[doc[i]] {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// ends are the bytes that end a number or a word.
var ends = [256]bool{',': true, '}': true, ']': true, ':': true, ' ': true, '\n': true, '\t': true,
	'\r': true, '"': true, '{': true, '[': true}

// containerEnd returns the end of an object or array whose inside begins at i, by counting how deep
// it is.
func containerEnd(doc string, i int) int {
	depth := 1
	for i < len(doc) {
		switch doc[i] {
		case '"':
			if i = StringEnd(doc, i+1); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

// StringEnd returns the place after the closing quote of the string whose inside begins at i, -1 if
// it is not closed.
func StringEnd(s string, i int) int {
	for i < len(s) {
		if i+8 <= len(s) {
			n := quoteOrEscape(s[i : i+8])
			if n == 8 {
				i += 8
				continue
			}
			i += n
		}
		switch s[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
		i++
	}
	return -1
}

// quoteOrEscape returns the place of the first quote or backslash in eight bytes, 8 if there is
// none. It looks at all eight at once: subtracting 1 from a byte borrows into its highest bit only
// if the byte is zero. (A byte above a zero byte may seem to be zero, too, but it is the lowest
// that counts.)
func quoteOrEscape(s string) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	q, e := x^'"'*ones, x^'\\'*ones
	return bits.TrailingZeros64((q-ones)&^q&highs|(e-ones)&^e&highs) / 8
}

// Unescape decodes what stands between the quotes of a JSON string. Bytes that are no UTF-8, and
// halves of surrogate pairs, become U+FFFD.
func Unescape(raw string) string {
	if !needsCare(raw) || strings.IndexByte(raw, '\\') < 0 && utf8.ValidString(raw) {
		return raw
	}
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] == '\\' && i+1 < len(raw) {
			b, i = appendEscape(b, raw, i+1)
			continue
		}
		r, size := utf8.DecodeRuneInString(raw[i:])
		b = utf8.AppendRune(b, r)
		i += size
	}
	return string(b)
}

var escapes = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// appendEscape decodes the escape whose letter is at i and returns what follows.
func appendEscape(b []byte, raw string, i int) ([]byte, int) {
	if raw[i] != 'u' {
		if c := escapes[raw[i]]; c != 0 {
			return append(b, c), i + 1
		}
		return append(b, raw[i]), i + 1
	}
	r, ok := hex4(raw, i+1)
	if !ok {
		return append(b, 'u'), i + 1
	}
	i += 5
	if utf16.IsSurrogate(r) {
		if low, ok := hex4(raw, i+2); ok && raw[i] == '\\' && raw[i+1] == 'u' {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return utf8.AppendRune(b, pair), i + 6
			}
		}
		r = utf8.RuneError
	}
	return utf8.AppendRune(b, r), i
}

func hex4(s string, i int) (rune, bool) {
	if i+4 > len(s) {
		return 0, false
	}
	n, err := strconv.ParseUint(s[i:i+4], 16, 32)
	return rune(n), err == nil
}

// Compact returns a JSON text without the blanks outside of its strings, and with U+FFFD for bytes
// that are no UTF-8.
func Compact(s string) string {
	if !utf8.ValidString(s) {
		s = validText(s)
	}
	at := firstBlank(s, 0)
	if at < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	b = append(b, s[:at]...)
	for at < len(s) {
		from := SkipBlanks(s, at)
		if at = firstBlank(s, from); at < 0 {
			at = len(s)
		}
		b = append(b, s[from:at]...)
	}
	return string(b)
}

// validText returns a text with U+FFFD for each byte that is no UTF-8.
func validText(s string) string {
	b := make([]byte, 0, len(s)+utf8.UTFMax)
	for _, r := range s {
		b = utf8.AppendRune(b, r)
	}
	return string(b)
}

// firstBlank returns the place of the first blank outside of strings at or after i, which is
// outside of strings; -1 for none.
func firstBlank(s string, i int) int {
	for i < len(s) {
		switch s[i] {
		case '"':
			if i = StringEnd(s, i+1); i < 0 {
				return -1
			}
			continue
		case ' ', '\n', '\t', '\r':
			return i
		}
		i++
	}
	return -1
}

// HasText reports whether a document is an array that holds the text.
func HasText(doc, text string) bool {
	for i := FindElement(doc, SkipBlanks(doc, 0), 0); i >= 0; i = NextItem(doc, i) {
		if doc[i] != '"' {
			continue
		}
		if end := StringEnd(doc, i+1); end > 0 && Unescape(doc[i+1:end-1]) == text {
			return true
		}
	}
	return false
}

// LosesText reports whether a JSON text has bytes that are no UTF-8, or escapes that are halves of
// a surrogate pair: decoding it gives U+FFFD in their place, so that different texts become one.
func LosesText(text string) bool {
	if !utf8.ValidString(text) {
		return true
	}
	var b []byte
	for i := strings.IndexByte(text, '\\') + 1; i > 0 && i < len(text); {
		end := 0
		b, end = appendEscape(b[:0], text, i)
		if r, _ := utf8.DecodeRune(b); r == utf8.RuneError && !strings.EqualFold(text[i:end], "ufffd") {
			return true
		}
		next := strings.IndexByte(text[end:], '\\')
		if next < 0 {
			return false
		}
		i = end + next + 1
	}
	return false
}
