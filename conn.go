package eventfold

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query"
)

var (
	_ driver.Conn               = (*Conn)(nil)
	_ driver.ConnPrepareContext = (*Conn)(nil)
	_ driver.ConnBeginTx        = (*Conn)(nil)
	_ driver.ExecerContext      = (*Conn)(nil)
	_ driver.QueryerContext     = (*Conn)(nil)
	_ driver.Pinger             = (*Conn)(nil)
	_ driver.SessionResetter    = (*Conn)(nil)
	_ driver.Validator          = (*Conn)(nil)
	_ driver.NamedValueChecker  = (*Conn)(nil)
)

// A Conn is one connection of database/sql's pool: a reference to the shared store and the open transaction, if there is one.
// Nothing in it is locked, because database/sql uses a connection from one goroutine at a time; whatever is shared is in the store.
//
// Programs see it through sql.Conn.Raw:
//
//	err := conn.Raw(func(c any) error {
//		store := c.(*eventfold.Conn).Store()
//		...
//	})
type Conn struct {
	link    *link
	shared  *shared
	session query.Session
	recent  *statement // the last one compiled, which is often the next one as well
	closed  bool
}

// newConn makes a connection that owns one reference to s.
func newConn(l *link, s *shared) *Conn {
	c := &Conn{link: l, shared: s}
	readOnly := l.config.Mode == ReadOnly && l.config.Store == nil
	c.session.Store = &connStore{Store: s.store, busyTimeout: l.config.busyTimeout(), readOnly: readOnly}
	c.session.Settings = query.Settings{
		Memory: l.config.QueryMemory, Shared: s.memory, Followers: &s.follow,
		JSONText: l.config.JSONText, JSONRequired: l.config.JSONRequire,
		ReadOnly: readOnly, Backup: l.config.Backup,
	}
	if clock, ok := s.store.(interface{ Now() time.Time }); ok {
		c.session.Settings.Now = clock.Now // so that now() and recorded_at agree
	}
	return c
}

// Store returns the store, for what SQL is too slow for. It stays open as long as the connection is; do not close it.
// Its errors are the engine's own.
func (c *Conn) Store() engine.Store { return c.session.Store }

// A statement is a compiled text. It is immutable and shared by all connections of the store.
type statement struct {
	text  string
	plan  *query.Plan
	tree  parser.Statement
	names []string // of the columns
}

// follows reports whether the statement's rows wait for new events.
func (s *statement) follows() bool {
	sel, ok := s.tree.(*parser.Select)
	return ok && sel.Follow
}

// compile returns the plan of a text that is one statement.
func (c *Conn) compile(ctx context.Context, text string) (*statement, error) {
	if c.recent != nil && c.recent.text == text {
		return c.recent, nil
	}
	s, ok := c.shared.plans.get(text)
	if !ok {
		var err error
		if s, err = compile(ctx, text); err != nil {
			return nil, err
		}
		c.shared.plans.put(text, s)
	}
	c.recent = s
	return s, nil
}

func compile(ctx context.Context, text string) (*statement, error) {
	parsed, err := parser.Parse(text)
	if err != nil {
		return nil, err
	}
	plan, err := query.CompileContext(ctx, parsed)
	if err != nil {
		return nil, err
	}
	s := &statement{text: text, plan: plan, tree: parsed.Statement}
	for _, column := range plan.Columns() {
		s.names = append(s.names, column.Name)
	}
	return s, nil
}

// Prepare is PrepareContext without a context.
func (c *Conn) Prepare(text string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), text)
}

// PrepareContext compiles one statement. What it names need not exist: a stream that appears later has its events.
func (c *Conn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	if c.closed {
		return nil, driver.ErrBadConn
	}
	s, err := c.compile(ctx, text)
	if err != nil {
		return nil, wrapError(ctx, "prepare", text, err)
	}
	return &stmt{conn: c, statement: s}, nil
}

// ExecContext runs a statement, or a script of several, which is all or nothing.
func (c *Conn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if c.closed {
		return nil, driver.ErrBadConn
	}
	s, err := c.compile(ctx, text)
	if err != nil {
		if parts := splitScript(text); len(parts) > 1 {
			return c.execScript(ctx, text, parts, args)
		}
		return nil, wrapError(ctx, "exec", text, err)
	}
	return c.exec(ctx, s, args)
}

// QueryContext runs one statement. If it has no rows the result is empty and without columns.
func (c *Conn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if c.closed {
		return nil, driver.ErrBadConn
	}
	s, err := c.compile(ctx, text)
	if err != nil {
		return nil, wrapError(ctx, "query", text, err)
	}
	return c.query(ctx, s, args)
}

// Begin is BeginTx with the defaults.
func (c *Conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// Ping reports whether the store can be read and appended to. It opens nothing that is not open yet.
func (c *Conn) Ping(ctx context.Context) error {
	if c.closed {
		return driver.ErrBadConn
	}
	return wrapError(ctx, "ping", "", c.usable(ctx))
}

func (c *Conn) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, _, err := c.session.Store.ReadIndex().StreamVersion("ping"); err != nil {
		return err
	}
	if c.session.Store.Stats().Poisoned {
		return engine.ErrPoisoned
	}
	return nil
}

// ResetSession drops what the last user of the connection has left open: a transaction begun with a BEGIN statement.
func (c *Conn) ResetSession(context.Context) error {
	if c.closed {
		return driver.ErrBadConn
	}
	c.session.Tx = nil
	return nil
}

// IsValid reports whether the connection may be used again. A store whose sync has failed can still be read,
// and another connection would be on the same store.
func (c *Conn) IsValid() bool { return !c.closed }

// Close gives the connection's reference to the store back. Rows that are still open go on. Calling it again does nothing.
func (c *Conn) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	c.session.Tx = nil
	return wrapError(context.Background(), "close", "", c.shared.release())
}

// A connStore is the store as one connection may use it. The time to wait for the write lock and the right to append belong to
// the connection, while the store is shared.
type connStore struct {
	engine.Store
	busyTimeout time.Duration
	readOnly    bool
}

// Unwrap returns the store itself.
func (s *connStore) Unwrap() engine.Store { return s.Store }

// Append appends. While another process holds the write lock, it tries again until the busy timeout or ctx ends.
func (s *connStore) Append(ctx context.Context, batch ...engine.Append) (engine.Appended, error) {
	if s.readOnly {
		return engine.Appended{}, engine.ErrReadOnly
	}
	appended, err := s.Store.Append(ctx, batch...)
	if err == nil {
		return appended, nil
	}
	deadline := time.Now().Add(s.busyTimeout)
	for pause := minPause; isLocked(err) && time.Now().Add(pause).Before(deadline); pause = min(2*pause, maxPause) {
		if err := sleep(ctx, pause); err != nil {
			return engine.Appended{}, err
		}
		appended, err = s.Store.Append(ctx, batch...)
	}
	return appended, err
}

// The times between two attempts to get the write lock.
const (
	minPause = time.Millisecond
	maxPause = 50 * time.Millisecond
)

func isLocked(err error) bool {
	var locked *engine.LockedError
	return errors.As(err, &locked)
}

// sleep returns ctx's error if it ends before the time is over.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
