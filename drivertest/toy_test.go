package drivertest

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A toy is a database in memory with half a dozen statements and a driver that does everything
// right, except for one thing that a saboteur has broken.
type toy struct {
	broken  string        // the saboteur
	end     chan struct{} // closed when the test ends, for what hangs for ever
	writing chan struct{} // holds one token: the right to write
	closed  atomic.Bool   // the Connector
	once    sync.Once

	mu    sync.Mutex // protects what follows
	rows  []row
	open  map[*toyRows]bool
	reads int // how often all rows were read
}

func newToy(broken string, end chan struct{}) *toy {
	t := &toy{broken: broken, end: end, writing: make(chan struct{}, 1), open: map[*toyRows]bool{}}
	t.writing <- struct{}{}
	return t
}

func (t *toy) is(broken string) bool { return t.broken == broken }

// toyOptions are what the suite is told of the toy.
func toyOptions(tb testing.TB, broken string, end chan struct{}) Options {
	return Options{
		Open:        func(testing.TB) *sql.DB { return sql.OpenDB(&toyConnector{newToy(broken, end)}) },
		Insert:      "insert ? ?",
		InsertNamed: "insert :key :value",
		Select:      "select ?",
		All:         "all",
		Count:       "count",
		Endless:     "endless",
		Leave:       "begin",
		Values: []Value{
			{Query: "value int", Want: int64(42)}, {Query: "value real", Want: 1.5}, {Query: "value bool", Want: true},
			{Query: "value bytes", Want: []byte("x")}, {Query: "value text", Want: "x"}, {Query: "value null"},
			{Query: "value time", Want: time.Unix(1, 0).UTC()},
		},
	}
}

var toyValues = map[string]driver.Value{
	"int": int64(42), "real": 1.5, "bool": true, "bytes": []byte("x"), "text": "x", "null": nil,
	"time": time.Unix(1, 0).UTC(),
}

type toyConnector struct{ toy *toy }

func (c *toyConnector) Connect(context.Context) (driver.Conn, error) {
	t := c.toy
	if t.is("a database for each connection") {
		t = newToy(t.broken, t.end)
	}
	conn := &toyConn{toy: t, connector: c}
	if t.is("a goroutine for each connection") {
		go func() { <-t.end }()
	}
	return conn, nil
}

func (c *toyConnector) Driver() driver.Driver { return nil }

func (c *toyConnector) Close() error {
	c.toy.closed.Store(true)
	if c.toy.is("closing waits for queries") {
		for c.toy.busy() {
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

// busy tells whether a query runs.
func (t *toy) busy() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.open) > 0
}

type toyConn struct {
	toy         *toy
	connector   *toyConnector
	tx          *toyTx
	closed      bool
	pings       int
	interrupted bool
	unread      *toyRows // closed before its end
	affected    int64    // by the last statement
}

var (
	_ driver.ConnBeginTx        = (*toyConn)(nil)
	_ driver.ConnPrepareContext = (*toyConn)(nil)
	_ driver.ExecerContext      = (*toyConn)(nil)
	_ driver.QueryerContext     = (*toyConn)(nil)
	_ driver.Pinger             = (*toyConn)(nil)
	_ driver.SessionResetter    = (*toyConn)(nil)
	_ driver.Validator          = (*toyConn)(nil)
	_ driver.NamedValueChecker  = (*toyConn)(nil)
)

func (c *toyConn) Ping(ctx context.Context) error {
	if c.pings++; c.pings > 1 && c.toy.is("the second ping fails") {
		return errors.New("pinged already")
	}
	return ctx.Err()
}

func (c *toyConn) CheckNamedValue(v *driver.NamedValue) error {
	if c.toy.is("takes arguments of any type") {
		return nil
	}
	return driver.ErrSkip
}

func (c *toyConn) ResetSession(context.Context) error {
	if c.tx != nil && !c.toy.is("keeps what the last user left") {
		c.tx.Rollback()
	}
	return nil
}

func (c *toyConn) IsValid() bool { return !c.closed }

func (c *toyConn) Close() error {
	if c.closed && c.toy.is("closes once only") {
		return errors.New("closed already")
	}
	if c.tx != nil {
		c.tx.Rollback()
	}
	c.closed = true
	return nil
}

func (c *toyConn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

func (c *toyConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if err := c.check(ctx); err != nil {
		return nil, err
	}
	if o.Isolation != 0 && !c.toy.is("takes any isolation level") {
		return nil, errors.New("no such level")
	}
	readOnly := o.ReadOnly && !c.toy.is("writes in read-only transactions")
	c.tx = &toyTx{conn: c, ctx: ctx, readOnly: readOnly}
	return c.tx, nil
}

// check tells whether a statement may run at all.
func (c *toyConn) check(ctx context.Context) error {
	switch {
	case c.interrupted:
		return context.Canceled
	case c.toy.is("looks at no context before it begins"):
		return nil
	}
	return ctx.Err()
}

func (c *toyConn) Prepare(text string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), text)
}

