package eventfold

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query"
	"github.com/eventfold/eventfold/shred"
)

// An Error is what every call on a database of this driver returns when it fails, except that the
// error of a context that has ended is returned as it is, and io.EOF and the sentinels of
// database/sql are never wrapped.
//
// Ask with errors.Is for a [Code], with errors.As for the facts of what is behind it: a
// [*ConflictError], a [*DuplicateEventError] and so on.
type Error struct {
	Code   Code
	Op     string // what was tried: open, ping, prepare, query, exec, begin, commit, next
	Stream string // the stream that the error is about, "" if it is about none or several
	Line   int    // of the place in the statement, from 1; 0 if there is none
	Column int    // of the place in the statement, in characters, from 1; 0 if there is none
	// the line of the statement, and a line with a caret below the place; "" if there is none
	SQL string
	Err error // what is behind it, never nil
}

// Error begins with eventfold: and stays on one line.
func (e *Error) Error() string {
	text := strings.TrimPrefix(e.Err.Error(), "eventfold: ")
	var syntax *parser.SyntaxError
	if errors.As(e.Err, &syntax) { // its own text begins with the place
		text = syntax.Msg
		if syntax.Hint != "" {
			text += " (" + syntax.Hint + ")"
		}
	}
	if e.Line > 0 {
		return fmt.Sprintf("eventfold: line %d, column %d: %s", e.Line, e.Column, text)
	}
	return "eventfold: " + text
}

// Unwrap returns what is behind the error.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's Code. A conflict in which both a version and a condition
// did not hold is an ErrVersionConflict and an ErrConditionFailed. An append whose outcome is
// unknown because the store has moved is an ErrOutcomeUnknown and an ErrMoved. Where package engine
// has a sentinel for the same as a Code, the one is as good as the other.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	if !ok {
		return target == engineSentinels[e.Code]
	}
	return code == e.Code ||
		code == ErrConditionFailed && conditionFailed(e.Err) ||
		code == ErrMoved && hasMoved(e.Err)
}

// SQLState returns the five characters that the SQL standard or PostgreSQL has for this kind of
// error.
func (e *Error) SQLState() string { return e.Code.SQLState() }

// Retryable reports whether the same may succeed when it is tried again: after reading again and
// deciding again where an expectation did not hold, and with the same event ids where the outcome
// is unknown.
//
// A conflict is not retryable, although its SQLState is 40001, if an expectation that failed names
// nothing that could be read anew, because events never vanish: NO STREAM, and NO EVENT without
// AFTER (or with AFTER NULL or -1 in the text). An argument is what was read, so that VERSION ? and
// AFTER ? are retryable whatever it was. Nor is a conflict with an event that the transaction
// itself has inserted.
func (e *Error) Retryable() bool {
	return e.Code < codeCount && codes[e.Code].retryable && !hopeless(e.Err)
}

// hopeless reports whether an error is a conflict that no newer snapshot would resolve.
func hopeless(err error) bool {
	var conflict *engine.ConflictError
	return errors.As(err, &conflict) &&
		slices.ContainsFunc(conflict.Checks, engine.FailedCheck.Hopeless)
}

// A Code is a kind of error. Codes are errors, so that errors.Is(err, eventfold.ErrLocked) asks for
// one.
type Code uint8

// The codes.
const (
	ErrInternal        Code = iota // a fault of this package
	ErrVersionConflict             // a stream is not at the version that EXPECTING names
	ErrConditionFailed             // an event matches EXPECTING NO EVENT
	ErrDuplicateEvent              // an event id is stored already, and this is no retry of its append
	ErrSyntax                      // the statement cannot be read
	ErrStatement                   // the statement can be read and has no meaning
	ErrUnknownColumn               // no table of the statement has the column
	ErrUnknownTable                // neither a stream nor one of the tables that begin with $
	ErrUnknownFunction             // there is no such function
	ErrStreamNotFound              // the stream has no events; SELECT gives no rows instead
	ErrArgument                    // the wrong number or kind of arguments, or what can never be stored
	ErrValue                       // a value that cannot be computed with
	ErrMemory                      // more than query_memory, or than is left of memory: see MemoryError
	ErrUnsupported                 // the dialect or this store does not have it
	ErrTransaction                 // not possible in, or without, a transaction
	ErrReadOnly                    // an append to a store, a transaction or a disk for reading only
	ErrLocked                      // another process holds the write lock, or backs up to the directory
	ErrCorrupt                     // bytes that were promised to be durable are missing or damaged
	ErrFormat                      // a foreign file, or a store of a later version
	ErrFull                        // the disk is full
	ErrTooLarge                    // an event or an append is larger than its limit
	ErrConfig                      // the DSN or Config is wrong, or not that of the store that is open
	ErrNotExist                    // there is no store, and mode forbids creating one
	ErrClosed                      // the store, the connector or the connection is closed
	ErrPoisoned                    // a sync has failed; only reading goes on until all have closed it
	ErrOutcomeUnknown              // the append may or may not be durable; retry with the same event ids
	ErrMoved                       // the store has been moved, removed or replaced; close it
	ErrIO                          // the system has refused a read or a write
	ErrKeyring                     // the keyring has failed, or does not have a key: see package shred

	codeCount
)

