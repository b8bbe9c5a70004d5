package query

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What plainTags accepts, encoding/json gives the same tags for.
func TestPlainTags(t *testing.T) {
	accepted := 0
	for _, text := range []string{
		``, `[]`, `["`, `"]`, `[""]`, `["a"]`, `["a","b"]`, `["a","b","c"]`, `["a", "b"]`, ` ["a"]`, `["a"] `, `["a",]`, `["a""b"]`, `["a"b"]`, `[","]`,
		`["","",""]`, `["a\\n"]`, `["\\","b"]`, "[\"a\nb\"]", "[\"\xff\"]", `["é","😀"]`, `["a",1]`, `["a",["b"]]`, `["a":"b"]`, `{"a":"b"}`, `"]`, `["]`, `null`,
	} {
		tags, ok := plainTags(text)
		if !ok {
			continue
		}
		accepted++
		var want []string
		assert.NoError(t, json.Unmarshal([]byte(text), &want), "%q", text)
		assert.Equal(t, want, tags, "%q", text)
	}
	assert.Equal(t, 7, accepted)
}
