package query

import (
	"fmt"
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An aggregateCall is one aggregate of a core.
type aggregateCall struct {
	def      *aggregate
	name     string
	args     []*expr.Expr // and behind them the keys of ORDER BY, if the order changes the result
	values   int          // how many of args are arguments
	distinct bool
	filter   condition      // nil without FILTER
	column   *parser.Column // the argument, if it is a plain column
	collate  value.Collation
	star     bool // COUNT(*): rows are counted whatever they hold
	pos      parser.Pos
	text     string
	tree     *parser.Call

	state int    // the slot of the state, which calls that hold the same values share
	pool  string // the same for all calls that hold the same values, "" for others

	plain      *aggregate // the function without ORDER BY, which def sorts the rows for
	order      []sortKey  // of args[keysAt:]
	keysAt     int
	fraction   *expr.Expr // of a percentile, nil for others
	descending bool       // the values of a percentile are in descending order
}

// shown is the function's name for error texts.
func (c *aggregateCall) shown() string { return strings.ToUpper(c.name) }

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
		call.state = slot
		if call.pool != "" && !has(s.aggSlots, call.pool) {
			s.aggSlots[call.pool] = slot
		}
		if call.pool != "" {
			call.state = s.aggSlots[call.pool]
		}
	}
	t, null := call.def.typ(call.args)
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
	def := s.aggregateNamed(c.Name)
	call := &aggregateCall{def: def, name: c.Name, distinct: c.Distinct,
		star: def.star && len(c.Args) == 0, pos: c.Pos, text: exprText(c), tree: c}
	shape, err := call.shape(c)
	if err != nil {
		return nil, err
	}
	if err := call.compileArgs(shape.args, inner); err != nil {
		return nil, err
	}
	if shape.fraction != nil {
		if err := call.compileFraction(shape.fraction, inner); err != nil {
			return nil, err
		}
	}
	if err := call.compileOrder(s, shape, inner); err != nil {
		return nil, err
	}
	if c.Filter != nil {
		x, err := inner.compile(c.Filter)
		if err != nil {
			return nil, err
		}
		call.filter = x.Condition()
	}
	if def.holding != "" {
		call.pool = fmt.Sprintf("%s %t %s %s", def.holding, c.Distinct, s.key(shape.args[0]), s.key(c.Filter))
	}
	return call, nil
}

// An aggregateShape is what stands in a call: what each row gives, and what is the same for all.
type aggregateShape struct {
	args     []parser.Expr
	fraction parser.Expr // nil for none
	order    []parser.Order
}

// shape tells what in the call is what, whichever way it is written, and holds that there are as
// many arguments as there must be.
func (c *aggregateCall) shape(call *parser.Call) (sh aggregateShape, err error) {
	sh = aggregateShape{args: call.Args, order: call.OrderBy}
	if call.Star && !c.def.star {
		return sh, errorf(BadArgument, call.Pos, "%s(*) does not exist; only COUNT takes a *", c.shown())
	}
	if call.Within {
		if sh, err = c.within(call); err != nil {
			return sh, err
		}
	}
	if c.def.fraction != noFraction && len(sh.args) == 2 {
		sh.args, sh.fraction = sh.args[:1], sh.args[1]
	}
	least, most := max(c.def.min, 1), c.def.max
	if c.def.star && !call.Distinct {
		least = 0
	}
	if c.def.many && call.Distinct {
		most = maxColumns
	}
	missing := c.def.fraction != noFraction && sh.fraction == nil
	if n := len(call.Args); !call.Star && (len(sh.args) < least || missing) || len(sh.args) > most {
		e := errorf(BadArgument, call.Pos,
			"%s() has %d arguments, which is the wrong number", c.shown(), n)
		e.Hint = c.arityHint(call)
		return sh, e
	}
	return sh, nil
}

