package expr

import (
	"context"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/query/internal/value"
)

// somePattern makes a pattern out of letters, places, classes, groups and repetitions.
func somePattern(r *rand.Rand, depth int) string {
	atoms := []string{"a", "b", "é", ".", "^", "$", `\b`, `\B`, "[ab]", `\s`, `\pL`, "(?m:^)", "(?m:$)", `\z`, "x"}
	if depth == 0 || r.IntN(3) == 0 {
		return atoms[r.IntN(len(atoms))]
	}
	one, other := somePattern(r, depth-1), somePattern(r, depth-1)
	return []string{
		one + other, one + other, "(" + one + ")" + other, "(?:" + one + "|" + other + ")", "(?:" + one + ")*", "(?:" + one + ")+?",
		"(" + one + "|" + other + ")?", one + "(?i:" + other + ")",
	}[r.IntN(8)]
}

func someText(r *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteString([]string{"a", "b", "é", " ", "\n", "A", "x", "\xff"}[r.IntN(8)])
	}
	return b.String()
}

// TestRegexpReplaceIsWhatGoReplaces compares it with package regexp, also on texts that are searched
// piece by piece.
func TestRegexpReplaceIsWhatGoReplaces(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	long := 0
	for range 3000 {
		pattern, n := somePattern(r, 3), r.IntN(12)
		if r.IntN(50) == 0 {
			n = 2000
		}
		text := someText(r, n)
		re := regexp.MustCompile(pattern)
		e := NewEnv(Env{Ctx: context.Background()})
		f := &finder{}
		require.NoError(t, f.set(e, pattern, "g", 0), pattern)
		if len(text)*f.size*(f.groups+1) > atOncePart {
			long++
		}
		got := f.replace(e, text, `<\0>`)
		require.NoError(t, e.Err)
		want := re.ReplaceAllStringFunc(text, func(m string) string { return "<" + m + ">" })
		if !assert.Equal(t, want, got.S, "%q in %.100q", pattern, text) {
			return
		}
		m := re.FindStringSubmatchIndex(text)
		if found := f.find(e, text, 0); !assert.Equal(t, m, found, "%q in %.100q", pattern, text) {
			return
		}
	}
	assert.Greater(t, long, 10, "no text was long enough to be read piece by piece")
}

// TestARegexpEndsWithItsContext: within one call.
func TestARegexpEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	e := NewEnv(Env{Ctx: ctx})
	f := &finder{}
	require.NoError(t, f.set(e, "(a.*z|a)", "g", 0))
	cancel()
	f.replace(e, strings.Repeat("a", 8<<20), "b")
	assert.ErrorIs(t, e.Err, context.Canceled)
}

func TestWhatRegexpsOfARowNeedIsHeldOnce(t *testing.T) {
	e := NewEnv(Env{Ctx: context.Background()})
	f := &finder{}
	require.NoError(t, f.set(e, "(a)(b)", "", 0))
	held := f.held
	require.NoError(t, f.set(e, "a", "gi", 0))
	assert.Less(t, f.held, held)
	assert.Equal(t, value.OfText("x.x"), f.replace(e, "A.a", "x"))
}
