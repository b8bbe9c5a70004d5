package value

import (
	"math/rand"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/query/internal/value/valuetest"
)

func randomText(r *rand.Rand, alphabet []string, most int) string {
	var b strings.Builder
	for range r.Intn(most + 1) {
		b.WriteString(alphabet[r.Intn(len(alphabet))])
	}
	return b.String()
}

func TestLikeIsAsDefined(t *testing.T) {
	r := rand.New(rand.NewSource(4))
	for range 30000 {
		p := randomText(r, []string{"a", "B", "é", "%", "_", "%"}, 7)
		s := randomText(r, []string{"a", "b", "é", "É"}, 9)
		compiled := CompileLike(p, -1)
		require.Equal(t, valuetest.Like(p, s), compiled.Match(new(Meter), s), "%q LIKE %q", s, p)
	}
}

// Bad patterns cannot make LIKE slow: the work is bounded by the product of the lengths.
func TestLikeDoesNotExplode(t *testing.T) {
	m := new(Meter)
	p := CompileLike(strings.Repeat("a%", 1000)+"b", -1)
	assert.False(t, p.Match(m, strings.Repeat("a", 100000)))
	assert.False(t, Glob(m, strings.Repeat("a*", 1000)+"b", strings.Repeat("a", 20000)))
}

// TestSearchFindsWhatTryingFinds: a long part is searched for in another way once trying takes too
// long, with the same result.
func TestSearchFindsWhatTryingFinds(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	m := new(Meter)
	for range 20000 {
		part := likePart{text: "a" + Lower(randomText(r, []string{"a", "b"}, 6))}
		s := randomText(r, []string{"a", "A", "b", "B"}, 30)
		want := strings.Index(Lower(s), part.text)
		if want >= 0 {
			want += len(part.text)
		}
		require.Equal(t, want, part.search(m, s, 0), "%q in %q", part.text, s)
		require.Equal(t, want, part.find(m, s, 0), "%q in %q", part.text, s)
	}
}

func TestGlobIsAsDefined(t *testing.T) {
	r := rand.New(rand.NewSource(6))
	m := new(Meter)
	for range 30000 {
		p := randomText(r, []string{"a", "b", "é", "*", "?", "*"}, 8)
		s := randomText(r, []string{"a", "b", "é"}, 10)
		require.Equal(t, valuetest.Glob(p, s), Glob(m, p, s), "%q GLOB %q", s, p)
	}
}

func FuzzLike(f *testing.F) {
	f.Add("a%b_c", "axxbyc", `\`)
	f.Add("%", "\xff\xfe", "%")
	f.Fuzz(func(t *testing.T, pattern, s, escape string) {
		r := rune(-1)
		if escape != "" {
			r, _ = utf8.DecodeRuneInString(escape)
		}
		p := CompileLike(pattern, r)
		p.Match(new(Meter), s)
		Glob(new(Meter), pattern, s)
	})
}
