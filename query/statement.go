package query

import (
	"context"
	"sync"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// compileStatement compiles a statement against the tables of a store.
func compileStatement(ctx context.Context, p *parser.Parsed) (*Plan, error) {
	plan, err := compileWith(ctx, p, storeCatalog{})
	if err != nil {
		return nil, err
	}
	plan.pending = sync.OnceValue(func() []Column {
		if other, err := compileWith(context.Background(), p, storeCatalog{pending: true}); err == nil {
			return other.columns
		}
		return plan.columns
	})
	return plan, nil
}

// pending reports whether the statement is compiled for a transaction that holds events of its own.
func (c *statementCompiler) pending() bool {
	tables, ok := c.catalog.(storeCatalog)
	return ok && tables.pending
}

// compileWith compiles a statement against the tables of a catalog.
func compileWith(ctx context.Context, p *parser.Parsed, tables catalog) (*Plan, error) {
	c := &statementCompiler{catalog: tables, params: p.Params, text: p.Text, ctx: ctx}
	run, columns, rows, err := c.statement(p)
	if c.err != nil {
		err = c.err
	}
	if err != nil {
		return nil, err
	}
	c.finish()
	return &Plan{parsed: p, columns: columns, rows: rows, run: run}, nil
}

// finish prepares what can only be prepared when everything has been compiled.
func (c *statementCompiler) finish() {
	for _, p := range c.selects {
		p.prune()
	}
	for _, s := range c.scans {
		s.paths.prepare()
	}
}

// statement compiles any statement. rows tells that it gives rows.
func (c *statementCompiler) statement(p *parser.Parsed) (run statement, columns []Column, rows bool, err error) {
	switch st := p.Statement.(type) {
	case *parser.Select:
		q, err := c.topSelect(st)
		if err != nil {
			return nil, nil, false, err
		}
		return q, q.columns, true, nil
	case *parser.Insert:
		ins, err := c.insert(st)
		if err != nil {
			return nil, nil, false, err
		}
		return ins, ins.columns, st.Returning != nil, nil
	case *parser.Guard:
		g, err := c.guard(st)
		return g, nil, false, err
	case *parser.Explain:
		return c.explainStatement(p, st)
	case *parser.Show:
		return c.show(st)
	case *parser.Describe:
		return c.describe(st)
	case *parser.Transaction:
		return &transactionStatement{kind: st.Kind, pos: st.Pos}, nil, false, nil
	case *parser.Savepoint:
		return &savepointStatement{kind: st.Kind, name: st.Name, pos: st.Pos}, nil, false, nil
	case *parser.Backup:
		return c.backup(st)
	case *parser.Verify:
		return &verifyStatement{pos: st.Pos}, verifyColumns, true, nil
	}
	return nil, nil, false, errorf(Unsupported, -1, "this statement is not supported")
}

// A selectStatement is a SELECT as a statement.
type selectStatement struct {
	copiedArguments
	plan    *selectPlan
	columns []Column
	asOf    *expr // nil without AS OF POSITION
	follow  *followPlan
	checks  []func(*env) error
}

func (c *statementCompiler) topSelect(sel *parser.Select) (*selectStatement, error) {
	q := &selectStatement{}
	if sel.Follow {
		if err := c.checkFollow(sel); err != nil {
			return nil, err
		}
	}
	plan, err := c.compileSelect(sel, queryScope{})
	if err != nil {
		return nil, err
	}
	q.plan, q.columns = plan, plainColumns(plan.columns)
	if sel.AsOf != nil {
		if q.asOf, err = c.constants("AS OF POSITION", queryScope{}).compile(sel.AsOf); err != nil {
			return nil, err
		}
		q.asOf.pos = sel.AsOf.At()
	}
	if sel.Follow {
		if q.follow, err = newFollowPlan(plan, sel); err != nil {
			return nil, err
		}
		q.follow.text = c.text
		if sel.Progress {
			q.columns, err = q.follow.tellProgress(q.columns)
		}
		if err != nil {
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

func (q *selectStatement) query(ctx context.Context, s *Session, args []argument) (Rows, error) {
	ex := newExecution(ctx, s, args)
	op, err := q.open(ex)
	if err != nil {
		ex.end()
		return nil, err
	}
	return newRows(q.columns, op, ex.env(nil)), nil
}

// exec runs the query to its end: its rows are of no interest, its errors are.
func (q *selectStatement) exec(ctx context.Context, s *Session, args []argument) (Outcome, error) {
	if q.follow != nil {
		return Outcome{LastPosition: engine.NoPosition}, errorf(BadStatement, q.follow.pos, "FOLLOW gives rows without end: use Query")
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
func drain(op rows, en *env) error {
	for {
		ok, err := op.next(en)
		if err == nil && ok {
			continue
		}
		if cerr := op.close(); err == nil {
			err = cerr
		}
		return err
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
func (q *selectStatement) prepare(ex *execution, en *env) error {
	for _, check := range q.checks {
		if err := check(en); err != nil {
			return err
		}
	}
	return q.goBack(ex, en)
}

// goBack makes every table of the statement show the log as it was at AS OF POSITION, which includes that position.
func (q *selectStatement) goBack(ex *execution, en *env) error {
	if q.asOf == nil {
		return nil
	}
	v := value.AsNumber(q.asOf.eval(en))
	if en.err != nil {
		return en.err
	}
	head := ex.index.Head()
	if v.Kind != value.Int || v.N < -1 {
		return errorf(BadValue, q.asOf.pos, "AS OF POSITION takes a position, or -1 for the empty log")
	}
	if v.N >= int64(head) {
		return errorf(BadValue, q.asOf.pos, "AS OF POSITION %d is beyond the last position, %d", v.N, int64(head)-1)
	}
	ex.index, ex.own = ex.index.At(engine.Position(v.N+1)), nil
	return nil
}
