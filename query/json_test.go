package query

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestArrows(t *testing.T) {
	checkFacts(t, []fact{
		// -> gives JSON, ->> gives a value
		{"payload -> 'a'", "'1'"}, {"payload ->> 'a'", "1"}, {"payload -> 's'", `'"x"'`}, {"payload ->> 's'", "'x'"}, {"payload -> '$.b'", `'{"c":[1,2,3]}'`}, {"payload ->> '$.b.c'", "'[1,2,3]'"},
		{"payload -> 'b' -> 'c' ->> 1", "2"}, {"payload -> 'b' ->> '$.c[0]'", "1"}, {"payload ->> '$.b.c[#-1]'", "3"}, {"payload -> 'b' -> 'c' ->> -1", "3"}, {"payload -> 'b' -> 'c' ->> '[2]'", "3"},
		{"payload ->> '$.b.c[3]'", "NULL"}, {"payload ->> '$.b.c[#]'", "NULL"}, {"payload ->> '$.b.c[#-4]'", "NULL"}, {"payload ->> 'missing'", "NULL"}, {"payload ->> 0", "NULL"}, {"payload -> 'a' ->> 'b'", "NULL"},
		{"payload -> NULL", "NULL"}, {"payload -> nothing -> 'a'", "NULL"}, {"NULL ->> 'a'", "NULL"}, {"payload -> '$'", `'{"a":1,"b":{"c":[1,2,3]},"s":"x"}'`},
		{"payload ->> ('$.' || 'a')", "1"}, {"payload -> substr(word, 5) || 'a'", "NULL"}, {"payload -> lower('B') -> 'c' -> (n - 9)", "'2'"},
		// values
		{`'{"a":null}' ->> 'a'`, "NULL"}, {`'{"a":null}' -> 'a'`, "'null'"}, {`'{"a":true,"b":false}' ->> 'a'`, "1"}, {`'{"a":true,"b":false}' ->> 'b'`, "0"}, {`'{"a":true}' -> 'a'`, "'true'"},
		{`'[12345678901234567890]' ->> 0`, "1.2345678901234567e+19"}, {`'[12345678901234567890]' -> 0`, "'12345678901234567890'"}, {`'[9007199254740993]' ->> 0`, "9007199254740993"}, {`'[-9223372036854775808]' ->> 0`, "-9223372036854775808"},
		{`'[1.50]' ->> 0`, "1.5"}, {`'[1.50]' -> 0`, "'1.50'"}, {`'[1e2]' ->> 0`, "100.0"}, {`'[-0]' ->> 0`, "0"},
		{`'["q\"\\\/\n\u0041\ud83d\ude00"]' ->> 0`, "'q\"\\/\nA😀'"}, {`'["\ud83d"]' ->> 0 = char(65533)`, "1"}, {`'["\u0041"]' -> 0`, `'"\u0041"'`},
		// keys
		{`'{"a.b":1,"x y":2,"":3,"0":4}' ->> 'a.b'`, "1"}, {`'{"x y":2}' ->> '$."x y"'`, "2"}, {`'{"a.b":1}' ->> '$.a.b'`, "NULL"}, {`'{"":3}' ->> '$.""'`, "3"}, {`'{"0":4}' ->> '0'`, "4"}, {`'{"0":4}' ->> 0`, "NULL"},
		{`'{"\u0061":5}' ->> 'a'`, "5"}, {`'{"a":5}' ->> '$."\u0061"'`, "5"}, {`'{"a":1,"a":2}' ->> 'a'`, "1"}, {`'{"é":1}' ->> 'é'`, "1"}, {`'{"q\"":1}' ->> '$."q\""'`, "1"},
		{`'{"a b":{"":[5]}}' ->> '$["a b"][""][0]'`, "5"}, {`'{"a]":5}' ->> '["a]"]'`, "5"}, {`'{"\u0061":5}' ->> '$["\u0061"]'`, "5"}, {`json_extract('{"a":5}', '$["a"]')`, "5"},
		// blanks
		{`' { "a" : [ 1 , { "b c" : " d " } ] } ' -> 'a'`, `'[1,{"b c":" d "}]'`}, {`' 5 ' ->> '$'`, "5"},
		// deviation: a payload that is not JSON, and any blob that is not, gives NULL and no error
		{"raw -> 'a'", "NULL"}, {"raw ->> '$.a.b'", "NULL"}, {"json_extract(raw, '$')", "NULL"}, {"json_type(raw)", "NULL"}, {"json_valid(raw)", "0"}, {`CAST('{"a":1}' AS BLOB) ->> 'a'`, "1"},
	})
	checkRefusals(t, []refusal{
		{"payload -> '$.'", BadArgument, "'$.'", "bad JSON path"},
		{"payload -> ''", BadArgument, "''", "bad JSON path"},
		{`payload -> '$["a'`, BadArgument, "'$", "bad JSON path"},
		{`payload -> '$["a"'`, BadArgument, "'$", "bad JSON path"},
		{"'{' -> nothing", BadValue, "'{'", "malformed JSON"},
		{"payload -> '$a'", BadArgument, "'$a'", "bad JSON path"},
		{"payload -> '$[x]'", BadArgument, "'$[x]'", "bad JSON path"},
		{"payload -> '$[#1]'", BadArgument, "'$[#1]'", "bad JSON path"},
		{"payload -> '$.\"a'", BadArgument, "'$.\"a'", "bad JSON path"},
		{"json_extract(payload, 'a')", BadArgument, "'a'", "bad JSON path"},
		{`'{"a":1' -> 'a'`, BadValue, "'{", "malformed JSON"},
		{`'{"a":1} x' ->> 'a'`, BadValue, "'{", "malformed JSON"},
		{`'{"a":01}' ->> 'a'`, BadValue, "'{", "malformed JSON"},
		{"word ->> 'a'", BadValue, "word", "malformed JSON"},
		{"recorded_at ->> 'a'", BadValue, "recorded_at", "malformed JSON"},
	})
}

