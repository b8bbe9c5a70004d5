package value

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
)

// sameLetter reports whether two letters are cases of one, of ASCII or of the others.
func sameLetter(a, b rune) bool {
	for f := a; ; {
		if f == b {
			return (a < 0x80) == (b < 0x80)
		}
		if f = unicode.SimpleFold(f); f == a {
			return false
		}
	}
}

// TestILikeTakesTheCasesOfALetterForTheSame tries pairs of letters with many cases.
func TestILikeTakesTheCasesOfALetterForTheSame(t *testing.T) {
	letters := []rune("aAkK\u212asS\u017féÉσςΣβϐΒǆǅǄßẞıİiIπЖж%_")
	r := rand.New(rand.NewPCG(1, 2))
	m := new(Meter)
	for range 5000 {
		var text, pattern strings.Builder
		want := true
		for range 1 + r.IntN(4) {
			a, b := letters[r.IntN(len(letters)-2)], letters[r.IntN(len(letters)-1)]
			if r.IntN(2) == 0 {
				b = a
			}
			if b == '%' {
				b = '_'
			}
			text.WriteRune(a)
			pattern.WriteRune(b)
			want = want && (b == '_' || sameLetter(a, b))
		}
		p := CompileILike(m, pattern.String(), -1)
		assert.Equal(t, want, p.Match(m, text.String()), "%q ILIKE %q", text.String(), pattern.String())
	}
	p := CompileILike(m, "É\xff%", -1)
	assert.True(t, p.Match(m, "é\xffx"), "bytes that are no UTF-8 stay")
}