// codes are the facts about each Code.
var codes = [codeCount]struct {
	state     string
	text      string
	retryable bool
}{
	ErrInternal:        {"XX000", "internal error", false},
	ErrVersionConflict: {"40001", "version conflict", true},
	ErrConditionFailed: {"40001", "condition failed", true},
	ErrDuplicateEvent:  {"23505", "duplicate event id", false},
	ErrSyntax:          {"42601", "syntax error", false},
	ErrStatement:       {"42000", "invalid statement", false},
	ErrUnknownColumn:   {"42703", "unknown column", false},
	ErrUnknownTable:    {"42P01", "unknown table", false},
	ErrUnknownFunction: {"42883", "unknown function", false},
	ErrStreamNotFound:  {"02000", "stream not found", false},
	ErrArgument:        {"22023", "invalid argument", false},
	ErrValue:           {"22000", "invalid value", false},
	ErrMemory:          {"53200", "query memory spent", false},
	ErrUnsupported:     {"0A000", "not supported", false},
	ErrTransaction:     {"25000", "invalid transaction state", false},
	ErrReadOnly:        {"25006", "read only", false},
	ErrLocked:          {"55P03", "locked", true},
	ErrCorrupt:         {"XX001", "corrupt", false},
	ErrFormat:          {"58000", "not a store of this version", false},
	ErrFull:            {"53100", "disk full", false},
	ErrTooLarge:        {"54000", "too large", false},
	ErrConfig:          {"F0000", "invalid configuration", false},
	ErrNotExist:        {"58P01", "no such store", false},
	ErrClosed:          {"08003", "closed", false},
	ErrPoisoned:        {"58030", "poisoned", false},
	ErrOutcomeUnknown:  {"40003", "outcome unknown", true},
	ErrMoved:           {"57P04", "moved", false},
	ErrIO:              {"58030", "input/output error", false},
	ErrKeyring:         {"38000", "keyring failed", false},
}

// Error names the kind of error in a few words.
func (c Code) Error() string {
	if c >= codeCount {
		return fmt.Sprintf("eventfold: error code %d", uint8(c))
	}
	return "eventfold: " + codes[c].text
}

// SQLState returns the five characters that the SQL standard or PostgreSQL has for this kind of
// error.
func (c Code) SQLState() string {
	if c >= codeCount {
		return codes[ErrInternal].state
	}
	return codes[c].state
}

// engineSentinels are the engine's words for codes.
var engineSentinels = map[Code]error{
	ErrOutcomeUnknown: engine.ErrOutcomeUnknown,
	ErrClosed:         engine.ErrClosed,
	ErrReadOnly:       engine.ErrReadOnly,
	ErrFull:           engine.ErrFull,
	ErrPoisoned:       engine.ErrPoisoned,
}

// sentinelCodes are the codes of errors without facts, the more telling ones first.
var sentinelCodes = []struct {
	err  error
	code Code
}{
	{engine.ErrOutcomeUnknown, ErrOutcomeUnknown},
	{engine.ErrClosed, ErrClosed},
	{engine.ErrReadOnly, ErrReadOnly},
	{engine.ErrFull, ErrFull},
	{engine.ErrPoisoned, ErrPoisoned},
	{query.ErrTxDone, ErrTransaction},
	{syscall.ENOSPC, ErrFull},
	{syscall.EROFS, ErrReadOnly},
	{syscall.ENOTDIR, ErrFormat},
	{syscall.EISDIR, ErrFormat},
	{fs.ErrNotExist, ErrNotExist},
}

// queryCodes are the codes of the query layer's kinds.
var queryCodes = map[query.ErrorKind]Code{
	query.BadStatement:    ErrStatement,
	query.UnknownColumn:   ErrUnknownColumn,
	query.UnknownTable:    ErrUnknownTable,
	query.UnknownFunction: ErrUnknownFunction,
	query.BadArgument:     ErrArgument,
	query.Unsupported:     ErrUnsupported,
	query.OutOfMemory:     ErrMemory,
	query.BadValue:        ErrValue,
	query.ReadOnly:        ErrReadOnly,
	query.InTransaction:   ErrTransaction,
	query.KeyringFailed:   ErrKeyring,
}

// wrapError makes an *Error of what the layers below have returned while doing op on the statement
// text, "" for none. ctx is the context of the call: if it has ended and is the reason, its error
// is returned as it is.
func wrapError(ctx context.Context, op, text string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if ended := ctx.Err(); ended != nil && errors.Is(err, ended) && !tellsMore(err) {
		return ended
	}
	var done *Error
	if errors.As(err, &done) {
		return err
	}
	e := &Error{Op: op, Err: err}
	e.Code, e.Stream = classify(err)
	if pos := positionOf(err); pos >= 0 && text != "" {
		e.locate(text, pos)
	}
	return e
}

