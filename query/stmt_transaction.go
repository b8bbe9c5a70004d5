package query

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/fault"
)

// The statements BEGIN, COMMIT and ROLLBACK, as text.
type transactionStatement struct {
	copiedArguments
	tree *parser.Transaction
}

func (t *transactionStatement) query(
	ctx context.Context, s *Session, args []expr.Argument,
) (Rows, error) {
	return queryNothing(t, ctx, s, args)
}

func (t *transactionStatement) exec(
	ctx context.Context, s *Session, _ []expr.Argument,
) (Outcome, error) {
	none := Outcome{LastPosition: engine.NoPosition}
	if t.tree.Kind == parser.Begin {
		if s.Tx != nil {
			return none, errorf(BadStatement, t.tree.Pos,
				"a transaction is open already; transactions do not nest, SAVEPOINT does")
		}
		s.Tx = t.begin(s)
		return none, nil
	}
	tx := s.Tx
	switch {
	case tx == nil:
		return none, errorf(BadStatement, t.tree.Pos, "no transaction is open")
	case !tx.textual:
		return none, errorf(BadStatement, t.tree.Pos,
			"this transaction was begun with BeginTx: end it with its Commit or Rollback")
	}
	s.Tx = nil
	if t.tree.Kind == parser.Rollback {
		tx.Rollback()
		return none, nil
	}
	written, events := tx.written(), len(tx.events)
	if err := tx.Commit(ctx); err != nil {
		return none, err
	}
	if len(tx.appended.Events) > 0 {
		last := max(events-1, 0) // of the events; without one it is the event that tells of the erasure
		none.LastPosition, none.Duplicate = tx.appended.Events[last].Position, tx.appended.Duplicate
	}
	if !none.Duplicate {
		none.RowsAffected = written
	}
	return none, nil
}

// begin starts a transaction with the level that is named, or else that of the connection.
func (t *transactionStatement) begin(s *Session) *Tx {
	level, begin := t.tree.Isolation, Begin
	if level == parser.SerializableIsolation ||
		level == parser.DefaultIsolation && s.Settings.Serializable {
		begin = BeginSerializable
	}
	tx := begin(s.Store, t.tree.ReadOnly)
	tx.textual = true
	return tx
}

// queryNothing runs a statement without rows through Query.
func queryNothing(
	p statement, ctx context.Context, s *Session, args []expr.Argument,
) (Rows, error) {
	if _, err := p.exec(ctx, s, args); err != nil {
		return nil, err
	}
	return listRows(nil, nil, s), nil
}

// A savepointStatement is SAVEPOINT, ROLLBACK TO or RELEASE.
type savepointStatement struct {
	copiedArguments
	kind parser.SavepointKind
	name string
	pos  parser.Pos
}

func (t *savepointStatement) query(
	ctx context.Context, s *Session, args []expr.Argument,
) (Rows, error) {
	return queryNothing(t, ctx, s, args)
}

func (t *savepointStatement) exec(
	_ context.Context, s *Session, _ []expr.Argument,
) (Outcome, error) {
	none := Outcome{LastPosition: engine.NoPosition}
	if s.Tx == nil {
		return none, errorf(BadStatement, t.pos, "a savepoint needs a transaction, and none is open")
	}
	if s.Tx.done {
		return none, ErrTxDone
	}
	if t.kind == parser.SavepointSet {
		s.Tx.save(t.name)
		return none, nil
	}
	i := s.Tx.findSavepoint(t.name)
	if i < 0 {
		return none, errorf(BadStatement, t.pos, "there is no savepoint %s", fault.Quoted(t.name))
	}
	if t.kind == parser.SavepointRelease {
		s.Tx.saved = s.Tx.saved[:i]
		return none, nil
	}
	s.Tx.rollbackTo(i)
	return none, nil
}
