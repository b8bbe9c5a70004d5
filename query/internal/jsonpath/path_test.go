package jsonpath

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/query/internal/value"
)

// invalid UTF-8 becomes U+FFFD, a byte at a time, as encoding/json has it.
func TestInvalidUTF8(t *testing.T) {
	doc := "{\"k\xff\":\"a\xc3b\xff\xfe\"}"
	p, err := Parse("$.\"k\ufffd\"")
	require.NoError(t, err)
	raw := p.Extract(doc)
	assert.Equal(t, "a\ufffdb\ufffd\ufffd", raw.SQL().S)
	assert.Equal(t, "\"a\ufffdb\ufffd\ufffd\"", raw.JSON().S)
	var out []Raw = make([]Raw, 1)
	ExtractAll(doc, []*Path{p}, out)
	assert.Equal(t, raw, out[0])
}

// lookUp finds what a path leads to with encoding/json alone.
func lookUp(doc string, steps []Step) (json.RawMessage, bool) {
	at := json.RawMessage(doc)
	for _, step := range steps {
		var found bool
		if at, found = lookUpStep(at, step); !found {
			return nil, false
		}
	}
	return bytes.TrimSpace(at), true
}

func lookUpStep(doc json.RawMessage, step Step) (json.RawMessage, bool) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	first, err := dec.Token()
	if err != nil {
		return nil, false
	}
	var items []json.RawMessage
	for dec.More() {
		var key any
		if first == json.Delim('{') {
			key, _ = dec.Token()
		}
		var item json.RawMessage
		if dec.Decode(&item) != nil {
			return nil, false
		}
		if step.kind == stepKey && key == step.key {
			return item, true
		}
		items = append(items, item)
	}
	i := step.index
	if step.kind == stepFromEnd {
		if i = int64(len(items)) - i; step.index == 0 {
			return nil, false
		}
	}
	if step.kind == stepKey || first != json.Delim('[') || i < 0 || i >= int64(len(items)) {
		return nil, false
	}
	return items[i], true
}

// checkExtraction compares what the extractor finds with what encoding/json finds, for single paths
// and all at once.
func checkExtraction(t *testing.T, doc string, paths []*Path) {
	out := make([]Raw, len(paths))
	ExtractAll(doc, paths, out)
	for i, p := range paths {
		want, found := lookUp(doc, p.Steps)
		got := p.Extract(doc)
		if !assert.Equal(t, string(want), string(got), "%s of %q", p, doc) || !assert.Equal(t, found, got != "") {
			return
		}
		assert.Equal(t, got, out[i], "%s of %q among others", p, doc)
		if !found {
			continue
		}
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, []byte(strings.ToValidUTF8(string(want), "\ufffd"))))
		if utf8.ValidString(doc) {
			assert.Equal(t, compact.String(), got.JSON().S)
		}
		if want[0] == '"' {
			var s string
			require.NoError(t, json.Unmarshal(want, &s))
			assert.Equal(t, s, got.SQL().S)
		}
	}
}

// randomJSON writes a document, with blanks and escapes here and there.
func randomJSON(r *rand.Rand, depth int) string {
	blank := func() string { return []string{"", "", "", " ", "\n\t"}[r.Intn(5)] }
	key := func() string {
		return []string{`"a"`, `"b"`, `"c d"`, `"\u0061"`, `"é"`, `""`, `"q\"\\"`, `"b\n"`}[r.Intn(8)]
	}
	kind := r.Intn(8)
	if depth == 0 {
		kind = r.Intn(5)
	}
	switch kind {
	case 0:
		return []string{"null", "true", "false"}[r.Intn(3)]
	case 1, 2:
		return []string{"0", "-1", "12345678901234567890", "1.50", "1e5", "-0"}[r.Intn(6)]
	case 3, 4:
		return key()
	case 5:
		var items []string
		for range r.Intn(4) {
			items = append(items, blank()+randomJSON(r, depth-1)+blank())
		}
		return "[" + strings.Join(items, ",") + blank() + "]"
	}
	var items []string
	for range r.Intn(5) {
		items = append(items, blank()+key()+blank()+":"+blank()+randomJSON(r, depth-1)+blank())
	}
	return "{" + strings.Join(items, ",") + blank() + "}"
}