func TestStaticTypesOfJSON(t *testing.T) {
	for text, want := range map[string]Type{"payload -> 'a'": JSON, "payload ->> 'a'": Any, "json_array(1)": JSON, "json_extract(payload, '$.a', '$.b')": JSON, "json_type(payload)": Text} {
		x, _, err := compileScalar(text)
		require.NoError(t, err)
		assert.Equal(t, want, x.typ, text)
	}
}

// The binder is asked about chains of constant paths from a column, each as one path.
func TestPathsAreOffered(t *testing.T) {
	for text, want := range map[string][]string{
		"payload -> 'b' -> '$.c[0]' ->> 'x y'": {`$."b"."c"[0]."x y" true`},
		"payload -> 'b'":                       {`$."b" false`},
		"payload -> lower(word) ->> 'a'":       nil,
		"payload -> 'b' -> lower(word)":        {`$."b" false`},
		"payload ->> 'b' ->> 'a'":              {`$."b" true`},
		"(payload || '') ->> 'b'":              nil,
		"json_extract(payload, '$.b.c')":       {`$."b"."c" true`},
		"json_extract(payload, '$.b', '$.c')":  nil,
		"json_extract(payload, lower(word))":   nil,
	} {
		_, b, err := compileScalar(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, b.paths, text)
	}
}

