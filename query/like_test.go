package query

import (
	"context"
	"math/rand"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLike(t *testing.T) {
	checkFacts(t, []fact{
		{"'B' LIKE 'b'", "1"}, {"'É' LIKE 'é'", "0"}, {"'abc' LIKE 'A%'", "1"}, {"'abc' LIKE '%C'", "1"}, {"'abc' LIKE '%B%'", "1"}, {"'abc' LIKE 'a_c'", "1"}, {"'aéc' LIKE 'a_c'", "1"},
		{"'abc' LIKE 'ab'", "0"}, {"'ab' LIKE 'abc'", "0"}, {"'' LIKE ''", "1"}, {"'' LIKE '%'", "1"}, {"'' LIKE '_'", "0"}, {"'x' LIKE ''", "0"}, {"'abc' LIKE '%%c'", "1"}, {"'aab' LIKE '%ab'", "1"},
		{"'abab' LIKE '%ab%ab%'", "1"}, {"'aba' LIKE '%ab%ba%'", "0"}, {"'abc' LIKE '___'", "1"}, {"'abc' LIKE '__%_%_'", "0"}, {"'abc' LIKE '%_c'", "1"},
		{"'50%' LIKE '50\\%' ESCAPE '\\'", "1"}, {"'500' LIKE '50\\%' ESCAPE '\\'", "0"}, {"'a_c' LIKE 'a%_c' ESCAPE '%'", "1"}, {"'abc' LIKE 'abc\\' ESCAPE '\\'", "0"},
		{"'éa' LIKE 'ééa' ESCAPE 'é'", "1"}, {"'A' LIKE 'xa' ESCAPE 'x'", "1"},
		{"'abc' NOT LIKE 'a%'", "0"}, {"NULL LIKE 'a'", "NULL"}, {"'a' LIKE NULL", "NULL"}, {"'a' LIKE 'a' ESCAPE NULL", "NULL"}, {"123 LIKE '12%'", "1"}, {"2.5 LIKE '2._'", "1"},
		{"x'61' LIKE '%'", "0"}, {"x'61' NOT LIKE '%'", "1"}, {"NULL LIKE x'61'", "0"},
		{"word LIKE word", "1"}, {"word LIKE upper(word)", "1"}, {"word LIKE 'h' || '%'", "1"}, {"recorded_at LIKE '2026-01-02%'", "1"},
		{"like('a%', 'ABC')", "1"}, {"like('ax%', 'A%', 'x')", "1"},
	})
	checkRefusals(t, []refusal{
		{"word LIKE 'a' ESCAPE 'xy'", BadArgument, "'xy'", "single character"},
		{"word LIKE 'a' ESCAPE ''", BadArgument, "''", "single character"},
		{"word LIKE '" + strings.Repeat("x", maxPattern+1) + "'", BadArgument, "LIKE", "longer than"},
	})
}

func TestGlob(t *testing.T) {
	checkFacts(t, []fact{
		{"glob('a*c', 'abbc')", "1"}, {"glob('A*', 'abc')", "0"}, {"glob('?b?', 'abc')", "1"}, {"glob('[a-c]*', 'bx')", "1"}, {"glob('[^a-c]*', 'bx')", "0"}, {"glob('[]]', ']')", "1"}, {"glob('[^]]', ']')", "0"},
		{"glob('[a-', 'a')", "0"}, {"glob('*', '')", "1"}, {"glob('', '')", "1"}, {"glob('', 'a')", "0"}, {"glob('?', 'é')", "1"}, {"glob('[é]', 'é')", "1"}, {"glob('a*b*c', 'aXbYbZc')", "1"}, {"glob(NULL, 'a')", "NULL"}, {"glob('*', x'61')", "0"},
	})
}

func TestRegexp(t *testing.T) {
	checkFacts(t, []fact{
		{"'abc' REGEXP 'b'", "1"}, {"'abc' REGEXP '^b'", "0"}, {"'abc' NOT REGEXP '^b'", "1"}, {"'ABC' REGEXP '(?i)b'", "1"}, {"NULL REGEXP 'a'", "NULL"}, {"'a' REGEXP NULL", "NULL"}, {"123 REGEXP '^\\d+$'", "1"}, {"word REGEXP word", "1"},
	})
	checkRefusals(t, []refusal{
		{"word REGEXP '('", BadArgument, "'('", "regular expression"},
	})
}

// likeSlowly is LIKE as the definition has it, by trying everything.
func likeSlowly(p, s string) bool {
	if p == "" {
		return s == ""
	}
	if p[0] == '%' {
		for {
			if likeSlowly(p[1:], s) {
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
	if q != '_' && lowerASCII(string(q)) != lowerASCII(string(r)) {
		return false
	}
	return likeSlowly(p[psize:], s[size:])
}

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
		compiled := compileLike(p, -1)
		require.Equal(t, likeSlowly(p, s), compiled.match(&env{}, s), "%q LIKE %q", s, p)
	}
}

// Bad patterns cannot make LIKE slow: the work is bounded by the product of the lengths.
func TestLikeDoesNotExplode(t *testing.T) {
	en := &env{ctx: context.Background()}
	p := compileLike(strings.Repeat("a%", 1000)+"b", -1)
	assert.False(t, p.match(en, strings.Repeat("a", 100000)))
	assert.False(t, globMatch(en, strings.Repeat("a*", 1000)+"b", strings.Repeat("a", 20000)))
}

// TestSearchFindsWhatTryingFinds: a long part is searched for in another way once trying takes too long, with the same result.
func TestSearchFindsWhatTryingFinds(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	en := &env{ctx: context.Background()}
	for range 20000 {
		part := likePart{text: "a" + lowerASCII(randomText(r, []string{"a", "b"}, 6))}
		s := randomText(r, []string{"a", "A", "b", "B"}, 30)
		want := strings.Index(lowerASCII(s), part.text)
		if want >= 0 {
			want += len(part.text)
		}
		require.Equal(t, want, part.search(en, s, 0), "%q in %q", part.text, s)
		require.Equal(t, want, part.find(en, s, 0), "%q in %q", part.text, s)
	}
}

// globSlowly is what GLOB means, for texts without sets.
func globSlowly(p, s string) bool {
	switch {
	case p == "":
		return s == ""
	case p[0] == '*':
		return globSlowly(p[1:], s) || s != "" && globSlowly(p, s[nextChar(s, 0):])
	case s == "":
		return false
	case p[0] == '?':
		return globSlowly(p[1:], s[nextChar(s, 0):])
	}
	n := nextChar(p, 0)
	return strings.HasPrefix(s, p[:n]) && globSlowly(p[n:], s[n:])
}

func TestGlobIsAsDefined(t *testing.T) {
	r := rand.New(rand.NewSource(6))
	en := &env{ctx: context.Background()}
	for range 30000 {
		p := randomText(r, []string{"a", "b", "é", "*", "?", "*"}, 8)
		s := randomText(r, []string{"a", "b", "é"}, 10)
		require.Equal(t, globSlowly(p, s), globMatch(en, p, s), "%q GLOB %q", s, p)
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
		p := compileLike(pattern, r)
		p.match(&env{ctx: context.Background()}, s)
		globMatch(&env{ctx: context.Background()}, pattern, s)
	})
}
