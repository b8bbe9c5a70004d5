package jsonpath

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/query/internal/value"
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
		doc, ok := FromJSON5(new(value.Meter), tt.in)
		got := string(doc)
		name := tt.in[:min(len(tt.in), 40)]
		if tt.want == "" {
			assert.False(t, ok, name)
			continue
		}
		if assert.True(t, ok, name) {
			assert.Equal(t, tt.want, got, name)
		}
		doc, ok = FromJSON5(new(value.Meter), tt.want)
		assert.True(t, ok && string(doc) == tt.want, "%s: its JSON is read as itself", name)
	}
}

// An owner wants so many pieces of work, and gives room for so many bytes.
type owner struct{ wanted, room, held int }

func (o *owner) Wanted() bool   { o.wanted--; return o.wanted >= 0 }
func (o *owner) TextLimit() int { return value.MaxText }
func (o *owner) TooLong()       {}
func (o *owner) Discard(int64)  {}
func (o *owner) Hold(n int) bool {
	o.held += n
	return o.held <= o.room
}

// TestLongJSON5IsPaidFor reads long texts for somebody who soon does not wait any more, or has no
// room.
func TestLongJSON5IsPaidFor(t *testing.T) {
	const size = 8 << 20
	for name, long := range map[string]string{
		"a text":             "'" + strings.Repeat("x", size) + "'",
		"an array":           "[" + strings.Repeat("+1,", size/3) + "]",
		"control characters": "'" + strings.Repeat("\x01", size/4) + "'",
	} {
		patient := &owner{wanted: 1 << 30, room: 1 << 30}
		meter := value.MeterOf(patient)
		doc, ok := FromJSON5(&meter, long)
		require.True(t, ok, name)
		require.GreaterOrEqual(t, patient.held, cap(doc), name)

		hurried := &owner{wanted: 3, room: 1 << 30}
		meter = value.MeterOf(hurried)
		_, ok = FromJSON5(&meter, long)
		require.False(t, ok, name)
		require.Less(t, hurried.held, size/2, "%s: it ends soon after the no", name)

		poor := &owner{wanted: 1 << 30, room: 1 << 20}
		meter = value.MeterOf(poor)
		_, ok = FromJSON5(&meter, long)
		require.False(t, ok, name)
		require.Less(t, poor.held, size/2, "%s: it ends soon after the room", name)
	}
}
