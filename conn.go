package eventfold

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
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

// A Conn is one connection of database/sql's pool: a reference to the shared store and the open
// transaction, if there is one. Nothing in it is locked, because database/sql uses a connection
// from one goroutine at a time; whatever is shared is in the store.
//
// Programs see it through sql.Conn.Raw:
//
//	err := conn.Raw(func(c any) error {
//		store := c.(*eventfold.Conn).Store()
//		...
//	})
type Conn struct {
	lease   *lease
	store   *openStore
	session query.Session
	recent  *statement // the last one compiled, which is often the next one as well
	closed  bool
}

// newConn makes a connection that owns one reference to s.
func newConn(l *lease, s *openStore) *Conn {
	c := &Conn{lease: l, store: s}
	readOnly := l.config.Mode == ReadOnly && l.config.Store == nil
	c.session.Store = &connStore{
		Store:       s.store,
		views:       &s.views,
		busyTimeout: l.config.busyTimeout(),
		readOnly:    readOnly,
	}
	c.session.Settings = query.Settings{
		Memory: l.config.QueryMemory, Shared: s.memory, Followers: &s.follow, Views: &s.views,
		ViewMemory: s.config.ViewMemory, Spill: l.config.spill(s.spills),
		JSONText: l.config.JSONText, JSONRequired: l.config.JSONRequire,
		ReadOnly: readOnly, Backup: l.config.Backup, Actor: l.config.Actor,
		Serializable: l.config.Serializable,
		Keyring:      keyringOf(l.config, readOnly),
		Functions:    l.functions,
	}
	if clock, ok := s.store.(interface{ Now() time.Time }); ok {
		c.session.Settings.Now = clock.Now // so that now() and recorded_at agree
	}
	return c
}

// Store returns the store, for what SQL is too slow for. It stays open as long as the connection
// is; do not close it. Its errors are what SQL's are: each is an [*Error] with a [Code], and behind
// it the engine's own, so that errors.Is holds with engine.ErrClosed as well as with [ErrClosed].
func (c *Conn) Store() engine.Store { return nativeStore{c.session.Store} }

// compile returns the plan of a text that is one statement.
func (c *Conn) compile(ctx context.Context, text string) (*statement, error) {
	if c.recent != nil && c.recent.text == text {
		return c.recent, nil
	}
	key := planKey{text, c.session.Settings.Functions}
	s, ok := c.store.plans.get(key)
	if !ok {
		var err error
		if s, err = compile(ctx, text, key.functions); err != nil {
			return nil, err
		}
		c.store.plans.put(key, s)
	}
	c.recent = nil
	if len(text) <= planCacheBytes/8 {
		c.recent = s
	}
	return s, nil
}

// Prepare is PrepareContext without a context.
func (c *Conn) Prepare(text string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), text)
}

