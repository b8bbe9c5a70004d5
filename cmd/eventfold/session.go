package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/parser"
)

// A session runs statements, one after the other, on one connection to a store.
type session struct {
	db    *sql.DB
	conn  *sql.Conn
	write bool
	open  atomic.Bool // a transaction is; one goroutine sets it
}

// openSession opens a store, for reading unless the mode is another one.
func openSession(ctx context.Context, dsn string, mode eventfold.Mode) (*session, error) {
	c, err := storeConfig(dsn, mode)
	if err != nil {
		return nil, err
	}
	c.Begin = true // the connection is pinned
	s := &session{db: eventfold.OpenDB(c), write: mode != eventfold.ReadOnly}
	if s.conn, err = s.db.Conn(ctx); err != nil {
		_ = s.db.Close()
		return nil, err
	}
	return s, nil
}

// close closes the store. A transaction that is open is rolled back.
func (s *session) close() error { return errors.Join(s.conn.Close(), s.db.Close()) }

// run runs a statement, and writes its rows, or what it has done. began is called as soon as
// something is to be written.
func (s *session) run(ctx context.Context, p *piece, args []any, o *output, began func()) error {
	defer began()
	if t, ok := p.parsed.Statement.(*parser.Transaction); ok && t.Kind == parser.Commit {
		s.open.Store(false) // from here on nobody can say that nothing is stored
	}
	err := s.dispatch(ctx, p, args, o, began)
	if err == nil {
		s.follow(p)
		return nil
	}
	if !s.write && errors.Is(err, eventfold.ErrReadOnly) {
		return fmt.Errorf("%w (with --write it is opened for writing)", p.place(err))
	}
	return p.place(err)
}

// follow notes what a statement has done to the transaction.
func (s *session) follow(p *piece) {
	if t, ok := p.parsed.Statement.(*parser.Transaction); ok {
		s.open.Store(t.Kind == parser.Begin)
	}
}

// errNoCommit is that of statements that end in a transaction.
var errNoCommit = errors.New("there is no COMMIT behind the last BEGIN: nothing of that transaction is stored")

// halfWay returns what is to be told at the end of statements, of which the last one has ended with
// err: also what has not happened therefore, where something would have been stored. left says that
// there are statements behind it, which do not run.
func (s *session) halfWay(c *console, err error, left bool) error {
	unread := c.unread(err)
	switch open := s.open.Load(); {
	case err == nil && open:
		return errNoCommit
	case err == nil, !s.write:
		return err
	case unread && open:
		return errors.New("nobody reads the results any more: nothing of the open transaction is stored")
	case unread && left:
		return errors.New("nobody reads the results any more: the statements behind that were not run")
	case open:
		return fmt.Errorf("%w (nothing of the open transaction is stored)", err)
	}
	return err
}

// dispatch runs a statement as its kind wants to be run.
func (s *session) dispatch(ctx context.Context, p *piece, args []any, o *output, began func()) error {
	query := func(ctx context.Context) (*sql.Rows, error) { return s.conn.QueryContext(ctx, p.text, args...) }
	switch x := p.parsed.Statement.(type) {
	case *parser.Select:
		if x.Follow {
			began()
			return o.follow(ctx, query)
		}
	case *parser.Insert:
		if x.Returning == nil {
			return s.exec(ctx, p, args, o, began, "appended")
		}
	case *parser.Erase:
		return s.exec(ctx, p, args, o, began, "erased")
	case *parser.Transaction:
		if x.Kind == parser.Commit {
			return s.exec(ctx, p, args, o, began, "committed")
		}
	}
	rows, err := query(ctx)
	if err != nil {
		return err
	}
	return o.rows(rows, began)
}

// exec runs a statement that changes events, and tells how many.
func (s *session) exec(
	ctx context.Context, p *piece, args []any, o *output, began func(), done string,
) error {
	result, err := s.conn.ExecContext(ctx, p.text, args...)
	if err != nil {
		return err
	}
	began()
	n, err := result.RowsAffected()
	if err != nil {
		return err
	}
	text := plural(n, "event") + " " + done
	position, err := result.LastInsertId()
	switch {
	case err != nil: // a transaction is open, or nothing was erased
		if s.open.Load() && done == "appended" {
			text += " when the transaction commits"
		}
	case n > 0 && done != "erased":
		text += fmt.Sprintf(", the last at position %d", position)
	case done == "appended":
		text += ", they are stored already"
	}
	return o.tell(text)
}
