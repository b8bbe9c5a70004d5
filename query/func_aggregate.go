package query

import (
	"maps"
	"unsafe"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/exact"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An aggregate is one aggregate function. A new one is one more entry of a table in a file
// func_aggregate_*.go.
//
// A group's state is changed by step, or by hold, by merge and by nothing else. final does not
// change it: a window asks for the result, goes on adding rows, and asks again.
type aggregate struct {
	min, max int  // number of arguments, without those of a fraction
	star     bool // COUNT(*)
	many     bool // with DISTINCT there may be more arguments
	numbers  bool // it adds numbers, of which a time is none
	nulls    bool // rows whose first argument is NULL count, too
	typ      func(args []*expr.Expr) (t Type, nullable bool)

	// step adds a row. v are the arguments' values.
	step func(s *aggState, call *aggregateCall, v []value.Value) error
	// hold stands in place of step where the state keeps a part of every row: it is as large as the
	// group, and accounts for what it keeps.
	hold func(s *aggState, call *aggregateCall, v []value.Value, keep *keeper) error
	// merge adds to s what comes after it, from another part of the rows. nil: the function cannot be
	// computed in parts.
	merge func(s, after *aggState, call *aggregateCall) error
	// final gives the result. What it makes is made for the current row of en.
	final func(s *aggState, call *aggregateCall, en *expr.Env) (value.Value, error)

	// room is how many bytes the text of the state grows by with a row, at most; nil if there is none.
	room  func(v []value.Value) int
	exact bool // the state has sums that are not rounded, which may take room
	grows bool // the text of the state is the result, and only grows
	holds bool // the state holds values of one row

	holding  string       // what is held, where functions of the same argument hold the same
	fraction fractionKind // the last argument of a call
	within   bool         // WITHIN GROUP (ORDER BY x) stands for the first argument
	extreme  extreme      // the value of one argument where another is greatest or least

	// sorted computes the function where ORDER BY stands inside of the call; nil: the order does not
	// change the result.
	sorted *aggregate
}

// An aggState is what one group knows of one aggregate.
type aggState struct {
	n        int64 // rows
	sum      int64 // of the integers, less wraps times 2^64
	wraps    int64
	real     bool       // some value was no integer
	total    exact.Sum  // of the values that were none
	squares  *exact.Sum // of all of them
	value    value.Value
	text     []byte // of the values that are held, or what has been put together
	distinct map[string]struct{}
	held     *heldRows // what is kept of rows
	program  *goState  // of an aggregate of the program
	pairs    *pairMoments
}

// aggregates are the aggregate functions by name.
var aggregates = map[string]*aggregate{}

// aggregateAliases are further names.
var aggregateAliases = map[string]string{
	"arg_max": "max_by", "arg_min": "min_by", "every": "bool_and",
	"quantile": "percentile_disc", "quantile_cont": "percentile_cont", "quantile_disc": "percentile_disc",
	"stddev": "stddev_samp", "variance": "var_samp",
}

func init() { // the functions of held rows refer back to those of the tables
	for _, table := range []map[string]*aggregate{
		numberAggregates, pairAggregates, valueAggregates, textAggregates, heldAggregates,
	} {
		maps.Copy(aggregates, table)
	}
	for alias, name := range aggregateAliases {
		aggregates[alias] = aggregates[name]
	}
	for _, a := range aggregates {
		if a.room != nil {
			a.sorted = &aggregate{nulls: a.nulls, typ: a.typ, hold: holdRow, final: finalSorted}
		}
	}
}

// aggregateNamed returns the aggregate of a name, SQL's or the program's, nil if there is none.
func (c *statementCompiler) aggregateNamed(name string) *aggregate {
	if a := aggregates[name]; a != nil {
		return a
	}
	if g := c.functions.find(name); g != nil {
		return g.aggregate
	}
	return nil
}

// isAggregate reports whether a call is an aggregate if it has no OVER. MIN and MAX of several values
// are scalar functions.
func (c *statementCompiler) isAggregate(call *parser.Call) bool {
	a := c.aggregateNamed(call.Name)
	return a != nil && (len(call.Args) <= a.max || call.Name != "min" && call.Name != "max")
}

func typeOf(t Type, nullable bool) func([]*expr.Expr) (Type, bool) {
	return func([]*expr.Expr) (Type, bool) { return t, nullable }
}

func argType(args []*expr.Expr) (Type, bool) { return args[0].Type, true }

// size is how many bytes the state takes besides itself.
func (s *aggState) size() int64 {
	n := int64(cap(s.text)) + s.sums()
	if s.held != nil {
		n += s.held.bytes
	}
	if s.program != nil {
		n += s.program.held
	}
	if s.pairs != nil {
		n += pairMomentsSize
	}
	return n
}

// sums is how many bytes of it are those of sums that are not rounded.
func (s *aggState) sums() int64 {
	n := s.total.Size()
	if s.squares != nil {
		n += squaresSize + s.squares.Size()
	}
	return n
}

// grow makes room for so many bytes more of the text that is put together.
func (s *aggState) grow(n int, keep *keeper) error {
	need := len(s.text) + n
	if need <= cap(s.text) {
		return nil
	}
	size := need + need/4
	if err := keep.account(int64(size)); err != nil { // for a moment there are both
		return err
	}
	old := int64(cap(s.text))
	s.text = append(make([]byte, 0, size), s.text...)
	return keep.account(int64(cap(s.text)-size) - old)
}

const (
	pairMomentsSize = int64(unsafe.Sizeof(pairMoments{}))
	squaresSize     = int64(unsafe.Sizeof(exact.Sum{}))
	largestSums     = squaresSize + 2*exact.MostSize // what the exact sums of a state grow by, at most
)

// shortText is how long the text of a number or a time is at most.
const shortText = 40

// firstTime notes the values of arguments and reports whether they are new.
func (s *aggState) firstTime(v []value.Value, args []*expr.Expr, keep *keeper) (bool, error) {
	var room [64]byte
	key := room[:0]
	for i := range v {
		key = value.AppendKey(key, v[i], args[i].Collate)
	}
	if _, ok := s.distinct[string(key)]; ok {
		return false, nil
	}
	if s.distinct == nil {
		s.distinct = map[string]struct{}{}
	}
	s.distinct[string(key)] = struct{}{}
	return true, keep.account(int64(len(key)) + 48)
}
