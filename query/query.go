// Package query compiles a statement's tree and runs it on a store.
//
// [Compile] resolves names and types once; the [Plan] it returns is immutable and shared by all
// connections. [Plan.Query] and [Plan.Exec] run it in a [Session].
package query

import (
	"context"
	"database/sql/driver"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// A Column describes one column of a result.
type Column struct {
	Name     string
	Type     Type
	Nullable bool
}

// A Plan is a compiled statement. It is immutable and may be shared.
type Plan struct {
	parsed  *parser.Parsed
	columns []Column
	rows    bool // the statement gives rows
	run     statement
	pending func() []Column // what columns are in a transaction that holds events of its own; nil without a store
	late    bool            // the columns are known when the statement runs
}

// A statement is the part of a plan that differs between kinds of statement. Query or exec is
// called once after each bind.
type statement interface {
	// bind makes values of what was given for the statement's parameters.
	bind(s *Session, p parser.Params, given []driver.NamedValue) ([]expr.Argument, error)
	query(ctx context.Context, s *Session, args []expr.Argument) (Rows, error)
	exec(ctx context.Context, s *Session, args []expr.Argument) (Outcome, error)
}

// Compile resolves a statement's names and types. It needs no store: a stream that does not exist
// has no rows. Errors are *Error.
func Compile(p *parser.Parsed) (*Plan, error) { return CompileContext(context.Background(), p) }

// CompileContext is Compile for as long as the context lasts: a statement may be so large that
// nobody waits for it.
func CompileContext(ctx context.Context, p *parser.Parsed) (*Plan, error) {
	return compileStatement(ctx, p, nil)
}

// CompileWith is CompileContext with functions of the program, which the sessions that run the plan
// have, too.
func CompileWith(ctx context.Context, p *parser.Parsed, f *Functions) (*Plan, error) {
	return compileStatement(ctx, p, f)
}

// Late reports whether the statement names views, whose definitions belong to the snapshot that it
// reads: Columns are not known then, only Rows.Columns are.
func (p *Plan) Late() bool { return p.late }

// Columns returns the columns of the rows that the statement gives. The slice must not be changed.
func (p *Plan) Columns() []Column { return p.columns }

// ColumnsIn returns the columns as they are in a transaction, nil for none. They differ from
// Columns in Nullable alone: a transaction sees its own events, whose positions, versions, times
// and ids may be NULL before COMMIT.
func (p *Plan) ColumnsIn(tx *Tx) []Column {
	if tx == nil || tx.readOnly || p.pending == nil {
		return p.columns
	}
	return p.pending()
}

// GivesRows reports whether the statement has a result set: SELECT, SHOW, DESCRIBE, EXPLAIN, INSERT
// ... RETURNING, VERIFY.
func (p *Plan) GivesRows() bool { return p.rows }

// Params tells which arguments the statement takes.
func (p *Plan) Params() parser.Params { return p.parsed.Params }

// Query runs the statement and returns its rows. An INSERT ... RETURNING is committed when Query
// returns. The context governs the Rows too: Next returns ctx.Err() once it has ended.
func (p *Plan) Query(ctx context.Context, s *Session, args []driver.NamedValue) (Rows, error) {
	values, err := p.run.bind(s, p.parsed.Params, args)
	if err != nil {
		return nil, err
	}
	return p.run.query(ctx, s, values)
}

// Exec runs the statement for its effect.
func (p *Plan) Exec(ctx context.Context, s *Session, args []driver.NamedValue) (Outcome, error) {
	values, err := p.run.bind(s, p.parsed.Params, args)
	if err != nil {
		return Outcome{}, err
	}
	return p.run.exec(ctx, s, values)
}

// Rows are pulled one at a time.
type Rows interface {
	// Columns returns what Plan.Columns returned, or for a Plan that is Late what it would have.
	Columns() []Column
	// Next fills dest, which has one place per column, with int64, float64, string, []byte, time.Time,
	// *engine.Event or nil. It returns io.EOF itself at the end, and ctx.Err() itself when the query's
	// context has ended. Strings and bytes are never reused; the *engine.Event is overwritten by the
	// next call.
	Next(dest []driver.Value) error
	// Close releases what the rows hold. It may be called twice.
	Close() error
}

// An Outcome is what Exec of an INSERT or an ERASE did.
type Outcome struct {
	// LastPosition is that of the last event appended, or of the original of a duplicate, and of the
	// event that tells of an erasure; NoPosition if there is none.
	LastPosition engine.Position
	Pending      bool  // inside a transaction: positions are assigned at COMMIT
	RowsAffected int64 // events newly written or erased (buffered, inside a transaction)
	Duplicate    bool
	Receipt      *Receipt // of an INSERT or ERASE in a transaction, nil for everything else
}