func TestJSONFunctions(t *testing.T) {
	checkFacts(t, []fact{
		// the text that ->> gives is a text like any other, wherever it passes through; what -> gives is JSON
		{`json_quote('{"o":{"k":1}}' ->> 'o')`, `'"{\"k\":1}"'`}, {`json_quote(CASE WHEN 1 THEN '{"o":{"k":1}}' ->> 'o' END)`, `'"{\"k\":1}"'`},
		{`json_quote(coalesce(NULL, '{"o":{"k":1}}' -> 'o'))`, `'{"k":1}'`}, {`json_array('{"o":[1]}' ->> 'o', '{"o":[1]}' -> 'o', json_extract('{"o":[1]}', '$.o'))`, `'["[1]",[1],[1]]'`},
		{`'{"o":{"k":1}}' ->> 'o' ->> 'k'`, "1"},
		{"json_extract(payload, '$.a')", "1"}, {"json_extract(payload, '$.b')", `'{"c":[1,2,3]}'`}, {"json_extract(payload, '$.a', '$.zz', '$.s')", `'[1,null,"x"]'`}, {"json_extract(payload, NULL)", "NULL"}, {"json_extract(NULL, '$')", "NULL"}, {"json_extract(payload, '$.a', NULL)", "NULL"},
		{"json_type(payload)", "'object'"}, {"json_type(payload, '$.a')", "'integer'"}, {"json_type('[1.5]', '$[0]')", "'real'"}, {"json_type('[1e5]', '$[0]')", "'real'"}, {"json_type(payload, '$.b.c')", "'array'"}, {"json_type('[true,false,null,\"x\"]', '$[0]')", "'true'"}, {"json_type('null')", "'null'"}, {"json_type(payload, '$.zz')", "NULL"}, {"json_type(payload, '$.s')", "'text'"},
		{"json_array_length(payload, '$.b.c')", "3"}, {"json_array_length(payload)", "0"}, {"json_array_length('[]')", "0"}, {"json_array_length(payload, '$.zz')", "NULL"}, {"json_array_length(tags)", "2"},
		{"json_valid('{}')", "1"}, {"json_valid('{')", "0"}, {"json_valid(1)", "1"}, {"json_valid(NULL)", "NULL"}, {"json(' [ 1 ] ')", "'[1]'"}, {"json(NULL)", "NULL"},
		{"json_quote('a\"b')", `'"a\"b"'`}, {"json_quote(1.5)", "'1.5'"}, {"json_quote(NULL)", "'null'"}, {"json_quote(json('[1]'))", "'[1]'"},
		{"json_array()", "'[]'"}, {"json_array(1, 'a', NULL, 2.5)", `'[1,"a",null,2.5]'`}, {"json_array(payload -> 'b', payload ->> 'b')", `'[{"c":[1,2,3]},"{\"c\":[1,2,3]}"]'`}, {"json_array(recorded_at)", `'["2026-01-02T03:04:05.123456Z"]'`},
		{"json_object('a', 1, 'b', json_array(2))", `'{"a":1,"b":[2]}'`}, {"json_object('k', char(10) || char(1))", `'{"k":"\n\u0001"}'`}, {"json_array(1e999)", "'[9.0e+999]'"},
		{"has(tags, 'course:c1')", "1"}, {"has(tags, 'course')", "0"}, {"has(tags, NULL)", "NULL"}, {"has(NULL, 'a')", "NULL"}, {"has('[1, \"a\\u0062\", [\"c\"]]', 'ab')", "1"}, {"has('[1, [\"c\"]]', 'c')", "0"}, {"has('{\"a\":1}', 'a')", "0"},
	})
	checkRefusals(t, []refusal{
		{"json('{')", BadValue, "'{'", "malformed JSON"},
		{"json_object('a')", BadArgument, "json_object", "in pairs"},
		{"json_object(1, 2)", BadValue, "1", "are texts"},
		{"json_array(1, x'00')", BadValue, "x'00'", "cannot hold a blob"},
		{"json_quote(x'00')", BadValue, "json_quote", "cannot hold a blob"},
		{"json_valid('[1]', 0)", BadValue, "json_valid", "from 1 to 15"},
		{"json_valid('[1]', 16)", BadValue, "json_valid", "from 1 to 15"},
	})
}

