package engine

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// jsonSeeds are texts from which the tests below make others. Every branch of ValidJSON is in one
// of them.
var jsonSeeds = []string{
	``, ` `, `{}`, `[]`, ` { } `, "\t[\r\n]\n", `{"a":1}`, `{"a" : 1 , "b":[true,false,null]}`,
	`{"a":{"b":{"c":[[],{},[{}]]}}}`,
	`0`, `-0`, `-`, `1`, `01`, `10`, `1.`, `1.5`, `.5`, `1e`, `1e5`, `1E+5`, `1e-05`, `1e+`, `-1.25e+10`, `1 2`, `1,2`,
	`"`, `""`, `"a`, `"abcdefgh"`, `"abcdefghi\n"`, `"\"\\\/\b\f\n\r\t"`, `"\u00e9"`, `"\uD83D\uDE00"`, `"\u12G4"`,
	`"\u123"`, `"\x"`, `"\`,
	"\"\x1f\"", "\"\x7f\x80\xff\"", "\"12345678\x00\"", "\"é😀\"", "\ufeff{}", "\u00a0[]",
	`true`, `tru`, `truE`, `false`, `null`, `nul`, `nulll`, `True`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{1:2}`,
	`[1,]`, `[,]`, `[1 2]`,
	`[}`, `{]`, `{"a":[}`, `[1}`, `{"a":1]`, `]`, `}`, `,`, `:`, `{"a":1}}`, `[[]`, `{"a":1} x`, `'a'`, `NaN`, `/**/1`,
	strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat("[", 65) + strings.Repeat("]", 65),
	strings.Repeat("[", 65) + strings.Repeat("]", 64), strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65),
	strings.Repeat(`[{"a":`, 32) + "1" + strings.Repeat("}]", 32),
	strings.Repeat(`[{"a":`, 32) + "1" + strings.Repeat("]}", 32),
	strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000),
	strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001),
}

func TestValidJSON(t *testing.T) {
	for _, text := range jsonSeeds {
		assert.Equal(t, json.Valid([]byte(text)), ValidJSON([]byte(text)), "%.80q", text)
	}
}

// TestValidJSONMutated compares with encoding/json on texts that are almost valid: valid ones with
// a byte changed, removed or put in, cut, and joined.
func TestValidJSONMutated(t *testing.T) {
	const bytes = "{}[]\",:\\/ \t\r\n0123456789.-+eEtrufalsnbx'\x00\x1f\x7f\x80\xff"
	random := rand.New(rand.NewPCG(1, 2))
	valid := 0
	for range 200_000 {
		b := []byte(jsonSeeds[random.IntN(len(jsonSeeds)-8)])
		if random.IntN(2) == 0 {
			b = append(append([]byte(`{"padding to another place":`), b...),
				`, "x":"a string of more than eight bytes"}`...)
		}
		for range random.IntN(3) {
			at := random.IntN(len(b) + 1)
			c := bytes[random.IntN(len(bytes))]
			switch {
			case random.IntN(3) == 0:
				b = append(b[:at:at], append([]byte{c}, b[at:]...)...)
			case at == len(b):
				b = b[:random.IntN(len(b)+1)]
			case random.IntN(2) == 0:
				b[at] = c
			default:
				b = append(b[:at:at], b[at+1:]...)
			}
		}
		want := json.Valid(b)
		if want {
			valid++
		}
		require.Equal(t, want, ValidJSON(b), "%q", b)
	}
	assert.Greater(t, valid, 10_000)
	assert.Less(t, valid, 190_000)
}

func FuzzValidJSON(f *testing.F) {
	for _, text := range jsonSeeds {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		require.Equal(t, json.Valid(b), ValidJSON(b))
	})
}

func TestValidJSONAllocations(t *testing.T) {
	for _, text := range []string{orderText, `{"a":`, "no JSON"} {
		b := []byte(text)
		assert.Zero(t, testing.AllocsPerRun(100, func() { ValidJSON(b) }), text)
	}
}

// BenchmarkValidJSON measures an order of 256 bytes, beside encoding/json. Bad news: less than 5
// times as fast.
func BenchmarkValidJSON(b *testing.B) {
	payload := []byte(orderText)
	for _, bench := range []struct {
		name  string
		valid func([]byte) bool
	}{{"engine", ValidJSON}, {"encoding-json", json.Valid}} {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				if !bench.valid(payload) {
					b.Fatal("not valid")
				}
			}
		})
	}
}

// orderText is a payload as an order might have it.
const orderText = `{"customer":"0b9ab1e6-5a27-4a36-9f13-3f9f1e7d2c11","items":[{"sku":"A-17","count":2,"price":19.95},` +
	`{"sku":"B-4","count":1,"price":240}],"currency":"EUR","address":{"street":"Main Street ` +
	`5","city":"Springfield","zip":"12345"},` +
	`"note":"leave it at the door","total":279.9}`
