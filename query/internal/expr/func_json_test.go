package expr

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

func TestArrows(t *testing.T) {
	checkFacts(t, []fact{
		// -> gives JSON, ->> gives a value
		{"payload -> 'a'", "'1'"}, {"payload ->> 'a'", "1"}, {"payload -> 's'", `'"x"'`},
		{"payload ->> 's'", "'x'"}, {"payload -> '$.b'", `'{"c":[1,2,3]}'`},
		{"payload ->> '$.b.c'", "'[1,2,3]'"},
		{"payload -> 'b' -> 'c' ->> 1", "2"}, {"payload -> 'b' ->> '$.c[0]'", "1"},
		{"payload ->> '$.b.c[#-1]'", "3"}, {"payload -> 'b' -> 'c' ->> -1", "3"},
		{"payload -> 'b' -> 'c' ->> '[2]'", "3"},
		{"payload ->> '$.b.c[3]'", "NULL"}, {"payload ->> '$.b.c[#]'", "NULL"},
		{"payload ->> '$.b.c[#-4]'", "NULL"}, {"payload ->> 'missing'", "NULL"},
		{"payload ->> 0", "NULL"}, {"payload -> 'a' ->> 'b'", "NULL"},
		{"payload -> NULL", "NULL"}, {"payload -> nothing -> 'a'", "NULL"}, {"NULL ->> 'a'", "NULL"},
		{"payload -> '$'", `'{"a":1,"b":{"c":[1,2,3]},"s":"x"}'`},
		{"payload ->> ('$.' || 'a')", "1"}, {"payload -> substr(word, 5) || 'a'", "NULL"},
		{"payload -> lower('B') -> 'c' -> (n - 9)", "'2'"},
		// values
		{`'{"a":null}' ->> 'a'`, "NULL"}, {`'{"a":null}' -> 'a'`, "'null'"},
		{`'{"a":true,"b":false}' ->> 'a'`, "1"}, {`'{"a":true,"b":false}' ->> 'b'`, "0"},
		{`'{"a":true}' -> 'a'`, "'true'"},
		{`'[12345678901234567890]' ->> 0`, "1.2345678901234567e+19"},
		{`'[12345678901234567890]' -> 0`, "'12345678901234567890'"},
		{`'[9007199254740993]' ->> 0`, "9007199254740993"},
		{`'[-9223372036854775808]' ->> 0`, "-9223372036854775808"},
		{`'[1.50]' ->> 0`, "1.5"}, {`'[1.50]' -> 0`, "'1.50'"}, {`'[1e2]' ->> 0`, "100.0"}, {`'[-0]' ->> 0`, "0"},
		{`'["q\"\\\/\n\u0041\ud83d\ude00"]' ->> 0`, "'q\"\\/\nA😀'"},
		{`'["\ud83d"]' ->> 0 = char(65533)`, "1"}, {`'["\u0041"]' -> 0`, `'"\u0041"'`},
		// keys
		{`'{"a.b":1,"x y":2,"":3,"0":4}' ->> 'a.b'`, "1"}, {`'{"x y":2}' ->> '$."x y"'`, "2"},
		{`'{"a.b":1}' ->> '$.a.b'`, "NULL"}, {`'{"":3}' ->> '$.""'`, "3"}, {`'{"0":4}' ->> '0'`, "4"},
		{`'{"0":4}' ->> 0`, "NULL"},
		{`'{"\u0061":5}' ->> 'a'`, "5"}, {`'{"a":5}' ->> '$."\u0061"'`, "5"},
		{`'{"a":1,"a":2}' ->> 'a'`, "1"}, {`'{"é":1}' ->> 'é'`, "1"}, {`'{"q\"":1}' ->> '$."q\""'`, "1"},
		{`'{"a b":{"":[5]}}' ->> '$["a b"][""][0]'`, "5"}, {`'{"a]":5}' ->> '["a]"]'`, "5"},
		{`'{"\u0061":5}' ->> '$["\u0061"]'`, "5"}, {`json_extract('{"a":5}', '$["a"]')`, "5"},
		// blanks
		{`' { "a" : [ 1 , { "b c" : " d " } ] } ' -> 'a'`, `'[1,{"b c":" d "}]'`}, {`' 5 ' ->> '$'`, "5"},
		// deviation: a payload that is not JSON, and any blob that is not, gives NULL and no error
		{"raw -> 'a'", "NULL"}, {"raw ->> '$.a.b'", "NULL"}, {"json_extract(raw, '$')", "NULL"},
		{"json_type(raw)", "NULL"}, {"json_valid(raw)", "0"}, {`CAST('{"a":1}' AS BLOB) ->> 'a'`, "1"},
	})
	checkRefusals(t, []refusal{
		{"payload -> '$.'", fault.BadArgument, "'$.'", "bad JSON path"},
		{"payload -> ''", fault.BadArgument, "''", "bad JSON path"},
		{`payload -> '$["a'`, fault.BadArgument, "'$", "bad JSON path"},
		{`payload -> '$["a"'`, fault.BadArgument, "'$", "bad JSON path"},
		{"'{' -> nothing", fault.BadValue, "'{'", "malformed JSON"},
		{"payload -> '$a'", fault.BadArgument, "'$a'", "bad JSON path"},
		{"payload -> '$[x]'", fault.BadArgument, "'$[x]'", "bad JSON path"},
		{"payload -> '$[#1]'", fault.BadArgument, "'$[#1]'", "bad JSON path"},
		{"payload -> '$.\"a'", fault.BadArgument, "'$.\"a'", "bad JSON path"},
		{"json_extract(payload, 'a')", fault.BadArgument, "'a'", "bad JSON path"},
		{`'{"a":1' -> 'a'`, fault.BadValue, "'{", "malformed JSON"},
		{`'{"a":1} x' ->> 'a'`, fault.BadValue, "'{", "malformed JSON"},
		{`'{"a":01}' ->> 'a'`, fault.BadValue, "'{", "malformed JSON"},
		{"word ->> 'a'", fault.BadValue, "word", "malformed JSON"},
		{"recorded_at ->> 'a'", fault.BadValue, "recorded_at", "malformed JSON"},
	})
}

