package query

import (
	"github.com/eventfold/eventfold/query/internal/value"
)

// A relation is a planned source of rows: a scan of a table, a sub-query in FROM, a join. It is immutable once the plan is
// compiled.
type relation interface {
	// schema lists the relation's columns.
	schema() []tableColumn
	// bind returns an expression that reads column i of the row that the relation's rows have made current.
	// Only columns that were bound when the plan was compiled can be read.
	bind(i int) *expr
	// open starts reading. outer is the environment of the enclosing query, nil for none.
	open(ex *execution, outer *env) (rows, error)
	// explain describes the relation, the innermost step first.
	explain(x *explainer)
}

// Rows are a relation that is being read, one row at a time. One goroutine uses them.
type rows interface {
	// next makes the next row current in en.row and reports whether there is one.
	// The row is valid until the next call.
	next(en *env) (bool, error)
	close() error
}

// boundColumn makes the expression that reads a column.
func boundColumn(c tableColumn, eval func(*env) value.Value) *expr {
	return &expr{eval: eval, typ: c.Type, nullable: c.Nullable, affinity: c.affinity, collate: c.collate, tags: c.tags, pos: -1}
}

// slotExpr reads slot i of a row of values.
func slotExpr(i int) func(*env) value.Value {
	return func(en *env) value.Value { return en.row.values[i] }
}

// one is the relation of a SELECT without FROM: a single row without columns.
type one struct{}

func (one) schema() []tableColumn { return nil }

func (one) bind(int) *expr { panic("query: a SELECT without FROM has no columns") }

func (one) open(*execution, *env) (rows, error) { return &oneRow{}, nil }

func (one) explain(x *explainer) { x.step("row", "a single row") }

type oneRow struct{ done bool }

func (o *oneRow) next(*env) (bool, error) {
	first := !o.done
	o.done = true
	return first, nil
}

func (o *oneRow) close() error { return nil }

// noRows are those of contradictory bounds.
type noRows struct{}

func (noRows) next(*env) (bool, error) { return false, nil }

func (noRows) close() error { return nil }