// What json and the paths make of JSON5 is what SQLite 3.54 makes of it.
func TestJSON5IsReadAsJSON(t *testing.T) {
	tests := []struct{ in, want string }{ // want "" for what is neither
		{"{a:1}", `{"a":1}`}, {"{$a_1: 1, 'b': 2, \"c\":3, é:4,}", `{"$a_1":1,"b":2,"c":3,"é":4}`}, {`{a\u0062:1}`, `{"a\u0062":1}`}, {"{1a:1}", ""}, {"{a-b:1}", ""},
		{"[1,]", "[1]"}, {"[1,,2]", ""}, {"[,]", ""}, {"{,}", ""}, {"{a:1 b:2}", ""}, {"[1 2]", ""}, {"[1", ""}, {"{a}", ""},
		{"+1", "1"}, {"[.5, 5., -.5, +.5e1, 1.e5, -0x1F, 0xffffffffffffffff]", "[0.5,5.0,-0.5,0.5e1,1.0e5,-31,18446744073709551615]"}, {"0x1ffffffffffffffff", "9.0e999"},
		{"01", ""}, {"-01", ""}, {"1e", ""}, {".", ""}, {"-", ""}, {"0x", ""}, {"1.5.", ""}, {"--1", ""},
		{"NaN", "null"}, {"qnan", "null"}, {"Infinity", "9e999"}, {"-inf", "-9e999"}, {"+Inf", "9e999"}, {"-NaN", ""}, {"infx", ""}, {"TRUE", ""}, {"null x", ""},
		{"'x'", `"x"`}, {`'a\x41\'b"c'`, `"a\u0041'b\"c"`}, {`"\v\0"`, `"\u000b\u0000"`}, {"\"a\\\nb\\\r\nc\\\u2028d\"", `"abcd"`}, {"\"\t\x01\"", `"\t\u0001"`},
		{`"\x4"`, ""}, {`"\q"`, ""}, {`"\u00"`, ""}, {`"\01"`, ""}, {`"a`, ""}, {`"a\`, ""}, {`'a"`, ""},
		{"/* c */ [1 // x\n, /**/ 2]//", "[1,2]"}, {"[1] /* open", ""}, {"\u00a0\u2028\ufeff[1]\v\f", "[1]"}, {"", ""}, {"//", ""},
		{strings.Repeat("[", 1000) + "+1" + strings.Repeat("]", 1000), strings.Repeat("[", 1000) + "1" + strings.Repeat("]", 1000)},
		{strings.Repeat("[", 1001) + "+1" + strings.Repeat("]", 1001), ""},
		{strings.Repeat("[", 5_000_000), ""},
	}
	for _, tt := range tests {
		got, ok := fromJSON5(&env{ctx: context.Background()}, tt.in)
		name := tt.in[:min(len(tt.in), 40)]
		if tt.want == "" {
			assert.False(t, ok, name)
			continue
		}
		if assert.True(t, ok, name) {
			assert.Equal(t, tt.want, got, name)
		}
		got, ok = fromJSON5(&env{ctx: context.Background()}, tt.want)
		assert.True(t, ok && got == tt.want, "%s: its JSON is read as itself", name)
	}
	checkFacts(t, []fact{
		{"json('{a:1}')", `'{"a":1}'`}, {"'{a:{b:2}}' ->> '$.a.b'", "2"}, {"'[NaN]' ->> 0", "NULL"}, {"'[Infinity]' ->> 0", "9.0e+999"}, {"'[-inf]' -> 0", "'-9e999'"}, {"'[0x1F]' ->> 0", "31"},
		{"json_type('[.5]', '$[0]')", "'real'"}, {"json_array_length('[1,2,]')", "2"}, {"json_extract('{a:[1]}', '$.a')", "'[1]'"}, {"has('[\"a\",]', 'a')", "1"},
		{"json(9e999)", "'9e999'"}, {"json_type(-9e999)", "'real'"},
		{"json_valid('{a:1}')", "0"}, {"json_valid('{a:1}', 1)", "0"}, {"json_valid('{a:1}', 2)", "1"}, {"json_valid('{a:1}', 3)", "1"}, {"json_valid('{}', 4)", "0"}, {"json_valid('{}', 12)", "0"}, {"json_valid(NULL, 2)", "NULL"}, {"json_valid('{', 15)", "0"},
	})
}

// invalid UTF-8 becomes U+FFFD, a byte at a time, as encoding/json has it.
func TestInvalidUTF8(t *testing.T) {
	doc := "{\"k\xff\":\"a\xc3b\xff\xfe\"}"
	p, err := parsePath("$.\"k\ufffd\"")
	require.NoError(t, err)
	raw := p.extract(doc)
	assert.Equal(t, "a\ufffdb\ufffd\ufffd", raw.sql().s)
	assert.Equal(t, "\"a\ufffdb\ufffd\ufffd\"", raw.json().s)
	var out []rawJSON = make([]rawJSON, 1)
	extractAll(doc, []*jsonPath{p}, out)
	assert.Equal(t, raw, out[0])
}

// lookUp finds what a path leads to with encoding/json alone.
func lookUp(doc string, steps []jsonStep) (json.RawMessage, bool) {
	at := json.RawMessage(doc)
	for _, step := range steps {
		var found bool
		if at, found = lookUpStep(at, step); !found {
			return nil, false
		}
	}
	return bytes.TrimSpace(at), true
}

func lookUpStep(doc json.RawMessage, step jsonStep) (json.RawMessage, bool) {
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

// checkExtraction compares what the extractor finds with what encoding/json finds, for single paths and all at once.
func checkExtraction(t *testing.T, doc string, paths []*jsonPath) {
	out := make([]rawJSON, len(paths))
	extractAll(doc, paths, out)
	for i, p := range paths {
		want, found := lookUp(doc, p.steps)
		got := p.extract(doc)
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
			assert.Equal(t, compact.String(), got.json().s)
		}
		if want[0] == '"' {
			var s string
			require.NoError(t, json.Unmarshal(want, &s))
			assert.Equal(t, s, got.sql().s)
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

func randomPaths(r *rand.Rand) []*jsonPath {
	paths := make([]*jsonPath, 1+r.Intn(6))
	for i := range paths {
		paths[i] = &jsonPath{}
		for range r.Intn(4) {
			step := jsonStep{key: []string{"a", "b", "c d", "é", "", `q"\`, "b\n"}[r.Intn(7)]}
			if r.Intn(3) == 0 {
				step = jsonStep{kind: stepIndex + stepKind(r.Intn(2)), index: int64(r.Intn(4))}
			}
			paths[i].steps = append(paths[i].steps, step)
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
	var paths []*jsonPath
	for i := range 1000 {
		doc = append(doc, fmt.Sprintf(`"k%d":%d,"k%d":"again"`, i, i, i))
		p, err := parsePath(fmt.Sprintf("$.k%d", i))
		require.NoError(t, err)
		paths = append(paths, p, p)
	}
	out := make([]rawJSON, len(paths))
	extractAll("{"+strings.Join(doc, ",")+"}", paths, out)
	for i, raw := range out {
		require.Equal(t, fmt.Sprint(i/2), string(raw))
	}
}

// Depth is counted, not recursed into, and documents that end early are no trouble.
func TestDeepAndBrokenDocuments(t *testing.T) {
	deep := `{"a":` + strings.Repeat("[", 1000000) + strings.Repeat("]", 1000000) + `,"b":2}`
	p, err := parsePath("$.b")
	require.NoError(t, err)
	assert.Equal(t, rawJSON("2"), p.extract(deep))
	doc := `{"a":{"b":[1,{"c":"d\"e"}],"x":"y"},"b":2.5e3,"tail":[[],{}]}`
	q, err := parsePath("$.a.b[#-1].c")
	require.NoError(t, err)
	out := make([]rawJSON, 2)
	for i := range doc {
		for _, broken := range []string{doc[:i], doc[i:], doc[:i] + "x" + doc[i+1:]} {
			p.extract(broken)
			q.extract(broken).sql()
			extractAll(broken, []*jsonPath{p, q}, out)
			out[0].json()
			out[1].sql()
		}
	}
}

func FuzzJSONPath(f *testing.F) {
	f.Add(`{"a":{"b":[1,{"c":"d"}]},"e":"\u0061"}`, "$.a.b[#-1].c")
	f.Add(`[1,2]`, `$[1]`)
	f.Add(` {"x y" : null}`, `$."x y"`)
	f.Add(`{"a":1,"a":2}`, "a")
	f.Fuzz(func(t *testing.T, doc, path string) {
		p, err := parseLabel(textValue(path))
		if err != nil {
			return
		}
		again, err := parsePath(p.String())
		require.NoError(t, err)
		require.Equal(t, p.String(), again.String())
		if utf8.ValidString(path) {
			require.Equal(t, p.steps, again.steps)
		}
		if json.Valid([]byte(doc)) && utf8.ValidString(doc) {
			checkExtraction(t, doc, []*jsonPath{p, again})
			return
		}
		raw := p.extract(doc)
		raw.json()
		raw.sql()
		out := make([]rawJSON, 2)
		extractAll(doc, []*jsonPath{p, again}, out)
	})
}
