package jsonpath

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/eventfold/eventfold/query/internal/value"
)

// randomDocument writes a document of so many levels, with blanks, odd names and empty containers.
func randomDocument(r *rand.Rand, depth int) string {
	blank := []string{"", "", " ", "\n\t"}[r.IntN(4)]
	switch kind := r.IntN(8); {
	case depth > 0 && kind < 3:
		var parts []string
		for range r.IntN(4) {
			parts = append(parts, blank+randomDocument(r, depth-1)+blank)
		}
		return "[" + strings.Join(parts, ",") + blank + "]"
	case depth > 0 && kind < 6:
		var parts []string
		for i := range r.IntN(4) {
			name := []string{"a", "b_c", "é", "", `q\"x`, "[0]", ".", "A1", "\\u0042"}[r.IntN(9)]
			if i > 0 {
				name += fmt.Sprint(i) // the first of equal names is the one that a path leads to
			}
			parts = append(parts, blank+`"`+name+`"`+blank+":"+blank+randomDocument(r, depth-1))
		}
		return "{" + strings.Join(parts, ",") + blank + "}"
	}
	return []string{"1", "-2.5e3", "true", "false", "null", `"x"`, `"[,]{:}\""`, `""`}[r.IntN(8)]
}

// valuesIn counts the values in what encoding/json has read, itself included.
func valuesIn(v any) (n int) {
	n = 1
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			n += valuesIn(x)
		}
	case map[string]any:
		for _, x := range v {
			n += valuesIn(x)
		}
	}
	return n
}

// TestEveryFullKeyLeadsToItsValue: a tree has every value of a document once, in order, and the path
// that it tells of each finds it.
func TestEveryFullKeyLeadsToItsValue(t *testing.T) {
	r := rand.New(rand.NewPCG(testenv.Seed(t), 3))
	for range 3000 {
		doc := randomDocument(r, 4)
		var want any
		require.NoError(t, json.Unmarshal([]byte(doc), &want), doc)
		w, m := NewWalker(doc, "$", true), value.MeterOf(nil)
		parents := map[int64]string{}
		n := 0
		for ; w.Next(&m); n++ {
			raw, key := w.Raw(), w.FullKey()
			path, err := Parse(key)
			require.NoError(t, err, key)
			require.Equal(t, path.Extract(doc), raw, "%s in %s", key, doc)
			require.Equal(t, int64(n), w.ID())
			require.LessOrEqual(t, len(key), w.FullKeySize())
			require.Equal(t, raw.Kind(), w.Kind())
			if id, ok := w.Parent(); ok {
				require.Equal(t, parents[id], w.Path(), "%s in %s", key, doc)
			} else {
				require.Zero(t, n)
			}
			parents[w.ID()] = key
		}
		require.Equal(t, valuesIn(want), n, doc)
		require.False(t, w.Next(&m))
		sameChildren(t, doc)
	}
}

// sameChildren holds that a Walker without tree gives what is directly in a document.
func sameChildren(t *testing.T, doc string) {
	w, m := NewWalker(doc, "$", false), value.MeterOf(nil)
	inside := doc[0] == '[' || doc[0] == '{'
	for i := int64(0); ; i++ {
		if !w.Next(&m) {
			var list []any
			if json.Unmarshal([]byte(doc), &list) == nil && inside {
				require.EqualValues(t, len(list), i, doc)
			}
			return
		}
		require.Equal(t, inside, w.Inside(), doc)
		path, err := Parse(w.FullKey())
		require.NoError(t, err)
		require.Equal(t, path.Extract(doc), w.Raw(), doc)
	}
}

// TestAWalkerEndsInAnyText: what is no JSON gives some part of it, and an end.
func TestAWalkerEndsInAnyText(t *testing.T) {
	r := rand.New(rand.NewPCG(testenv.Seed(t), 4))
	for range 20_000 {
		doc := []byte(randomDocument(r, 3))
		for range r.IntN(4) {
			doc[r.IntN(len(doc))] = `[]{}",: \0a`[r.IntN(11)]
		}
		text := string(doc[:r.IntN(len(doc)+1)])
		for _, tree := range []bool{false, true} {
			w, m := NewWalker(text, "$", tree), value.MeterOf(nil)
			for n := 0; w.Next(&m); n++ {
				_, _, _, _ = w.Raw(), w.Kind(), w.FullKey(), w.Path()
				if w.Inside() {
					w.Key()
				}
				require.LessOrEqual(t, n, 2*len(text)+1, text)
			}
		}
	}
}

func TestTheLastPartOfAPath(t *testing.T) {
	doc := `{"a": {"b": [1, {"x": 2}]}}`
	for text, want := range map[string]string{
		"$": "NULL before $", "$.a": "a before $", "$.a.b": "b before $.a", `$."a"."b"`: `b before $."a"`,
		"$.a.b[1]": "1 before $.a.b", "$.a.b[#-1]": "1 before $.a.b", "$.a.b[#-2]": "0 before $.a.b",
		`$.a["b"]`: "b before $.a", "$.a.b[1].x": "x before $.a.b[1]",
	} {
		p, err := Parse(text)
		require.NoError(t, err)
		key, before := p.Last(doc, text)
		name := key.Text()
		if key.IsNull() {
			name = "NULL"
		}
		assert.Equal(t, want, name+" before "+before, text)
	}
}