func (c *toyConn) PrepareContext(_ context.Context, text string) (driver.Stmt, error) {
	word, _, _ := strings.Cut(text, " ")
	switch word {
	case "insert", "select", "all", "count", "endless", "begin", "value":
		return &toyStmt{conn: c, text: text}, nil
	}
	switch {
	case c.toy.is("takes what is no statement"):
		return &toyStmt{conn: c, text: "nothing"}, nil
	case c.toy.is("a wrong statement is a bad connection"):
		return nil, driver.ErrBadConn
	}
	if c.tx != nil {
		c.tx.failed = true
	}
	return nil, fmt.Errorf("%q is no statement", text)
}

func (c *toyConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.PrepareContext(ctx, text)
	if err != nil {
		c.affected = 0
		return nil, err
	}
	return s.(*toyStmt).ExecContext(ctx, args)
}

func (c *toyConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return s.(*toyStmt).QueryContext(ctx, args)
}

type toyStmt struct {
	conn   *toyConn
	text   string
	closed bool
	first  []driver.NamedValue
}

var (
	_ driver.StmtExecContext  = (*toyStmt)(nil)
	_ driver.StmtQueryContext = (*toyStmt)(nil)
)

func (s *toyStmt) Close() error {
	if s.conn.closed && s.conn.toy.is("panics when a statement is closed late") {
		panic("the connection is gone")
	}
	if s.closed && s.conn.toy.is("closes statements once only") {
		return errors.New("closed already")
	}
	s.closed = true
	return nil
}

func (s *toyStmt) NumInput() int {
	if strings.Contains(s.text, ":") || s.conn.toy.is("does not count arguments") {
		return -1
	}
	return strings.Count(s.text, "?")
}

func (s *toyStmt) Exec([]driver.Value) (driver.Result, error) { return nil, errors.New("not used") }
func (s *toyStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, errors.New("not used") }

// arguments puts the arguments in the order of the statement.
func (s *toyStmt) arguments(args []driver.NamedValue) ([]driver.Value, error) {
	t := s.conn.toy
	if t.is("remembers its first arguments") {
		if s.first == nil {
			s.first = args
		}
		args = s.first
	}
	words := strings.Fields(s.text)[1:]
	values := make([]driver.Value, 0, len(words))
	for i, w := range words {
		name, named := strings.CutPrefix(w, ":")
		if w != "?" && !named {
			continue
		}
		if !named || t.is("takes names for places") {
			if i < len(args) {
				values = append(values, args[i].Value)
			}
			continue
		}
		for _, a := range args {
			if a.Name == name {
				values = append(values, a.Value)
			}
		}
	}
	want := strings.Count(s.text, "?") + strings.Count(s.text, ":")
	switch {
	case t.is("does not count arguments") || t.is("does not know its names"):
		for len(values) < want {
			values = append(values, nil)
		}
	case len(args) != want || len(values) != want:
		return nil, fmt.Errorf("%d arguments for %d", len(args), want)
	}
	return values, nil
}

func (s *toyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	c := s.conn
	if err := c.check(ctx); err != nil {
		return nil, err
	}
	values, err := s.arguments(args)
	if err != nil {
		return nil, err
	}
	c.affected = 0
	switch {
	case s.text == "begin":
		c.tx = &toyTx{conn: c, ctx: context.Background()}
	case strings.HasPrefix(s.text, "insert"):
		if err := c.insert(ctx, values); err != nil {
			return nil, err
		}
		c.affected = 1
		if c.toy.is("a bad connection after the work") {
			return nil, driver.ErrBadConn
		}
	}
	if c.toy.is("a result asks its connection") {
		return (*toyLateResult)(c), nil
	}
	return driver.RowsAffected(c.affected), nil
}

