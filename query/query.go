// Package query compiles a statement's tree and runs it on a store.
//
// [Compile] resolves names and types once; the [Plan] it returns is immutable and shared by all connections. [Plan.Query]
// and [Plan.Exec] run it in a [Session].
package query

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
)

// A Type is the static type of a result column, known before the first row.
type Type uint8

// The types of columns.
const (
	Any       Type = iota // NULL, or a value whose type differs from row to row
	Integer               // int64
	Real                  // float64
	Text                  // string
	Blob                  // []byte
	JSON                  // []byte (or string, see Settings.JSONText)
	Timestamp             // time.Time, UTC
	EventType             // *engine.Event, the pseudo-column event
)

// A Column describes one column of a result.
type Column struct {
	Name     string
	Type     Type
	Nullable bool
}

// Settings are what a connection's Session is given once.
type Settings struct {
	Memory   int64            // bytes a query may hold; 0 means DefaultMemory
	Shared   *Memory          // what all queries of the store may hold together; nil for no limit
	JSONText bool             // JSON columns come out as string
	ReadOnly bool             // the store is open for reading only: BACKUP TO is refused
	Backup   bool             // BACKUP TO is allowed all the same, and in read-only transactions
	Now      func() time.Time // nil means time.Now

	JSONRequired bool       // a payload that is not JSON is refused
	Followers    *Followers // of the store, in this process; nil means that nobody asks for them
}

// DefaultMemory is the memory budget of a query, in bytes.
const DefaultMemory = 256 << 20

// A Session is what the statements of one connection run in. One goroutine uses it at a time;
// open Rows may outlive calls but are pulled by one goroutine at a time as well.
type Session struct {
	Store    engine.Store
	Settings Settings
	Tx       *Tx // the open transaction, nil outside one; textual BEGIN, COMMIT and ROLLBACK set and clear it

	insertion *insertion // nil before the first INSERT
}

// A Plan is a compiled statement. It is immutable and may be shared.
type Plan struct {
	parsed  *parser.Parsed
	columns []Column
	rows    bool // the statement gives rows
	run     statement
	pending func() []Column // what columns are in a transaction that holds events of its own; nil without a store
}

// A statement is the part of a plan that differs between kinds of statement. Query or exec is called once after each bind.
type statement interface {
	// bind makes values of what was given for the statement's parameters.
	bind(s *Session, p parser.Params, given []driver.NamedValue) ([]argument, error)
	query(ctx context.Context, s *Session, args []argument) (Rows, error)
	exec(ctx context.Context, s *Session, args []argument) (Outcome, error)
}

// Compile resolves a statement's names and types. It needs no store: a stream that does not exist has no rows.
// Errors are *Error.
func Compile(p *parser.Parsed) (*Plan, error) { return CompileContext(context.Background(), p) }

// CompileContext is Compile for as long as the context lasts: a statement may be so large that nobody waits for it.
func CompileContext(ctx context.Context, p *parser.Parsed) (*Plan, error) {
	return compileStatement(ctx, p)
}

// Columns returns the columns of the rows that the statement gives. The slice must not be changed.
func (p *Plan) Columns() []Column { return p.columns }

// ColumnsIn returns the columns as they are in a transaction, nil for none. They differ from Columns in Nullable alone: a transaction
// sees its own events, whose positions, versions, times and ids may be NULL before COMMIT.
func (p *Plan) ColumnsIn(tx *Tx) []Column {
	if tx == nil || tx.readOnly || p.pending == nil {
		return p.columns
	}
	return p.pending()
}

// GivesRows reports whether the statement has a result set: SELECT, SHOW, DESCRIBE, EXPLAIN, INSERT ... RETURNING, VERIFY.
func (p *Plan) GivesRows() bool { return p.rows }

// Params tells which arguments the statement takes.
func (p *Plan) Params() parser.Params { return p.parsed.Params }

// Query runs the statement and returns its rows. An INSERT ... RETURNING is committed when Query returns.
// The context governs the Rows too: Next returns ctx.Err() once it has ended.
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
	// Columns returns what Plan.Columns returned.
	Columns() []Column
	// Next fills dest, which has one place per column, with int64, float64, string, []byte, time.Time, *engine.Event or nil.
	// It returns io.EOF itself at the end, and ctx.Err() itself when the query's context has ended.
	// Strings and bytes are never reused; the *engine.Event is overwritten by the next call.
	Next(dest []driver.Value) error
	// Close releases what the rows hold. It may be called twice.
	Close() error
}

// An Outcome is what Exec of an INSERT did.
type Outcome struct {
	LastPosition engine.Position // of the last event appended, or of the original of a duplicate; NoPosition if there is none
	Pending      bool            // inside a transaction: positions are assigned at COMMIT
	RowsAffected int64           // events newly written (buffered, inside a transaction)
	Duplicate    bool
	Receipt      *Receipt // of an INSERT in a transaction, nil for everything else
}

// An Error is a statement that cannot be compiled or run. Pos is its place in the text, -1 if there is none.
type Error struct {
	Kind ErrorKind
	Pos  parser.Pos
	Msg  string
	Hint string // "" for none
	Err  error  // what is behind it, nil for nothing
}

// An ErrorKind sorts errors for callers.
type ErrorKind uint8

// The kinds of error.
const (
	BadStatement  ErrorKind = iota // wrong use of a clause, aggregate in WHERE, ...
	UnknownColumn                  // no such column
	UnknownTable                   // no such table
	UnknownFunction
	BadArgument // wrong number or kind of arguments, a value that a column cannot take
	Unsupported
	OutOfMemory // a memory budget is spent: Err is a *MemoryError
	BadValue    // a value that cannot be computed with: integer overflow in SUM, ...
	ReadOnly    // the transaction is read-only
)

func (e *Error) Error() string {
	s := e.Msg
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	if _, told := e.Err.(*MemoryError); e.Err != nil && !told {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }
