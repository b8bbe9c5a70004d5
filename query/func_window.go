package query

import (
	"strings"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// windowOnly are the functions that exist only with OVER.
var windowOnly = map[string]bool{
	"row_number": true, "rank": true, "dense_rank": true, "lag": true, "lead": true,
	"first_value": true, "last_value": true,
}

// A windowFunc computes a window function for the rows of one partition, which are in order, into
// out.
type windowFunc struct {
	min, max int
	typ      func(args []*expr.Expr) (t Type, nullable bool)
	compute  func(w *partition, call *windowCall) error
}

// windowFuncs are the functions that exist only with OVER. Aggregates with OVER are computed by
// windowAggregate.
var windowFuncs map[string]*windowFunc

func init() { // the table and the functions refer to each other
	windowFuncs = map[string]*windowFunc{
		"row_number":  {0, 0, typeOf(Integer, false), windowRowNumber},
		"rank":        {0, 0, typeOf(Integer, false), windowRank},
		"dense_rank":  {0, 0, typeOf(Integer, false), windowDenseRank},
		"lag":         {1, 3, lagType, windowLag},
		"lead":        {1, 3, lagType, windowLead},
		"first_value": {1, 1, argType, windowFirstValue},
		"last_value":  {1, 1, argType, windowLastValue},
	}
}

func lagType(args []*expr.Expr) (Type, bool) {
	if len(args) == 3 && args[2].Type != args[0].Type {
		return Any, true
	}
	return args[0].Type, true
}

func windowRowNumber(p *partition, _ *windowCall) error {
	for i := range p.rows {
		p.set(i, value.OfInt(int64(i)+1))
	}
	return nil
}

func windowRank(p *partition, _ *windowCall) error {
	rank := 1
	for i := range p.rows {
		if i > 0 && !p.peer(i-1, i) {
			rank = i + 1
		}
		p.set(i, value.OfInt(int64(rank)))
	}
	return nil
}

func windowDenseRank(p *partition, _ *windowCall) error {
	rank := int64(1)
	for i := range p.rows {
		if i > 0 && !p.peer(i-1, i) {
			rank++
		}
		p.set(i, value.OfInt(rank))
	}
	return nil
}

func windowLag(p *partition, call *windowCall) error { return windowShift(p, call, -1) }

func windowLead(p *partition, call *windowCall) error { return windowShift(p, call, 1) }

// windowShift gives every row the value of the row that is so many rows before or after it in the
// partition.
func windowShift(p *partition, call *windowCall, sign int64) error {
	if err := p.op.keep.account(int64(len(p.rows)) * valueSize); err != nil {
		return err
	}
	values := make([]value.Value, len(p.rows))
	for i := range p.rows {
		values[i] = p.eval(call.args[0], i)
		if err := p.check(i); err != nil {
			return err
		}
	}
	for i := range p.rows {
		if err := p.check(i); err != nil {
			return err
		}
		by := value.OfInt(1)
		if len(call.args) > 1 {
			by = value.AsNumber(p.eval(call.args[1], i))
		}
		if by.Kind != value.Int {
			return errorf(BadValue, call.pos,
				"the offset of %s() must be an integer", strings.ToUpper(call.name))
		}
		at := int64(i) + sign*by.N
		switch {
		case at >= 0 && at < int64(len(values)):
			p.set(i, values[at])
		case len(call.args) == 3:
			p.set(i, p.eval(call.args[2], i))
		default:
			p.set(i, null)
		}
	}
	return p.op.en.Err
}

func windowFirstValue(p *partition, call *windowCall) error {
	return windowEdge(p, call, func(lo, _ int) int { return lo })
}

func windowLastValue(p *partition, call *windowCall) error {
	return windowEdge(p, call, func(_, hi int) int { return hi - 1 })
}

func windowEdge(p *partition, call *windowCall, edge func(lo, hi int) int) error {
	for i := range p.rows {
		v := null
		if lo, hi := p.frame(i); lo < hi {
			v = p.eval(call.args[0], edge(lo, hi))
		}
		p.set(i, v)
		if err := p.check(i); err != nil {
			return err
		}
	}
	return p.op.en.Err
}

// windowAggregate computes an aggregate over every row's frame. A frame that only grows is computed
// by adding to the state; one that also loses rows is computed anew for each row.
func windowAggregate(p *partition, call *windowCall) error {
	buf := make([]value.Value, len(call.agg.args))
	state := &aggState{}
	lo, hi, last := 0, 0, null
	for i := range p.rows {
		l, h := p.frame(i)
		if l != lo || h < hi {
			if !call.agg.def.grows {
				p.op.keep.drop(state.size())
			}
			state, lo, hi = &aggState{}, l, l
		}
		for ; hi < h; hi++ {
			p.op.en.Row.Values = p.op.rows[p.rows[hi].row]
			before := state.size()
			if err := call.agg.add(state, p.op.en, p.op.keep, buf); err != nil {
				return err
			}
			p.op.en.Begin()
			if call.agg.def.grows && state.size() != before { // rows before keep the memory that it has left
				if err := p.op.keep.account(before); err != nil {
					return err
				}
			}
			if err := p.check(hi); err != nil {
				return err
			}
		}
		v, err := call.agg.result(state, p.op.en)
		if err != nil {
			return err
		}
		if !call.agg.def.grows { // a text that only grows is never written to where it was given out
			if v, err = p.keepValue(v, last); err != nil {
				return err
			}
		}
		last = v
		p.set(i, v)
	}
	return nil
}
