package query

import (
	"math"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An aggregate is one aggregate function. A new one is one more entry of aggregates.
type aggregate struct {
	min, max int // number of arguments
	star     bool
	typ      func(args []*expr.Expr) (t Type, nullable bool)
	// step adds a row. v are the arguments' values; the first is not NULL, unless all arguments are
	// constants.
	step func(s *aggState, call *aggregateCall, v []value.Value) error
	// merge adds to s what comes after it, from another part of the rows. nil: the function cannot be
	// computed in parts.
	merge func(s, after *aggState, call *aggregateCall) error
	final func(s *aggState) (value.Value, error)
	grows bool // the state grows with every row
	holds bool // the state holds a value
}

// An aggState is what one group knows of one aggregate.
type aggState struct {
	n        int64 // rows
	sum      int64 // exact, while real is false
	overflow bool  // sum has overflowed
	real     bool  // some value was no integer
	total    float64
	rest     float64 // what rounding took from total (Neumaier's variant of Kahan's summation)
	value    value.Value
	text     []byte // of value, or what group_concat has put together
	distinct map[string]struct{}
}

// isAdding reports whether the function adds numbers, of which a time is none.
func isAdding(name string) bool { return name == "sum" || name == "total" || name == "avg" }

// aggregates are the aggregate functions by name.
var aggregates = map[string]*aggregate{
	"count": {0, 1, true, typeOf(Integer, false), stepCount, mergeCount, finalCount, false,
		false},
	"sum":          {1, 1, false, sumType, stepSum, mergeSum, finalSum, false, false},
	"total":        {1, 1, false, typeOf(Real, false), stepSum, mergeSum, finalTotal, false, false},
	"avg":          {1, 1, false, typeOf(Real, true), stepSum, mergeSum, finalAvg, false, false},
	"min":          {1, 1, false, argType, stepMin, mergeMin, finalValue, false, true},
	"max":          {1, 1, false, argType, stepMax, mergeMax, finalValue, false, true},
	"first":        {1, 1, false, argType, stepFirst, mergeFirst, finalValue, false, true},
	"last":         {1, 1, false, argType, stepLast, mergeLast, finalValue, false, true},
	"group_concat": {1, 2, false, typeOf(Text, true), stepConcat, nil, finalConcat, true, false},
}

// isAggregate reports whether a call without OVER is an aggregate. MIN and MAX of several values
// are scalar functions.
func isAggregate(c *parser.Call) bool {
	a := aggregates[c.Name]
	return a != nil && (len(c.Args) <= a.max || c.Name != "min" && c.Name != "max")
}

func typeOf(t Type, nullable bool) func([]*expr.Expr) (Type, bool) {
	return func([]*expr.Expr) (Type, bool) { return t, nullable }
}

func argType(args []*expr.Expr) (Type, bool) { return args[0].Type, true }

func sumType(args []*expr.Expr) (Type, bool) {
	if t := args[0].Type; t == Integer || t == Real {
		return t, true
	}
	return Any, true
}

// size is how many bytes the state takes besides itself.
func (s *aggState) size() int64 { return int64(cap(s.text)) }

// grow makes room for one more of the texts that are put together.
func (s *aggState) grow(v []value.Value, keep *keeper) error {
	need := len(s.text) + len(v[0].S) + shortText
	if len(v) > 1 {
		need += len(v[1].S)
	}
	if need <= cap(s.text) {
		return nil
	}
	size := need + need/4
	if err := keep.account(int64(size)); err != nil { // for a moment there are both
		return err
	}
	old := s.size()
	s.text = append(make([]byte, 0, size), s.text...)
	return keep.account(int64(cap(s.text)-size) - old)
}

// shortText is how long the text of a number or a time is at most.
const shortText = 40

// firstTime notes a value and reports whether it is new.
func (s *aggState) firstTime(v value.Value, c value.Collation, keep *keeper) (bool, error) {
	var room [64]byte
	key := value.AppendKey(room[:0], v, c)
	if _, ok := s.distinct[string(key)]; ok {
		return false, nil
	}
	if s.distinct == nil {
		s.distinct = map[string]struct{}{}
	}
	s.distinct[string(key)] = struct{}{}
	return true, keep.account(int64(len(key)) + 48)
}

func stepCount(s *aggState, _ *aggregateCall, _ []value.Value) error {
	s.n++
	return nil
}

func mergeCount(s, after *aggState, _ *aggregateCall) error {
	s.n += after.n
	return nil
}

func finalCount(s *aggState) (value.Value, error) { return value.OfInt(s.n), nil }

// stepSum adds a number. Integers are added exactly as long as there is nothing else.
func stepSum(s *aggState, c *aggregateCall, v []value.Value) error {
	s.n++
	x := v[0]
	if x.Kind == value.Time {
		return expr.ErrTimeAsNumber(c.pos)
	}
	if x.Kind != value.Int && x.Kind != value.Float {
		x = value.ToNumber(value.AsNumber(x))
		if x.Kind == value.Int && value.AsNumber(v[0]).Kind != value.Int { // a text that is a number only at its beginning
			x = value.OfReal(float64(x.N))
		}
	}
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

func finalSum(s *aggState) (value.Value, error) {
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

func finalTotal(s *aggState) (value.Value, error) { return value.OfReal(s.float()), nil }

func finalAvg(s *aggState) (value.Value, error) {
	if s.n == 0 {
		return null, nil
	}
	return value.OfReal(s.float() / float64(s.n)), nil
}

func stepMin(s *aggState, c *aggregateCall, v []value.Value) error {
	if s.n == 0 || value.Compare(v[0], s.value, c.collate) < 0 {
		s.set(v[0])
	}
	s.n++
	return nil
}

func stepMax(s *aggState, c *aggregateCall, v []value.Value) error {
	if s.n == 0 || value.Compare(v[0], s.value, c.collate) > 0 {
		s.set(v[0])
	}
	s.n++
	return nil
}

// set keeps a value. A text is copied, so that it does not keep alive the block it was read from.
func (s *aggState) set(v value.Value) {
	if v.S != "" {
		if cap(s.text) > keptBytes && cap(s.text)/4 > len(v.S) {
			s.text = nil
		}
		s.text = append(s.text[:0], v.S...)
		v.S = value.StringOf(s.text)
	}
	s.value = v
}

func mergeMin(s, after *aggState, c *aggregateCall) error {
	return mergeValue(s, after,
		func() bool { return value.Compare(after.value, s.value, c.collate) < 0 })
}

func mergeMax(s, after *aggState, c *aggregateCall) error {
	return mergeValue(s, after,
		func() bool { return value.Compare(after.value, s.value, c.collate) > 0 })
}

// mergeValue takes the later part's value if the earlier has none, or if it is better.
func mergeValue(s, after *aggState, better func() bool) error {
	if after.n > 0 && (s.n == 0 || better()) {
		s.value, s.text = after.value, after.text
	}
	s.n += after.n
	return nil
}

func stepFirst(s *aggState, _ *aggregateCall, v []value.Value) error {
	if s.n == 0 {
		s.set(v[0])
	}
	s.n++
	return nil
}

func stepLast(s *aggState, _ *aggregateCall, v []value.Value) error {
	s.set(v[0])
	s.n++
	return nil
}

func mergeFirst(s, after *aggState, _ *aggregateCall) error {
	return mergeValue(s, after, func() bool { return false })
}

func mergeLast(s, after *aggState, _ *aggregateCall) error {
	return mergeValue(s, after, func() bool { return true })
}

func finalValue(s *aggState) (value.Value, error) { return s.value, nil }

// stepConcat appends a text behind the separator, which is a comma unless it is given.
func stepConcat(s *aggState, _ *aggregateCall, v []value.Value) error {
	if s.n++; s.n > 1 {
		if len(v) < 2 {
			s.text = append(s.text, ',')
		} else {
			s.text = value.AppendText(s.text, v[1])
		}
	}
	s.text = value.AppendText(s.text, v[0])
	return nil
}

func finalConcat(s *aggState) (value.Value, error) {
	if s.n == 0 {
		return null, nil
	}
	return value.OfText(value.StringOf(s.text)), nil
}
