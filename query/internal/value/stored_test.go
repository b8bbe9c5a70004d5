package value

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestStoredValuesComeBack: every kind of value comes back as it was, and bytes that are cut are no
// value.
func TestStoredValuesComeBack(t *testing.T) {
	for _, v := range []Value{
		{}, OfInt(0), OfInt(-1), OfInt(math.MinInt64), OfInt(math.MaxInt64), {Kind: Int, N: 1, Flag: true},
		OfReal(0.5), OfReal(math.Copysign(0, -1)), OfReal(math.Inf(-1)), OfTime(-7), OfTime(1 << 50),
		OfText(""), OfText("a text"), OfJSON(`{"a": 1}`), OfBlob("\x00\xff"), OfBlob(""),
	} {
		b := AppendStored(nil, v)
		got, rest, ok := CutStored(append(b, "behind"...))
		require.True(t, ok, "%#v", v)
		assert.Equal(t, "behind", string(rest))
		assert.Equal(t, v, got)
		assert.Equal(t, math.Signbit(v.F), math.Signbit(got.F))
		for n := range b {
			_, _, ok := CutStored(b[:n])
			assert.False(t, ok, "%#v, %d bytes of %d", v, n, len(b))
		}
	}
	for _, b := range [][]byte{{99}, {byte(String), 5, 'x'}, {byte(Int), 0x80}} {
		_, _, ok := CutStored(b)
		assert.False(t, ok, "%v", b)
	}
}
