package eventfold

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/eventfold/eventfold/parser"
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
		return nil, fault(ErrUnsupported, "begin", "isolation level %s cannot be given; the levels are %s, %s and %s. "+
			"EXPECTING NO EVENT makes a snapshot serializable in what it names",
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

// checkBegin refuses BEGIN as a text by itself unless Config.Begin allows it.
func (c *Conn) checkBegin(s *statement) error {
	t, ok := s.tree.(*parser.Transaction)
	if !ok || t.Kind != parser.Begin || c.session.Tx != nil || c.link.config.Begin {
		return nil
	}
	return loneBegin(s.text, t.Pos)
}

// loneBegin is the error of a BEGIN, at a place in text, whose transaction would stay open behind its text.
func loneBegin(text string, pos parser.Pos) error {
	err := fault(ErrTransaction, "exec", "BEGIN by itself holds for one connection of the pool, and the next statement may run on another: "+
		"use BeginTx, or write everything from BEGIN to COMMIT in one text; begin=allow in the DSN is for programs that pin a sql.Conn")
	err.locate(text, pos)
	return err
}
