package value

import (
	"math"
	"math/bits"
)

// An Operation computes with two numbers, neither of them NULL.
type Operation struct {
	Ints  func(a, b int64) (n int64, ok bool) // not ok: it does not fit, reals shall do it
	reals func(a, b Value) Value              // numbers of which at least one is a Float, or ints that ints cannot do
	texts bool                                // reals is given texts as they are
}

// The operations.
var (
	Add    = &Operation{addInts, func(a, b Value) Value { return OfReal(a.Real() + b.Real()) }, false}
	Sub    = &Operation{subInts, func(a, b Value) Value { return OfReal(a.Real() - b.Real()) }, false}
	Mul    = &Operation{mulInts, func(a, b Value) Value { return OfReal(a.Real() * b.Real()) }, false}
	Div    = &Operation{divInts, divReals, false}
	Mod    = &Operation{modInts, modReals, true}
	IntDiv = &Operation{divInts, intDivReals, false}
)

func addInts(a, b int64) (int64, bool) {
	n := a + b
	return n, (n > a) == (b > 0)
}

func subInts(a, b int64) (int64, bool) {
	n := a - b
	return n, (n < a) == (b > 0)
}

func mulInts(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	// Mul64 takes the factors as unsigned: correct the upper half.
	top := int64(hi) - (a>>63)&b - (b>>63)&a
	return int64(lo), top == int64(lo)>>63
}

func divInts(a, b int64) (int64, bool) {
	if b == 0 || a == math.MinInt64 && b == -1 {
		return 0, false
	}
	return a / b, true
}

func modInts(a, b int64) (int64, bool) {
	if b == 0 {
		return 0, false
	}
	if b == -1 {
		return 0, true
	}
	return a % b, true
}

func divReals(a, b Value) Value {
	if b.Real() == 0 {
		return null
	}
	return OfReal(a.Real() / b.Real())
}

// modReals computes with the integer parts, of texts with the integers that they begin with, and
// gives a real.
func modReals(a, b Value) Value {
	n, ok := modInts(ToInt(a), ToInt(b))
	if !ok {
		return null
	}
	return OfReal(float64(n))
}

// intDivReals is the quotient without its fraction: an integer if it fits.
func intDivReals(a, b Value) Value {
	v := divReals(a, b)
	if v.Kind == Null {
		return null
	}
	v.F = math.Trunc(v.F)
	if n, ok := IsInt(v.F); ok {
		return OfInt(n)
	}
	return v
}

// Apply computes a op b, NULL if either is. Texts count by their numeric prefix.
func (o *Operation) Apply(a, b Value) Value {
	x, y := a, b
	a, b = ToNumber(a), ToNumber(b)
	if a.Kind == Null || b.Kind == Null {
		return null
	}
	if a.Kind == Int && b.Kind == Int {
		if n, ok := o.Ints(a.N, b.N); ok {
			return OfInt(n)
		}
	}
	if o.texts {
		return o.reals(x, y)
	}
	return o.reals(signedZero(a, x), signedZero(b, y))
}

// signedZero is the number n that v counts as, but -0.0 for a text such as '-0', whose sign counts
// beside a real.
func signedZero(n, v Value) Value {
	if n.Kind == Int && n.N == 0 && v.Kind == String {
		return OfReal(ToReal(v))
	}
	return n
}
