package query

import (
	"fmt"

	"github.com/eventfold/eventfold/parser"
)

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

// Error tells what is wrong, the hint, and what is behind it. It does not tell the place.
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

// Unwrap returns what is behind the error.
func (e *Error) Unwrap() error { return e.Err }

// errorf makes an *Error at a place in the text.
func errorf(kind ErrorKind, pos parser.Pos, format string, args ...any) *Error {
	return &Error{Kind: kind, Pos: pos, Msg: fmt.Sprintf(format, args...)}
}

// at gives an error of this package the place of the expression that it comes from, if it has none.
func at(err error, pos parser.Pos) error {
	if e, ok := err.(*Error); ok && e.Pos < 0 {
		e.Pos = pos
	}
	return err
}
