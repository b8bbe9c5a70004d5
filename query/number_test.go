package query

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
		{0, "0.0"}, {math.Copysign(0, -1), "0.0"}, {1, "1.0"}, {-2.5, "-2.5"}, {0.1, "0.1"}, {1.0 / 3, "0.33333333333333332"}, {1.0 / 9, "0.1111111111111111"},
		{0.30000000000000004, "0.30000000000000004"}, {1e15, "1000000000000000.0"}, {1e16, "10000000000000000.0"}, {1e17, "1.0e+17"}, {1e20, "1.0e+20"}, {8.41e21, "8.41e+21"},
		{0.0001, "0.0001"}, {0.00001, "1.0e-05"}, {1.5e-7, "1.5e-07"}, {5e-324, "4.9406564584124654e-324"}, {math.MaxFloat64, "1.7976931348623157e+308"},
		{9007199254740993, "9007199254740992.0"}, {100000000000000.5, "100000000000000.5"}, {123456789012345678, "1.2345678901234568e+17"}, {math.Inf(1), "Inf"}, {math.Inf(-1), "-Inf"},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, formatReal(tt.f))
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
		back, err := strconv.ParseFloat(formatReal(f), 64)
		require.NoError(t, err)
		require.Equal(t, f, back, formatReal(f))
		require.Equal(t, realValue(f), numericAffinity(textValue(formatReal(f))))
	}
}

func TestNumericPrefix(t *testing.T) {
	tests := []struct {
		s     string
		want  Value
		whole bool
	}{
		{"", intValue(0), false}, {"12", intValue(12), true}, {" 12 ", intValue(12), true}, {"12abc", intValue(12), false}, {"-7", intValue(-7), true}, {"+7", intValue(7), true},
		{"abc", intValue(0), false}, {"1.5", realValue(1.5), true}, {".5", realValue(0.5), true}, {"5.", realValue(5), true}, {".", intValue(0), false}, {"-", intValue(0), false},
		{"1e3", realValue(1000), true}, {"1e", intValue(1), false}, {"1e+", intValue(1), false}, {"5.5e", realValue(5.5), false}, {"1e400", realValue(math.Inf(1)), true},
		{"9223372036854775807", intValue(math.MaxInt64), true}, {"9223372036854775808", realValue(9223372036854775808), true}, {"-9223372036854775808", intValue(math.MinInt64), true},
		{"0x10", intValue(0), false}, {"1_000", intValue(1), false}, {"\t\n3\v\f\r", intValue(3), true}, {"inf", intValue(0), false}, {"NaN", intValue(0), false}, {"1 2", intValue(1), false},
	}
	for _, tt := range tests {
		p := numericPrefix(tt.s)
		assert.Equal(t, tt.want, p.value(), "%q", tt.s)
		assert.Equal(t, tt.whole, p.whole, "%q", tt.s)
	}
}

func TestIntegerPrefix(t *testing.T) {
	for s, want := range map[string]int64{
		"12.7abc": 12, "": 0, "x": 0, " -5": -5, "+5": 5, "99999999999999999999": math.MaxInt64, "-99999999999999999999": math.MinInt64, "9e30": 9,
	} {
		assert.Equal(t, want, integerPrefix(s), "%q", s)
	}
}

func TestRounding(t *testing.T) {
	checkFacts(t, []fact{
		{"round(2.5)", "3.0"}, {"round(-2.5)", "-3.0"}, {"round(0.5)", "1.0"}, {"round(2.675, 2)", "2.67"}, {"round(0.125, 2)", "0.13"}, {"round(1.005, 2)", "1.0"}, {"round(99.995, 2)", "100.0"}, {"round(1234.5, -2)", "1235.0"},
		{"round(0.05, 1)", "0.1"}, {"round(0.04, 1)", "0.0"}, {"round('12.345abc', 1)", "12.3"}, {"round(1e300, 3)", "1.0e+300"}, {"round(5)", "5.0"}, {"round(NULL)", "NULL"}, {"round(1.5, NULL)", "NULL"}, {"round(0.999, 2)", "1.0"},
	})
}
