package value

import (
	"strings"
	"unicode/utf8"
)

// Glob reports whether all of s is as the pattern says: * any characters, ? any one, [a-z] and
// [^a-z] one of a set. Behind a * it looks for the next literal characters at once, so that it
// takes time proportional to len(s) where nothing but a * stands between them, and otherwise to
// that times the length of what stands between two *.
func Glob(m *Meter, pattern, s string) bool {
	p, i := 0, 0
	star, from := -1, 0 // the last * and where its match ends at the moment
	for i < len(s) {
		if !m.Effort(1) {
			return false
		}
		if p < len(pattern) && pattern[p] == '*' {
			star, from = p, globSkip(m, pattern, p+1, s, i)
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
		if !m.Effort(next - p) {
			return false
		}
		if ok {
			p, i = next, NextChar(s, i)
			continue
		}
		if star < 0 {
			return false
		}
		if from = globSkip(m, pattern, star+1, s, NextChar(s, from)); from < 0 {
			return false
		}
		p, i = star+1, from
	}
	return strings.Trim(pattern[min(p, len(pattern)):], "*") == ""
}

// globSkip returns where, at or after i, the literal characters that begin at pattern[p] stand, i
// if there are none, -1 if they do not stand there.
func globSkip(m *Meter, pattern string, p int, s string, i int) int {
	end := p
	for end < len(pattern) && !globSpecial[pattern[end]] {
		end++
	}
	if end == p {
		return i
	}
	for i < len(s) {
		n := strings.Index(s[i:], pattern[p:end])
		if n < 0 || !m.Effort(n) {
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

// globOne matches the one character at s[i] with what stands at pattern[p], and returns what
// follows in the pattern.
func globOne(pattern string, p int, s string, i int) (next int, ok bool) {
	if p == len(pattern) {
		return 0, false
	}
	end := NextChar(s, i)
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		return globSet(pattern, p+1, s[i:end])
	}
	next = NextChar(pattern, p)
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