// A toyLateResult is what no result may be: a look at the connection.
type toyLateResult toyConn

func (r *toyLateResult) LastInsertId() (int64, error) { return 0, nil }
func (r *toyLateResult) RowsAffected() (int64, error) { return r.affected, nil }

// insert adds a row to the transaction, or to the table.
func (c *toyConn) insert(ctx context.Context, values []driver.Value) error {
	t := c.toy
	r := row{key: fmt.Sprint(values[0]), value: t.stored(values[1])}
	if c.tx != nil && !t.is("transactions write at once") {
		return c.tx.insert(ctx, r)
	}
	if err := t.lock(ctx); err != nil {
		return err
	}
	defer t.unlock()
	t.append(r)
	return nil
}

// stored is what a value becomes.
func (t *toy) stored(v driver.Value) []byte {
	var b []byte
	switch v := v.(type) {
	case nil:
		if t.is("NULL becomes nothing") {
			return []byte{}
		}
		return nil
	case []byte:
		if b = v; !t.is("keeps the caller's bytes") {
			b = bytes.Clone(v)
		}
	default:
		b = []byte(fmt.Sprint(v))
	}
	if t.is("cuts bytes at a zero") {
		b, _, _ = bytes.Cut(b, []byte{0})
	}
	return b
}

func (t *toy) lock(ctx context.Context) error {
	if t.is("waits for a lock without looking at the context") {
		ctx = context.Background()
	}
	select {
	case <-t.writing:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *toy) unlock() { t.writing <- struct{}{} }

// append adds rows. A saboteur loses some.
func (t *toy) append(rows ...row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.is("loses every seventh row") && len(t.rows)%7 == 6 {
		t.rows = t.rows[:len(t.rows)-1]
	}
	t.rows = append(t.rows, rows...)
}

type toyTx struct {
	conn     *toyConn
	ctx      context.Context
	readOnly bool
	failed   bool
	writes   bool
	rows     []row
}

func (tx *toyTx) insert(ctx context.Context, r row) error {
	if tx.readOnly {
		return errors.New("this transaction is read-only")
	}
	if !tx.writes {
		if err := tx.conn.toy.lock(ctx); err != nil {
			return err
		}
		tx.writes = true
	}
	tx.rows = append(tx.rows, r)
	return nil
}

func (tx *toyTx) Commit() error {
	t := tx.conn.toy
	if t.is("commits row by row") {
		for _, r := range tx.rows {
			t.append(r)
			t.once.Do(t.waitForReader)
		}
	} else {
		t.append(tx.rows...)
	}
	tx.done()
	return nil
}

// waitForReader waits until somebody has read, but not for ever.
func (t *toy) waitForReader() {
	count := func() int {
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.reads
	}
	for before, n := count(), 0; count() == before && n < 5000; n++ {
		time.Sleep(time.Millisecond)
	}
}

func (tx *toyTx) Rollback() error {
	t := tx.conn.toy
	switch {
	case t.closed.Load() && t.is("panics when a transaction ends late"):
		panic("the database is gone")
	case tx.ctx.Err() != nil && t.is("rolls back under the context that has ended"):
		return tx.ctx.Err()
	case tx.failed && t.is("cannot roll back after an error"):
		return errors.New("the transaction has failed")
	case t.is("rolling back commits"):
		return tx.Commit()
	}
	tx.done()
	return nil
}

// done ends the transaction, if it is the connection's still.
func (tx *toyTx) done() {
	if tx.writes {
		tx.writes = false
		tx.conn.toy.unlock()
	}
	if tx.conn.tx == tx {
		tx.conn.tx = nil
	}
}

func (s *toyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	c, t := s.conn, s.conn.toy
	if err := c.check(ctx); err != nil {
		return nil, err
	}
	values, err := s.arguments(args)
	if err != nil {
		return nil, err
	}
	if old := c.unread; old != nil && t.is("goes on with rows that were closed early") {
		c.unread = nil
		return old, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &toyRows{conn: c, ctx: ctx, names: []string{"value"}}
	word, rest, _ := strings.Cut(s.text, " ")
	switch word {
	case "all":
		t.reads++
		t.overwrite()
		r.names = []string{"key", "value"}
		for _, x := range c.visible() {
			r.rows = append(r.rows, []driver.Value{x.key, bytesOrNull(x.value)})
		}
	case "select":
		for _, x := range c.visible() {
			if x.key == values[0] {
				r.rows = append(r.rows, []driver.Value{bytesOrNull(x.value)})
			}
		}
	case "count":
		r.rows = [][]driver.Value{{int64(len(c.visible()))}}
	case "endless":
		r.endless = true
	case "value":
		r.scan = rest
		r.rows = [][]driver.Value{{toyValues[rest]}}
		if rest == "int" && t.is("gives an int") {
			r.rows = [][]driver.Value{{42}}
		}
	}
	t.open[r] = true
	return r, nil
}

// bytesOrNull is a copy of what is stored.
func bytesOrNull(b []byte) driver.Value {
	if b == nil {
		return nil
	}
	return bytes.Clone(b)
}

// visible are the rows that the connection sees. The caller holds toy.mu.
func (c *toyConn) visible() []row {
	if c.tx == nil {
		return c.toy.rows
	}
	return append(c.toy.rows[:len(c.toy.rows):len(c.toy.rows)], c.tx.rows...)
}

// overwrite uses the bytes of results again whose context has ended. The caller holds mu.
func (t *toy) overwrite() {
	if !t.is("uses bytes again when the context ends") {
		return
	}
	for r := range t.open {
		if r.ctx.Err() == nil || r.next == 0 {
			continue
		}
		for _, v := range r.rows[r.next-1] {
			if b, ok := v.([]byte); ok {
				copy(b, "overwritten")
			}
		}
	}
}

type toyRows struct {
	conn    *toyConn
	ctx     context.Context
	names   []string
	rows    [][]driver.Value
	next    int
	endless bool
	closed  bool
	scan    string
}

var (
	_ driver.RowsColumnTypeScanType         = (*toyRows)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*toyRows)(nil)
)

func (r *toyRows) Columns() []string {
	if len(r.rows) == 0 && r.conn.toy.is("has no columns without rows") {
		return nil
	}
	return r.names
}

// ColumnTypeScanType implements driver.RowsColumnTypeScanType.
func (r *toyRows) ColumnTypeScanType(i int) reflect.Type {
	v, known := toyValues[r.scan]
	switch {
	case known && v != nil:
		return reflect.TypeOf(v)
	case r.conn.toy.is("scans NULL into a string"):
		return reflect.TypeFor[string]()
	}
	return reflect.TypeFor[[]byte]()
}

// ColumnTypeDatabaseTypeName implements driver.RowsColumnTypeDatabaseTypeName.
func (r *toyRows) ColumnTypeDatabaseTypeName(int) string {
	if r.conn.toy.is("names types in small letters") {
		return "blob"
	}
	return "BLOB"
}

func (r *toyRows) Close() error {
	t := r.conn.toy
	if t.closed.Load() && t.is("panics when rows are closed late") {
		panic("the database is gone")
	}
	if r.closed {
		if t.is("closes rows once only") {
			return errors.New("closed already")
		}
		return nil
	}
	r.closed = true
	if r.next < len(r.rows) {
		r.conn.unread = r
	}
	t.mu.Lock()
	delete(t.open, r)
	t.mu.Unlock()
	if r.next < len(r.rows) && t.is("cannot close rows before their end") {
		return errors.New("rows are left")
	}
	return nil
}

func (r *toyRows) Next(dest []driver.Value) error {
	t := r.conn.toy
	if r.endless {
		return r.wait()
	}
	if t.is("all results have one cursor") {
		t.mu.Lock()
		defer t.mu.Unlock()
		for other := range t.open {
			r.next = max(r.next, other.next)
		}
	}
	if r.next == len(r.rows) {
		if t.is("wraps io.EOF") {
			return fmt.Errorf("end: %w", io.EOF)
		}
		return io.EOF
	}
	copy(dest, r.rows[r.next])
	r.next++
	return nil
}

// wait is the endless query.
func (r *toyRows) wait() error {
	switch t := r.conn.toy; {
	case t.is("waits without looking at the context"):
		<-t.end
		return io.EOF
	case t.is("a cancelled query stops its connection for ever"):
		defer func() { r.conn.interrupted = true }()
	}
	<-r.ctx.Done()
	return r.ctx.Err()
}
