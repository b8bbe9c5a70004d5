package value

import (
	"unicode"
	"unicode/utf8"
)

// foldEffort is what folding a character beyond ASCII counts for.
const foldEffort = 8

// IsASCII reports whether a text has no other characters.
func IsASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// foldRune makes one letter of the upper and lower cases of a letter beyond ASCII. ASCII letters stay:
// they are folded byte by byte, and no letter beyond ASCII becomes one.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		return r
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		if f >= utf8.RuneSelf && f < least {
			least = f
		}
	}
	return least
}

// Fold folds the letters beyond ASCII of a text, and leaves bytes that are no UTF-8 alone.
func Fold(m *Meter, s string) string {
	if IsASCII(s) {
		return s
	}
	if !m.Room(len(s)) {
		return ""
	}
	b := make([]byte, 0, len(s)+utf8.UTFMax)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r < utf8.RuneSelf || r == utf8.RuneError && size == 1 {
			b = append(b, s[i])
		} else {
			b = utf8.AppendRune(b, foldRune(r))
		}
		if i += size; !m.Effort(foldEffort) {
			return ""
		}
	}
	return StringOf(b)
}
