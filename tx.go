package eventfold

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query"
)

var _ driver.Tx = (*tx)(nil)

// levels are the isolation levels that a transaction can give, and what begins it. That of
// LevelDefault is the connection's.
var levels = map[sql.IsolationLevel]func(store engine.Store, readOnly bool) *query.Tx{
	sql.LevelDefault:        nil,
	sql.LevelRepeatableRead: query.Begin,
	sql.LevelSnapshot:       query.Begin,
	sql.LevelSerializable:   query.BeginSerializable,
}

// beginner returns what begins a transaction of the level; ok is false if it cannot be given.
func (c *Conn) beginner(
	level sql.IsolationLevel,
) (begin func(store engine.Store, readOnly bool) *query.Tx, ok bool) {
	begin, ok = levels[level]
	switch {
	case begin != nil || !ok:
		return begin, ok
	case c.session.Settings.Serializable:
		return query.BeginSerializable, true
	}
	return query.Begin, true
}

// A tx is a transaction begun by BeginTx.
type tx struct {
	conn *Conn
	ctx  context.Context // of BeginTx
	tx   *query.Tx
}

// Commit appends what the transaction has inserted, all of it or nothing.
func (t *tx) Commit() error {
	if t.conn.session.Tx == t.tx {
		t.conn.session.Tx = nil
	}
	return t.conn.store.log.note(t.ctx, wrapError(t.ctx, "commit", "", t.tx.Commit(t.ctx)))
}

// Rollback drops what the transaction has inserted. It needs no context, and so works when that of
// BeginTx has ended.
func (t *tx) Rollback() error {
	t.tx.Rollback()
	if t.conn.session.Tx == t.tx {
		t.conn.session.Tx = nil
	}
	return nil
}

// loneBegin is the error of a BEGIN, at a place in text, whose transaction would stay open behind
// its text.
func loneBegin(text string, pos parser.Pos) error {
	err := fault(ErrTransaction, "exec", "BEGIN by itself holds for one connection of the pool, "+
		"and the next statement may run on another: use BeginTx, or write everything from BEGIN "+
		"to COMMIT in one text; "+
		"begin=allow in the DSN is for programs that pin a sql.Conn")
	err.locate(text, pos)
	return err
}
