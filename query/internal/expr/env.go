package expr

import (
	"context"
	"time"

	"github.com/eventfold/eventfold/query/internal/value"
)

// An Env is the state in which expressions of one running statement are evaluated. One goroutine
// uses it.
type Env struct {
	value.Meter
	Ctx  context.Context
	Args []Argument
	Now  time.Time     // one instant per statement
	Row  Row           // what the current row's columns are read from; set by the rows that evaluate
	Err  error         // the first error of an evaluation; the rows check it once per row or batch
	Memo Memo          // what is remembered without an execution, and of rows
	call []value.Value // arguments of the functions being called, the innermost last
	sub  []value.Value // the row of a sub-query that a row is being compared with
	Exec Execution     // what the statement's operators and sub-queries share

	Made, held int64 // bytes of texts that were made for the current row, and how many of them the budget knows of
	Before     *Env  // made before this one by the same execution
}

// null is SQL's NULL.
var null = value.Value{}

// NewEnv returns an environment whose work is measured.
func NewEnv(e Env) *Env {
	e.Meter = value.MeterOf(&e)
	return &e
}

// Fail remembers the first error of an evaluation and gives NULL in its place.
func (e *Env) Fail(err error) value.Value {
	if e.Err == nil {
		e.Err = err
	}
	e.AskAfter(0) // nothing that asks is worth its effort any more
	return null
}

// A Row is where an expression reads: a row of a batch, or a slice of values.
type Row struct {
	Batch  *Batch        // of a table, by column
	I      int           // row of the batch
	Values []value.Value // of everything else: results, groups, joins
	Outer  *Env          // the enclosing query of a correlated sub-query; nil for none
}

// An Execution is a running statement, as its environments see it: its memory, and what is computed
// once for all of it.
type Execution interface {
	// TextLimit is how long a text may become, in bytes.
	TextLimit() int
	// Hold accounts for n more bytes; the error says what they were for.
	Hold(n int64, what string) error
	// HoldToEnd leaves n bytes that are held to the statement, which releases them when it ends.
	HoldToEnd(n int64)
	// Release gives back n bytes that were held.
	Release(n int64)
	// Discard tells that n bytes are garbage.
	Discard(n int64)
	// Keyring is the connection's, nil if it has none.
	Keyring() Keyring
	// Memo is what is remembered for as long as the statement runs.
	Memo() *Memo
}
