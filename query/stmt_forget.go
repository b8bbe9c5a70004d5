package query

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A forgetStatement is FORGET SUBJECT: it destroys the key of a subject, and with it every value
// that was sealed with the key.
type forgetStatement struct {
	copiedArguments
	subject, reason *expr.Expr
	pos             parser.Pos
}

func (c *statementCompiler) forget(st *parser.Forget) (*forgetStatement, error) {
	subject, err := c.constants("FORGET SUBJECT", onlyConstants).compile(st.Subject)
	if err != nil {
		return nil, err
	}
	reason, err := c.constants("REASON", onlyConstants).compile(st.Reason)
	return &forgetStatement{subject: subject, reason: reason, pos: st.Pos}, err
}

func (f *forgetStatement) query(ctx context.Context, s *Session, args []expr.Argument) (Rows, error) {
	return queryNothing(f, ctx, s, args)
}

// exec counts one row if the key was there until now.
func (f *forgetStatement) exec(
	ctx context.Context, s *Session, args []expr.Argument,
) (Outcome, error) {
	none := Outcome{LastPosition: engine.NoPosition}
	if err := s.mayForget(f.pos); err != nil {
		return none, err
	}
	en := newWriteExecution(ctx, s, args).env(nil)
	defer execOf(en).end()
	subject, reason := f.subject.Eval(en), f.reason.Eval(en)
	switch {
	case en.Err != nil:
		return none, en.Err
	case subject.Kind != value.String || subject.S == "":
		return none, errorf(BadArgument, f.pos, "FORGET SUBJECT takes the name of a subject, a text")
	case reason.Kind != value.String || reason.S == "":
		return none, errorf(BadArgument, f.pos, "REASON takes a text that says why")
	}
	erased, err := s.Settings.Keyring.Forget(ctx, subject.S, reason.S)
	if err != nil { // also when ctx has ended: the key may not be given out any more
		return none, expr.KeyringFailed(err, f.pos)
	}
	if erased {
		none.RowsAffected = 1
	}
	return none, nil
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
