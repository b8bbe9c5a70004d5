package query

import (
	"math"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// The aggregates of pairs of numbers. A row in which one of the two is NULL does not count.
var pairAggregates = map[string]*aggregate{
	"covar_pop":  pairs(func(n int64, p *pairMoments) float64 { return p.product / float64(n) }),
	"covar_samp": pairs(func(n int64, p *pairMoments) float64 { return p.product / float64(n-1) }),
	"corr": pairs(func(_ int64, p *pairMoments) float64 {
		// a product of roots is not too great where the root of the product would be
		r := p.product / (math.Sqrt(p.squares[0]) * math.Sqrt(p.squares[1]))
		return min(max(r, -1), 1)
	}),
}

// pairMoments are the means of how far the numbers are from the first ones, and the sums of the
// squares and products of the distances from the means (Welford): large numbers that are close to
// each other lose little.
type pairMoments struct {
	first   [2]value.Value
	means   [2]float64
	squares [2]float64
	product float64
}

// pairs is an aggregate of the moments of pairs; what is not a number then is NULL.
func pairs(of func(n int64, p *pairMoments) float64) *aggregate {
	final := func(s *aggState, _ *aggregateCall, _ *expr.Env) (value.Value, error) {
		if s.n == 0 {
			return null, nil
		}
		f := of(s.n, s.pairs)
		if math.IsInf(f, 0) {
			return null, nil
		}
		return value.OfReal(f), nil
	}
	return &aggregate{min: 2, max: 2, numbers: true, holds: true, typ: typeOf(Real, true),
		step: stepPairs, merge: mergePairs, final: final}
}

func stepPairs(s *aggState, c *aggregateCall, v []value.Value) error {
	if v[1].IsNull() {
		return nil
	}
	var x [2]value.Value
	for i := range x {
		var err error
		if x[i], err = addend(v[i], c); err != nil {
			return err
		}
	}
	if s.n++; s.n == 1 {
		s.pairs = &pairMoments{first: x}
	}
	p := s.pairs
	var before, after [2]float64 // distances from the means
	for i := range x {
		at := apart(x[i], p.first[i])
		before[i] = at - p.means[i]
		p.means[i] += before[i] / float64(s.n)
		after[i] = at - p.means[i]
		p.squares[i] += before[i] * after[i]
	}
	p.product += before[0] * after[1]
	return nil
}

// mergePairs joins the moments of two parts (Chan, Golub and LeVeque).
func mergePairs(s, after *aggState, _ *aggregateCall) error {
	if after.n == 0 {
		return nil
	}
	joined := *after.pairs // states of windows share what they have taken over
	if s.n > 0 {
		p, n, m := s.pairs, float64(s.n), float64(after.n)
		joined = *p
		var apartBy [2]float64
		for i := range apartBy {
			apartBy[i] = after.pairs.means[i] - p.means[i] + apart(after.pairs.first[i], p.first[i])
			joined.means[i] += apartBy[i] * m / (n + m)
			joined.squares[i] += after.pairs.squares[i] + apartBy[i]*apartBy[i]*n*m/(n+m)
		}
		joined.product += after.pairs.product + apartBy[0]*apartBy[1]*n*m/(n+m)
	}
	s.n += after.n
	s.pairs = &joined
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
