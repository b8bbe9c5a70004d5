package query

import (
	"context"
	"sync"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// A statementCompiler turns one statement's tree into a plan. Expressions are compiled by an
// compiler, which asks a clauseScope what their names mean.
type statementCompiler struct {
	catalog catalog
	subs    int // sub-queries numbered so far
	scans   []*tableScan
	selects []*selectPlan
	params  parser.Params
	text    string                  // of the statement
	checks  []func(*expr.Env) error // of the arguments, before the first row
	reveals bool                    // some expression opens sealed values

	recursing int // names of WITH RECURSIVE that are being compiled, inside each other

	ctx  context.Context
	work int   // since the context was looked at
	err  error // what a compilation that nobody waits for ends with
}

// A statementCompiler looks at its context whenever it has done so much.
const busyStep = 1 << 16

// compileWork is what compiling one expression counts for.
const compileWork = 256

// busy tells of work to be done, in bytes or so. Its error ends the compilation.
func (c *statementCompiler) busy(n int) error {
	if c.work += n; c.work >= busyStep && c.err == nil {
		c.work = 0
		c.err = c.ctx.Err()
	}
	return c.err
}

// AtBind implements bindChecker.
func (c *statementCompiler) AtBind(check func(*expr.Env) error) {
	c.checks = append(c.checks,
		check)
}

// Param implements paramBinder.
func (c *statementCompiler) Param(p *parser.Param) (int, error) {
	if p.Name == "" {
		return p.Index - 1, nil
	}
	i := nameIndex(c.params.Names, p.Name)
	if i < 0 {
		return 0, errorf(BadArgument, p.Pos, "the parameter %q is unknown", p.Name)
	}
	return i, nil
}

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
func (c *statementCompiler) statement(
	p *parser.Parsed,
) (run statement, columns []Column, rows bool, err error) {
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
	case *parser.Erase:
		e, err := c.erase(st)
		return e, nil, false, err
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
		return &transactionStatement{tree: st}, nil, false, nil
	case *parser.Savepoint:
		return &savepointStatement{kind: st.Kind, name: st.Name, pos: st.Pos}, nil, false, nil
	case *parser.Backup:
		return c.backup(st)
	case *parser.Forget:
		f, err := c.forget(st)
		return f, nil, false, err
	case *parser.Verify:
		return &verifyStatement{pos: st.Pos}, verifyColumns, true, nil
	}
	return nil, nil, false, errorf(Unsupported, -1, "this statement is not supported")
}
