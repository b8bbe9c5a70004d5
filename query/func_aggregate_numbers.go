package query

import (
	"math"
	"math/big"

	"github.com/eventfold/eventfold/query/internal/exact"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// The aggregates that count and add. All can be computed in parts.
var numberAggregates = map[string]*aggregate{
	"count": {max: 1, star: true, many: true, typ: typeOf(Integer, false),
		step: stepCount, merge: mergeCount, final: finalCount},
	"count_if": {min: 1, max: 1, typ: typeOf(Integer, false),
		step: stepCountIf, merge: mergeCount, final: finalCount},
	"sum": {min: 1, max: 1, numbers: true, exact: true, typ: sumType,
		step: stepSum, merge: mergeSum, final: finalSum},
	"total": {min: 1, max: 1, numbers: true, exact: true, typ: typeOf(Real, false),
		step: stepSum, merge: mergeSum, final: finalTotal},
	"avg": {min: 1, max: 1, numbers: true, exact: true, typ: typeOf(Real, true),
		step: stepSum, merge: mergeSum, final: finalAvg},

	"var_pop":     moments(0, false),
	"var_samp":    moments(1, false),
	"stddev_pop":  moments(0, true),
	"stddev_samp": moments(1, true),

	"bool_and": {min: 1, max: 1, typ: typeOf(Integer, true),
		step: stepTruths, merge: mergeTruths, final: finalAnd},
	"bool_or": {min: 1, max: 1, typ: typeOf(Integer, true),
		step: stepTruths, merge: mergeTruths, final: finalOr},
}

func sumType(args []*expr.Expr) (Type, bool) {
	if t := args[0].Type; t == Integer || t == Real {
		return t, true
	}
	return Any, true
}

func stepCount(s *aggState, _ *aggregateCall, _ []value.Value) error {
	s.n++
	return nil
}

func stepCountIf(s *aggState, _ *aggregateCall, v []value.Value) error {
	if v[0].Truth() == value.Yes {
		s.n++
	}
	return nil
}

func mergeCount(s, after *aggState, _ *aggregateCall) error {
	s.n += after.n
	return nil
}

func finalCount(s *aggState, _ *aggregateCall, _ *expr.Env) (value.Value, error) {
	return value.OfInt(s.n), nil
}

// addend is a value as a number that can be added. A text that is a number only at its beginning
// is a REAL.
func addend(x value.Value, c *aggregateCall) (value.Value, error) {
	switch {
	case x.Kind.IsNumber():
		return x, nil
	case x.Kind == value.Time:
		return null, expr.ErrTimeAsNumber(c.pos)
	}
	n := value.ToNumber(value.AsNumber(x))
	if n.Kind == value.Int && value.AsNumber(x).Kind != value.Int {
		n = value.OfReal(float64(n.N))
	}
	return n, nil
}

// stepSum adds a number. Integers and reals are added apart, both without rounding, so that the sum
// does not depend on the order of the rows, nor on which parts they are added in.
func stepSum(s *aggState, c *aggregateCall, v []value.Value) error {
	x := v[0]
	if !x.Kind.IsNumber() {
		var err error
		if x, err = addend(x, c); err != nil {
			return err
		}
	}
	s.n++
	if x.Kind == value.Int {
		s.addInt(x.N)
		return nil
	}
	s.real = true
	s.total.Add(x.F)
	return nil
}

// addInt adds to the sum of integers, which has 128 bits.
func (s *aggState) addInt(n int64) {
	sum := s.sum + n
	if (sum > s.sum) != (n > 0) && n != 0 {
		s.wraps += 1 | n>>63 // 1 or -1: as n
	}
	s.sum = sum
}

// addInts adds another sum of integers.
func (s *aggState) addInts(sum, wraps int64) {
	s.addInt(sum)
	s.wraps += wraps
}

func mergeSum(s, after *aggState, _ *aggregateCall) error {
	s.n += after.n
	s.addInts(after.sum, after.wraps)
	s.real = s.real || after.real
	s.total.Merge(&after.total)
	return nil
}

// float is the sum as a real, rounded once.
func (s *aggState) float() float64 {
	switch {
	case !s.real && s.wraps == 0:
		return float64(s.sum)
	case s.sum == 0 && s.wraps == 0:
		return s.total.Float()
	}
	sum := s.both()
	return sum.Float()
}

// both is the sum of integers and reals.
func (s *aggState) both() exact.Sum {
	sum := s.total
	sum.Detach()
	sum.Add(float64(s.sum >> 32 << 32)) // no float has all digits of it
	sum.Add(float64(s.sum & math.MaxUint32))
	sum.AddProduct(float64(s.wraps>>32<<32), 1<<64)
	sum.AddProduct(float64(s.wraps&math.MaxUint32), 1<<64)
	return sum
}

func finalSum(s *aggState, _ *aggregateCall, _ *expr.Env) (value.Value, error) {
	switch {
	case s.n == 0:
		return null, nil
	case s.real:
		return value.OfReal(s.float()), nil
	case s.wraps != 0:
		return null, &Error{
			Kind: BadValue, Pos: -1, Msg: "integer overflow in SUM", Hint: "TOTAL adds real numbers",
		}
	}
	return value.OfInt(s.sum), nil
}

func finalTotal(s *aggState, _ *aggregateCall, _ *expr.Env) (value.Value, error) {
	return value.OfReal(s.float()), nil
}

func finalAvg(s *aggState, _ *aggregateCall, _ *expr.Env) (value.Value, error) {
	if s.n == 0 {
		return null, nil
	}
	return value.OfReal(s.float() / float64(s.n)), nil
}

// moments is a variance, divided by less fewer than there are numbers, or the root of it. The state
// has the sum of the numbers as that of SUM has it, and the sum of their squares, both without
// rounding: large numbers that are close to each other lose nothing, and the order is of no
// consequence.
func moments(less int64, root bool) *aggregate {
	final := func(s *aggState, _ *aggregateCall, _ *expr.Env) (value.Value, error) {
		if s.n <= less {
			return null, nil
		}
		variance := s.variance(less)
		if root {
			variance = math.Sqrt(variance)
		}
		return value.OfReal(variance), nil
	}
	return &aggregate{min: 1, max: 1, numbers: true, exact: true, typ: typeOf(Real, true),
		step: stepMoments, merge: mergeMoments, final: final}
}

// variance is (n * squares - sum * sum) / (n * (n - less)), rounded once.
func (s *aggState) variance(less int64) float64 {
	whole := s.both()
	sum, ok := whole.Big()
	if !ok {
		return math.NaN()
	}
	squares, _ := s.squares.Big()
	n, rest := new(big.Float).SetInt64(s.n), new(big.Float).SetInt64(s.n-less)
	squares.Sub(squares.Mul(squares, n), sum.Mul(sum, sum))
	f, _ := new(big.Float).SetPrec(53).Quo(squares, n.SetPrec(128).Mul(n, rest)).Float64()
	return f
}

func stepMoments(s *aggState, c *aggregateCall, v []value.Value) error {
	if err := stepSum(s, c, v); err != nil {
		return err
	}
	if s.squares == nil {
		s.squares = &exact.Sum{}
	}
	n, err := addend(v[0], c)
	if err != nil {
		return err
	}
	if n.Kind == value.Int {
		s.squares.AddSquare(n.N)
	} else {
		s.squares.AddProduct(n.F, n.F)
	}
	return nil
}

func mergeMoments(s, after *aggState, c *aggregateCall) error {
	if after.squares == nil {
		return nil
	}
	squares := exact.Sum{} // states of windows share what they have taken over
	if s.squares != nil {
		squares.Merge(s.squares)
	}
	squares.Merge(after.squares)
	s.squares = &squares
	return mergeSum(s, after, c)
}

// stepTruths counts in sum what is true.
func stepTruths(s *aggState, _ *aggregateCall, v []value.Value) error {
	s.n++
	if v[0].Truth() == value.Yes {
		s.sum++
	}
	return nil
}

func mergeTruths(s, after *aggState, _ *aggregateCall) error {
	s.n += after.n
	s.sum += after.sum
	return nil
}

func finalAnd(s *aggState, _ *aggregateCall, _ *expr.Env) (value.Value, error) {
	if s.n == 0 {
		return null, nil
	}
	return value.OfBool(s.sum == s.n), nil
}

func finalOr(s *aggState, _ *aggregateCall, _ *expr.Env) (value.Value, error) {
	if s.n == 0 {
		return null, nil
	}
	return value.OfBool(s.sum > 0), nil
}
