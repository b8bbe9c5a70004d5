package query

import (
	"cmp"
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// A selectStatement is a SELECT as a statement.
type selectStatement struct {
	copiedArguments
	plan    *selectPlan
	columns []Column
	asOf    *expr.Expr // nil without AS OF POSITION
	follow  *followPlan
	checks  []func(*expr.Env) error
}

func (c *statementCompiler) topSelect(sel *parser.Select) (*selectStatement, error) {
	q := &selectStatement{}
	scope := queryScope{}
	if sel.Follow {
		c.following = c.givesGroups(sel.First) || c.readsGroups(sel.First, 0)
		scope.live = &liveScope{groups: c.following}
		if err := checkFollow(sel, scope.live.groups); err != nil {
			return nil, err
		}
	}
	plan, err := c.compileSelect(sel, scope)
	if err != nil {
		return nil, err
	}
	q.plan, q.columns = plan, plainColumns(plan.columns)
	if sel.AsOf != nil {
		if q.asOf, err = c.constants("AS OF POSITION", queryScope{}).compile(sel.AsOf); err != nil {
			return nil, err
		}
		q.asOf.Pos = sel.AsOf.At()
	}
	if sel.Follow {
		if err = c.topFollow(q, sel, scope.live); err != nil {
			return nil, err
		}
	}
	q.checks = c.checks
	return q, nil
}

func plainColumns(list []tableColumn) []Column {
	out := make([]Column, len(list))
	for i, c := range list {
		out[i] = c.Column
	}
	return out
}

func (q *selectStatement) query(
	ctx context.Context, s *Session, args []expr.Argument,
) (Rows, error) {
	ex := newExecution(ctx, s, args)
	op, err := q.open(ex)
	if err != nil {
		ex.end()
		return nil, err
	}
	return newRows(q.columns, op, ex.env(nil)), nil
}

// exec runs the query to its end: its rows are of no interest, its errors are.
func (q *selectStatement) exec(
	ctx context.Context, s *Session, args []expr.Argument,
) (Outcome, error) {
	if q.follow != nil {
		return Outcome{LastPosition: engine.NoPosition}, errorf(BadStatement, q.follow.pos,
			"FOLLOW gives rows without end: use Query")
	}
	ex := newExecution(ctx, s, args)
	defer ex.end()
	op, err := q.open(ex)
	if err != nil {
		return Outcome{LastPosition: engine.NoPosition}, err
	}
	return Outcome{LastPosition: engine.NoPosition}, drain(op, ex.env(nil))
}

// drain reads rows to their end and closes them.
func drain(op rows, en *expr.Env) error {
	for {
		ok, err := op.next(en)
		if err == nil && ok {
			continue
		}
		if cerr := op.close(); err == nil {
			err = cerr
		}
		return cmp.Or(err, execOf(en).noteless())
	}
}

func (q *selectStatement) open(ex *execution) (rows, error) {
	if err := ex.ctx.Err(); err != nil {
		return nil, err
	}
	if q.checks != nil || q.asOf != nil {
		if err := q.prepare(ex, ex.env(nil)); err != nil {
			return nil, err
		}
	}
	if q.follow != nil {
		return q.follow.open(ex)
	}
	return q.plan.open(ex, nil)
}

// prepare checks the arguments and goes back to AS OF POSITION.
func (q *selectStatement) prepare(ex *execution, en *expr.Env) error {
	for _, check := range q.checks {
		if err := check(en); err != nil {
			return err
		}
	}
	return q.goBack(ex, en)
}
