package query

import (
	"context"
	"time"

	"github.com/eventfold/eventfold/query/internal/effort"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An env is the state in which expressions of one running statement are evaluated. One goroutine uses it.
type env struct {
	effort.Meter
	ctx  context.Context
	args []argument
	now  time.Time     // one instant per statement
	row  currentRow    // what the current row's columns are read from; set by the rows that evaluate
	err  error         // the first error of an evaluation; the rows check it once per row or batch
	memo memo          // what is remembered without an execution, and of rows
	call []value.Value // arguments of the functions being called, the innermost last
	exec *execution    // what the statement's operators and sub-queries share

	made, held int64 // bytes of texts that were made for the current row, and how many of them the budget knows of
	before     *env  // made before this one by the same execution
}

// null is SQL's NULL.
var null = value.Value{}

// newEnv returns an environment whose work is measured.
func newEnv(e env) *env {
	e.Meter = effort.For(&e)
	return &e
}

// fail remembers the first error of an evaluation and gives NULL in its place.
func (e *env) fail(err error) value.Value {
	if e.err == nil {
		e.err = err
	}
	e.AskAfter(0) // nothing that asks is worth its effort any more
	return null
}

// A currentRow is where an expression reads: a row of a batch, or a slice of values.
type currentRow struct {
	batch  *tableBatch   // of a table, by column
	i      int           // row of the batch
	values []value.Value // of everything else: results, groups, joins
	outer  *env          // the enclosing query of a correlated sub-query; nil for none
}
