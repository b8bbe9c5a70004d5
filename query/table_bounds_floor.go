package query

import (
	"math"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// date(recorded_at) and date_trunc('day', recorded_at) round a time down. A comparison with such a time
// is one of recorded_at with another time, which bounds what is read.

// A timeFloor is how a time is rounded down.
type timeFloor struct {
	unit value.Unit
	text bool // what comes out is the text of a day
}

// timeFloor recognises an expression that rounds recorded_at down, in UTC; nil for any other.
func (c *coreScope) timeFloor(l leaf, x parser.Expr) *timeFloor {
	call, ok := x.(*parser.Call)
	if !ok || l.scan.events() == nil || call.Star || call.Distinct || call.Over != nil || call.Filter != nil ||
		len(call.OrderBy) > 0 || len(call.Args) == 0 ||
		c.leafColumn(l, call.Args[len(call.Args)-1]) != ordRecordedAt {
		return nil
	}
	name := ""
	switch {
	case call.Name == "date" && len(call.Args) == 1:
		name = "day"
	case call.Name == "date_trunc" && len(call.Args) == 2:
		if unit, ok := call.Args[0].(*parser.Literal); ok {
			name, _ = unit.Value.(string)
		}
	}
	unit, ok := value.UnitOf(value.UnitName(name))
	if name == "" || !ok {
		return nil
	}
	return &timeFloor{unit: unit, text: call.Name == "date"}
}

// operand is the time that an operand means; ok is false for one that is no such time as the floor
// gives: comparing with it is left to the condition.
func (f *timeFloor) operand(x *expr.Expr, v value.Value) (micros int64, ok bool) {
	switch {
	case f.text:
		if v.Kind != value.String || len(v.S) != len("2026-01-31") || !plainText(x) {
			return 0, false
		}
		return value.ParseTime(v.S)
	case v.Kind == value.Time:
		return v.N, true
	case v.Kind == value.String:
		return value.ParseTime(v.S)
	}
	return 0, false
}

// span returns the times t for which "floor(t) op micros" holds; some is false if there are none.
func (f *timeFloor) span(op parser.Op, micros int64) (lo, hi int64, some bool) {
	n := f.unit.Number(micros)
	start, next := f.unit.Start(n), f.unit.Start(n+1)
	if op == parser.OpEq {
		return start, next - 1, start == micros
	}
	if start == micros && (op == parser.OpLt || op == parser.OpGe) {
		next = start
	}
	if op == parser.OpLt || op == parser.OpLe {
		return math.MinInt64, next - 1, true
	}
	return next, math.MaxInt64, true
}

// flooredBound is timeBound for times that are rounded down.
func (w *narrowing) flooredBound(f *timeFloor, op parser.Op, operands []*expr.Expr, values []value.Value) {
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	for i, v := range values {
		if v.Kind == value.Null {
			continue
		}
		micros, ok := f.operand(operands[i], v)
		if !ok {
			w.inexact = true
			return
		}
		if l, h, some := f.span(op, micros); some {
			lo, hi = min(lo, l), max(hi, h)
		}
	}
	if len(values) > 1 {
		w.inexact = true
	}
	w.narrowTo(&w.time, lo, hi)
}
