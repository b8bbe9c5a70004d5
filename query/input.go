package query

import (
	"github.com/eventfold/eventfold/parser"
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

// passingRows are those rows that satisfy every condition.
type passingRows struct {
	in    rows
	conds []condition
	seen  int
}

// filtered lets only the rows pass that satisfy the conditions, if there are any.
func filtered(in rows, conds []condition) rows {
	if len(conds) == 0 {
		return in
	}
	return &passingRows{in: in, conds: counted(conds)}
}

func (f *passingRows) next(en *env) (bool, error) {
	for {
		en.begin()
		ok, err := f.in.next(en)
		if !ok || err != nil {
			return false, err
		}
		if f.seen++; f.seen%batchRows == 0 {
			if err := en.ctx.Err(); err != nil {
				return false, err
			}
		}
		pass := allTrue(f.conds, en)
		if en.err != nil {
			return false, en.err
		}
		if pass {
			return true, nil
		}
	}
}

func (f *passingRows) close() error { return f.in.close() }

// A condition is a compiled condition: a row passes if it is yes.
type condition = func(*env) value.Truth

// manyTerms is how many conditions or aggregates of a row are so many that they count as an effort.
const manyTerms = 64

// counted puts before very many conditions one that looks at the context: rows are counted in batches otherwise, and such a
// batch would take seconds.
func counted(conds []condition) []condition {
	if len(conds) <= manyTerms {
		return conds
	}
	n := len(conds) * termEffort
	return append([]condition{func(e *env) value.Truth { return value.TruthOf(e.Effort(n)) }}, conds...)
}

func allTrue(conds []condition, en *env) bool {
	for _, c := range conds {
		if c(en) != value.Yes {
			return false
		}
	}
	return true
}

// A fromItem is one item of FROM, as names are resolved against it.
type fromItem struct {
	name    string // the alias, or the table's name
	offset  int    // ordinal of its first column in the whole of FROM
	columns []tableColumn
	merged  map[string]bool // columns of USING, which the source before has too: not part of *, not found without the source's name
	pos     parser.Pos
	rel     relation
}

// find returns the ordinal of a column in the source, -1 if there is none.
func (s *fromItem) find(name string) int {
	for i := range s.columns {
		if sameName(s.columns[i].Name, name) {
			return i
		}
	}
	return -1
}