// tellsMore reports whether an error says more than that a context has ended: something may have been
// done.
func tellsMore(err error) bool {
	return errors.Is(err, engine.ErrOutcomeUnknown) || errors.As(err, new(*shred.UnfinishedError)) ||
		errors.As(err, new(*UntoldError))
}

// factCodes are the codes of errors with facts, the more telling ones first.
var factCodes = []func(error) (Code, string, bool){
	as(conflictCode),
	as(func(e *engine.DuplicateEventError) (Code, string) { return ErrDuplicateEvent, e.Stream }),
	as(func(e *engine.StreamNotFoundError) (Code, string) { return ErrStreamNotFound, e.Stream }),
	as(always[*engine.InvalidError](ErrArgument)),
	as(always[*engine.TooLargeError](ErrTooLarge)),
	as(always[*engine.CorruptError](ErrCorrupt)),
	as(always[*engine.HeadError](ErrCorrupt)),
	as(always[*filestore.SealError](ErrFormat)),
	as(always[*filestore.LedgerError](ErrArgument)),
	as(always[*engine.FormatError](ErrFormat)),
	as(always[*engine.NetworkError](ErrConfig)),
	as(always[*engine.LockedError](ErrLocked)),
	as(always[*engine.MovedError](ErrMoved)),
	as(always[*parser.SyntaxError](ErrSyntax)),
	as(func(e *query.Error) (Code, string) { return queryCodes[e.Kind], "" }),
	as(always[syscall.Errno](ErrIO)),
	as(always[*fs.PathError](ErrIO)),
}

// as is a row for errors of one type, whose facts say which code and which stream they have.
func as[E error](code func(E) (Code, string)) func(error) (Code, string, bool) {
	return func(err error) (Code, string, bool) {
		var facts E
		if !errors.As(err, &facts) {
			return ErrInternal, "", false
		}
		c, stream := code(facts)
		return c, stream, true
	}
}

// always is the code of errors of one type whatever their facts are, and which are about no stream.
func always[E error](code Code) func(E) (Code, string) {
	return func(E) (Code, string) { return code, "" }
}

// classify finds the code and the stream of an error of the layers below.
func classify(err error) (Code, string) {
	if errors.As(err, new(*filestore.BackupError)) { // whatever has been met at the path
		return ErrArgument, ""
	}
	var q *query.Error
	if errors.As(err, &q) && q.Kind == query.KeyringFailed { // whatever has failed there
		return keyringCode(q.Err), ""
	}
	if errors.As(err, new(*query.SpillError)) { // whatever the system has said of the file
		if q != nil {
			return queryCodes[q.Kind], ""
		}
		return ErrIO, ""
	}
	for _, s := range sentinelCodes {
		if errors.Is(err, s.err) {
			return s.code, ""
		}
	}
	for _, find := range factCodes {
		if code, stream, ok := find(err); ok {
			return code, stream
		}
	}
	return ErrInternal, ""
}

// conflictCode is ErrConditionFailed if only conditions have failed. The stream is named if all
// failed versions are of one.
func conflictCode(c *engine.ConflictError) (Code, string) {
	code, stream := ErrConditionFailed, ""
	for i, check := range c.Checks {
		if check.Condition == nil {
			code = ErrVersionConflict
		}
		if i == 0 {
			stream = check.Stream
		} else if stream != check.Stream {
			stream = ""
		}
	}
	return code, stream
}

// conditionFailed reports whether an error is a conflict with a condition, perhaps beside others.
func conditionFailed(err error) bool {
	var conflict *engine.ConflictError
	return errors.As(err, &conflict) &&
		slices.ContainsFunc(conflict.Checks, func(c engine.FailedCheck) bool {
			return c.Condition != nil
		})
}

// hasMoved reports whether an error says that the store has moved.
func hasMoved(err error) bool {
	var moved *engine.MovedError
	return errors.As(err, &moved)
}

// positionOf returns the place in the statement that an error names, -1 if it names none.
func positionOf(err error) parser.Pos {
	var syntax *parser.SyntaxError
	if errors.As(err, &syntax) {
		return syntax.Pos
	}
	var statement *query.Error
	if errors.As(err, &statement) {
		return statement.Pos
	}
	return -1
}

// locate fills Line, Column and SQL.
func (e *Error) locate(text string, pos parser.Pos) {
	e.Line, e.Column = parser.Locate(text, pos)
	e.SQL = parser.Excerpt(text, pos)
}

// fault makes an *Error of this package's own.
func fault(code Code, op, format string, args ...any) *Error {
	return &Error{Code: code, Op: op, Err: fmt.Errorf(format, args...)}
}
