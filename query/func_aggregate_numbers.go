package query

import (
	"math"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// The aggregates that count and add. All can be computed in parts.
var numberAggregates = map[string]*aggregate{
	"count": {max: 1, star: true, many: true, typ: typeOf(Integer, false),
		step: stepCount, merge: mergeCount, final: finalCount},
	"count_if": {min: 1, max: 1, typ: typeOf(Integer, false),
		step: stepCountIf, merge: mergeCount, final: finalCount},
	"sum": {min: 1, max: 1, numbers: true, typ: sumType,
		step: stepSum, merge: mergeSum, final: finalSum},
	"total": {min: 1, max: 1, numbers: true, typ: typeOf(Real, false),
		step: stepSum, merge: mergeSum, final: finalTotal},
	"avg": {min: 1, max: 1, numbers: true, typ: typeOf(Real, true),
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

// stepSum adds a number. Integers are added exactly as long as there is nothing else.
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
		s.addReal(float64(x.N))
		return nil
	}
	s.real = true
	s.addReal(x.F)
	return nil
}

func (s *aggState) addInt(n int64) {
	sum := s.sum + n
	if (sum > s.sum) != (n > 0) && n != 0 {
		s.overflow = true
	}
	s.sum = sum
}

func (s *aggState) addReal(f float64) {
	t := s.total + f
	if math.Abs(s.total) >= math.Abs(f) {
		s.rest += (s.total - t) + f
	} else {
		s.rest += (f - t) + s.total
	}
	s.total = t
}

func mergeSum(s, after *aggState, _ *aggregateCall) error {
	s.n += after.n
	s.addInt(after.sum)
	s.overflow = s.overflow || after.overflow
	s.real = s.real || after.real
	s.addReal(after.total)
	s.rest += after.rest
	return nil
}

// float is the sum as a real, of integers without a loss.
func (s *aggState) float() float64 {
	if !s.real && !s.overflow {
		return float64(s.sum)
	}
	if f := s.total + s.rest; !math.IsNaN(f) {
		return f
	}
	return s.total // beyond the range of numbers, where nothing can be put right
}

func finalSum(s *aggState, _ *aggregateCall, _ *expr.Env) (value.Value, error) {
	switch {
	case s.n == 0:
		return null, nil
	case s.real:
		return value.OfReal(s.float()), nil
	case s.overflow:
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
// has the first number in value, the mean of how far all are from it in total, and the sum of the
// squares of the distances from the mean in rest (Welford): large numbers that are close to each
// other lose nothing.
func moments(less int64, root bool) *aggregate {
	final := func(s *aggState, _ *aggregateCall, _ *expr.Env) (value.Value, error) {
		if s.n <= less {
			return null, nil
		}
		variance := s.rest / float64(s.n-less)
		if root {
			variance = math.Sqrt(variance)
		}
		return value.OfReal(variance), nil
	}
	return &aggregate{min: 1, max: 1, numbers: true, typ: typeOf(Real, true),
		step: stepMoments, merge: mergeMoments, final: final}
}

func stepMoments(s *aggState, c *aggregateCall, v []value.Value) error {
	n, err := addend(v[0], c)
	if err != nil {
		return err
	}
	if s.n == 0 {
		s.value = n
	}
	s.n++
	x := apart(n, s.value)
	distance := x - s.total
	s.total += distance / float64(s.n)
	s.rest += distance * (x - s.total)
	return nil
}

// apart is how far a is from b, of integers without a loss.
func apart(a, b value.Value) float64 {
	if a.Kind == value.Int && b.Kind == value.Int {
		if d := a.N - b.N; (d > 0) == (a.N > b.N) {
			return float64(d)
		}
	}
	return a.Real() - b.Real()
}

// mergeMoments joins the moments of two parts (Chan, Golub and LeVeque).
func mergeMoments(s, after *aggState, _ *aggregateCall) error {
	switch {
	case after.n == 0:
		return nil
	case s.n == 0:
		s.n, s.value, s.total, s.rest = after.n, after.value, after.total, after.rest
		return nil
	}
	n, m := float64(s.n), float64(after.n)
	distance := after.total - s.total + apart(after.value, s.value)
	s.total += distance * m / (n + m)
	s.rest += after.rest + distance*distance*n*m/(n+m)
	s.n += after.n
	return nil
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
