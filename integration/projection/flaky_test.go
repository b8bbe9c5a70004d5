package projection

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A flaky is a SQLite database with a say in every statement: before runs first, and an error of it is
// that of the statement.
type flaky struct {
	file   string
	sqlite driver.Driver
	before func(statement string) error
}

var _ driver.Connector = (*flaky)(nil)

// openFlaky opens the database of a file as a flaky one.
func openFlaky(t *testing.T, file string, before func(statement string) error) *sql.DB {
	t.Helper()
	plain, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	require.NoError(t, plain.Close())
	db := sql.OpenDB(&flaky{file, plain.Driver(), before})
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func (f *flaky) Driver() driver.Driver { return f.sqlite }

func (f *flaky) Connect(context.Context) (driver.Conn, error) {
	c, err := f.sqlite.Open(sqliteDSN(f.file))
	return flakyConn{c, f}, err
}

// A flakyConn is a connection of a flaky database.
type flakyConn struct {
	driver.Conn
	of *flaky
}

func (c flakyConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}

func (c flakyConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.of.before(text); err != nil {
		return nil, err
	}
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, text, args)
}

func (c flakyConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.of.before(text); err != nil {
		return nil, err
	}
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, text, args)
}
