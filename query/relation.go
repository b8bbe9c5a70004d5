package query

import (
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A relation is a planned source of rows: a scan of a table, a sub-query in FROM, a join. It is
// immutable once the plan is compiled.
type relation interface {
	// schema lists the relation's columns.
	schema() []tableColumn
	// bind returns an expression that reads column i of the row that the relation's rows have made
	// current. Only columns that were bound when the plan was compiled can be read.
	bind(i int) *expr.Expr
	// open starts reading. outer is the environment of the enclosing query, nil for none.
	open(ex *execution, outer *expr.Env) (rows, error)
	// explain describes the relation, the innermost step first.
	explain(x *explainer)
}

// Rows are a relation that is being read, one row at a time. One goroutine uses them.
type rows interface {
	// next makes the next row current in en.row and reports whether there is one.
	// The row is valid until the next call.
	next(en *expr.Env) (bool, error)
	close() error
}

// boundColumn makes the expression that reads a column.
func boundColumn(c tableColumn, eval func(*expr.Env) value.Value) *expr.Expr {
	return &expr.Expr{Eval: eval, Type: c.Type, Nullable: c.Nullable, Affinity: c.affinity,
		Collate: c.collate, Column: true, Tags: c.tags, Pos: -1}
}

// slotExpr reads slot i of a row of values.
func slotExpr(i int) func(*expr.Env) value.Value {
	return func(en *expr.Env) value.Value { return en.Row.Values[i] }
}

// one is the relation of a SELECT without FROM: a single row without columns.
type one struct{}

func (one) schema() []tableColumn { return nil }

func (one) bind(int) *expr.Expr { panic("query: a SELECT without FROM has no columns") }

func (one) open(*execution, *expr.Env) (rows, error) { return &oneRow{}, nil }

func (one) explain(x *explainer) { x.step("row", "a single row") }

type oneRow struct{ done bool }

func (o *oneRow) next(*expr.Env) (bool, error) {
	first := !o.done
	o.done = true
	return first, nil
}

func (o *oneRow) close() error { return nil }

// noRows are those of contradictory bounds.
type noRows struct{}

func (noRows) next(*expr.Env) (bool, error) { return false, nil }

func (noRows) close() error { return nil }

// null is SQL's NULL.
var null = value.Value{}
