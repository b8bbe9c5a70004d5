package jsonpath

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What json and the paths make of JSON5 is what SQLite 3.54 makes of it.
func TestJSON5IsReadAsJSON(t *testing.T) {
	tests := []struct{ in, want string }{ // want "" for what is neither
		{"{a:1}", `{"a":1}`}, {"{$a_1: 1, 'b': 2, \"c\":3, é:4,}", `{"$a_1":1,"b":2,"c":3,"é":4}`},
		{`{a\u0062:1}`, `{"a\u0062":1}`}, {"{1a:1}", ""}, {"{a-b:1}", ""},
		{"[1,]", "[1]"}, {"[1,,2]", ""}, {"[,]", ""}, {"{,}", ""}, {"{a:1 b:2}", ""}, {"[1 2]", ""},
		{"[1", ""}, {"{a}", ""},
		{"+1", "1"},
		{"[.5, 5., -.5, +.5e1, 1.e5, -0x1F, 0xffffffffffffffff]", "[0.5,5.0,-0.5,0.5e1,1.0e5,-31,18446744073709551615]"},
		{"0x1ffffffffffffffff", "9.0e999"},
		{"01", ""}, {"-01", ""}, {"1e", ""}, {".", ""}, {"-", ""}, {"0x", ""}, {"1.5.", ""}, {"--1", ""},
		{"NaN", "null"}, {"qnan", "null"}, {"Infinity", "9e999"}, {"-inf", "-9e999"}, {"+Inf", "9e999"},
		{"-NaN", ""}, {"infx", ""}, {"TRUE", ""}, {"null x", ""},
		{"'x'", `"x"`}, {`'a\x41\'b"c'`, `"a\u0041'b\"c"`}, {`"\v\0"`, `"\u000b\u0000"`},
		{"\"a\\\nb\\\r\nc\\\u2028d\"", `"abcd"`}, {"\"\t\x01\"", `"\t\u0001"`},
		{`"\x4"`, ""}, {`"\q"`, ""}, {`"\u00"`, ""}, {`"\01"`, ""}, {`"a`, ""}, {`"a\`, ""}, {`'a"`, ""},
		{"/* c */ [1 // x\n, /**/ 2]//", "[1,2]"}, {"[1] /* open", ""},
		{"\u00a0\u2028\ufeff[1]\v\f", "[1]"}, {"", ""}, {"//", ""},
		{strings.Repeat("[", 1000) + "+1" + strings.Repeat("]", 1000),
			strings.Repeat("[", 1000) + "1" + strings.Repeat("]", 1000)},
		{strings.Repeat("[", 1001) + "+1" + strings.Repeat("]", 1001), ""},
		{strings.Repeat("[", 5_000_000), ""},
	}
	for _, tt := range tests {
		doc, ok := FromJSON5(tt.in, 1<<20)
		got := string(doc)
		name := tt.in[:min(len(tt.in), 40)]
		if tt.want == "" {
			assert.False(t, ok, name)
			continue
		}
		if assert.True(t, ok, name) {
			assert.Equal(t, tt.want, got, name)
		}
		doc, ok = FromJSON5(tt.want, 1<<20)
		assert.True(t, ok && string(doc) == tt.want, "%s: its JSON is read as itself", name)
	}
}
