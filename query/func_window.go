package query

import (
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A windowFunc computes a window function for the rows of one partition, which are in order.
type windowFunc struct {
	min, max int // number of arguments
	typ      func(args []*expr.Expr) (t Type, nullable bool)
	compute  func(r *windowRun) error
	groups   bool // asks which rows are equal in the order
	nulls    bool // takes IGNORE NULLS
}

// windowFuncs are the functions that exist only with OVER. Aggregates with OVER are computed by
// windowRun.aggregate.
var windowFuncs map[string]*windowFunc

func init() { // the table and the functions refer to each other
	windowFuncs = map[string]*windowFunc{
		"row_number":   {0, 0, typeOf(Integer, false), windowRowNumber, false, false},
		"rank":         {0, 0, typeOf(Integer, false), windowRank, true, false},
		"dense_rank":   {0, 0, typeOf(Integer, false), windowDenseRank, true, false},
		"percent_rank": {0, 0, typeOf(Real, false), windowPercentRank, true, false},
		"cume_dist":    {0, 0, typeOf(Real, false), windowCumeDist, true, false},
		"ntile":        {1, 1, typeOf(Integer, false), windowNtile, false, false},
		"lag":          {1, 3, lagType, windowLag, false, true},
		"lead":         {1, 3, lagType, windowLead, false, true},
		"first_value":  {1, 1, argType, windowFirstValue, false, true},
		"last_value":   {1, 1, argType, windowLastValue, false, true},
		"nth_value":    {2, 2, argType, windowNthValue, false, true},
	}
}

func lagType(args []*expr.Expr) (Type, bool) {
	if len(args) == 3 && args[2].Type != args[0].Type {
		return Any, true
	}
	return args[0].Type, true
}

// each gives every row of the partition what f returns for it.
func (r *windowRun) each(f func(i int) value.Value) error {
	for i := range r.rows {
		r.set(i, f(i))
		if err := r.check(i); err != nil {
			return err
		}
	}
	return nil
}

func windowRowNumber(r *windowRun) error {
	return r.each(func(i int) value.Value { return value.OfInt(int64(i) + 1) })
}

func windowRank(r *windowRun) error {
	return r.each(func(i int) value.Value { return value.OfInt(int64(r.peers(i).lo) + 1) })
}

func windowDenseRank(r *windowRun) error {
	return r.each(func(i int) value.Value { return value.OfInt(int64(r.group(i)) + 1) })
}

// windowPercentRank gives the part of the other rows that come before the row and those equal to
// it.
func windowPercentRank(r *windowRun) error {
	others := float64(max(len(r.rows)-1, 1))
	return r.each(func(i int) value.Value { return value.OfReal(float64(r.peers(i).lo) / others) })
}

// windowCumeDist gives the part of all rows that do not come after the row and those equal to it.
func windowCumeDist(r *windowRun) error {
	all := float64(len(r.rows))
	return r.each(func(i int) value.Value { return value.OfReal(float64(r.peers(i).hi) / all) })
}

// windowNtile deals the rows out to so many parts whose sizes differ by one at most, the larger
// ones first. How many is asked of the first row.
func windowNtile(r *windowRun) error {
	parts, err := r.positive(0, 0)
	if err != nil {
		return err
	}
	size, larger := int64(len(r.rows))/parts, int64(len(r.rows))%parts
	return r.each(func(i int) value.Value {
		if at := int64(i); at >= larger*(size+1) {
			return value.OfInt((at-larger)/size + 1)
		}
		return value.OfInt(int64(i)/(size+1) + 1)
	})
}
