package query

import (
	"math"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// generate_series gives numbers, as SQLite's does, or times, as PostgreSQL's does: from start up to
// and with stop. It makes each when it is asked for.
var generateSeries = &tableFunction{
	name: "generate_series", usage: "generate_series(start, stop [, step])", min: 1, max: 3, remade: true,
	columns: seriesColumns, open: openSeries,
}

// seriesStop is where a series without an end ends, as in SQLite.
const seriesStop = 1<<32 - 1

// seriesColumns are the columns of a call: value, and what it was called with.
func seriesColumns(call *parser.TableFunc, args []*expr.Expr) []tableColumn {
	typ, affinity := seriesType(call, args), value.AffBlob
	if typ == Timestamp {
		affinity = value.AffTime
	}
	list := []tableColumn{column("value", typ, affinity)}
	for i, name := range []string{"start", "stop", "step"} {
		col := hidden(nullable(column(name, Any, value.AffBlob)))
		if i < len(args) {
			col.Type = args[i].Type
		}
		list = append(list, col)
	}
	return list
}

// seriesType is the type of the values, as far as the types of the arguments tell it.
func seriesType(call *parser.TableFunc, args []*expr.Expr) Type {
	start := args[0]
	switch {
	case start.IsTime() || len(args) > 2 && expr.IsInterval(call.Args[2]):
		return Timestamp
	case start.Type == Integer && (len(args) < 3 || args[2].Type == Integer):
		return Integer
	case start.Type.IsNumber() && (len(args) < 3 || args[2].Type.IsNumber()):
		return Real
	}
	return Any
}

// openSeries starts a series. There are no rows if an argument is NULL.
func openSeries(c *functionCall) (rows, error) {
	for _, v := range c.values {
		if v.IsNull() {
			return noRows{}, nil
		}
	}
	s := &seriesRows{call: c, row: make([]value.Value, len(c.columns))}
	for i, v := range c.values {
		s.row[1+i] = v
	}
	var err error
	if c.ofTimes() {
		s.after, err = c.times()
	} else {
		s.after, err = c.numbers()
	}
	return s, err
}

// seriesRows are the rows of a series.
type seriesRows struct {
	call  *functionCall
	after func() value.Value // makes the next value, NULL at the end
	row   []value.Value
}

func (s *seriesRows) next(en *expr.Env) (bool, error) {
	en.Begin()
	if !en.Effort(value.TermEffort) {
		return false, en.Err
	}
	s.row[0] = s.after()
	en.Row.Values = s.row
	return !s.row[0].IsNull(), nil
}

func (s *seriesRows) close() error { return nil }

// ofTimes reports whether the series is one of times: it begins with one, or its step is an
// interval.
func (c *functionCall) ofTimes() bool {
	if c.columns[0].Type == Timestamp || c.values[0].Kind == value.Time {
		return true
	}
	if len(c.values) < 3 || c.values[2].Kind != value.String {
		return false
	}
	_, ok := value.ParseInterval(c.values[2].S)
	return ok
}

// times makes a series of times, each a step from the one before.
func (c *functionCall) times() (func() value.Value, error) {
	if len(c.values) < 3 {
		e := errorf(BadArgument, c.args[0].Pos, "generate_series of times takes a start, a stop and a step")
		e.Hint = "write generate_series(start, stop, INTERVAL '1' DAY)"
		return nil, e
	}
	var ends [2]int64
	for i := range ends {
		micros, ok := value.ToTime(c.values[i])
		if !ok || c.values[i].Kind.IsNumber() {
			return nil, errorf(BadValue, c.args[i].Pos, "generate_series of times cannot begin or end at %s",
				fault.Quoted(c.values[i].Text()))
		}
		ends[i] = micros
	}
	step, ok := value.ParseInterval(c.values[2].Text())
	if !ok || step == (value.Interval{}) {
		e := errorf(BadArgument, c.args[2].Pos, "the step of generate_series of times is an interval, not %s",
			fault.Quoted(c.values[2].Text()))
		e.Hint = "write INTERVAL '1' DAY"
		return nil, e
	}
	at, stop := value.OfTime(ends[0]), ends[1]
	first := step.AddTo(ends[0])
	down := !first.IsNull() && first.N < ends[0]
	return func() value.Value {
		v := at
		if v.IsNull() || !down && v.N > stop || down && v.N < stop {
			at = null
			return null
		}
		at = step.AddTo(v.N)
		return v
	}, nil
}

// numbers makes a series of numbers.
func (c *functionCall) numbers() (func() value.Value, error) {
	args := [3]value.Value{value.OfInt(0), value.OfInt(seriesStop), value.OfInt(1)}
	for i, v := range c.values {
		if args[i] = value.AsNumber(v); !args[i].Kind.IsNumber() || math.IsInf(args[i].Real(), 0) && i != 1 {
			return nil, notInSeries(v, c.args[i].Pos)
		}
	}
	start, stop, step := args[0], args[1], args[2]
	if step.Real() == 0 { // as in SQLite
		step = value.OfInt(1)
	}
	if start.Kind == value.Int && step.Kind == value.Int {
		return integers(start.N, wholeStop(stop, step.N > 0), step.N), nil
	}
	return reals(start.Real(), stop.Real(), step.Real()), nil
}

func notInSeries(v value.Value, pos parser.Pos) error {
	e := errorf(BadValue, pos, "generate_series cannot count with %s", fault.Quoted(v.Text()))
	e.Hint = "it takes numbers, or times and an INTERVAL"
	return e
}

// wholeStop is the last integer that a series of integers may reach.
func wholeStop(stop value.Value, up bool) int64 {
	if stop.Kind == value.Int {
		return stop.N
	}
	f := math.Floor(stop.F)
	if !up {
		f = math.Ceil(stop.F)
	}
	switch {
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// integers counts from start to stop. What is left to count fits in 64 bits without a sign.
func integers(start, stop, step int64) func() value.Value {
	length, width := uint64(stop)-uint64(start), uint64(step)
	if step < 0 {
		length, width = uint64(start)-uint64(stop), -width
	}
	left := length / width
	ended := step > 0 && start > stop || step < 0 && start < stop
	return func() value.Value {
		if ended {
			return null
		}
		v := value.OfInt(start)
		if ended = left == 0; !ended {
			start, left = start+step, left-1
		}
		return v
	}
}

// reals counts from start to stop by multiples of step, so that rounding does not add up.
func reals(start, stop, step float64) func() value.Value {
	i := 0.0
	return func() value.Value {
		v := start + i*step
		if step > 0 && v > stop || step < 0 && v < stop {
			return null
		}
		i++
		return value.OfReal(v)
	}
}
