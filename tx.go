package eventfold

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/eventfold/eventfold/query"
)

var _ driver.Tx = (*tx)(nil)

// levels are the isolation levels that a transaction can give; they are one and the same.
var levels = map[sql.IsolationLevel]bool{
	sql.LevelDefault:        true,
	sql.LevelRepeatableRead: true,
	sql.LevelSnapshot:       true,
}

// BeginTx begins a transaction: a snapshot for reading and a buffer for appending, until Commit makes one append of it.
// It takes no lock. Commit runs under ctx.
func (c *Conn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	if c.closed {
		return nil, driver.ErrBadConn
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if level := sql.IsolationLevel(options.Isolation); !levels[level] {
		return nil, fault(ErrUnsupported, "begin", "isolation level %s cannot be given; the levels are %s, %s and %s",
			level, sql.LevelDefault, sql.LevelRepeatableRead, sql.LevelSnapshot)
	}
	if c.session.Tx != nil {
		return nil, fault(ErrTransaction, "begin", "a transaction is open already")
	}
	c.session.Tx = query.Begin(c.session.Store, options.ReadOnly)
	return &tx{conn: c, ctx: ctx, tx: c.session.Tx}, nil
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
	return wrapError(t.ctx, "commit", "", t.tx.Commit(t.ctx))
}

// Rollback drops what the transaction has inserted. It needs no context, and so works when that of BeginTx has ended.
func (t *tx) Rollback() error {
	t.tx.Rollback()
	if t.conn.session.Tx == t.tx {
		t.conn.session.Tx = nil
	}
	return nil
}
