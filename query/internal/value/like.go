package value

import (
	"unicode/utf8"
)

// A Like is a compiled pattern of LIKE: the parts between its percent signs.
type Like struct {
	Parts []likePart
	open  bool // begins with %
	ended bool // does not end with %
	Never bool // matches nothing: the pattern ends with its escape character
	fold  bool // letters beyond ASCII are folded, too
}

// A likePart is what stands between two percent signs. Its letters are folded; it is matched byte
// by byte, except for the places in ones, where any one character stands.
type likePart struct {
	text string // with a NUL at each place in ones
	ones []int  // offsets into text of the underscores; nil for none
}

// MaxPattern is how long a pattern of LIKE may be, in bytes; SQLite's limit.
const MaxPattern = 50000

// LikePartSize is what a part takes besides its text.
const LikePartSize = 64

// CompileILike reads a pattern of ILIKE, which folds all letters; one of ASCII letters alone is one of
// LIKE. escape is the escape character, or -1.
func CompileILike(m *Meter, pattern string, escape rune) Like {
	if IsASCII(pattern) {
		return CompileLike(pattern, escape)
	}
	p := CompileLike(Fold(m, pattern), foldRune(escape))
	p.fold = true
	return p
}

// CompileLike reads a pattern. escape is the escape character, or -1.
func CompileLike(pattern string, escape rune) Like {
	var p Like
	var text []byte
	var ones []int
	end := func() {
		if len(text) > 0 {
			p.Parts = append(p.Parts, likePart{string(text), ones})
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
				return Like{Never: true}
			}
			_, size = utf8.DecodeRuneInString(pattern[i:])
			text = append(text, MapBytes(pattern[i:i+size], &LowerTable)...)
			i += size
		case r == '%':
			p.open = p.open || len(p.Parts) == 0 && len(text) == 0
			p.ended = false
			end()
		case r == '_':
			ones = append(ones, len(text))
			text = append(text, 0)
		default:
			text = append(text, MapBytes(char, &LowerTable)...)
		}
	}
	end()
	return p
}

// Match reports whether all of s is as the pattern says. It takes time proportional to len(s), and
// in parts with underscores to that times the length of the part.
func (p *Like) Match(m *Meter, s string) bool {
	if p.Never {
		return false
	}
	if p.fold {
		s = Fold(m, s)
	}
	if len(p.Parts) == 0 {
		return s == "" || p.open
	}
	parts, i := p.Parts, 0
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
			return parts[n].matchEnd(m, s, i)
		}
		if i = parts[n].find(m, s, i); i < 0 {
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
			if LowerTable[s[i+j]] != p.text[j] {
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
		i, from = NextChar(s, i), one+1
	}
	literal := likePart{text: p.text[from:]}
	return literal.matchAt(s, i)
}

// matchEnd reports whether the part matches the end of s, not before from.
func (p *likePart) matchEnd(m *Meter, s string, from int) bool {
	if p.ones == nil {
		start := len(s) - len(p.text)
		if start < from {
			return false
		}
		_, ok := p.matchAt(s, start)
		return ok
	}
	for i := from; i < len(s); i = NextChar(s, i) {
		if end, ok := p.matchAt(s, i); ok && end == len(s) {
			return true
		}
		if !m.Effort(len(p.text)) {
			return false
		}
	}
	return false
}

// find returns the end of the first match in s at or after i, -1 if there is none. It tries one
// place after the other, which is quick with most texts; if it turns out not to be, a part without
// underscores is searched for in another way.
func (p *likePart) find(m *Meter, s string, i int) int {
	first := p.text[0]
	literal := p.ones == nil || p.ones[0] > 0
	patience := 4*(len(s)-i) + patternPatience
	for ; i < len(s); i++ {
		if literal && LowerTable[s[i]] != first || !literal && !utf8.RuneStart(s[i]) {
			continue
		}
		if end, ok := p.matchAt(s, i); ok {
			return end
		}
		if patience -= len(p.text); patience < 0 && p.ones == nil {
			return p.search(m, s, i+1)
		}
		if !m.Effort(len(p.text)) {
			return -1
		}
	}
	return -1
}

// patternPatience is how many bytes find compares before it thinks of changing its way.
const patternPatience = 4096

// search is find for a part without underscores, in a time proportional to the length of s (the
// algorithm of Knuth, Morris and Pratt).
func (p *likePart) search(m *Meter, s string, i int) int {
	if !m.Effort(len(s) - i + len(p.text)) {
		return -1
	}
	border := p.borders()
	k := 0
	for ; i < len(s); i++ {
		c := LowerTable[s[i]]
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
