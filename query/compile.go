package query

import (
	"context"
	"errors"
	"sync"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// A statementCompiler turns one statement's tree into a plan. Expressions are compiled by an
// compiler, which asks a clauseScope what their names mean.
type statementCompiler struct {
	catalog   catalog
	functions *Functions // of the program
	subs      int        // sub-queries numbered so far
	scans     []*tableScan
	selects   []*selectPlan
	params    parser.Params
	text      string                  // of the statement
	checks    []func(*expr.Env) error // of the arguments, before the first row
	reveals   bool                    // some expression opens sealed values

	following bool // FOLLOW follows groups

	splits    int // sub-queries that were tried to be split, for a [semiJoin]
	splitting int // of them, those that are being compiled, inside each other
	recursing int // names of WITH RECURSIVE that are being compiled, inside each other

	within   []*viewDefinition // whose definition is being compiled, the outermost first
	expanded int               // views so far
	unsteady bool              // some expression depends on the clock, on a key or on the program

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
func compileStatement(ctx context.Context, p *parser.Parsed, f *Functions) (*Plan, error) {
	plan, err := compileIn(ctx, p, storeCatalog{}, f)
	if errors.Is(err, errViewsUnknown) {
		return compileLate(ctx, p, f)
	}
	return plan, err
}

// compileIn compiles a statement against the tables of a store, whose views may be known.
func compileIn(
	ctx context.Context, p *parser.Parsed, tables storeCatalog, f *Functions,
) (*Plan, error) {
	plan, err := compileWith(ctx, p, tables, f)
	if err != nil {
		return nil, err
	}
	plan.pending = sync.OnceValue(func() []Column {
		pending := storeCatalog{pending: true, views: tables.views}
		if other, err := compileWith(context.Background(), p, pending, f); err == nil {
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
func compileWith(
	ctx context.Context, p *parser.Parsed, tables catalog, f *Functions,
) (*Plan, error) {
	c := &statementCompiler{catalog: tables, functions: f, params: p.Params, text: p.Text, ctx: ctx}
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
	case *parser.CreateView:
		v, err := c.createView(st)
		return v, nil, false, err
	case *parser.DropView:
		return &dropViewPlan{name: st.View.Name, ifExists: st.IfExists, pos: st.View.Pos}, nil, false, nil
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
