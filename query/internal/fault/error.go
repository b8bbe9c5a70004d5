// Package fault has the errors of statements: what is wrong, where in the text, and what to write
// instead.
package fault

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/eventfold/eventfold/parser"
)

// An Error is a statement that cannot be compiled or run. Pos is its place in the text, -1 if there
// is none.
type Error struct {
	Kind Kind
	Pos  parser.Pos
	Msg  string
	Hint string // "" for none
	Err  error  // what is behind it, nil for nothing
}

// A Kind sorts errors for callers.
type Kind uint8

// The kinds of error.
const (
	BadStatement  Kind = iota // wrong use of a clause, aggregate in WHERE, ...
	UnknownColumn             // no such column
	UnknownTable              // no such table
	UnknownFunction
	BadArgument // wrong number or kind of arguments, a value that a column cannot take
	Unsupported
	OutOfMemory // a memory budget is spent: Err tells which
	BadValue    // a value that cannot be computed with: integer overflow in SUM, ...
	ReadOnly    // the transaction is read-only

	InTransaction // what a transaction cannot have
	KeyringFailed // the keyring has failed, or does not have a key: Err is its error
)

// Error tells what is wrong, the hint, and what is behind it. It does not tell the place.
func (e *Error) Error() string {
	s := e.Msg
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	if e.Err == nil {
		return s
	}
	if behind := strings.TrimPrefix(e.Err.Error(), "eventfold: "); behind != e.Msg {
		s += ": " + behind
	}
	return s
}

// Unwrap returns what is behind the error.
func (e *Error) Unwrap() error { return e.Err }

// New makes an *Error at a place in the text.
func New(kind Kind, pos parser.Pos, format string, args ...any) *Error {
	return &Error{Kind: kind, Pos: pos, Msg: fmt.Sprintf(format, args...)}
}

// At gives an Error that has no place that of the expression which it comes from.
func At(err error, pos parser.Pos) error {
	if e, ok := err.(*Error); ok && e.Pos < 0 {
		e.Pos = pos
	}
	return err
}

// Short cuts a name that an error tells.
func Short(name string) string {
	const most = 300 // more than the name of a stream can have
	if len(name) > most {
		return strings.ToValidUTF8(name[:most], "") + "..."
	}
	return name
}

// Quoted writes a name for an error text.
func Quoted(name string) string { return strconv.Quote(Short(name)) }
