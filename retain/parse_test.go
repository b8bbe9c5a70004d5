package retain

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const goodPolicy = `{
  "rules": [
    {
      "name": "page views",
      "types": ["PageViewed", "Searched"],
      "older_than": "90d",
      "erase": "content",
      "reason": "retention"
    },
    {"name": "carts", "categories": ["cart"], "streams": "cart-*", "keep_last": 20,
     "older_than": "P1Y6M", "erase": "content", "reason": "20"}
  ]
}
`

func TestParseReadsAPolicy(t *testing.T) {
	p, err := Parse([]byte(goodPolicy))
	require.NoError(t, err)
	assert.Equal(t, &Policy{Rules: []Rule{
		{
			Name: "page views", Types: []string{"PageViewed", "Searched"}, OlderThan: Age{Days: 90},
			Erase: "content", Reason: "retention", Line: 3,
		},
		{
			Name: "carts", Categories: []string{"cart"}, Streams: "cart-*", KeepLast: 20,
			OlderThan: Age{Months: 18}, Erase: "content", Reason: "20", Line: 10,
		},
	}}, p)
}

func TestMistakesInAPolicyHaveTheirLine(t *testing.T) {
	change := func(old, with string) string {
		require.Contains(t, goodPolicy, old)
		return strings.Replace(goodPolicy, old, with, 1)
	}
	tests := []struct {
		text string
		line int
		rule string
		msg  string
	}{
		{"", 1, "", "ends too early"},
		{"\n\n  ", 3, "", "ends too early"},
		{"[]", 1, "", "an object, { ... }, must stand here"},
		{"{}", 1, "", "without rules"},
		{"{\"rules\":\n[]}", 2, "", "without rules"},
		{"{\"rules\": {}}", 1, "", "a list, [ ... ], must stand here"},
		{"{\"rules\": [\n3]}", 2, "", "an object, { ... }, must stand here"},
		{"{\n\"rule\": []}", 2, "", `unknown key "rule"; a policy has rules`},
		{goodPolicy + "\n{}", 15, "", "behind the policy"},
		{change(`"types"`, `"type"`), 5, "page views", `unknown key "type"; a rule has categories, erase, keep_last`},
		{change(`"types"`, `"Types"`), 5, "page views", `unknown key "Types"`},
		{change(`"types"`, `"name"`), 5, "page views", `the key "name" is given twice`},
		{change(`["PageViewed", "Searched"]`, `"PageViewed"`), 5, "page views", "a list of texts must stand here, not string"},
		{change(`["PageViewed", "Searched"]`, `[]`), 5, "page views", "must not be empty"},
		{change(`["PageViewed", "Searched"]`, `[""]`), 5, "page views", "must not be empty"},
		{change(`["PageViewed", "Searched"]`, `[3]`), 5, "page views", "a text must stand here, not number"},
		{change(`["PageViewed", "Searched"]`, `null`), 5, "page views", "null must not stand here"},
		{change(`"90d"`, `"90 days"`), 6, "page views", "older_than is no age: write 720h, 90d or P1Y6M"},
		{change(`"90d"`, `90`), 6, "page views", "a text must stand here, not number"},
		{change(`"90d"`, `"-90d"`), 6, "page views", "no age"},
		{change(`"content"`, `"tags"`), 7, "page views", `erase must be "content"`},
		{change(`"reason": "retention"`, `"reason": ""`), 8, "page views", "must not be empty"},
		{change(`"retention"`, `"`+strings.Repeat("x", 1025)+`"`), 8, "page views", "more than 1024 bytes"},
		{change(`"retention"`, `"a\u0000b"`), 8, "page views", "NUL"},
		{change(`      "older_than": "90d",`+"\n", ""), 3, "page views", "no older_than and no keep_last"},
		{change(`      "erase": "content",`+"\n", ""), 3, "page views", `write "erase": "content"`},
		{change(`"name": "page views",`, ""), 3, "", "there is no name"},
		{change(`,
      "reason": "retention"`, ""), 3, "page views", "there is no reason"},
		{change(`"name": "carts"`, `"name": "page views"`), 10, "page views", "the name is given twice"},
		{change(`20,`, `0,`), 10, "carts", "keep_last must be 1 or more"},
		{change(`20,`, `-3,`), 10, "carts", "keep_last must be 1 or more"},
		{change(`20,`, `1.5,`), 10, "carts", "a whole number must stand here, not number 1.5"},
		{change(`20,`, `"20",`), 10, "carts", "a whole number must stand here, not string"},
		{change(`20,`, `99999999999999999999,`), 10, "carts", "a whole number must stand here"},
		{change(`20,`, `20`), 11, "carts", "invalid character"},
		{change(`"90d",`, `"90d"`), 7, "page views", "invalid character"},
		{strings.TrimSuffix(goodPolicy, "}\n"), 13, "", "ends too early"},
	}
	for _, tt := range tests {
		_, err := Parse([]byte(tt.text))
		var e *PolicyError
		if assert.ErrorAs(t, err, &e, tt.text) {
			assert.Equal(t, tt.line, e.Line, "%v\n%s", err, tt.text)
			assert.Equal(t, tt.rule, e.Rule, err.Error())
			assert.Contains(t, err.Error(), tt.msg)
		}
	}
}

func TestAges(t *testing.T) {
	for text, want := range map[string]Age{
		"720h": {Rest: 720 * time.Hour}, "1h30m": {Rest: 90 * time.Minute}, "30d": {Days: 30}, "P30D": {Days: 30},
		"P1Y6M": {Months: 18}, "P2W": {Days: 14}, "PT12H": {Rest: 12 * time.Hour}, "PT5M": {Rest: 5 * time.Minute},
		"P1Y2M3W4DT5H6M7S": {14, 25, 5*time.Hour + 6*time.Minute + 7*time.Second}, "P100Y": {Months: 1200},
	} {
		got, err := ParseAge(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", "d", "P", "PT", "P1", "1", "0d", "0h", "-1d", "-1h", "P0D", "P-1D", "P1.5D", "1.5d", "P1M1Y", "P1H", "PT1D",
		"P1DT", "PT1HT1M", "P1D1D", "p1d", "P1S", "90days", "101y", "P101Y", "36601d", "900000h", "P99999999999D", "P+1D",
	} {
		_, err := ParseAge(text)
		assert.Error(t, err, text)
	}
}

// FuzzParse: a text is a policy or has a mistake in one of its lines.
func FuzzParse(f *testing.F) {
	f.Add(goodPolicy)
	f.Add(`{"rules": [{"name": "a", "keep_last": 1, "erase": "content", "reason": "r"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse([]byte(text))
		if err == nil {
			assert.NotEmpty(t, p.Rules)
			return
		}
		var e *PolicyError
		require.ErrorAs(t, err, &e)
		assert.LessOrEqual(t, 1, e.Line)
		assert.LessOrEqual(t, e.Line, 1+strings.Count(text, "\n"))
	})
}
