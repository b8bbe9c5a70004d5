package query

import (
	"context"
	"errors"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An UntoldError reports that FORGET SUBJECT has destroyed the key, and that the store does not tell
// of it yet. Run the statement again: it appends what is missing, and nothing twice.
type UntoldError struct {
	Err error // why, never nil
}

// Error implements error.
func (e *UntoldError) Error() string {
	return "eventfold: the key is destroyed, but the event that tells of it is not written; run FORGET " +
		"SUBJECT again: " + strings.TrimPrefix(e.Err.Error(), "eventfold: ")
}

// Unwrap returns why.
func (e *UntoldError) Unwrap() error { return e.Err }

// A forgetStatement is FORGET SUBJECT: it destroys the key of a subject, and with it every value
// that was sealed with the key, and appends an event that tells of it.
type forgetStatement struct {
	copiedArguments
	subject, reason *expr.Expr
	reasonAt        parser.Pos
	pos             parser.Pos
}

func (c *statementCompiler) forget(st *parser.Forget) (*forgetStatement, error) {
	subject, err := c.constants("FORGET SUBJECT", onlyConstants).compile(st.Subject)
	if err != nil {
		return nil, err
	}
	reason, err := c.constants("REASON", onlyConstants).compile(st.Reason)
	return &forgetStatement{subject: subject, reason: reason, reasonAt: st.Reason.At(), pos: st.Pos}, err
}

func (f *forgetStatement) query(ctx context.Context, s *Session, args []expr.Argument) (Rows, error) {
	return queryNothing(f, ctx, s, args)
}

// exec counts one row if the key was there until now. What the store does not tell yet of this and
// of earlier keys of the subject it appends either way: the machine may have stopped between the two.
func (f *forgetStatement) exec(
	ctx context.Context, s *Session, args []expr.Argument,
) (Outcome, error) {
	out := Outcome{LastPosition: engine.NoPosition}
	if err := s.mayForget(f.pos); err != nil {
		return out, err
	}
	subject, reason, err := f.arguments(ctx, s, args)
	if err != nil {
		return out, err
	}
	erased, told, err := s.Settings.Keyring.Forget(ctx, subject, reason)
	if err != nil && !erased { // also when ctx has ended: the key may not be given out any more
		return out, expr.KeyringFailed(err, f.pos)
	}
	if err == nil {
		out.LastPosition, err = s.tellForgotten(ctx, told)
	}
	if err != nil {
		return out, expr.KeyringFailed(&UntoldError{err}, f.pos)
	}
	if erased {
		out.RowsAffected = 1
	}
	return out, nil
}

// arguments evaluates the subject and the reason, which must be such as the store can tell of: when
// the key is destroyed it is too late to find fault with them.
func (f *forgetStatement) arguments(
	ctx context.Context, s *Session, args []expr.Argument,
) (subject, reason string, err error) {
	en := newWriteExecution(ctx, s, args).env(nil)
	defer execOf(en).end()
	name := f.subject.Eval(en)
	if en.Err != nil {
		return "", "", en.Err
	}
	if name.Kind != value.String || name.S == "" {
		return "", "", errorf(BadArgument, f.pos, "FORGET SUBJECT takes the name of a subject, a text")
	}
	reason, err = reasonText(f.reason, f.reasonAt, en)
	return name.S, reason, err
}

// tellForgotten appends the events that tell of keys which are destroyed, each unless it is stored
// already, and returns the position of the last one. A store that cannot erase has none.
func (s *Session) tellForgotten(ctx context.Context, told []engine.Erasure) (engine.Position, error) {
	at := engine.NoPosition
	if _, ok := Offers[engine.Eraser](s.Store); !ok {
		return at, nil
	}
	for i := range told {
		e := told[i]
		e.Actor = s.Settings.Actor
		done, err := s.Store.Append(ctx, engine.Append{Erase: &e})
		var stored *engine.DuplicateEventError
		switch {
		case err == nil:
			at = done.Events[0].Position
		case errors.As(err, &stored) && stored.Stream == engine.ErasuresStream:
			at = stored.Position // told already, by another actor
		default:
			return at, err
		}
	}
	return at, nil
}

// mayForget refuses FORGET where there is no keyring, where nothing may be written, and in a
// transaction, whose ROLLBACK could not bring the key back.
func (s *Session) mayForget(pos parser.Pos) error {
	switch {
	case s.Settings.Keyring == nil:
		return expr.NoKeyring("FORGET SUBJECT", pos)
	case s.Settings.ReadOnly:
		return errorf(ReadOnly, pos, "FORGET SUBJECT destroys a key, and the store is open for reading only")
	case s.Tx != nil:
		e := errorf(InTransaction, pos, "FORGET SUBJECT cannot be in a transaction: no ROLLBACK brings a key back")
		e.Hint = "run it by itself, not in a text of several statements"
		return e
	}
	return nil
}
