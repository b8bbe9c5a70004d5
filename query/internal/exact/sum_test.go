package exact

import (
	"bufio"
	"bytes"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/internal/testenv"
)

// numbers are of all sizes, and many of them cancel each other out.
func numbers(r *rand.Rand, n int) []float64 {
	list := make([]float64, 0, n)
	for len(list) < n {
		x := math.Ldexp(float64(r.IntN(2000)-1000)/7, []int{0, 0, 0, 3, -3, 60, -300, 1015, -1070}[r.IntN(9)])
		if list = append(list, x); r.IntN(3) == 0 {
			list = append(list, -list[r.IntN(len(list))])
		}
	}
	return list
}

func sumOf(list ...float64) (s Sum) {
	for _, x := range list {
		s.Add(x)
	}
	return s
}

// reference is the sum of products with all digits there are, rounded once.
func reference(x, y []float64) float64 {
	sum := new(big.Float).SetPrec(1 << 13)
	for i := range x {
		a, b := new(big.Float).SetFloat64(x[i]), new(big.Float).SetFloat64(y[i])
		sum.Add(sum, a.SetPrec(200).Mul(a, b))
	}
	f, _ := sum.Float64()
	return f + 0
}

// TestASumIsRoundedOnceInWhicheverOrderAndParts it is added.
func TestASumIsRoundedOnceInWhicheverOrderAndParts(t *testing.T) {
	r := rand.New(rand.NewPCG(testenv.Seed(t), 12))
	for range 300 {
		x := numbers(r, 1+r.IntN(60))
		y, ones := numbers(r, len(x)), make([]float64, len(x))
		for i := range ones {
			ones[i] = 1
		}
		want, product := reference(x, ones), reference(x, y)
		for range 4 {
			r.Shuffle(len(x), func(i, j int) { x[i], x[j], y[i], y[j] = x[j], x[i], y[j], y[i] })
			parts, products := make([]Sum, 1+r.IntN(4)), Sum{}
			for i := range x {
				parts[r.IntN(len(parts))].Add(x[i])
				products.AddProduct(x[i], y[i])
			}
			var all Sum
			for i := range parts {
				before := parts[i].Float()
				all.Merge(&parts[i])
				require.Equal(t, before, parts[i].Float(), "what is merged stays as it is")
			}
			require.Equal(t, want, all.Float(), "%v", x)
			require.Equal(t, product, products.Float(), "%v times %v", x, y)
		}
	}
}

// TestSquaresOfIntegersLoseNoDigit, those of the greatest included.
func TestSquaresOfIntegersLoseNoDigit(t *testing.T) {
	var s Sum
	want := new(big.Int)
	for _, n := range []int64{0, 3, -5, 1 << 30, 1<<53 - 1, 1<<53 + 1, -1<<53 - 1, math.MaxInt64, math.MinInt64} {
		s.AddSquare(n)
		x := big.NewInt(n)
		want.Add(want, x.Mul(x, x))
	}
	got, ok := s.Big()
	require.True(t, ok)
	whole, _ := got.Int(nil)
	assert.Equal(t, want.String(), whole.String())
}

// TestWhatHasNoExactSumIsNotForgotten.
func TestWhatHasNoExactSumIsNotForgotten(t *testing.T) {
	inf, most := math.Inf(1), math.MaxFloat64
	for _, tt := range []struct {
		list []float64
		want float64
	}{
		{nil, 0},
		{[]float64{math.Copysign(0, -1)}, 0},
		{[]float64{most, most}, inf},
		{[]float64{most, most, -most}, most},
		{[]float64{-most, -most, most, most}, 0},
		{[]float64{inf, 1, -most}, inf},
		{[]float64{1, -inf, 2}, -inf},
		{[]float64{inf, -inf, 1}, math.NaN()},
		{[]float64{0x1p-1074, 1, -1}, 0x1p-1074},
		{[]float64{1, 0x1p-53, 0x1p-200}, 1 + 0x1p-52}, // a little more than half way between two floats
		{[]float64{1, 0x1p-53, -0x1p-200}, 1},
	} {
		s := sumOf(tt.list...)
		if got := s.Float(); math.IsNaN(tt.want) {
			assert.True(t, math.IsNaN(got), "%v", tt.list)
		} else {
			assert.Equal(t, tt.want, got, "%v", tt.list)
			assert.False(t, math.Signbit(got) && got == 0, "%v", tt.list)
		}
	}
}

// TestACopyOfASumKeepsItsValue when the other copy goes on.
func TestACopyOfASumKeepsItsValue(t *testing.T) {
	s := sumOf(1e300, 1, 1e-300)
	other := s
	other.Detach()
	other.Add(-1e300)
	other.Add(-1e-300)
	assert.Equal(t, 1.0, other.Float())
	assert.Equal(t, 1e300, s.Float())
	assert.Positive(t, s.Size())
}

// TestASumIsReadAsItWasWritten, and what is cut or has other parts is none.
func TestASumIsReadAsItWasWritten(t *testing.T) {
	squares := Sum{}
	squares.AddProduct(1e-300, 1e-300)
	squares.AddProduct(1e300, 1e300)
	for _, s := range []Sum{
		{}, sumOf(0.5), sumOf(1, 1e-20), sumOf(1e300, 1, -1e-300), sumOf(math.Inf(-1), 3), sumOf(-1e300, 1, 1e-300), squares,
	} {
		b := s.Append(nil)
		again, err := Read(bufio.NewReader(bytes.NewReader(b)))
		require.NoError(t, err)
		assert.Equal(t, b, again.Append(nil))
		assert.Equal(t, s.Float(), again.Float())
		want, _ := s.Big()
		got, _ := again.Big()
		assert.Zero(t, want.Cmp(got))
		for n := range b {
			_, err := Read(bufio.NewReader(bytes.NewReader(b[:n])))
			assert.True(t, err == io.EOF || err == io.ErrUnexpectedEOF, "%d of %d bytes: %v", n, len(b), err)
		}
	}
	for _, b := range [][]byte{
		{0x20}, {hasHi, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f}, {hasBeyond, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f},
		{hasWide, 0xff, 0xff, 1, 1, 1}, {hasWide, 0, 0xff, 0xff, 1},
	} {
		_, err := Read(bufio.NewReader(bytes.NewReader(b)))
		assert.ErrorIs(t, err, ErrBytes, "%v", b)
	}
}
