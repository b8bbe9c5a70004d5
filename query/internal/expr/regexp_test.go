package expr

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGroupsOfAPatternDoNotMatter: a pattern matches the same texts with and without its groups,
// also where it is read in pieces.
func TestGroupsOfAPatternDoNotMatter(t *testing.T) {
	en := NewEnv(Env{Ctx: context.Background()})
	for _, tt := range []struct {
		pattern string
		short   string
		want    bool
	}{
		{`(a|b)*c`, "xxabc", true}, {`^(a|b)+$`, "abab", true}, {`^(a|b)+$`, "abxb", false},
		{`(?P<n>é+)(\b|$)`, "caféé", true},
		{`(?i)(STRASSE)(?-i:x)`, "strassex", true}, {`((a)(b(c)))d`, "abcd", true},
		{`(^|[^a])b$`, "ab", false}, {`\xff`, "ÿ", true},
		{`(a(?s:.)b)`, "a\nb", true}, {`(a.b)`, "a\nb", false}, {`(x{3}){2}`, "xxxxxx", true},
		{`(x{3}){2}`, "xxxxx", false},
	} {
		var c regexpCache
		require.NoError(t, c.compile(en, tt.pattern, 0), tt.pattern)
		assert.Equal(t, tt.want, c.re.match(en, tt.short), "%s of %q", tt.pattern, tt.short)
		long := c.re.re.MatchReader(&runeReader{e: en, text: tt.short, cost: 1})
		assert.Equal(t, tt.want, long, "%s of %q, read", tt.pattern, tt.short)
		assert.Zero(t, c.re.re.NumSubexp(), tt.pattern)
	}
}
