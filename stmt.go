package eventfold

import (
	"context"
	"database/sql/driver"
)

var (
	_ driver.Stmt              = (*stmt)(nil)
	_ driver.StmtExecContext   = (*stmt)(nil)
	_ driver.StmtQueryContext  = (*stmt)(nil)
	_ driver.NamedValueChecker = (*stmt)(nil)
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