func randomPaths(r *rand.Rand) []*Path {
	paths := make([]*Path, 1+r.Intn(6))
	for i := range paths {
		paths[i] = &Path{}
		for range r.Intn(4) {
			step := Step{key: []string{"a", "b", "c d", "é", "", `q"\`, "b\n"}[r.Intn(7)]}
			if r.Intn(3) == 0 {
				step = Step{kind: stepIndex + stepKind(r.Intn(2)), index: int64(r.Intn(4))}
			}
			paths[i].Steps = append(paths[i].Steps, step)
		}
	}
	return paths
}

func TestExtractionAgainstEncodingJSON(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	for range 10000 {
		doc := randomJSON(r, 4)
		require.True(t, json.Valid([]byte(doc)), doc)
		checkExtraction(t, doc, randomPaths(r))
		if t.Failed() {
			return
		}
	}
}

// Of a document with more keys than bits in a word, the first of two members still counts.
func TestManyPathsAtOnce(t *testing.T) {
	var doc []string
	var paths []*Path
	for i := range 1000 {
		doc = append(doc, fmt.Sprintf(`"k%d":%d,"k%d":"again"`, i, i, i))
		p, err := Parse(fmt.Sprintf("$.k%d", i))
		require.NoError(t, err)
		paths = append(paths, p, p)
	}
	out := make([]Raw, len(paths))
	ExtractAll("{"+strings.Join(doc, ",")+"}", paths, out)
	for i, raw := range out {
		require.Equal(t, fmt.Sprint(i/2), string(raw))
	}
}

// Depth is counted, not recursed into, and documents that end early are no trouble.
func TestDeepAndBrokenDocuments(t *testing.T) {
	deep := `{"a":` + strings.Repeat("[", 1000000) + strings.Repeat("]", 1000000) + `,"b":2}`
	p, err := Parse("$.b")
	require.NoError(t, err)
	assert.Equal(t, Raw("2"), p.Extract(deep))
	doc := `{"a":{"b":[1,{"c":"d\"e"}],"x":"y"},"b":2.5e3,"tail":[[],{}]}`
	q, err := Parse("$.a.b[#-1].c")
	require.NoError(t, err)
	out := make([]Raw, 2)
	for i := range doc {
		for _, broken := range []string{doc[:i], doc[i:], doc[:i] + "x" + doc[i+1:]} {
			p.Extract(broken)
			q.Extract(broken).SQL()
			ExtractAll(broken, []*Path{p, q}, out)
			out[0].JSON()
			out[1].SQL()
		}
	}
}

func FuzzJSONPath(f *testing.F) {
	f.Add(`{"a":{"b":[1,{"c":"d"}]},"e":"\u0061"}`, "$.a.b[#-1].c")
	f.Add(`[1,2]`, `$[1]`)
	f.Add(` {"x y" : null}`, `$."x y"`)
	f.Add(`{"a":1,"a":2}`, "a")
	f.Fuzz(func(t *testing.T, doc, path string) {
		p, err := ParseLabel(value.OfText(path))
		if err != nil {
			return
		}
		again, err := Parse(p.String())
		require.NoError(t, err)
		require.Equal(t, p.String(), again.String())
		if utf8.ValidString(path) {
			require.Equal(t, p.Steps, again.Steps)
		}
		if json.Valid([]byte(doc)) && utf8.ValidString(doc) {
			checkExtraction(t, doc, []*Path{p, again})
			return
		}
		raw := p.Extract(doc)
		raw.JSON()
		raw.SQL()
		out := make([]Raw, 2)
		ExtractAll(doc, []*Path{p, again}, out)
	})
}
