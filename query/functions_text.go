package query

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/eventfold/eventfold/parser"
)

var textFunctions = []function{
	{name: "length", min: 1, max: 1, typ: Integer, f1: lengthFunc},
	{name: "octet_length", min: 1, max: 1, typ: Integer, f1: func(_ *env, v Value) Value { return intValue(int64(len(v.text()))) }},
	{name: "lower", min: 1, max: 1, typ: Text, f1: mapFunc(&lowerTable)},
	{name: "upper", min: 1, max: 1, typ: Text, f1: mapFunc(&upperTable)},
	{name: "trim", min: 1, max: 2, typ: Text, fn: func(e *env, a []Value) Value { return trimFunc(e, a, true, true) }},
	{name: "ltrim", min: 1, max: 2, typ: Text, fn: func(e *env, a []Value) Value { return trimFunc(e, a, true, false) }},
	{name: "rtrim", min: 1, max: 2, typ: Text, fn: func(e *env, a []Value) Value { return trimFunc(e, a, false, true) }},
	{name: "substr", min: 2, max: 3, typ: Text, compile: compileSubstr},
	{name: "left", min: 2, max: 2, typ: Text, f2: leftFunc},
	{name: "right", min: 2, max: 2, typ: Text, f2: rightFunc},
	{name: "replace", min: 3, max: 3, typ: Text, nulls: nullOwn, f3: replaceFunc},
	{name: "instr", min: 2, max: 2, typ: Integer, f2: instrFunc},
	{name: "position", min: 2, max: 2, typ: Integer, f2: func(e *env, a, b Value) Value { return instrFunc(e, b, a) }},
	{name: "concat", min: 1, max: -1, typ: Text, nulls: nullNever, fn: func(e *env, a []Value) Value { return joinFunc(e, "", a) }},
	{name: "concat_ws", min: 2, max: -1, typ: Text, nulls: nullOwn, fn: concatWsFunc},
	{name: "hex", min: 1, max: 1, typ: Text, nulls: nullNever, f1: hexFunc},
	{name: "unhex", min: 1, max: 2, typ: Blob, nulls: nullMaybe, fn: unhexFunc},
	{name: "quote", min: 1, max: 1, typ: Text, nulls: nullNever, f1: quoteFunc},
	{name: "char", min: 0, max: -1, typ: Text, nulls: nullNever, fn: charFunc},
	{name: "unicode", min: 1, max: 1, typ: Integer, nulls: nullMaybe, f1: unicodeFunc},
	{name: "printf", min: 0, max: -1, typ: Text, nulls: nullOwn, fn: printfFunc},
	{name: "glob", min: 2, max: 2, typ: Integer, nulls: nullOwn, f2: globFunc},
	{name: "like", min: 2, max: 3, typ: Integer, compile: compileLikeFunc},
}

var upperTable = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if i >= 'a' && i <= 'z' {
			t[i] = byte(i) - 'a' + 'A'
		}
	}
	return t
}()

// compileLikeFunc is like(pattern, x[, escape]), which is x LIKE pattern.
func compileLikeFunc(_ *compiler, _ *function, args []*expr, pos parser.Pos) (*expr, error) {
	operands := append([]*expr{args[1], args[0]}, args[2:]...)
	return likeExpr(operands, false, pos)
}

// globFunc is glob(pattern, x). As with LIKE, blobs match nothing.
func globFunc(e *env, pattern, v Value) Value {
	switch {
	case pattern.kind == Bytes || v.kind == Bytes:
		return intValue(0)
	case pattern.kind == Null || v.kind == Null:
		return null
	}
	p := pattern.text()
	if len(p) > maxPattern {
		return e.fail(longPattern(-1))
	}
	return boolValue(globMatch(e, p, v.text()))
}

// lengthFunc is the number of characters of a text, up to a NUL, or of bytes of a blob.
func lengthFunc(_ *env, v Value) Value {
	if v.kind == Bytes {
		return intValue(int64(len(v.s)))
	}
	s := v.text()
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return intValue(int64(charCount(s)))
}

// charCount counts characters as nextChar steps over them.
func charCount(s string) (n int) {
	for i := 0; i < len(s); i = nextChar(s, i) {
		n++
	}
	return n
}

// charOffset returns the offset of the n-th character from 0, len(s) if there are not so many.
func charOffset(s string, n int64) int {
	i := 0
	for ; n > 0 && i < len(s); n-- {
		i = nextChar(s, i)
	}
	return i
}

// mapFunc is a text with each byte replaced by the table's.
func mapFunc(table *[256]byte) func(e *env, v Value) Value {
	return func(e *env, v Value) Value {
		s := v.text()
		if !e.room(len(s)) {
			return null
		}
		return textValue(mapBytes(s, table))
	}
}

// trimFunc takes characters from the ends of a text: blanks, or those of the second argument.
func trimFunc(e *env, args []Value, left, right bool) Value {
	s, set := args[0].text(), newCharSet(" ")
	if len(args) > 1 {
		set = newCharSet(args[1].text())
	}
	whole := s
	if left {
		s = strings.TrimLeftFunc(s, set.has)
	}
	if right {
		s = strings.TrimRightFunc(s, set.has)
	}
	return textValue(e.piece(s, whole))
}

// A charSet is a set of characters. To look one up takes the same time however many there are.
type charSet struct {
	ascii [2]uint64
	other map[rune]struct{}
}

func newCharSet(chars string) *charSet {
	s := &charSet{}
	for _, r := range chars {
		if r < utf8.RuneSelf {
			s.ascii[r/64] |= 1 << (r % 64)
			continue
		}
		if s.other == nil {
			s.other = map[rune]struct{}{}
		}
		s.other[r] = struct{}{}
	}
	return s
}

func (s *charSet) has(r rune) bool {
	if r < utf8.RuneSelf {
		return s.ascii[r/64]&(1<<(r%64)) != 0
	}
	_, ok := s.other[r]
	return ok
}

// compileSubstr is substr(x, start[, length]). Of a blob it takes bytes.
func compileSubstr(_ *compiler, f *function, args []*expr, pos parser.Pos) (*expr, error) {
	x := f.with(func(e *env, v, start, length Value) Value {
		if len(args) == 2 {
			length = intValue(math.MaxInt64)
		}
		part := substr(v, toInt(start), toInt(length))
		part.s = e.piece(part.s, v.s)
		return part
	}).plain(args, pos)
	switch args[0].typ {
	case Blob:
		x.typ, x.nullable = Blob, true
	case Any, JSON: // which may be a blob: a payload that is not JSON is one
		x.typ, x.nullable = Any, true
	}
	return finish(x, args...), nil
}

// with is f with another implementation.
func (f function) with(f3 func(e *env, a, b, c Value) Value) *function {
	f.f3 = f3
	return &f
}

// substr takes length characters from start, which counts from 1, or from the end if it is negative. The place before
// the first character is 0; characters that are not there are not taken. A negative length takes the characters before start.
// Of a blob without bytes nothing can be taken: the result is NULL, as in SQLite.
func substr(v Value, start, length int64) Value {
	s := v.text()
	blob := v.kind == Bytes
	if blob && s == "" {
		return null
	}
	if start < 0 {
		size := int64(len(s))
		if !blob {
			size = int64(charCount(s))
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
		begin := charOffset(s, from-1)
		s = s[begin : begin+charOffset(s[begin:], to-from)]
	}
	if blob {
		return blobValue(s)
	}
	return textValue(s)
}

// leftFunc is left(x, n), the first n characters.
func leftFunc(e *env, v, n Value) Value {
	s := v.text()
	return textValue(e.piece(s[:charOffset(s, toInt(n))], s))
}

// rightFunc is right(x, n), the last n characters.
func rightFunc(e *env, v, n Value) Value {
	s, keep := v.text(), max(toInt(n), 0)
	return textValue(e.piece(s[charOffset(s, int64(charCount(s))-keep):], s))
}

// replaceFunc is replace(x, old, new). Without an old text, the new one does not matter.
func replaceFunc(e *env, v, old, new Value) Value {
	s, from, to := v.text(), old.text(), new.text()
	switch {
	case v.kind == Null || old.kind == Null:
		return null
	case from == "":
		return textValue(s)
	case new.kind == Null:
		return null
	}
	size := int64(len(s)) + int64(strings.Count(s, from))*int64(len(to)-len(from))
	if !e.room(int(min(size, math.MaxInt32))) {
		return null
	}
	return textValue(strings.ReplaceAll(s, from, to))
}

// instrFunc is the place of the first b in a, counted from 1 in characters, or in bytes if both are blobs; 0 if there is none.
func instrFunc(_ *env, a, b Value) Value {
	s := a.text()
	i := strings.Index(s, b.text())
	switch {
	case i < 0:
		return intValue(0)
	case a.kind == Bytes && b.kind == Bytes:
		return intValue(int64(i) + 1)
	}
	return intValue(int64(charCount(s[:i])) + 1)
}

// joinFunc joins texts, leaving out NULLs.
func joinFunc(e *env, separator string, args []Value) Value {
	t := textMaker{e: e}
	first := true
	for _, v := range args {
		if v.kind == Null {
			continue
		}
		if !first && !t.add(textValue(separator)) {
			return null
		}
		first = false
		if !t.add(v) {
			return null
		}
	}
	return e.text(t.b)
}

func concatWsFunc(e *env, args []Value) Value {
	if args[0].kind == Null {
		return null
	}
	return joinFunc(e, args[0].text(), args[1:])
}

// hexFunc is the bytes of a text as hexadecimal digits.
func hexFunc(e *env, v Value) Value {
	s := v.text()
	if !e.room(2 * len(s)) {
		return null
	}
	return textValue(stringOf(appendHex(make([]byte, 0, 2*len(s)), s)))
}

func appendHex(dst []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		dst = append(dst, digits[s[i]>>4], digits[s[i]&15])
	}
	return dst
}

