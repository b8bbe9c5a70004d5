package query

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// A guardPlan is EXPECT table expectation, ...: a check without an event.
type guardPlan struct {
	copiedArguments
	into   target
	expect []*expectPlan
	pos    parser.Pos
}

func (c *statementCompiler) guard(st *parser.Guard) (*guardPlan, error) {
	p := &guardPlan{pos: st.Pos}
	if err := c.target(st.Table, &p.into); err != nil {
		return nil, err
	}
	for _, e := range st.Expect {
		x, err := c.expectation(&e)
		if err != nil {
			return nil, err
		}
		if p.into.all && x.kind != parser.ExpectNoEvent {
			return nil, errorf(BadStatement, e.Pos,
				"EXPECT $all takes NO EVENT FROM ... only: $all has no version")
		}
		p.expect = append(p.expect, x)
	}
	return p, nil
}

func (p *guardPlan) query(ctx context.Context, s *Session, args []expr.Argument) (Rows, error) {
	return queryNothing(p, ctx, s, args)
}

func (p *guardPlan) exec(ctx context.Context, s *Session, args []expr.Argument) (Outcome, error) {
	out := Outcome{LastPosition: engine.NoPosition, Pending: s.Tx != nil}
	en := newWriteExecution(ctx, s, args).env(nil)
	defer execOf(en).end()
	if s.Tx != nil {
		if err := s.Tx.writable(p.pos); err != nil {
			return out, err
		}
	}
	stream, err := p.into.name(en)
	if err != nil {
		return out, err
	}
	expect, err := evaluateExpectations(en, p.expect, nil)
	if err != nil {
		return out, err
	}
	if len(expect) == 0 {
		return out, nil
	}
	if p.into.all { // the store asks for a stream's name, of which a condition on the whole log makes no use
		stream = schemaName
	}
	guard := engine.Append{Stream: stream, Expect: expect}
	if s.Tx != nil {
		return out, s.Tx.add(ctx, []engine.Append{guard})
	}
	_, err = s.Store.Append(ctx, guard)
	return out, err
}
