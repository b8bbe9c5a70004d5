package query

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/eventfold/eventfold/parser"
)

// A likePattern is a compiled pattern of LIKE: the parts between its percent signs.
type likePattern struct {
	parts []likePart
	open  bool // begins with %
	ended bool // does not end with %
	never bool // matches nothing: the pattern ends with its escape character
}

// A likePart is what stands between two percent signs. Its letters are folded; it is matched byte by byte, except for the
// places in ones, where any one character stands.
type likePart struct {
	text string // with a NUL at each place in ones
	ones []int  // offsets into text of the underscores; nil for none
}

// maxPattern is how long a pattern of LIKE may be, in bytes; SQLite's limit.
const maxPattern = 50000

// compileLike reads a pattern. escape is the escape character, or -1.
func compileLike(pattern string, escape rune) likePattern {
	var p likePattern
	var text []byte
	var ones []int
	end := func() {
		if len(text) > 0 {
			p.parts = append(p.parts, likePart{string(text), ones})
		}
		text, ones = nil, nil
	}
	p.ended = true
	for i := 0; i < len(pattern); {
		r, size := utf8.DecodeRuneInString(pattern[i:])
		char := pattern[i : i+size]
		i += size
		p.ended = true
		switch {
		case r == escape && (r != utf8.RuneError || size > 1):
			if i == len(pattern) {
				return likePattern{never: true}
			}
			_, size = utf8.DecodeRuneInString(pattern[i:])
			text = append(text, mapBytes(pattern[i:i+size], &lowerTable)...)
			i += size
		case r == '%':
			p.open = p.open || len(p.parts) == 0 && len(text) == 0
			p.ended = false
			end()
		case r == '_':
			ones = append(ones, len(text))
			text = append(text, 0)
		default:
			text = append(text, mapBytes(char, &lowerTable)...)
		}
	}
	end()
	return p
}

// match reports whether all of s is as the pattern says. It takes time proportional to len(s) times the longest part.
func (p *likePattern) match(s string) bool {
	if p.never {
		return false
	}
	if len(p.parts) == 0 {
		return s == "" || p.open
	}
	parts, i := p.parts, 0
	if !p.open {
		end, ok := parts[0].matchAt(s, 0)
		if !ok {
			return false
		}
		if i, parts = end, parts[1:]; len(parts) == 0 {
			return !p.ended || i == len(s)
		}
	}
	last := len(parts) - 1
	for n := range parts {
		if n == last && p.ended {
			return parts[n].matchEnd(s, i)
		}
		if i = parts[n].find(s, i); i < 0 {
			return false
		}
	}
	return true
}

// matchAt matches the part at s[i:] and returns where it ends.
func (p *likePart) matchAt(s string, i int) (end int, ok bool) {
	if p.ones == nil {
		end = i + len(p.text)
		if end > len(s) {
			return 0, false
		}
		for j := 0; j < len(p.text); j++ {
			if lowerTable[s[i+j]] != p.text[j] {
				return 0, false
			}
		}
		return end, true
	}
	from := 0
	for _, one := range p.ones {
		literal := likePart{text: p.text[from:one]}
		if i, ok = literal.matchAt(s, i); !ok || i >= len(s) {
			return 0, false
		}
		i, from = nextChar(s, i), one+1
	}
	literal := likePart{text: p.text[from:]}
	return literal.matchAt(s, i)
}

// matchEnd reports whether the part matches the end of s, not before from.
func (p *likePart) matchEnd(s string, from int) bool {
	if p.ones == nil {
		start := len(s) - len(p.text)
		if start < from {
			return false
		}
		_, ok := p.matchAt(s, start)
		return ok
	}
	for i := from; i < len(s); i = nextChar(s, i) {
		if end, ok := p.matchAt(s, i); ok && end == len(s) {
			return true
		}
	}
	return false
}

