package jsonpath

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/query/internal/value"
)

func TestAPathWithAStarLeadsToAllElements(t *testing.T) {
	for _, tt := range []struct{ path, doc, want string }{
		{"$[*]", ` [1, "a", {"b": 2}] `, `1 "a" {"b": 2}`},
		{"$[*]", `[]`, ""},
		{"$[*]", `{"a": 1}`, ""},
		{"$.a[*].b", `{"a": [{"b": 1}, {"c": 2}, 3, {"b": [4]}]}`, "1 [4]"},
		{"$[*][*]", `[[1, 2], 3, [], [[4]]]`, "1 2 [4]"},
		{"$[*][#-1]", `[[1, 2], [], [3]]`, "2 3"},
		{"$.a.b[*]", `{"a": 1}`, ""},
		{"$", `[1]`, "[1]"},
	} {
		p, err := Parse(tt.path)
		require.NoError(t, err, tt.path)
		assert.Equal(t, strings.Contains(tt.path, "*"), p.Many(), tt.path)
		var found []string
		p.Each(new(value.Meter), tt.doc, func(r Raw) bool {
			found = append(found, string(r))
			return true
		})
		assert.Equal(t, tt.want, strings.Join(found, " "), "%s in %s", tt.path, tt.doc)
		again, err := Parse(p.String())
		require.NoError(t, err)
		assert.Equal(t, p, again, tt.path)
	}
	for _, bad := range []string{"$[*", "$[* ]", "$[**]", "$*"} {
		_, err := Parse(bad)
		assert.Error(t, err, bad)
	}
	first, err := Parse("$[*]")
	require.NoError(t, err)
	n := 0
	first.Each(new(value.Meter), "[1, 2, 3]", func(Raw) bool { n++; return n < 2 })
	assert.Equal(t, 2, n, "it stops where nobody wants more")
	assert.Equal(t, Raw(""), first.Extract("[1]"))
}

func TestKeysOfAnObject(t *testing.T) {
	for doc, want := range map[string]string{
		`{"a": 1, "b\"": {"c": 2}, "a": 3}`: `["a","b\"","a"]`, `{}`: `[]`, `{ "x" : [ ] }`: `["x"]`, `[1]`: `[]`, `"a"`: `[]`,
	} {
		assert.Equal(t, value.OfJSON(want), Raw(doc).Keys(), doc)
	}
	assert.Equal(t, value.Value{}, Raw("").Keys())
}
