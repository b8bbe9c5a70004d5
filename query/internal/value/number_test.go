package value

import (
	"math"
	"math/rand"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFormatReal(t *testing.T) {
	tests := []struct {
		f    float64
		want string
	}{
		{0, "0.0"}, {math.Copysign(0, -1), "0.0"}, {1, "1.0"}, {-2.5, "-2.5"}, {0.1, "0.1"},
		{1.0 / 3, "0.33333333333333332"}, {1.0 / 9, "0.1111111111111111"},
		{0.30000000000000004, "0.30000000000000004"}, {1e15, "1000000000000000.0"},
		{1e16, "10000000000000000.0"}, {1e17, "1.0e+17"}, {1e20, "1.0e+20"}, {8.41e21, "8.41e+21"},
		{0.0001, "0.0001"}, {0.00001, "1.0e-05"}, {1.5e-7, "1.5e-07"},
		{5e-324, "4.9406564584124654e-324"}, {math.MaxFloat64, "1.7976931348623157e+308"},
		{9007199254740993, "9007199254740992.0"}, {100000000000000.5, "100000000000000.5"},
		{123456789012345678, "1.2345678901234568e+17"}, {math.Inf(1), "Inf"}, {math.Inf(-1), "-Inf"},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, FormatReal(tt.f))
	}
}

// The text of a REAL means that REAL.
func TestFormatRealRoundTrips(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	for range 20000 {
		f := math.Float64frombits(r.Uint64())
		if r.Intn(2) == 0 {
			f = float64(r.Int63n(1e12)) / float64(1+r.Intn(1e5))
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		back, err := strconv.ParseFloat(FormatReal(f), 64)
		require.NoError(t, err)
		require.Equal(t, f, back, FormatReal(f))
		require.Equal(t, OfReal(f), AsNumber(OfText(FormatReal(f))))
	}
}

func TestNumericPrefix(t *testing.T) {
	tests := []struct {
		s     string
		want  Value
		whole bool
	}{
		{"", OfInt(0), false}, {"12", OfInt(12), true}, {" 12 ", OfInt(12), true},
		{"12abc", OfInt(12), false}, {"-7", OfInt(-7), true}, {"+7", OfInt(7), true},
		{"abc", OfInt(0), false}, {"1.5", OfReal(1.5), true}, {".5", OfReal(0.5), true},
		{"5.", OfReal(5), true}, {".", OfInt(0), false}, {"-", OfInt(0), false},
		{"1e3", OfReal(1000), true}, {"1e", OfInt(1), false}, {"1e+", OfInt(1), false},
		{"5.5e", OfReal(5.5), false}, {"1e400", OfReal(math.Inf(1)), true},
		{"9223372036854775807", OfInt(math.MaxInt64), true},
		{"9223372036854775808", OfReal(9223372036854775808), true},
		{"-9223372036854775808", OfInt(math.MinInt64), true},
		{"0x10", OfInt(0), false}, {"1_000", OfInt(1), false}, {"\t\n3\v\f\r", OfInt(3), true},
		{"inf", OfInt(0), false}, {"NaN", OfInt(0), false}, {"1 2", OfInt(1), false},
	}
	for _, tt := range tests {
		p := NumericPrefix(tt.s)
		assert.Equal(t, tt.want, p.Value(), "%q", tt.s)
		assert.Equal(t, tt.whole, p.whole, "%q", tt.s)
	}
}

func TestIntegerPrefix(t *testing.T) {
	for s, want := range map[string]int64{
		"12.7abc": 12, "": 0, "x": 0, " -5": -5, "+5": 5, "99999999999999999999": math.MaxInt64,
		"-99999999999999999999": math.MinInt64, "9e30": 9,
	} {
		assert.Equal(t, want, integerPrefix(s), "%q", s)
	}
}