// find returns the end of the first match in s at or after i, -1 if there is none.
func (p *likePart) find(s string, i int) int {
	first := p.text[0]
	literal := p.ones == nil || p.ones[0] > 0
	for ; i < len(s); i++ {
		if literal && lowerTable[s[i]] != first || !literal && !utf8.RuneStart(s[i]) {
			continue
		}
		if end, ok := p.matchAt(s, i); ok {
			return end
		}
	}
	return -1
}

// nextChar returns the start of the character after the one at i.
func nextChar(s string, i int) int {
	if s[i] < utf8.RuneSelf {
		return i + 1
	}
	for i++; i < len(s) && !utf8.RuneStart(s[i]); i++ {
	}
	return i
}

// like compiles x [NOT] LIKE pattern [ESCAPE escape].
func (c *compiler) like(e *parser.Like) (*expr, error) {
	x, err := c.expr(e.X)
	if err != nil {
		return nil, err
	}
	pattern, err := c.expr(e.Pattern)
	if err != nil {
		return nil, err
	}
	operands := []*expr{x, pattern}
	if e.Escape != nil {
		escape, err := c.expr(e.Escape)
		if err != nil {
			return nil, err
		}
		operands = append(operands, escape)
	}
	return likeExpr(operands, e.Not, e.Pos)
}

// blobPattern stands for a pattern that is a blob. LIKE is about texts: a blob is like nothing and nothing is like a blob,
// not even NULL.
var blobPattern = &likePattern{never: true}

// likeExpr compiles LIKE for x, a pattern and perhaps an escape character.
func likeExpr(operands []*expr, negate bool, pos parser.Pos) (*expr, error) {
	x := operands[0]
	if err := checkTagsPattern(x, operands[1]); err != nil {
		return nil, err
	}
	pattern, err := likePatternOf(operands[1:], pos)
	if err != nil {
		return nil, err
	}
	y := &expr{typ: Integer, pos: pos}
	for _, o := range operands {
		y.nullable = y.nullable || o.nullable
	}
	y.test = func(e *env) truth {
		v := x.eval(e)
		if v.kind == Bytes {
			return truthOf(negate)
		}
		p := pattern(e)
		switch {
		case p == blobPattern:
			return truthOf(negate)
		case p == nil || v.kind == Null:
			return unknown
		}
		s := v.s
		if v.kind < String {
			s = v.text()
		}
		return truthOf(p.match(s) != negate)
	}
	return finish(y, operands...), nil
}

// likePatternOf returns how to get the pattern; nil stands for NULL. What can be compiled early is.
func likePatternOf(operands []*expr, pos parser.Pos) (func(*env) *likePattern, error) {
	compute := func(e *env) *likePattern {
		p, err := likePatternFrom(e, operands, pos)
		if err != nil {
			e.fail(err)
		}
		return p
	}
	constant, known := true, true
	for _, o := range operands {
		constant, known = constant && o.constant, known && o.fixed
	}
	if known {
		p, err := likePatternFrom(new(env), operands, pos)
		return func(*env) *likePattern { return p }, err
	}
	if constant {
		return memoized(compute), nil
	}
	return compute, nil
}

func likePatternFrom(e *env, operands []*expr, pos parser.Pos) (*likePattern, error) {
	escape := rune(-1)
	if len(operands) > 1 {
		v := operands[1].eval(e)
		if v.kind == Null {
			if operands[0].eval(e).kind == Bytes {
				return blobPattern, nil
			}
			return nil, nil
		}
		s := v.text()
		if utf8.RuneCountInString(s) != 1 {
			return nil, &Error{Kind: BadArgument, Pos: operands[1].pos, Msg: "ESCAPE takes a single character"}
		}
		escape, _ = utf8.DecodeRuneInString(s)
	}
	v := operands[0].eval(e)
	switch v.kind {
	case Null:
		return nil, nil
	case Bytes:
		return blobPattern, nil
	}
	s := v.text()
	if len(s) > maxPattern {
		return nil, &Error{Kind: BadArgument, Pos: pos, Msg: "the pattern is longer than 50000 bytes"}
	}
	p := compileLike(s, escape)
	return &p, nil
}

