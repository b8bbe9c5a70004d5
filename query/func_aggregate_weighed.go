package query

import (
	"math/bits"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A row may stand for many events that are equal in all that a query reads. These aggregates can be
// given such a row: the function adds its value as many times as n says. With nil it makes no
// difference how often a value comes.
var weighedAggregates = map[string]func(s *aggState, c *aggregateCall, v value.Value, n int64) error{
	"count": weighCount, "count_if": weighCountIf,
	"sum": weighSum, "total": weighSum, "avg": weighSum,
	"min": nil, "max": nil, "bool_and": nil, "bool_or": nil, "every": nil,
}

// weighable reports whether the call can be given rows that stand for many.
func (c *aggregateCall) weighable() bool {
	_, ok := weighedAggregates[c.name]
	return ok && c.def == aggregates[c.name] && c.collate == value.Binary
}

// addWeighed is add for a row that stands for n.
func (c *aggregateCall) addWeighed(
	s *aggState, en *expr.Env, keep *keeper, buf []value.Value, n int64,
) error {
	weigh := weighedAggregates[c.name]
	if n == 1 || c.distinct || weigh == nil {
		return c.add(s, en, keep, buf)
	}
	if c.filter != nil && c.filter(en) != value.Yes {
		return en.Err
	}
	if c.star {
		s.n += n
		return nil
	}
	v := c.args[0].Eval(en)
	if en.Err != nil || v.Kind == value.Null || !en.Effort(len(v.S)) {
		return en.Err
	}
	return weigh(s, c, v, n)
}

func weighCount(s *aggState, _ *aggregateCall, _ value.Value, n int64) error {
	s.n += n
	return nil
}

func weighCountIf(s *aggState, _ *aggregateCall, v value.Value, n int64) error {
	if v.Truth() == value.Yes {
		s.n += n
	}
	return nil
}

// weighSum adds the product, without rounding.
func weighSum(s *aggState, c *aggregateCall, v value.Value, n int64) error {
	x, err := addend(v, c)
	if err != nil {
		return err
	}
	s.n += n
	if x.Kind == value.Int {
		s.addInts(times(x.N, n))
		return nil
	}
	s.real = true
	s.total.AddProduct(x.F, float64(n))
	return nil
}

// times is x times n, which is not negative: the number product + wraps * 2^64.
func times(x, n int64) (product, wraps int64) {
	hi, lo := bits.Mul64(uint64(x), uint64(n))
	product, wraps = int64(lo), int64(hi)
	if x < 0 {
		wraps -= n
	}
	if product < 0 {
		wraps++
	}
	return product, wraps
}

// aggregateWeighed is aggregate for rows with weights.
func (t *groupTable) aggregateWeighed(g *group, en *expr.Env) error {
	n := en.Row.Batch.Weights[en.Row.I]
	for i, a := range t.plan.aggs {
		if a.state != i {
			continue // another call adds to it
		}
		if err := a.addWeighed(&g.aggs[i], en, t.keep, t.buf, n); err != nil {
			return err
		}
	}
	return nil
}