// PrepareContext compiles one statement. What it names need not exist: a stream that appears later
// has its events.
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
func (c *Conn) ExecContext(
	ctx context.Context, text string, args []driver.NamedValue,
) (driver.Result, error) {
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
func (c *Conn) QueryContext(
	ctx context.Context, text string, args []driver.NamedValue,
) (driver.Rows, error) {
	if c.closed {
		return nil, driver.ErrBadConn
	}
	s, err := c.compile(ctx, text)
	if err != nil {
		return nil, wrapError(ctx, "query", text, err)
	}
	return c.query(ctx, s, args)
}

// CheckNamedValue converts one argument. database/sql calls it for every argument before a
// statement runs.
func (c *Conn) CheckNamedValue(arg *driver.NamedValue) error { return checkArgument(arg) }

// exec runs a statement for its effect.
func (c *Conn) exec(
	ctx context.Context, s *statement, args []driver.NamedValue,
) (driver.Result, error) {
	if err := c.checkBegin(s); err != nil {
		return nil, err
	}
	outcome, err := s.plan.Exec(ctx, &c.session, args)
	if err != nil {
		return nil, c.store.log.note(ctx, wrapError(ctx, "exec", s.text, err))
	}
	if outcome.Receipt != nil {
		return (*receipt)(outcome.Receipt), nil
	}
	return result{outcome}, nil
}

// query runs a statement and returns its rows.
func (c *Conn) query(
	ctx context.Context, s *statement, args []driver.NamedValue,
) (driver.Rows, error) {
	if err := c.checkBegin(s); err != nil {
		return nil, err
	}
	c.store.retain()
	r := &rows{
		ctx:       ctx,
		statement: s,
		names:     s.names,
		tx:        c.session.Tx,
		store:     c.store,
		jsonText:  c.session.Settings.JSONText,
	}
	running := ctx
	if s.follows() {
		r.follow = newFollowing(ctx, c.lease)
		running = r.follow.ctx
	}
	var err error
	if s.plan.GivesRows() {
		r.rows, err = s.plan.Query(running, &c.session, args)
	} else {
		_, err = s.plan.Exec(running, &c.session, args)
	}
	if err != nil {
		r.Close()
		return nil, c.store.log.note(ctx, wrapError(ctx, "query", s.text, err))
	}
	if s.plan.Late() && r.rows != nil {
		r.columns = r.rows.Columns()
		r.names = namesOf(r.columns)
	}
	return r, nil
}

// execScript runs a script. Its arguments are consumed from left to right; named ones are used
// wherever their name stands.
func (c *Conn) execScript(
	ctx context.Context, text string, parts []string, args []driver.NamedValue,
) (driver.Result, error) {
	sc := &script{text: text, parts: parts}
	for i, part := range parts {
		s, err := c.compile(ctx, part)
		if err != nil {
			return nil, sc.wrapError(ctx, i, err)
		}
		sc.statements = append(sc.statements, s)
	}
	shares, err := sc.share(args)
	if err != nil {
		return nil, err
	}
	return c.runScript(ctx, sc, shares)
}

func (c *Conn) runScript(
	ctx context.Context, sc *script, shares [][]driver.NamedValue,
) (driver.Result, error) {
	around := ownTransaction
	if c.session.Tx != nil {
		around = insideSavepoint
	}
	if sc.hasTransaction() {
		around = brackets{}
		if err := c.checkEnd(sc); err != nil {
			return nil, err
		}
	}
	if _, err := c.bracket(ctx, around.begin); err != nil {
		return nil, wrapError(ctx, "exec", "", err)
	}
	before := c.session.Tx
	total := tally{Outcome: query.Outcome{LastPosition: engine.NoPosition}}
	for i, s := range sc.statements {
		outcome, err := s.plan.Exec(ctx, &c.session, shares[i])
		if err != nil {
			// err is what the caller must know
			c.bracket(context.WithoutCancel(ctx), around.rollback)
			c.abandon(before)
			return nil, c.store.log.note(ctx, sc.wrapError(ctx, i, err))
		}
		total.add(s, outcome)
	}
	committed, err := c.bracket(ctx, around.commit)
	if err != nil {
		return nil, c.store.log.note(ctx, wrapError(ctx, "exec", "", err))
	}
	if around == ownTransaction {
		return result{committed}, nil
	}
	return total.result(), nil
}

// checkEnd refuses a script that begins a transaction and does not end it, as BEGIN by itself is
// refused.
func (c *Conn) checkEnd(sc *script) error {
	if c.session.Tx != nil || c.lease.config.Begin {
		return nil
	}
	for i, s := range slices.Backward(sc.statements) {
		if t, ok := s.tree.(*parser.Transaction); ok { // the last one
			if t.Kind == parser.Begin {
				return loneBegin(sc.text, sc.offset(i)+t.Pos)
			}
			return nil
		}
	}
	return nil
}

// abandon rolls back what a script that failed has begun after before. With Config.Begin it is left
// to whoever pinned the connection.
func (c *Conn) abandon(before *query.Tx) {
	if before == nil && !c.lease.config.Begin {
		c.dropTx()
	}
}

// bracket runs one of the statements around a script, "" for none.
func (c *Conn) bracket(ctx context.Context, text string) (query.Outcome, error) {
	if text == "" {
		return query.Outcome{}, nil
	}
	s, err := c.compile(ctx, text)
	if err != nil {
		return query.Outcome{}, err
	}
	return s.plan.Exec(ctx, &c.session, nil)
}

// Begin is BeginTx with the defaults.
func (c *Conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx begins a transaction: a snapshot for reading and a buffer for appending, until Commit
// makes one append of it. It takes no lock. Commit runs under ctx. With sql.LevelSerializable Commit
// also checks that everything which was read is still so.
func (c *Conn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	if c.closed {
		return nil, driver.ErrBadConn
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	level := sql.IsolationLevel(options.Isolation)
	begin, ok := c.beginner(level)
	if !ok {
		return nil, fault(ErrUnsupported, "begin", "isolation level %s cannot be given; "+
			"the levels are %s, %s, %s and %s",
			level, sql.LevelDefault, sql.LevelRepeatableRead, sql.LevelSnapshot, sql.LevelSerializable)
	}
	if c.session.Tx != nil {
		return nil, fault(ErrTransaction, "begin", "a transaction is open already")
	}
	c.session.Tx = begin(c.session.Store, options.ReadOnly)
	return &tx{conn: c, ctx: ctx, tx: c.session.Tx}, nil
}

// checkBegin refuses BEGIN as a text by itself unless Config.Begin allows it.
func (c *Conn) checkBegin(s *statement) error {
	t, ok := s.tree.(*parser.Transaction)
	if !ok || t.Kind != parser.Begin || c.session.Tx != nil || c.lease.config.Begin {
		return nil
	}
	return loneBegin(s.text, t.Pos)
}

// Ping reports whether the store can be read and appended to. It opens nothing that is not open
// yet.
func (c *Conn) Ping(ctx context.Context) error {
	if c.closed {
		return driver.ErrBadConn
	}
	return c.store.log.note(ctx, wrapError(ctx, "ping", "", c.usable(ctx)))
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

// ResetSession drops what the last user of the connection has left open: a transaction begun with a
// BEGIN statement.
func (c *Conn) ResetSession(context.Context) error {
	if c.closed {
		return driver.ErrBadConn
	}
	c.dropTx()
	return nil
}

// dropTx rolls back a transaction that nobody can end any more.
func (c *Conn) dropTx() {
	if tx := c.session.Tx; tx != nil {
		tx.Rollback()
		c.session.Tx = nil
	}
}

// IsValid reports whether the connection may be used again. A store whose sync has failed can still
// be read, and another connection would be on the same store.
func (c *Conn) IsValid() bool { return !c.closed }

// Close gives the connection's reference to the store back. Rows that are still open go on. Calling
// it again does nothing.
func (c *Conn) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	c.dropTx()
	return wrapError(context.Background(), "close", "", c.store.release())
}