// regexp compiles x REGEXP pattern: Go's RE2 syntax, anywhere in x.
func (c *compiler) regexp(x, pattern *expr, pos parser.Pos) (*expr, error) {
	re, err := regexpOf(pattern)
	if err != nil {
		return nil, err
	}
	y := &expr{typ: Integer, nullable: x.nullable || pattern.nullable, pos: pos}
	y.test = func(e *env) truth {
		v := x.eval(e)
		if v.kind == Null {
			return unknown
		}
		r := re(e)
		if r == nil {
			return unknown
		}
		return truthOf(r.MatchString(v.text()))
	}
	return finish(y, x, pattern), nil
}

// A regexpCache keeps the pattern of the last row, for patterns that come from rows.
type regexpCache struct {
	pattern string
	re      *regexp.Regexp
}

// regexpOf returns how to get the compiled pattern; nil stands for NULL and for a pattern that cannot be compiled.
func regexpOf(pattern *expr) (func(*env) *regexp.Regexp, error) {
	if pattern.fixed {
		re, err := compileRegexp(pattern.value, pattern.pos)
		return func(*env) *regexp.Regexp { return re }, err
	}
	cache := memoized(func(*env) *regexpCache { return new(regexpCache) })
	return func(e *env) *regexp.Regexp {
		v := pattern.eval(e)
		c := cache(e)
		if c.re != nil && v.kind == String && v.s == c.pattern {
			return c.re
		}
		v.s = strings.Clone(v.s) // the row's memory may be used again
		re, err := compileRegexp(v, pattern.pos)
		if err != nil {
			e.fail(err)
			return nil
		}
		c.pattern, c.re = v.s, re
		return re
	}, nil
}

func compileRegexp(v Value, pos parser.Pos) (*regexp.Regexp, error) {
	if v.kind == Null {
		return nil, nil
	}
	re, err := regexp.Compile(v.text())
	if err != nil {
		return nil, &Error{Kind: BadArgument, Pos: pos, Msg: "a bad regular expression", Err: err}
	}
	return re, nil
}

// globMatch reports whether all of s is as the pattern says: * any characters, ? any one, [a-z] and [^a-z] one of a set.
func globMatch(pattern, s string) bool {
	p, i := 0, 0
	star, from := -1, 0 // the last * and where its match ends at the moment
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			star, from = p, i
			p++
			continue
		}
		if next, ok := globOne(pattern, p, s, i); ok {
			p, i = next, nextChar(s, i)
			continue
		}
		if star < 0 {
			return false
		}
		from = nextChar(s, from)
		p, i = star+1, from
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// globOne matches the one character at s[i] with what stands at pattern[p], and returns what follows in the pattern.
func globOne(pattern string, p int, s string, i int) (next int, ok bool) {
	if p == len(pattern) {
		return 0, false
	}
	end := nextChar(s, i)
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		return globSet(pattern, p+1, s[i:end])
	}
	next = nextChar(pattern, p)
	return next, pattern[p:next] == s[i:end]
}

// globSet matches char with the set whose content begins at pattern[p].
func globSet(pattern string, p int, char string) (next int, ok bool) {
	want := true
	if p < len(pattern) && pattern[p] == '^' {
		want, p = false, p+1
	}
	c, _ := utf8.DecodeRuneInString(char)
	found, first := false, true
	for p < len(pattern) && (first || pattern[p] != ']') {
		lo, size := utf8.DecodeRuneInString(pattern[p:])
		hi := lo
		p += size
		if p+1 < len(pattern) && pattern[p] == '-' && pattern[p+1] != ']' {
			hi, size = utf8.DecodeRuneInString(pattern[p+1:])
			p += 1 + size
		}
		found = found || lo <= c && c <= hi
		first = false
	}
	if p >= len(pattern) {
		return 0, false
	}
	return p + 1, found == want
}
