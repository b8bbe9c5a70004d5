package query

import (
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A windowCall is one window function of a core.
type windowCall struct {
	name        string
	fn          *windowFunc    // nil for an aggregate
	agg         *aggregateCall // nil for the functions of windowFuncs
	args        []*expr.Expr
	ignoreNulls bool
	over        windowOrder
	frame       frame
	slot        int // of a row, for the result
	pos         parser.Pos
	text        string
}

// A windowOrder is how OVER divides and orders rows. Equal keys tell equal orders.
type windowOrder struct {
	partition []*expr.Expr
	order     []sortKey
	key       string
	byStream  bool // the stream of an event table alone is among the partition
	natural   bool // it is all of it, and the order is that of a stream's events
}

// windowFunction compiles a call with OVER, or finds the equal one that the core has already.
func (s *clauseScope) windowFunction(c *parser.Call) (*expr.Expr, error) {
	call, typ, nullable, err := s.newWindowCall(c)
	if err != nil {
		return nil, err
	}
	key := s.key(c)
	slot, known := s.winSlots[key]
	if !known {
		slot = len(s.windows)
		s.winSlots[key] = slot
		s.windows = append(s.windows, call)
	}
	core := s.coreScope
	plan := core.windowPlan()
	return &expr.Expr{
		Eval: func(en *expr.Env) value.Value { return en.Row.Values[plan.base+slot] },
		Type: typ, Nullable: nullable, Pos: c.Pos,
	}, nil
}

func (s *clauseScope) newWindowCall(
	c *parser.Call,
) (call *windowCall, t Type, nullable bool, err error) {
	call = &windowCall{name: c.Name, ignoreNulls: c.IgnoreNulls, pos: c.Pos, text: exprText(c)}
	plain := *c
	plain.Over = nil
	switch {
	case s.isAggregate(&plain):
		err = s.windowAggregateCall(call, &plain)
		if err == nil {
			t, nullable = call.agg.def.typ(call.agg.args)
		}
	case windowFuncs[c.Name] != nil:
		call.fn = windowFuncs[c.Name]
		if call.args, err = s.windowScope().compileAll(c.Args); err == nil {
			err = call.check(c)
		}
		if err == nil {
			t, nullable = call.fn.typ(call.args)
		}
	default:
		err = errorf(UnknownFunction, c.Pos, "there is no window function %s()", strings.ToUpper(c.Name))
	}
	if err == nil {
		call.over, call.frame, err = s.compileWindow(c.Over)
	}
	return call, t, nullable, err
}

func (c *windowCall) check(call *parser.Call) error {
	name := strings.ToUpper(call.Name)
	switch {
	case len(call.Args) < c.fn.min || len(call.Args) > c.fn.max || call.Star:
		return errorf(BadArgument, call.Pos,
			"%s() has %d arguments, which is the wrong number", name, len(call.Args))
	case call.Distinct:
		return errorf(Unsupported, call.Pos, "DISTINCT cannot be used in a window function")
	case len(call.OrderBy) > 0:
		return errorf(BadStatement, call.Pos, "%s() is ordered by the ORDER BY behind OVER", name)
	case call.Filter != nil:
		return errorf(Unsupported, call.Pos,
			"FILTER can be used with aggregates only, not with %s()", name)
	case call.IgnoreNulls && !c.fn.nulls:
		return errorf(BadStatement, call.Pos,
			"IGNORE NULLS can be used with LAG, LEAD, FIRST_VALUE, LAST_VALUE and NTH_VALUE only")
	}
	return nil
}

// windowAggregateCall compiles an aggregate with OVER. Its arguments are evaluated where OVER's
// are.
func (s *clauseScope) windowAggregateCall(call *windowCall, plain *parser.Call) error {
	switch {
	case plain.Distinct:
		e := errorf(Unsupported, plain.Pos, "DISTINCT cannot be used in a window function")
		e.Hint = "select the distinct rows in a sub-query in FROM"
		return e
	case plain.IgnoreNulls:
		e := errorf(BadStatement, plain.Pos, "IGNORE NULLS cannot be used with an aggregate")
		e.Hint = "aggregates pass over NULLs in any case"
		return e
	}
	agg, err := s.newAggregateCall(plain, s.windowScope())
	call.agg = agg
	return err
}

func (s *clauseScope) compileAll(list []parser.Expr) ([]*expr.Expr, error) {
	var out []*expr.Expr
	for _, e := range list {
		x, err := s.compile(e)
		if err != nil {
			return nil, err
		}
		if x.Type == EventType {
			return nil, errorf(Unsupported, e.At(), "the column event cannot be used in a window function")
		}
		out = append(out, x)
	}
	return out, nil
}

// compileWindow compiles what stands behind OVER, or in a WINDOW.
func (s *clauseScope) compileWindow(w *parser.Window) (over windowOrder, f frame, err error) {
	inner := s.windowScope()
	if over.partition, err = inner.compileAll(w.PartitionBy); err != nil {
		return over, f, err
	}
	over.key = s.windowKey(w)
	terms := make([]parser.Expr, len(w.OrderBy))
	for i, o := range w.OrderBy {
		terms[i] = o.Expr
	}
	order, err := inner.compileAll(terms)
	if err != nil {
		return over, f, err
	}
	for i, x := range order {
		over.order = append(over.order, newSortKey(w.OrderBy[i], -1, x, x.Collate))
	}
	s.compareStreams(&over, w)
	f, err = s.compileFrame(w, over.order)
	return over, f, err
}

// windowKey identifies how a window divides and orders the rows of the core.
func (s *clauseScope) windowKey(w *parser.Window) string {
	return s.key(&parser.Call{Over: &parser.Window{PartitionBy: w.PartitionBy, OrderBy: w.OrderBy}})
}

// A windowPlan computes the window functions of a core. Its rows are those that it is given, with
// the functions' values behind.
type windowPlan struct {
	calls  []*windowCall
	orders [][]*windowCall // the calls, those together for which rows are divided and ordered alike
	base   int             // slots of a row that it is given

	streams *copiedRelation // of a table that can be read stream by stream, nil if that is of no use
}

// windowPlan returns the plan that expressions of the core refer to, which is filled when the core
// has been compiled.
func (c *coreScope) windowPlan() *windowPlan {
	if c.plan == nil {
		c.plan = &windowPlan{}
	}
	return c.plan
}

func newWindowPlan(c *coreScope) *windowPlan {
	p := c.windowPlan()
	p.calls = c.windows
	if c.aggregate {
		p.base = len(c.keys) + len(c.aggs)
	} else if m, ok := c.from.(*copiedRelation); ok { // otherwise there is no FROM
		p.base = len(m.reads)
	}
	places := map[string]int{}
	for i, call := range p.calls {
		call.slot = p.base + i
		at, known := places[call.over.key]
		if !known {
			at = len(p.orders)
			places[call.over.key] = at
			p.orders = append(p.orders, nil)
		}
		p.orders[at] = append(p.orders[at], call)
	}
	p.streams = c.streamsOf(p)
	return p
}

func (p *windowPlan) open(ex *execution, outer *expr.Env, in rows, streams bool) rows {
	return &windowedRows{plan: p, in: in, en: ex.env(outer), keep: newKeeper(ex.budget, "OVER"), streams: streams}
}

func (p *windowPlan) explain(x *explainer) {
	how := ""
	if p.readsStreams(x) {
		how = ", stream by stream"
	}
	for _, call := range p.calls {
		x.step("window", "%s%s", call.text, how)
	}
}
