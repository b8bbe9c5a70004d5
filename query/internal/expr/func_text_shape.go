package expr

import (
	"math"
	"strings"

	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

var shapeFunctions = []function{
	{name: "split_part", min: 3, max: 3, typ: value.Text, f3: splitPartFunc},
	{name: "starts_with", min: 2, max: 2, typ: value.Integer, f2: textTest(strings.HasPrefix)},
	{name: "ends_with", min: 2, max: 2, typ: value.Integer, f2: textTest(strings.HasSuffix)},
	{name: "contains", min: 2, max: 2, typ: value.Integer, f2: textTest(strings.Contains)},
	{name: "reverse", min: 1, max: 1, typ: value.Text, f1: reverseFunc},
	{name: "repeat", min: 2, max: 2, typ: value.Text, f2: repeatFunc},
	{name: "lpad", min: 2, max: 3, typ: value.Text,
		fn: func(e *Env, a []value.Value) value.Value { return padFunc(e, a, true) }},
	{name: "rpad", min: 2, max: 3, typ: value.Text,
		fn: func(e *Env, a []value.Value) value.Value { return padFunc(e, a, false) }},
}

// splitPartFunc is split_part(x, separator, n), PostgreSQL's: the n-th part, from the end if n is
// negative, and no letters if there are not so many.
func splitPartFunc(e *Env, v, by, n value.Value) value.Value {
	s, separator, at := v.Text(), by.Text(), value.ToInt(n)
	if at == 0 {
		return e.Fail(&fault.Error{Kind: fault.BadValue, Pos: -1,
			Msg: "split_part counts the parts from 1, or from -1 at the end"})
	}
	if separator == "" {
		if at == 1 || at == -1 {
			return value.OfText(s)
		}
		return value.OfText("")
	}
	index := strings.Index
	cut := func(s string, i int) (part, rest string) { return s[:i], s[i+len(separator):] }
	if at < 0 {
		index = strings.LastIndex
		cut = func(s string, i int) (part, rest string) { return s[i+len(separator):], s[:i] }
		at = -max(at, -math.MaxInt64)
	}
	rest := s
	for {
		i := index(rest, separator)
		switch {
		case i < 0 && at == 1:
			return value.OfText(e.piece(rest, s))
		case i < 0 || !e.Effort(value.TermEffort):
			return value.OfText("")
		}
		part, behind := cut(rest, i)
		if at--; at == 0 {
			return value.OfText(e.piece(part, s))
		}
		rest = behind
	}
}

// textTest is a condition on two texts.
func textTest(holds func(s, part string) bool) func(*Env, value.Value, value.Value) value.Value {
	return func(_ *Env, v, part value.Value) value.Value {
		return value.OfBool(holds(v.Text(), part.Text()))
	}
}

// reverseFunc is a text with its characters from the last to the first.
func reverseFunc(e *Env, v value.Value) value.Value {
	s := v.Text()
	if !e.Room(len(s)) {
		return null
	}
	b := make([]byte, len(s))
	to := len(s)
	for i := 0; i < len(s); {
		end := value.NextChar(s, i)
		to -= end - i
		copy(b[to:], s[i:end])
		i = end
	}
	return value.OfText(value.StringOf(b))
}

// repeatFunc is repeat(x, n): x n times.
func repeatFunc(e *Env, v, times value.Value) value.Value {
	s, n := v.Text(), max(value.ToInt(times), 0)
	if s == "" || n == 0 {
		return value.OfText("")
	}
	n = min(n, math.MaxInt32) // which is beyond every limit
	size := int64(len(s)) * n
	if !e.Room(int(min(size, math.MaxInt32))) {
		return null
	}
	return value.OfText(strings.Repeat(s, int(n)))
}

// padFunc is lpad and rpad(x, n[, fill]), PostgreSQL's: x with n characters, by filling it up or
// cutting it off at its end.
func padFunc(e *Env, args []value.Value, left bool) value.Value {
	s, n, fill := args[0].Text(), max(value.ToInt(args[1]), 0), " "
	if len(args) > 2 {
		fill = args[2].Text()
	}
	missing := n - int64(value.CharCount(s))
	switch {
	case missing < 0:
		return value.OfText(e.piece(s[:value.CharOffset(s, n)], s))
	case missing == 0 || fill == "":
		return value.OfText(s)
	}
	width := int64(value.CharCount(fill))
	whole, rest := missing/width, value.CharOffset(fill, missing%width)
	whole = min(whole, math.MaxInt32)
	size := int64(len(s)) + whole*int64(len(fill)) + int64(rest)
	if !e.Room(int(min(size, math.MaxInt32))) {
		return null
	}
	padding := strings.Repeat(fill, int(whole)) + fill[:rest]
	if left {
		return value.OfText(padding + s)
	}
	return value.OfText(s + padding)
}