func TestStaticTypesOfJSON(t *testing.T) {
	for text, want := range map[string]value.Type{"payload -> 'a'": value.JSON, "payload ->> 'a'": value.Any,
		"json_array(1)": value.JSON, "json_extract(payload, '$.a', '$.b')": value.JSON, "json_type(payload)": value.Text} {
		x, _, err := compileScalar(text)
		require.NoError(t, err)
		assert.Equal(t, want, x.Type, text)
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
		// the text that ->> gives is a text like any other, wherever it passes through; what -> gives is
		// JSON
		{`json_quote('{"o":{"k":1}}' ->> 'o')`, `'"{\"k\":1}"'`},
		{`json_quote(CASE WHEN 1 THEN '{"o":{"k":1}}' ->> 'o' END)`, `'"{\"k\":1}"'`},
		{`json_quote(coalesce(NULL, '{"o":{"k":1}}' -> 'o'))`, `'{"k":1}'`},
		{`json_array('{"o":[1]}' ->> 'o', '{"o":[1]}' -> 'o', json_extract('{"o":[1]}', '$.o'))`, `'["[1]",[1],[1]]'`},
		{`'{"o":{"k":1}}' ->> 'o' ->> 'k'`, "1"},
		{"json_extract(payload, '$.a')", "1"}, {"json_extract(payload, '$.b')", `'{"c":[1,2,3]}'`},
		{"json_extract(payload, '$.a', '$.zz', '$.s')", `'[1,null,"x"]'`},
		{"json_extract(payload, NULL)", "NULL"}, {"json_extract(NULL, '$')", "NULL"},
		{"json_extract(payload, '$.a', NULL)", "NULL"},
		{"json_type(payload)", "'object'"}, {"json_type(payload, '$.a')", "'integer'"},
		{"json_type('[1.5]', '$[0]')", "'real'"}, {"json_type('[1e5]', '$[0]')", "'real'"},
		{"json_type(payload, '$.b.c')", "'array'"},
		{"json_type('[true,false,null,\"x\"]', '$[0]')", "'true'"}, {"json_type('null')", "'null'"},
		{"json_type(payload, '$.zz')", "NULL"}, {"json_type(payload, '$.s')", "'text'"},
		{"json_array_length(payload, '$.b.c')", "3"}, {"json_array_length(payload)", "0"},
		{"json_array_length('[]')", "0"}, {"json_array_length(payload, '$.zz')", "NULL"},
		{"json_array_length(tags)", "2"},
		{"json_valid('{}')", "1"}, {"json_valid('{')", "0"}, {"json_valid(1)", "1"},
		{"json_valid(NULL)", "NULL"}, {"json(' [ 1 ] ')", "'[1]'"}, {"json(NULL)", "NULL"},
		{"json_quote('a\"b')", `'"a\"b"'`}, {"json_quote(1.5)", "'1.5'"}, {"json_quote(NULL)", "'null'"},
		{"json_quote(json('[1]'))", "'[1]'"},
		{"json_array()", "'[]'"}, {"json_array(1, 'a', NULL, 2.5)", `'[1,"a",null,2.5]'`},
		{"json_array(payload -> 'b', payload ->> 'b')", `'[{"c":[1,2,3]},"{\"c\":[1,2,3]}"]'`},
		{"json_array(recorded_at)", `'["2026-01-02T03:04:05.123456Z"]'`},
		{"json_object('a', 1, 'b', json_array(2))", `'{"a":1,"b":[2]}'`},
		{"json_object('k', char(10) || char(1))", `'{"k":"\n\u0001"}'`},
		{"json_array(1e999)", "'[9.0e+999]'"},
		{"has(tags, 'course:c1')", "1"}, {"has(tags, 'course')", "0"}, {"has(tags, NULL)", "NULL"},
		{"has(NULL, 'a')", "NULL"}, {"has('[1, \"a\\u0062\", [\"c\"]]', 'ab')", "1"},
		{"has('[1, [\"c\"]]', 'c')", "0"}, {"has('{\"a\":1}', 'a')", "0"},
	})
	checkRefusals(t, []refusal{
		{"json('{')", fault.BadValue, "'{'", "malformed JSON"},
		{"json_object('a')", fault.BadArgument, "json_object", "in pairs"},
		{"json_object(1, 2)", fault.BadValue, "1", "are texts"},
		{"json_array(1, x'00')", fault.BadValue, "x'00'", "cannot hold a blob"},
		{"json_quote(x'00')", fault.BadValue, "json_quote", "cannot hold a blob"},
		{"json_valid('[1]', 0)", fault.BadValue, "json_valid", "from 1 to 15"},
		{"json_valid('[1]', 16)", fault.BadValue, "json_valid", "from 1 to 15"},
	})
}

