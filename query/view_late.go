package query

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// errViewsUnknown ends the compilation of a statement that names a view as long as it is not known
// which views there are.
var errViewsUnknown = errors.New("the schema views belongs to a store")

// A lateStatement is one that names views. What it means depends on their definitions, which belong
// to the snapshot that it reads: it is compiled when it is run, and again when the definitions have
// changed.
type lateStatement struct {
	copiedArguments
	parsed *parser.Parsed
	funcs  *Functions               // of the program
	asOf   *expr.Expr               // nil without AS OF POSITION
	last   atomic.Pointer[latePlan] // nil before the first run
}

// A latePlan is what a lateStatement was compiled to for some views.
type latePlan struct {
	views *viewSet
	plan  *Plan
}

// compileLate makes the plan of a statement that names views.
func compileLate(ctx context.Context, p *parser.Parsed, f *Functions) (*Plan, error) {
	late := &lateStatement{parsed: p, funcs: f}
	c := &statementCompiler{catalog: storeCatalog{}, functions: f, params: p.Params, text: p.Text, ctx: ctx}
	if sel := selectOf(p.Statement); sel != nil && sel.AsOf != nil {
		var err error
		if late.asOf, err = c.constants("AS OF POSITION", queryScope{}).compile(sel.AsOf); err != nil {
			return nil, err
		}
	}
	return &Plan{parsed: p, rows: givesRows(p.Statement), run: late, late: true}, nil
}

// selectOf returns the SELECT that a statement is or explains, nil for none.
func selectOf(st parser.Statement) *parser.Select {
	if e, ok := st.(*parser.Explain); ok {
		st = e.Statement
	}
	sel, _ := st.(*parser.Select)
	return sel
}

// givesRows tells of a statement that may name views whether it gives rows.
func givesRows(st parser.Statement) bool {
	switch st := st.(type) {
	case *parser.Insert:
		return st.Returning != nil
	case *parser.Erase, *parser.Guard:
		return false
	}
	return true
}

func (l *lateStatement) query(ctx context.Context, s *Session, args []expr.Argument) (Rows, error) {
	plan, err := l.begin(ctx, s, args)
	if err != nil {
		return nil, err
	}
	defer s.unpin()
	rows, err := plan.run.query(ctx, s, args)
	if err != nil {
		return nil, err
	}
	return lateRows{rows, plan.ColumnsIn(s.Tx)}, nil
}

func (l *lateStatement) exec(ctx context.Context, s *Session, args []expr.Argument) (Outcome, error) {
	plan, err := l.begin(ctx, s, args)
	if err != nil {
		return Outcome{LastPosition: engine.NoPosition}, err
	}
	defer s.unpin()
	return plan.run.exec(ctx, s, args)
}

// begin compiles the statement for the views of the snapshot, and lets the session read that
// snapshot until unpin is called.
func (l *lateStatement) begin(ctx context.Context, s *Session, args []expr.Argument) (*Plan, error) {
	ex := newExecution(ctx, s, args)
	defer ex.end()
	pinned := ex.index
	l.goBack(ex)
	set, err := ex.views()
	if err != nil {
		return nil, err
	}
	last := l.last.Load()
	if last == nil || last.views != set {
		plan, err := compileIn(ctx, l.parsed, storeCatalog{views: set}, l.funcs)
		if err != nil {
			return nil, err
		}
		last = &latePlan{set, plan}
		l.last.Store(last)
	}
	s.pinned = pinned
	return last.plan, nil
}

// goBack makes the views those of AS OF POSITION. What is wrong with the position the statement
// itself will tell.
func (l *lateStatement) goBack(ex *execution) {
	if l.asOf == nil {
		return
	}
	if at, err := asOfPosition(ex, l.asOf, ex.env(nil)); err == nil {
		ex.index, ex.own = ex.index.At(at+1), nil
	}
}

// unpin ends what begin has begun.
func (s *Session) unpin() { s.pinned = nil }

// lateRows tell the columns as they are in the session.
type lateRows struct {
	Rows
	columns []Column
}

func (r lateRows) Columns() []Column { return r.columns }
