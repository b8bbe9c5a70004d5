package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
)

// An Error is a statement that cannot be compiled or run. Its fields are Kind; Pos, the place in
// the text, -1 if there is none; Msg; Hint, what to write instead, "" for none; and Err, what is
// behind it, nil for nothing.
type Error = fault.Error

// An ErrorKind sorts errors for callers.
type ErrorKind = fault.Kind

// The kinds of error.
const (
	BadStatement    = fault.BadStatement    // wrong use of a clause, aggregate in WHERE, ...
	UnknownColumn   = fault.UnknownColumn   // no such column
	UnknownTable    = fault.UnknownTable    // no such table
	UnknownFunction = fault.UnknownFunction // no such function
	BadArgument     = fault.BadArgument     // wrong number or kind of arguments, a value that a column cannot take
	Unsupported     = fault.Unsupported     // what other databases have
	OutOfMemory     = fault.OutOfMemory     // a memory budget is spent: Err is a *MemoryError
	BadValue        = fault.BadValue        // a value that cannot be computed with: integer overflow in SUM, ...
	ReadOnly        = fault.ReadOnly        // the transaction is read-only
	InTransaction   = fault.InTransaction   // what a transaction cannot have
	KeyringFailed   = fault.KeyringFailed   // the keyring has failed, or does not have a key: Err is its error
)

// errorf makes an *Error at a place in the text.
func errorf(kind ErrorKind, pos parser.Pos, format string, args ...any) *Error {
	return fault.New(kind, pos, format, args...)
}