// hexDigit returns the value of a hexadecimal digit, -1 for anything else.
func hexDigit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// unhexFunc decodes pairs of hexadecimal digits, between which the characters of the second argument may stand.
func unhexFunc(e *env, args []Value) Value {
	s, ignore := args[0].text(), newCharSet("")
	if len(args) > 1 {
		ignore = newCharSet(args[1].text())
	}
	if !e.room(len(s) / 2) {
		return null
	}
	b := make([]byte, 0, len(s)/2)
	for i := 0; i < len(s); {
		if hexDigit(s[i]) < 0 {
			end := nextChar(s, i)
			if r, _ := utf8.DecodeRuneInString(s[i:end]); !ignore.has(r) {
				return null
			}
			i = end
			continue
		}
		if i+1 >= len(s) || hexDigit(s[i+1]) < 0 {
			return null
		}
		b = append(b, byte(hexDigit(s[i])<<4|hexDigit(s[i+1])))
		i += 2
	}
	return blobValue(stringOf(b))
}

// quoteFunc is a value as a literal of SQL.
func quoteFunc(e *env, v Value) Value {
	size := len(v.s) + 2
	switch v.kind {
	case Bytes:
		size += len(v.s) + 1
	case String:
		size += strings.Count(v.s, "'")
	}
	if !e.room(size) {
		return null
	}
	return textValue(quoteSQL(v))
}

// quoteSQL returns v as a literal of SQL.
func quoteSQL(v Value) string {
	switch v.kind {
	case Null:
		return "NULL"
	case Int:
		return formatInt(v.n)
	case Float:
		return quoteReal(v.f)
	case Bytes:
		b := make([]byte, 0, 2*len(v.s)+3)
		return stringOf(append(appendHex(append(b, "X'"...), v.s), '\''))
	}
	s := v.text()
	b := append(make([]byte, 0, len(s)+strings.Count(s, "'")+2), '\'')
	for {
		i := strings.IndexByte(s, '\'')
		if i < 0 {
			return stringOf(append(append(b, s...), '\''))
		}
		b = append(append(b, s[:i+1]...), '\'')
		s = s[i+1:]
	}
}

// quoteReal returns a text that is read as exactly f.
func quoteReal(f float64) string {
	s := formatReal(min(max(f, -maxReal), maxReal))
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

// charFunc is the text of characters given by their numbers.
func charFunc(_ *env, args []Value) Value {
	b := make([]byte, 0, len(args))
	for _, v := range args {
		n := toInt(v)
		if n < 0 || n > utf8.MaxRune {
			n = utf8.RuneError
		}
		b = utf8.AppendRune(b, rune(n))
	}
	return textValue(string(b))
}

// unicodeFunc is the number of the first character.
func unicodeFunc(_ *env, v Value) Value {
	s := v.text()
	if s == "" || s[0] == 0 {
		return null
	}
	r, _ := utf8.DecodeRuneInString(s)
	return intValue(int64(r))
}
