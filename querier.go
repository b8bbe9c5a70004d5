package eventfold

import (
	"context"
	"database/sql"
)

// A Querier runs statements on a store: a *sql.DB, a *sql.Conn or a *sql.Tx of this driver, or what
// wraps one of them. The helpers of this package, such as [AppendEvents] and [Load], need no more.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

var (
	_ Querier = (*sql.DB)(nil)
	_ Querier = (*sql.Conn)(nil)
	_ Querier = (*sql.Tx)(nil)
)

// inTransaction reports whether everything that db reads is of one snapshot, so that reading again
// tells nothing new.
func inTransaction(db Querier) bool {
	_, is := db.(interface{ Commit() error })
	return is
}

// each calls f for every row of a query, which must have been read when the next row is. It closes
// the rows.
func each(ctx context.Context, db Querier, query string, args []any, f func(rows *sql.Rows) error) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// eachEvent calls f for the events of a query, which selects event and nothing else.
func eachEvent(ctx context.Context, db Querier, query string, args []any, f func(e Event) error) error {
	return each(ctx, db, query, args, func(rows *sql.Rows) error {
		var e Event
		if err := rows.Scan(&e); err != nil {
			return err
		}
		return f(e)
	})
}
