package eventfold

import (
	"context"
	"database/sql/driver"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query"
)

var (
	_ driver.Stmt              = (*stmt)(nil)
	_ driver.StmtExecContext   = (*stmt)(nil)
	_ driver.StmtQueryContext  = (*stmt)(nil)
	_ driver.NamedValueChecker = (*stmt)(nil)
	_ driver.Result            = result{}
	_ driver.Result            = (*receipt)(nil)
)

// A stmt is a prepared statement of one connection. It holds nothing that needs closing.
type stmt struct {
	conn      *Conn
	statement *statement
}

// Close does nothing, also after the connection has been closed.
func (s *stmt) Close() error { return nil }

// NumInput returns the number of positional arguments, -1 if the statement names its arguments.
func (s *stmt) NumInput() int {
	params := s.statement.plan.Params()
	if params.Names != nil {
		return -1
	}
	return params.Count
}

// CheckNamedValue converts one argument.
func (s *stmt) CheckNamedValue(arg *driver.NamedValue) error { return checkArgument(arg) }

// ExecContext runs the statement for its effect.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if s.conn.closed {
		return nil, driver.ErrBadConn
	}
	return s.conn.exec(ctx, s.statement, args)
}

// QueryContext runs the statement and returns its rows.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if s.conn.closed {
		return nil, driver.ErrBadConn
	}
	return s.conn.query(ctx, s.statement, args)
}

// Exec is what database/sql called before there were contexts.
func (s *stmt) Exec([]driver.Value) (driver.Result, error) {
	return nil, fault(ErrUnsupported, "exec", "only ExecContext is supported")
}

// Query is what database/sql called before there were contexts.
func (s *stmt) Query([]driver.Value) (driver.Rows, error) {
	return nil, fault(ErrUnsupported, "query", "only QueryContext is supported")
}

// exec runs a statement for its effect.
func (c *Conn) exec(ctx context.Context, s *statement, args []driver.NamedValue) (driver.Result, error) {
	if err := c.checkBegin(s); err != nil {
		return nil, err
	}
	outcome, err := c.run(ctx, s, args)
	if err != nil {
		return nil, wrapError(ctx, "exec", s.text, err)
	}
	if outcome.Receipt != nil {
		return (*receipt)(outcome.Receipt), nil
	}
	return result{outcome}, nil
}

func (c *Conn) run(ctx context.Context, s *statement, args []driver.NamedValue) (query.Outcome, error) {
	s, args, err := c.expandLists(ctx, s, args)
	if err != nil {
		return query.Outcome{}, err
	}
	return s.plan.Exec(ctx, &c.session, args)
}

// query runs a statement and returns its rows.
func (c *Conn) query(ctx context.Context, s *statement, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.checkBegin(s); err != nil {
		return nil, err
	}
	s, args, err := c.expandLists(ctx, s, args)
	if err != nil {
		return nil, wrapError(ctx, "query", "", err)
	}
	c.shared.retain()
	r := &rows{ctx: ctx, statement: s, tx: c.session.Tx, shared: c.shared, jsonText: c.session.Settings.JSONText}
	running := ctx
	if s.follows() {
		r.follow = newFollowing(ctx, c.link)
		running = r.follow.ctx
	}
	if s.plan.GivesRows() {
		r.rows, err = s.plan.Query(running, &c.session, args)
	} else {
		_, err = s.plan.Exec(running, &c.session, args)
	}
	if err != nil {
		r.Close()
		return nil, wrapError(ctx, "query", s.text, err)
	}
	return r, nil
}

// A result is a plain value: database/sql reads it after the connection has been given back.
type result struct{ query.Outcome }

// LastInsertId returns the position of the last event appended, or of the original if the append was a duplicate.
func (r result) LastInsertId() (int64, error) {
	if r.LastPosition == engine.NoPosition {
		return 0, fault(ErrUnsupported, "exec", "no event was appended, so that there is no position")
	}
	return int64(r.LastPosition), nil
}

// RowsAffected returns the number of events newly written, 0 for a duplicate.
func (r result) RowsAffected() (int64, error) { return r.Outcome.RowsAffected, nil }

// A receipt is the result of an INSERT in a transaction, which may be asked again when that has ended.
type receipt query.Receipt

// LastInsertId returns the position of the last event. It is assigned at COMMIT: before that, and if the event was
// rolled back, it is an error.
func (r *receipt) LastInsertId() (int64, error) {
	p, err := (*query.Receipt)(r).Position()
	if err != nil {
		return 0, &Error{Code: ErrTransaction, Op: "exec", Err: err}
	}
	return int64(p), nil
}

// RowsAffected returns the number of events that are buffered, and after COMMIT of those that were written: none if the
// transaction was a duplicate, or was rolled back.
func (r *receipt) RowsAffected() (int64, error) { return (*query.Receipt)(r).Rows(), nil }
