// Package exact adds real numbers without rounding, so that a sum is the same in whichever order,
// and in however many parts, its numbers are added.
package exact

import (
	"math"
	"math/big"
)

// A Sum is a sum of real numbers. The zero value is 0. Two floats hold what most sums need; what
// does not fit into them goes into a wider number, which has room for the squares of all floats.
//
// A copy shares the wider number. Add and AddProduct change it in place, so that only one of the
// copies may be given numbers; Merge makes one of its own first, as Detach does.
type Sum struct {
	hi, lo float64
	wide   *wide // nil for 0
}

// A wide is what two floats cannot hold.
type wide struct {
	sum    big.Float // exact
	beyond float64   // infinities and what is no number, which have no exact sum
}

// The least and the greatest float are 2 to the power of these, about; a sum of squares of both, of as
// many as there are events, has so many bits.
const (
	least, greatest = -1074, 1024
	bits            = 2*(greatest-least) + 128
)

// wideSize is how many bytes a wide takes, at most.
const wideSize = 64 + bits/8 + 16

// MostSize is the greatest Size of a Sum, in bytes.
const MostSize = wideSize

// leastProduct is what a product must at least be for what rounding takes from it to be a float.
const leastProduct = 0x1p-900

// Add adds a number.
func (s *Sum) Add(x float64) {
	hi, e := twoSum(s.hi, x)
	lo, rest := twoSum(s.lo, e)
	if rest == 0 {
		s.hi, s.lo = hi, lo
		return
	}
	s.addWide(x, hi, lo, rest)
}

// addWide adds x where hi and lo, which would hold the sum, do not hold a rest.
func (s *Sum) addWide(x, hi, lo, rest float64) {
	w := s.own()
	switch {
	case !finite(x):
		w.beyond += x
	case finite(hi) && finite(rest):
		s.hi, s.lo = hi, lo
		w.add(rest)
	default: // beyond the greatest float, perhaps not for good
		w.add(s.hi)
		w.add(s.lo)
		w.add(x)
		s.hi, s.lo = 0, 0
	}
}

// AddProduct adds x times y.
func (s *Sum) AddProduct(x, y float64) {
	p := float64(x * y) // rounded here, not in what follows
	if size := math.Abs(p); size >= leastProduct && size <= math.MaxFloat64 {
		s.Add(p)
		if rest := math.FMA(x, y, -p); rest != 0 {
			s.Add(rest)
		}
		return
	}
	switch {
	case !finite(x) || !finite(y):
		s.own().beyond += p
	case x != 0 && y != 0:
		var a, b big.Float
		s.addBig(b.SetPrec(bits).Mul(a.SetFloat64(x), new(big.Float).SetFloat64(y)))
	}
}

// AddSquare adds the square of an integer.
func (s *Sum) AddSquare(n int64) {
	if -1<<53 <= n && n <= 1<<53 {
		s.AddProduct(float64(n), float64(n))
		return
	}
	x := big.NewInt(n)
	s.addBig(newBig().SetInt(x.Mul(x, x)))
}

func (s *Sum) addBig(x *big.Float) {
	w := s.own()
	w.sum.Add(&w.sum, x)
}

// Merge adds another sum, which stays as it is.
func (s *Sum) Merge(other *Sum) {
	s.Detach()
	s.Add(other.hi)
	s.Add(other.lo)
	if other.wide != nil {
		s.addBig(&other.wide.sum)
		s.wide.beyond += other.wide.beyond
	}
}

// Detach makes a copy of a sum one that may be added to.
func (s *Sum) Detach() {
	if s.wide == nil {
		return
	}
	w := &wide{beyond: s.wide.beyond}
	w.sum.SetPrec(bits).Set(&s.wide.sum)
	s.wide = w
}

// Big returns the sum. ok is false if it is none: of infinities, or of what is no number.
func (s *Sum) Big() (sum *big.Float, ok bool) {
	sum = newBig().SetFloat64(s.hi)
	sum.Add(sum, new(big.Float).SetFloat64(s.lo))
	if s.wide != nil {
		sum.Add(sum, &s.wide.sum)
	}
	return sum, s.beyond() == 0
}

// Float returns the float next to the sum: an infinity beyond the greatest, NaN where infinities
// cancel out.
func (s *Sum) Float() float64 {
	switch {
	case s.wide == nil:
		return s.hi + s.lo
	case s.beyond() != 0:
		return s.beyond()
	}
	sum, _ := s.Big()
	f, _ := sum.Float64()
	return f + 0 // without the sign of a zero
}

// Size is how many bytes the sum takes besides itself.
func (s *Sum) Size() int64 {
	if s.wide == nil {
		return 0
	}
	return wideSize
}

// beyond is the sum of what has no exact one, 0 for nothing.
func (s *Sum) beyond() float64 {
	if s.wide == nil {
		return 0
	}
	return s.wide.beyond
}

// own returns the wider number, which is made if there is none.
func (s *Sum) own() *wide {
	if s.wide == nil {
		s.wide = &wide{}
		s.wide.sum.SetPrec(bits)
	}
	return s.wide
}

func (w *wide) add(x float64) {
	var f big.Float
	w.sum.Add(&w.sum, f.SetFloat64(x))
}

func newBig() *big.Float { return new(big.Float).SetPrec(bits) }

// twoSum returns a + b, rounded, and what rounding has taken from it (Knuth).
func twoSum(a, b float64) (sum, rest float64) {
	sum = a + b
	of := sum - a
	return sum, (a - (sum - of)) + (b - of)
}

func finite(x float64) bool { return math.Abs(x) <= math.MaxFloat64 }