// within is the shape of f(fraction) WITHIN GROUP (ORDER BY x), and of f(x) WITHIN GROUP (ORDER BY
// key), which is f(x ORDER BY key).
func (c *aggregateCall) within(call *parser.Call) (sh aggregateShape, err error) {
	if !c.def.within {
		if c.def.sorted == nil {
			return sh, errorf(BadArgument, call.Pos, "%s() takes no WITHIN GROUP", c.shown())
		}
		return aggregateShape{args: call.Args, order: call.OrderBy}, nil
	}
	fractions := 0
	if c.def.fraction != noFraction {
		fractions = 1
	}
	if len(call.OrderBy) != 1 || len(call.Args) != fractions || call.Distinct {
		return sh, errorf(BadArgument, call.Pos,
			"%s() WITHIN GROUP has exactly one term in ORDER BY, and %d in the parentheses before it",
			c.shown(), fractions)
	}
	c.descending = call.OrderBy[0].Desc
	return aggregateShape{args: append([]parser.Expr{call.OrderBy[0].Expr}, call.Args...)}, nil
}

// arityHint says what to write in place of a call with a wrong number of arguments.
func (c *aggregateCall) arityHint(call *parser.Call) string {
	name := strings.ToLower(c.name)
	switch {
	case c.def.many && len(call.Args) > 1:
		return "COUNT(DISTINCT a, b) counts different rows of values"
	case c.def.fraction == share:
		return "write " + name + "(x, 0.5) or " + name + "(0.5) WITHIN GROUP (ORDER BY x)"
	case c.def.fraction == percent:
		return "write " + name + "(x, 50)"
	case c.def.within:
		return "write " + name + "(x) or " + name + "() WITHIN GROUP (ORDER BY x)"
	}
	return ""
}

func (c *aggregateCall) compileArgs(args []parser.Expr, inner *clauseScope) error {
	for _, a := range args {
		if row, ok := a.(*parser.Row); ok {
			return c.refuseRow(row)
		}
		x, err := inner.compile(a)
		if err != nil {
			return err
		}
		if x.Type == EventType {
			return errorf(Unsupported, a.At(), "the column event cannot be aggregated")
		}
		if c.def.numbers && x.IsTime() {
			return expr.ErrTimeAsNumber(a.At())
		}
		c.args = append(c.args, x)
	}
	c.values, c.keysAt = len(c.args), len(c.args)
	if len(args) == 1 {
		c.column, _ = args[0].(*parser.Column)
	}
	if len(args) > 0 {
		c.collate = c.args[0].Collate
	}
	return nil
}

// refuseRow says what to write for an argument that is a row of values.
func (c *aggregateCall) refuseRow(row *parser.Row) error {
	e := errorf(BadStatement, row.Pos, "%s() aggregates values, and no rows of several", c.shown())
	switch {
	case c.def.many:
		e.Hint = "write COUNT(DISTINCT " + exprTexts(row.Items) + ") without the inner parentheses, or COUNT(*)"
	case c.name == "max" || c.name == "min":
		e.Hint = "write " + c.name + "_by(x, y) for the x of the row that y decides"
	default:
		e.Hint = "aggregate each value by itself"
	}
	return e
}

// compileFraction compiles the last argument of a percentile, which no row has a say in.
func (c *aggregateCall) compileFraction(e parser.Expr, inner *clauseScope) error {
	x, err := inner.compile(e)
	if err != nil {
		return err
	}
	if !x.Constant {
		e := errorf(BadArgument, e.At(), "the fraction of %s() must be a constant", c.shown())
		e.Hint = "a literal or a parameter"
		return e
	}
	c.fraction = x
	return nil
}

