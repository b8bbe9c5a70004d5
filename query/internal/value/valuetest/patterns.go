// Package valuetest has what package value computes quickly, as its definition has it: by trying
// everything. It is for tests, and so knows nothing of package value.
package valuetest

import (
	"strings"
	"unicode/utf8"
)

// Like reports whether s LIKE the pattern p.
func Like(p, s string) bool {
	if p == "" {
		return s == ""
	}
	if p[0] == '%' {
		for {
			if Like(p[1:], s) {
				return true
			}
			if s == "" {
				return false
			}
			_, size := utf8.DecodeRuneInString(s)
			s = s[size:]
		}
	}
	if s == "" {
		return false
	}
	r, size := utf8.DecodeRuneInString(s)
	q, psize := utf8.DecodeRuneInString(p)
	if q != '_' && low(q) != low(r) {
		return false
	}
	return Like(p[psize:], s[size:])
}

// low folds the letters A to Z.
func low(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		r += 'a' - 'A'
	}
	return r
}

// Glob reports whether glob(p, s), for patterns without sets.
func Glob(p, s string) bool {
	switch {
	case p == "":
		return s == ""
	case p[0] == '*':
		return Glob(p[1:], s) || s != "" && Glob(p, s[nextChar(s):])
	case s == "":
		return false
	case p[0] == '?':
		return Glob(p[1:], s[nextChar(s):])
	}
	n := nextChar(p)
	return strings.HasPrefix(s, p[:n]) && Glob(p[n:], s[n:])
}

// nextChar returns where the second character of s begins. A byte that begins none belongs to the
// character before it.
func nextChar(s string) int {
	n := 1
	for n < len(s) && s[0] >= utf8.RuneSelf && !utf8.RuneStart(s[n]) {
		n++
	}
	return n
}
