package query

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An expectPlan is one compiled item of EXPECTING or EXPECT.
type expectPlan struct {
	kind    parser.ExpectationKind
	version *expr.Expr // ExpectVersion
	scan    *tableScan // ExpectNoEvent
	after   *expr.Expr // ExpectNoEvent; nil without AFTER
	read    bool       // AFTER is an argument: what somebody has read
	text    string
	pos     parser.Pos
}

// expectation compiles one item of EXPECTING or EXPECT.
func (c *statementCompiler) expectation(e *parser.Expectation) (*expectPlan, error) {
	p := &expectPlan{kind: e.Kind, pos: e.Pos}
	var err error
	switch e.Kind {
	case parser.ExpectVersion:
		p.version, err = c.constants("EXPECTING VERSION", onlyConstants).compile(e.Version)
	case parser.ExpectNoEvent:
		err = c.noEvent(p, e)
	}
	return p, err
}

// noEvent compiles NO EVENT FROM table WHERE condition AFTER position. The store evaluates the
// condition row by row, in its writer too, so that it must depend on nothing but the row and the
// arguments.
func (c *statementCompiler) noEvent(p *expectPlan, e *parser.Expectation) error {
	core := &parser.Core{Pos: e.Pos,
		Results: []parser.Result{{Expr: &parser.Literal{Value: int64(1)}}}, From: e.From, Where: e.Where}
	plan, err := c.compileCore(core, nil, queryScope{nested: true, rowWise: true})
	if err != nil {
		return err
	}
	scan, ok := plan.from.(*tableScan)
	if !ok || scan.events() == nil {
		return errorf(BadStatement, e.Pos, "NO EVENT FROM takes $all or a stream")
	}
	if len(plan.where) > 0 {
		return errorf(BadStatement, e.Where.At(), "the condition of NO EVENT must be about single events")
	}
	p.scan, p.text = scan, "NO EVENT FROM "+fault.Quoted(scan.def.name())
	if e.Where != nil {
		p.text += " WHERE " + exprText(e.Where)
	}
	if e.After != nil {
		_, p.read = e.After.(*parser.Param)
		p.after, err = c.constants("AFTER", onlyConstants).compile(e.After)
	}
	return err
}

// evaluateExpectations appends the expectations of one execution to list.
func evaluateExpectations(
	en *expr.Env, plans []*expectPlan, list []engine.Expectation,
) ([]engine.Expectation, error) {
	for _, p := range plans {
		e, err := p.evaluate(en)
		if err != nil {
			return nil, err
		}
		if e != nil {
			list = append(list, e)
		}
	}
	return list, nil
}

// evaluate returns nil for an expectation that always holds.
func (p *expectPlan) evaluate(en *expr.Env) (engine.Expectation, error) {
	switch p.kind {
	case parser.ExpectNoStream:
		return engine.NoStream, nil
	case parser.ExpectStreamExists:
		return engine.StreamExists, nil
	case parser.ExpectVersion:
		return p.exact(en)
	case parser.ExpectNoEvent:
		return p.condition(en)
	}
	return nil, nil
}

func (p *expectPlan) exact(en *expr.Env) (engine.Expectation, error) {
	v := p.version.Eval(en)
	if en.Err != nil {
		return nil, en.Err
	}
	e, ok := expectedVersion(v)
	if !ok {
		return nil, errorf(BadArgument, p.pos,
			"EXPECTING VERSION takes a version, or -1 for a stream that does not exist")
	}
	return e, nil
}

func (p *expectPlan) condition(en *expr.Env) (engine.Expectation, error) {
	after, err := p.afterPosition(en)
	if err != nil {
		return nil, err
	}
	what, err := p.scan.narrow(execOf(en), nil)
	if err != nil || what.empty {
		return nil, err
	}
	fixed := !p.read && after == engine.NoPosition
	// A transaction looks at its own events when the statement runs, with the places that it knows.
	inTx := execOf(en).session.Tx != nil
	c := &engine.Condition{
		After: after, Where: p.scan.filter(what), Text: p.text, Fixed: fixed, LogOnly: inTx,
	}
	if !p.scan.inexact && !what.inexact && !inTx {
		return c, nil
	}
	c.Columns = p.scan.columnSet()
	c.Match = matcher(execOf(en), p.scan.conds)
	if inTx {
		c.Match = erasedMatch(execOf(en).session.Tx.erased, c.Match)
	}
	return c, nil
}

// matcher evaluates conditions on single events. It uses an environment of its own and no context:
// the store's writer calls it, and a statement's context must not end in the middle of a commit.
func matcher(ex *execution, conds []condition) func(*engine.Batch, int) (bool, error) {
	alone := &execution{ctx: context.Background(), session: ex.session, args: ex.args, now: ex.now}
	alone.limitMemory(ex.session)
	alone.budget.store = nil // nobody will tell when it is no longer used
	en := alone.env(nil)
	batch := &expr.Batch{}
	en.Row.Batch = batch
	return func(b *engine.Batch, row int) (bool, error) {
		batch.Len, batch.Events, batch.Pending = b.Len, b, b.Positions[row] == engine.NoPosition
		batch.Serial++
		en.Begin()
		en.Row.I, en.Err = row, nil
		return allTrue(conds, en), en.Err
	}
}

// afterPosition evaluates AFTER. Nothing, NULL and -1 mean the whole log.
func (p *expectPlan) afterPosition(en *expr.Env) (engine.Position, error) {
	if p.after == nil {
		return engine.NoPosition, nil
	}
	v := value.AsNumber(p.after.Eval(en))
	if en.Err != nil {
		return 0, en.Err
	}
	if v.Kind == value.Null {
		return engine.NoPosition, nil
	}
	if v.Kind != value.Int || v.N < int64(engine.NoPosition) {
		return 0, errorf(BadArgument, p.pos, "AFTER takes a position, or -1 or NULL for the whole log")
	}
	if last := int64(execOf(en).snapshot().Head()) - 1; v.N > last {
		execOf(en).sawHead()
		return 0, errorf(BadArgument, p.pos, "AFTER %d is beyond the last position, %d", v.N, last)
	}
	return engine.Position(v.N), nil
}
