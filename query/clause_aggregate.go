package query

import (
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An aggregateCall is one aggregate of a core.
type aggregateCall struct {
	def      *aggregate
	name     string
	args     []*expr.Expr
	distinct bool
	filter   condition      // nil without FILTER
	column   *parser.Column // the argument, if it is a plain column
	collate  value.Collation
	star     bool // COUNT(*): rows are counted whatever they hold
	pos      parser.Pos
	text     string
}

// aggregateFunction compiles an aggregate, or finds the equal one that the core has already.
func (s *clauseScope) aggregateFunction(c *parser.Call) (*expr.Expr, error) {
	if s.parent != nil && s.onlyOuter(c) {
		e := errorf(Unsupported, c.Pos,
			"%s() reads only columns of the outer query, of which it would be an aggregate",
			strings.ToUpper(c.Name))
		e.Hint = "aggregate in the outer query and use the result"
		return nil, e
	}
	call, err := s.newAggregateCall(c, s.argumentScope())
	if err != nil {
		return nil, err
	}
	key := s.key(c)
	slot, known := s.aggSlots[key]
	if !known {
		slot = len(s.aggs)
		s.aggSlots[key] = slot
		s.aggs = append(s.aggs, call)
	}
	t, null := call.def.typ(call.args)
	if call.filter != nil && call.name != "count" && call.name != "total" {
		null = true
	}
	return &expr.Expr{
		Eval: slotExpr(len(s.keys) + slot), Type: t, Nullable: null, Collate: call.collate, Pos: c.Pos,
	}, nil
}

// onlyOuter reports whether the call reads columns and none of them is the core's own.
func (c *coreScope) onlyOuter(call *parser.Call) bool {
	own, foreign := false, false
	parser.Walk(call, func(e parser.Expr) bool {
		if col, ok := e.(*parser.Column); ok {
			i, err := c.find(col)
			own = own || i >= 0 || err != nil || col.Table == groupMark
			foreign = true
		}
		return !own
	})
	return foreign && !own
}

// newAggregateCall compiles an aggregate whose arguments stand in the scope inner.
func (s *clauseScope) newAggregateCall(c *parser.Call, inner *clauseScope) (*aggregateCall, error) {
	def := aggregates[c.Name]
	name := strings.ToUpper(c.Name)
	call := &aggregateCall{def: def, name: c.Name, distinct: c.Distinct, star: len(c.Args) == 0,
		pos: c.Pos, text: exprText(c)}
	switch {
	case c.Star && !def.star:
		return nil, errorf(BadArgument, c.Pos, "%s(*) does not exist; only COUNT takes a *", name)
	case !c.Star && len(c.Args) < max(def.min, 1) && !(def.star && !c.Distinct) ||
		len(c.Args) > def.max:
		return nil, errorf(BadArgument, c.Pos,
			"%s() has %d arguments, which is the wrong number", name, len(c.Args))
	case c.Distinct && len(c.Args) != 1:
		return nil, errorf(BadArgument, c.Pos, "DISTINCT in %s() needs exactly one argument", name)
	}
	for _, a := range c.Args {
		x, err := inner.compile(a)
		if err != nil {
			return nil, err
		}
		if x.Type == EventType {
			return nil, errorf(Unsupported, a.At(), "the column event cannot be aggregated")
		}
		if isAdding(c.Name) && x.IsTime() {
			return nil, expr.ErrTimeAsNumber(a.At())
		}
		call.args = append(call.args, x)
	}
	if len(call.args) == 1 {
		call.column, _ = c.Args[0].(*parser.Column)
	}
	if len(call.args) > 0 {
		call.collate = call.args[0].Collate
	}
	if c.Filter != nil {
		x, err := inner.compile(c.Filter)
		if err != nil {
			return nil, err
		}
		call.filter = x.Condition()
	}
	return call, nil
}

// add gives a row to the aggregate's state.
func (c *aggregateCall) add(s *aggState, en *expr.Env, keep *keeper, buf []value.Value) error {
	if c.filter != nil && c.filter(en) != value.Yes {
		return en.Err
	}
	if c.star {
		s.n++
		return nil
	}
	v := buf[:len(c.args)]
	for i, a := range c.args {
		v[i] = a.Eval(en)
	}
	if en.Err != nil || v[0].Kind == value.Null {
		return en.Err
	}
	if c.distinct {
		isNew, err := s.firstTime(v[0], c.collate, keep)
		if !isNew || err != nil {
			return err
		}
	}
	if !en.Effort(len(v[0].S)) {
		return en.Err
	}
	if c.def.grows {
		if err := s.grow(v, keep); err != nil {
			return err
		}
	}
	if !c.def.holds {
		return c.def.step(s, c, v)
	}
	before := s.size()
	if err := c.def.step(s, c, v); err != nil {
		return err
	}
	if more := s.size() - before; more != 0 {
		keep.budget.discard(before) // the text that was there
		return keep.account(more)
	}
	return nil
}
