package query

import (
	"context"
	"time"

	"github.com/eventfold/eventfold/parser"
)

// An env is the state in which expressions of one running statement are evaluated. One goroutine uses it.
type env struct {
	ctx  context.Context
	args []Value
	now  time.Time // one instant per statement
	row  rowSource // what the current row's columns are read from; set by the operator that evaluates
	err  error     // the first error of an evaluation; the operator checks it once per row or batch
}

// A rowSource is the current row of an operator: a batch of events with an index, or a slice of values.
type rowSource struct {
	batch  *tableBatch // columnar input
	i      int         // row of the batch
	values []Value     // row-wise input: results of operators, groups, joins
	outer  *env        // the enclosing query of a correlated sub-query; nil for none
}

// An expr is a compiled expression.
type expr struct {
	eval     func(*env) Value
	typ      Type      // static type
	nullable bool      // may be NULL
	affinity affinity  // of a column or CAST, for comparisons
	collate  collation // explicit, or of the column
	constant bool      // depends on no row: literals, parameters and functions of them
	pos      parser.Pos
}

type affinity uint8

const (
	affNone affinity = iota
	affInteger
	affReal
	affText
	affNumeric
	affTime // recorded_at: text compared with it is parsed as a time
)

type collation uint8

const (
	collBinary collation = iota
	collNocase
)

// A binder resolves what an expression alone cannot: columns, aggregates, windows and sub-queries.
// The planner implements it; the scalar compiler calls it.
type binder interface {
	column(c *parser.Column) (*expr, error)
	// call is asked first about every function call; handled is false for scalar functions.
	call(c *parser.Call) (e *expr, handled bool, err error)
	subquery(s *parser.Subquery) (*expr, error)
	exists(s *parser.Exists) (*expr, error)
	// inSelect compiles x [NOT] IN (SELECT ...).
	inSelect(x *expr, in *parser.In) (*expr, error)
}
