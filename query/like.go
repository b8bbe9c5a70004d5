package query

import (
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

// likePartSize is what a part takes besides its text.
const likePartSize = 64

func longPattern(pos parser.Pos) error {
	return &Error{Kind: BadArgument, Pos: pos, Msg: "the pattern is longer than 50000 bytes"}
}

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

// match reports whether all of s is as the pattern says. It takes time proportional to len(s), and in parts with underscores to
// that times the length of the part.
func (p *likePattern) match(e *env, s string) bool {
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
			return parts[n].matchEnd(e, s, i)
		}
		if i = parts[n].find(e, s, i); i < 0 {
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
func (p *likePart) matchEnd(e *env, s string, from int) bool {
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
		if !e.effort(len(p.text)) {
			return false
		}
	}
	return false
}

// find returns the end of the first match in s at or after i, -1 if there is none. It tries one place after the other, which is
// quick with most texts; if it turns out not to be, a part without underscores is searched for in another way.
func (p *likePart) find(e *env, s string, i int) int {
	first := p.text[0]
	literal := p.ones == nil || p.ones[0] > 0
	patience := 4*(len(s)-i) + patternPatience
	for ; i < len(s); i++ {
		if literal && lowerTable[s[i]] != first || !literal && !utf8.RuneStart(s[i]) {
			continue
		}
		if end, ok := p.matchAt(s, i); ok {
			return end
		}
		if patience -= len(p.text); patience < 0 && p.ones == nil {
			return p.search(e, s, i+1)
		}
		if !e.effort(len(p.text)) {
			return -1
		}
	}
	return -1
}

// patternPatience is how many bytes find compares before it thinks of changing its way.
const patternPatience = 4096

// search is find for a part without underscores, in a time proportional to the length of s (the algorithm of Knuth, Morris
// and Pratt).
func (p *likePart) search(e *env, s string, i int) int {
	if !e.effort(len(s) - i + len(p.text)) {
		return -1
	}
	border := p.borders()
	k := 0
	for ; i < len(s); i++ {
		c := lowerTable[s[i]]
		for k > 0 && p.text[k] != c {
			k = int(border[k-1])
		}
		if p.text[k] == c {
			k++
		}
		if k == len(p.text) {
			return i + 1
		}
	}
	return -1
}

// borders tells for each beginning of the part how much of it is its end, too.
func (p *likePart) borders() []int32 {
	border := make([]int32, len(p.text))
	for i, k := 1, 0; i < len(p.text); i++ {
		for k > 0 && p.text[k] != p.text[i] {
			k = int(border[k-1])
		}
		if p.text[k] == p.text[i] {
			k++
		}
		border[i] = int32(k)
	}
	return border
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
		if !e.effort(len(s)) {
			return unknown
		}
		return truthOf(p.match(e, s) != negate)
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
	if known && len(operands[0].value.s) <= foldText {
		p, err := likePatternFrom(folding(), operands, pos)
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
		return nil, longPattern(pos)
	}
	if !e.effort(len(s)) {
		return nil, e.err
	}
	p := compileLike(s, escape)
	if !e.count(len(s) + len(p.parts)*likePartSize) {
		return nil, e.err
	}
	return &p, nil
}

// globMatch reports whether all of s is as the pattern says: * any characters, ? any one, [a-z] and [^a-z] one of a set.
// Behind a * it looks for the next literal characters at once, so that it takes time proportional to len(s) where nothing but a *
// stands between them, and otherwise to that times the length of what stands between two *.
func globMatch(e *env, pattern, s string) bool {
	p, i := 0, 0
	star, from := -1, 0 // the last * and where its match ends at the moment
	for i < len(s) {
		if !e.effort(1) {
			return false
		}
		if p < len(pattern) && pattern[p] == '*' {
			star, from = p, globSkip(e, pattern, p+1, s, i)
			if from < 0 {
				return false
			}
			p, i = p+1, from
			continue
		}
		next, ok := globOne(pattern, p, s, i)
		if next < p { // a set that is not closed
			next = len(pattern)
		}
		if !e.effort(next - p) {
			return false
		}
		if ok {
			p, i = next, nextChar(s, i)
			continue
		}
		if star < 0 {
			return false
		}
		if from = globSkip(e, pattern, star+1, s, nextChar(s, from)); from < 0 {
			return false
		}
		p, i = star+1, from
	}
	return strings.Trim(pattern[min(p, len(pattern)):], "*") == ""
}

// globSkip returns where, at or after i, the literal characters that begin at pattern[p] stand, i if there are none, -1 if they do
// not stand there.
func globSkip(e *env, pattern string, p int, s string, i int) int {
	end := p
	for end < len(pattern) && !globSpecial[pattern[end]] {
		end++
	}
	if end == p {
		return i
	}
	for i < len(s) {
		n := strings.Index(s[i:], pattern[p:end])
		if n < 0 || !e.effort(n) {
			return -1
		}
		if i += n; utf8.RuneStart(s[i]) {
			return i
		}
		i++
	}
	return -1
}

var globSpecial = [256]bool{'*': true, '?': true, '[': true}

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
