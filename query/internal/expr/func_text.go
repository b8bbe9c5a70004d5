package expr

import (
	"math"
	"strings"
	"unicode/utf8"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

var textFunctions = []function{
	{name: "length", min: 1, max: 1, typ: value.Integer, f1: lengthFunc},
	{name: "octet_length", min: 1, max: 1, typ: value.Integer,
		f1: func(_ *Env, v value.Value) value.Value { return value.OfInt(int64(len(v.Text()))) }},
	{name: "lower", min: 1, max: 1, typ: value.Text, f1: mapFunc(&value.LowerTable)},
	{name: "upper", min: 1, max: 1, typ: value.Text, f1: mapFunc(&value.UpperTable)},
	{name: "trim", min: 1, max: 2, typ: value.Text,
		fn: func(e *Env, a []value.Value) value.Value { return trimFunc(e, a, true, true) }},
	{name: "ltrim", min: 1, max: 2, typ: value.Text,
		fn: func(e *Env, a []value.Value) value.Value { return trimFunc(e, a, true, false) }},
	{name: "rtrim", min: 1, max: 2, typ: value.Text,
		fn: func(e *Env, a []value.Value) value.Value { return trimFunc(e, a, false, true) }},
	{name: "substr", min: 2, max: 3, typ: value.Text, compile: compileSubstr},
	{name: "left", min: 2, max: 2, typ: value.Text, f2: leftFunc},
	{name: "right", min: 2, max: 2, typ: value.Text, f2: rightFunc},
	{name: "replace", min: 3, max: 3, typ: value.Text, nulls: nullOwn, f3: replaceFunc},
	{name: "instr", min: 2, max: 2, typ: value.Integer, f2: instrFunc},
	{name: "position", min: 2, max: 2, typ: value.Integer,
		f2: func(e *Env, a, b value.Value) value.Value { return instrFunc(e, b, a) }},
	{name: "concat", min: 1, max: -1, typ: value.Text, nulls: nullNever,
		fn: func(e *Env, a []value.Value) value.Value { return joinFunc(e, "", a) }},
	{name: "concat_ws", min: 2, max: -1, typ: value.Text, nulls: nullOwn, fn: concatWsFunc},
	{name: "hex", min: 1, max: 1, typ: value.Text, nulls: nullNever, f1: hexFunc},
	{name: "unhex", min: 1, max: 2, typ: value.Blob, nulls: nullMaybe, fn: unhexFunc},
	{name: "quote", min: 1, max: 1, typ: value.Text, nulls: nullNever, f1: quoteFunc},
	{name: "char", min: 0, max: -1, typ: value.Text, nulls: nullNever, fn: charFunc},
	{name: "unicode", min: 1, max: 1, typ: value.Integer, nulls: nullMaybe, f1: unicodeFunc},
	{name: "printf", min: 0, max: -1, typ: value.Text, nulls: nullOwn,
		fn: func(e *Env, a []value.Value) value.Value { return value.Printf(&e.Meter, a) }},
	{name: "glob", min: 2, max: 2, typ: value.Integer, nulls: nullOwn, f2: globFunc},
	{name: "like", min: 2, max: 3, typ: value.Integer, compile: compileLikeFunc},
}

// compileLikeFunc is like(pattern, x[, escape]), which is x LIKE pattern.
func compileLikeFunc(_ *compiler, _ *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	operands := append([]*Expr{args[1], args[0]}, args[2:]...)
	return likeExpr(operands, false, false, pos)
}

// globFunc is glob(pattern, x). As with LIKE, blobs match nothing.
func globFunc(e *Env, pattern, v value.Value) value.Value {
	switch {
	case pattern.Kind == value.Bytes || v.Kind == value.Bytes:
		return value.OfInt(0)
	case pattern.Kind == value.Null || v.Kind == value.Null:
		return null
	}
	p := pattern.Text()
	if len(p) > value.MaxPattern {
		return e.Fail(longPattern(-1))
	}
	return value.OfBool(value.Glob(&e.Meter, p, v.Text()))
}

// lengthFunc is the number of characters of a text, up to a NUL, or of bytes of a blob.
func lengthFunc(_ *Env, v value.Value) value.Value {
	if v.Kind == value.Bytes {
		return value.OfInt(int64(len(v.S)))
	}
	s := v.Text()
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return value.OfInt(int64(value.CharCount(s)))
}

// mapFunc is a text with each byte replaced by the table's.
func mapFunc(table *[256]byte) func(e *Env, v value.Value) value.Value {
	return func(e *Env, v value.Value) value.Value {
		s := v.Text()
		if !e.Room(len(s)) {
			return null
		}
		return value.OfText(value.MapBytes(s, table))
	}
}

// trimFunc takes characters from the ends of a text: blanks, or those of the second argument.
func trimFunc(e *Env, args []value.Value, left, right bool) value.Value {
	s, set := args[0].Text(), newCharSet(" ")
	if len(args) > 1 {
		set = newCharSet(args[1].Text())
	}
	whole := s
	if left {
		s = strings.TrimLeftFunc(s, set.has)
	}
	if right {
		s = strings.TrimRightFunc(s, set.has)
	}
	return value.OfText(e.piece(s, whole))
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
func compileSubstr(_ *compiler, f *function, args []*Expr, pos parser.Pos) (*Expr, error) {
	x := f.with(func(e *Env, v, start, length value.Value) value.Value {
		if len(args) == 2 {
			length = value.OfInt(math.MaxInt64)
		}
		part := value.Substr(v, value.ToInt(start), value.ToInt(length))
		part.S = e.piece(part.S, v.S)
		return part
	}).plain(args, pos)
	switch args[0].Type {
	case value.Blob:
		x.Type, x.Nullable = value.Blob, true
	case value.Any, value.JSON: // which may be a blob: a payload that is not JSON is one
		x.Type, x.Nullable = value.Any, true
	}
	return finish(x, args...), nil
}

// with is f with another implementation.
func (f function) with(f3 func(e *Env, a, b, c value.Value) value.Value) *function {
	f.f3 = f3
	return &f
}

// leftFunc is left(x, n), the first n characters.
func leftFunc(e *Env, v, n value.Value) value.Value {
	s := v.Text()
	return value.OfText(e.piece(s[:value.CharOffset(s, value.ToInt(n))], s))
}

// rightFunc is right(x, n), the last n characters.
func rightFunc(e *Env, v, n value.Value) value.Value {
	s, keep := v.Text(), max(value.ToInt(n), 0)
	return value.OfText(e.piece(s[value.CharOffset(s, int64(value.CharCount(s))-keep):], s))
}

// replaceFunc is replace(x, old, new). Without an old text, the new one does not matter.
func replaceFunc(e *Env, v, was, becomes value.Value) value.Value {
	s, from, to := v.Text(), was.Text(), becomes.Text()
	switch {
	case v.Kind == value.Null || was.Kind == value.Null:
		return null
	case from == "":
		return value.OfText(s)
	case becomes.Kind == value.Null:
		return null
	}
	size := int64(len(s)) + int64(strings.Count(s, from))*int64(len(to)-len(from))
	if !e.Room(int(min(size, math.MaxInt32))) {
		return null
	}
	return value.OfText(strings.ReplaceAll(s, from, to))
}

// instrFunc is the place of the first b in a, counted from 1 in characters, or in bytes if both are
// blobs; 0 if there is none.
func instrFunc(_ *Env, a, b value.Value) value.Value {
	s := a.Text()
	i := strings.Index(s, b.Text())
	switch {
	case i < 0:
		return value.OfInt(0)
	case a.Kind == value.Bytes && b.Kind == value.Bytes:
		return value.OfInt(int64(i) + 1)
	}
	return value.OfInt(int64(value.CharCount(s[:i])) + 1)
}

// joinFunc joins texts, leaving out NULLs.
func joinFunc(e *Env, separator string, args []value.Value) value.Value {
	t := textMaker{e: e}
	first := true
	for _, v := range args {
		if v.Kind == value.Null {
			continue
		}
		if !first && !t.add(value.OfText(separator)) {
			return null
		}
		first = false
		if !t.add(v) {
			return null
		}
	}
	return e.text(t.b)
}

func concatWsFunc(e *Env, args []value.Value) value.Value {
	if args[0].Kind == value.Null {
		return null
	}
	return joinFunc(e, args[0].Text(), args[1:])
}

// hexFunc is the bytes of a text as hexadecimal digits.
func hexFunc(e *Env, v value.Value) value.Value {
	s := v.Text()
	if !e.Room(2 * len(s)) {
		return null
	}
	return value.OfText(value.StringOf(value.AppendHex(make([]byte, 0, 2*len(s)), s)))
}

// unhexFunc decodes pairs of hexadecimal digits, between which the characters of the second
// argument may stand.
func unhexFunc(e *Env, args []value.Value) value.Value {
	s, ignore := args[0].Text(), newCharSet("")
	if len(args) > 1 {
		ignore = newCharSet(args[1].Text())
	}
	if !e.Room(len(s) / 2) {
		return null
	}
	b := make([]byte, 0, len(s)/2)
	for i := 0; i < len(s); {
		if value.HexDigit(s[i]) < 0 {
			end := value.NextChar(s, i)
			if r, _ := utf8.DecodeRuneInString(s[i:end]); !ignore.has(r) {
				return null
			}
			i = end
			continue
		}
		if i+1 >= len(s) || value.HexDigit(s[i+1]) < 0 {
			return null
		}
		b = append(b, byte(value.HexDigit(s[i])<<4|value.HexDigit(s[i+1])))
		i += 2
	}
	return value.OfBlob(value.StringOf(b))
}

// quoteFunc is a value as a literal of SQL.
func quoteFunc(e *Env, v value.Value) value.Value {
	size := len(v.S) + 2
	switch v.Kind {
	case value.Bytes:
		size += len(v.S) + 1
	case value.String:
		size += strings.Count(v.S, "'")
	}
	if !e.Room(size) {
		return null
	}
	return value.OfText(value.QuoteSQL(v))
}

// charFunc is the text of characters given by their numbers.
func charFunc(_ *Env, args []value.Value) value.Value {
	b := make([]byte, 0, len(args))
	for _, v := range args {
		n := value.ToInt(v)
		if n < 0 || n > utf8.MaxRune {
			n = utf8.RuneError
		}
		b = utf8.AppendRune(b, rune(n))
	}
	return value.OfText(string(b))
}

// unicodeFunc is the number of the first character.
func unicodeFunc(_ *Env, v value.Value) value.Value {
	s := v.Text()
	if s == "" || s[0] == 0 {
		return null
	}
	r, _ := utf8.DecodeRuneInString(s)
	return value.OfInt(int64(r))
}