// compileOrder compiles the ORDER BY inside of the call, which is of no consequence for most
// functions.
func (c *aggregateCall) compileOrder(s *clauseScope, sh aggregateShape, inner *clauseScope) error {
	if c.def.extreme != noExtreme {
		c.keysAt = 1
		c.order = []sortKey{{result: -1, desc: c.def.extreme == greatest, collate: c.args[1].Collate}}
	}
	if len(sh.order) > maxColumns {
		return errorf(BadStatement, sh.order[maxColumns].Expr.At(),
			"ORDER BY has at most %d terms", maxColumns)
	}
	for _, o := range sh.order {
		if c.distinct && !s.orderedByArgument(o, sh.args) {
			e := errorf(BadStatement, o.Expr.At(),
				"with DISTINCT, %s() is ordered by its arguments only", c.shown())
			e.Hint = "write DISTINCT x ORDER BY x"
			return e
		}
		x, err := inner.compile(o.Expr)
		if err != nil {
			return err
		}
		if x.Type == EventType {
			return errorf(Unsupported, o.Expr.At(), "the column event has no order")
		}
		if c.def.sorted != nil {
			c.order = append(c.order, newSortKey(o, -1, x, x.Collate))
			c.args = append(c.args, x)
		}
	}
	if c.def.sorted != nil && len(sh.order) > 0 {
		c.plain, c.def = c.def, c.def.sorted
	}
	return nil
}

// orderedByArgument reports whether a term of ORDER BY is one of the arguments.
func (s *clauseScope) orderedByArgument(o parser.Order, args []parser.Expr) bool {
	e, _ := splitCollate(o.Expr)
	for _, a := range args {
		if a, _ = splitCollate(a); s.key(a) == s.key(e) {
			return true
		}
	}
	return false
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
	v, size := buf[:len(c.args)], 0
	for i, a := range c.args {
		v[i] = a.Eval(en)
		size += len(v[i].S)
	}
	if en.Err != nil {
		return en.Err
	}
	return c.addValues(s, en, keep, v, size)
}

// addValues gives the values of the arguments, whose texts have so many bytes, to the state.
func (c *aggregateCall) addValues(s *aggState, en *expr.Env, keep *keeper, v []value.Value, size int) error {
	if v[0].Kind == value.Null && !c.def.nulls {
		return nil
	}
	if c.distinct {
		isNew, err := c.isNew(s, v[:c.values], keep)
		if !isNew || err != nil {
			return err
		}
	}
	if !en.Effort(size) {
		return en.Err
	}
	return c.take(s, keep, v)
}

// isNew reports whether values of arguments have not been there before. Where COUNT(DISTINCT a, b)
// finds a NULL among them, they do not count.
func (c *aggregateCall) isNew(s *aggState, v []value.Value, keep *keeper) (bool, error) {
	if c.def.many {
		for i := range v {
			if v[i].IsNull() {
				return false, nil
			}
		}
	}
	return s.firstTime(v, c.args, keep)
}

// take adds a row and accounts for what the state holds more.
func (c *aggregateCall) take(s *aggState, keep *keeper, v []value.Value) error {
	switch {
	case c.def.hold != nil:
		return c.def.hold(s, c, v, keep)
	case c.def.room != nil:
		if err := s.grow(c.def.room(v), keep); err != nil {
			return err
		}
	}
	switch {
	case c.def.exact:
		return c.addUp(s, keep, v)
	case !c.def.holds:
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

// addUp adds a row to sums, and accounts for them where they grow.
func (c *aggregateCall) addUp(s *aggState, keep *keeper, v []value.Value) error {
	before := s.sums()
	if err := c.def.step(s, c, v); err != nil {
		return err
	}
	if more := s.sums() - before; more != 0 {
		return keep.account(more)
	}
	return nil
}

// inParts reports whether the rows may be aggregated in parts that are merged.
func (c *aggregateCall) inParts() bool { return !c.distinct && c.def.merge != nil }

// result gives what the state comes to. It may be asked for again when more rows have been added;
// what it makes is made for the current row of en.
func (c *aggregateCall) result(s *aggState, en *expr.Env) (value.Value, error) {
	v, err := c.def.final(s, c, en)
	if err != nil {
		return null, fault.At(err, c.pos)
	}
	return v, nil
}