// TestJSON5IsTakenForJSON: every function of JSON reads it.
func TestJSON5IsTakenForJSON(t *testing.T) {
	checkFacts(t, []fact{
		{"json('{a:1}')", `'{"a":1}'`}, {"'{a:{b:2}}' ->> '$.a.b'", "2"}, {"'[NaN]' ->> 0", "NULL"},
		{"'[Infinity]' ->> 0", "9.0e+999"}, {"'[-inf]' -> 0", "'-9e999'"}, {"'[0x1F]' ->> 0", "31"},
		{"json_type('[.5]', '$[0]')", "'real'"}, {"json_array_length('[1,2,]')", "2"},
		{"json_extract('{a:[1]}', '$.a')", "'[1]'"}, {"has('[\"a\",]', 'a')", "1"},
		{"json(9e999)", "'9e999'"}, {"json_type(-9e999)", "'real'"},
		{"json_valid('{a:1}')", "0"}, {"json_valid('{a:1}', 1)", "0"}, {"json_valid('{a:1}', 2)", "1"},
		{"json_valid('{a:1}', 3)", "1"}, {"json_valid('{}', 4)", "0"}, {"json_valid('{}', 12)", "0"},
		{"json_valid(NULL, 2)", "NULL"}, {"json_valid('{', 15)", "0"},
	})
}
