package eventfold_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
)

// seed appends n events of the types A, B and C in turn to the streams s-0 to s-9 in turn.
func seed(t testing.TB, db *sql.DB, n int) {
	t.Helper()
	tx, err := db.Begin()
	require.NoError(t, err)
	insert, err := tx.Prepare(`INSERT INTO ? (type, payload) VALUES (?, ?)`)
	require.NoError(t, err)
	for i := range n {
		_, err := insert.Exec(fmt.Sprintf("s-%d", i%10), string("ABC"[i%3]), fmt.Sprintf(`{"n":%d,"who":"customer %d"}`, i, i%100))
		require.NoError(t, err)
	}
	require.NoError(t, tx.Commit())
}

// TestRowsOutliveTheirDatabase holds what database/sql does when a database is closed while rows are open: it closes the
// connector first, lets the rows go on, and closes them and their connection when the user does.
func TestRowsOutliveTheirDatabase(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	seed(t, db, 3000)
	s, release := store(t, db)
	release()
	rows, err := db.Query(`SELECT payload FROM $all`)
	require.NoError(t, err)
	require.True(t, rows.Next())
	require.NoError(t, db.Close())
	n := 1
	for rows.Next() {
		var payload string
		require.NoError(t, rows.Scan(&payload))
		require.Contains(t, payload, fmt.Sprintf(`{"n":%d,`, n))
		n++
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	assert.Equal(t, 3000, n)
	assert.ErrorIs(t, s.Wait(context.Background(), 1<<40), engine.ErrClosed, "the rows were the last to hold the store")
	requireUnlocked(t, dir)
}

// TestAnyOrderOfClosing holds that connector, connection, statement and rows may be closed in every order, and twice.
func TestAnyOrderOfClosing(t *testing.T) {
	orders := [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 0, 3, 2}, {2, 3, 0, 1}, {1, 3, 0, 2}, {3, 0, 2, 1}}
	for _, order := range orders {
		dir := t.TempDir()
		connector := eventfold.NewConnector(eventfold.Config{Path: dir})
		conn, err := connector.Connect(context.Background())
		require.NoError(t, err)
		s := conn.(*eventfold.Conn).Store()
		insert, err := conn.Prepare(`INSERT INTO a (type) VALUES ('A')`)
		require.NoError(t, err)
		_, err = insert.(driver.StmtExecContext).ExecContext(context.Background(), nil)
		require.NoError(t, err)
		rows, err := conn.(driver.QueryerContext).QueryContext(context.Background(), `SELECT type FROM $all`, nil)
		require.NoError(t, err)

		closers := []io.Closer{connector, conn, insert, rows}
		for i, which := range order {
			require.NoError(t, closers[which].Close(), "order %v", order)
			require.NoError(t, closers[which].Close(), "order %v, again", order)
			open := false
			for _, later := range order[i+1:] {
				open = open || later != 2 // a statement holds nothing
			}
			if open {
				_, err := s.Append(context.Background(), engine.Append{Stream: "a", Events: []engine.NewEvent{{Type: "A"}}})
				require.NoError(t, err, "order %v: closed too early, after %d", order, i)
			}
		}
		_, err = s.Append(context.Background(), engine.Append{Stream: "a", Events: []engine.NewEvent{{Type: "A"}}})
		require.ErrorIs(t, err, engine.ErrClosed, "order %v", order)
		_, err = connector.Connect(context.Background())
		require.ErrorIs(t, err, eventfold.ErrClosed)
		require.ErrorIs(t, conn.(driver.Pinger).Ping(context.Background()), driver.ErrBadConn)
		require.ErrorIs(t, rows.Next(make([]driver.Value, 1)), io.EOF)
	}
	requireNoLeaks(t)
}

// TestConnectorThatNobodyCloses holds that a wrapper which forgets Close does not keep the store open for ever.
func TestConnectorThatNobodyCloses(t *testing.T) {
	dir := t.TempDir()
	forgotten := func() engine.Store {
		connector := eventfold.NewConnector(eventfold.Config{Path: dir})
		conn, err := connector.Connect(context.Background())
		require.NoError(t, err)
		_, err = conn.(driver.ExecerContext).ExecContext(context.Background(), `INSERT INTO a (type) VALUES ('A')`, nil)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		return conn.(*eventfold.Conn).Store()
	}
	s := forgotten()
	require.Eventually(t, func() bool {
		runtime.GC()
		_, err := s.Append(context.Background(), engine.Append{Stream: "a", Events: []engine.NewEvent{{Type: "A"}}})
		return err != nil
	}, time.Minute, time.Millisecond)
	// The store refuses appends before it has given its lock back, which is done by a goroutine that nobody can wait for.
	p := otherProcess(t, "append", dir+"?busy_timeout=1m")
	require.Equal(t, "appended", p.line())
	require.NoError(t, p.end())
}

// A plainDriver is what some wrappers make of a driver: it knows no connectors, and its connections none of the optional methods.
type plainDriver struct{}

type plainConn struct{ driver.Conn }

func (plainDriver) Open(dsn string) (driver.Conn, error) {
	c, err := new(eventfold.Driver).Open(dsn)
	return plainConn{c}, err
}

func TestWithoutOptionalMethods(t *testing.T) {
	sql.Register("eventfold-plain", plainDriver{})
	dir := t.TempDir()
	db, err := sql.Open("eventfold-plain", dir)
	require.NoError(t, err)
	id := uuid.New()
	mustExec(t, db, `INSERT INTO a (id, type, payload) VALUES (?, ?, ?)`, id, "A", eventfold.JSON([]int{1}))
	mustExec(t, db, `INSERT INTO a (type, payload) VALUES (:t, :p)`, sql.Named("t", "B"), sql.Named("p", json.RawMessage(nil)))
	tx, err := db.Begin()
	require.NoError(t, err)
	mustExec(t, tx, `INSERT INTO b (type) VALUES ('C')`)
	require.NoError(t, tx.Commit())
	assert.Equal(t, []string{"A", "B", "C"}, column[string](t, db, `SELECT type FROM $all`))
	assert.Equal(t, id.String(), one[string](t, db, `SELECT id FROM a WHERE version = ?`, 0))
	assert.True(t, one[bool](t, db, `SELECT payload IS NULL FROM a WHERE version = 1`))
	_, err = db.Exec(`INSERT INTO a (type) VALUES (?)`)
	assert.Error(t, err)
	require.NoError(t, db.Close())
	requireUnlocked(t, dir)
}

// TestCancelledTransactionKeepsTheConnection holds that the store in memory is still there after a context has ended inside a transaction.
func TestCancelledTransactionKeepsTheConnection(t *testing.T) {
	db := openDB(t, "file:cancelled?mode=memory")
	db.SetMaxOpenConns(1)
	mustExec(t, db, `INSERT INTO a (type) VALUES ('A')`)
	ctx, cancel := context.WithCancel(context.Background())
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	mustExec(t, tx, `INSERT INTO a (type) VALUES ('B')`)
	cancel()
	assert.Error(t, tx.Commit())
	assert.Equal(t, []string{"A"}, column[string](t, db, `SELECT type FROM a`))
	assert.Zero(t, db.Stats().MaxIdleClosed+db.Stats().MaxLifetimeClosed)
}

// TestNextHonoursItsContext holds that a row which takes long to find, or is not there yet, does not outlast the context.
// A Next that ignored it would block database/sql's Close as well, and so this test would hang.
func TestNextHonoursItsContext(t *testing.T) {
	db := openDB(t, ":memory:")
	seed(t, db, 20_000)
	for name, text := range map[string]string{
		"scan": `SELECT COUNT(*) FROM $all a CROSS JOIN $all b WHERE a.position + b.position < 0`, // 400 million rows
		"wait": `SELECT position FROM $all WHERE position >= 20000 FOLLOW`,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			rows, err := db.QueryContext(ctx, text)
			if err == nil {
				assert.False(t, rows.Next())
				err = rows.Err()
				assert.NoError(t, rows.Close())
			}
			assert.Equal(t, context.DeadlineExceeded, err, "the context's error, as it is")

			var n int
			ctx, cancel = context.WithCancel(context.Background())
			time.AfterFunc(5*time.Millisecond, cancel)
			assert.Equal(t, context.Canceled, db.QueryRowContext(ctx, text).Scan(&n), "not sql.ErrNoRows")
		})
	}
	requireNoGoroutinesBesides(t, db)
}

// requireNoGoroutinesBesides holds that nothing runs for this database but the database itself and its store.
func requireNoGoroutinesBesides(t *testing.T, db *sql.DB) {
	t.Helper()
	require.NoError(t, db.Close())
	requireNoLeaks(t)
}

// TestCloseEndsFollowers holds that rows that wait for events end with ErrClosed when their database is closed, and only those.
func TestCloseEndsFollowers(t *testing.T) {
	dir := t.TempDir()
	db, other := openDB(t, dir), openDB(t, dir)
	seed(t, db, 2)
	follow := func(db *sql.DB) (*sql.Rows, chan error) {
		rows, err := db.Query(`SELECT position FROM $all FOLLOW`)
		require.NoError(t, err)
		require.True(t, rows.Next())
		require.True(t, rows.Next())
		ended := make(chan error, 1)
		go func() { // ends with the rows
			rows.Next()
			ended <- rows.Err()
		}()
		return rows, ended
	}
	mine, ended := follow(db)
	theirs, goOn := follow(other)
	require.NoError(t, db.Close())
	assert.ErrorIs(t, <-ended, eventfold.ErrClosed)
	require.NoError(t, mine.Close())
	mustExec(t, other, `INSERT INTO a (type) VALUES ('A')`)
	assert.NoError(t, <-goOn)
	require.NoError(t, theirs.Close())
}

// A failingStore refuses appends and counts them.
type failingStore struct {
	engine.Store
	err      error
	poisoned bool
	appends  int
}

func (s *failingStore) Append(context.Context, ...engine.Append) (engine.Appended, error) {
	s.appends++
	return engine.Appended{}, s.err
}

func (s *failingStore) Stats() engine.Stats {
	stats := s.Store.Stats()
	stats.Poisoned = s.poisoned
	return stats
}

// TestNoAppendIsTriedTwice holds that whatever an append returns, database/sql does not try it again.
func TestNoAppendIsTriedTwice(t *testing.T) {
	for _, err := range []error{engine.ErrOutcomeUnknown, engine.ErrPoisoned, engine.ErrClosed, engine.ErrFull, io.ErrUnexpectedEOF} {
		s := &failingStore{Store: openEngine(t), err: err}
		db := eventfold.OpenDB(eventfold.Config{Store: s})
		_, got := db.Exec(`INSERT INTO a (type) VALUES ('A')`)
		assert.ErrorIs(t, got, err)
		assert.NotErrorIs(t, got, driver.ErrBadConn)
		assert.Equal(t, 1, s.appends, "%v", err)
		require.NoError(t, db.Close())
	}
}

func TestPing(t *testing.T) {
	s := &failingStore{Store: openEngine(t)}
	db := eventfold.OpenDB(eventfold.Config{Store: s})
	defer db.Close()
	require.NoError(t, db.Ping())
	s.poisoned = true
	assert.ErrorIs(t, db.Ping(), eventfold.ErrPoisoned)
	assert.Equal(t, 0, one[int](t, db, `SELECT COUNT(*) FROM $all`), "reading goes on")
	require.NoError(t, s.Store.Close())
	assert.ErrorIs(t, db.Ping(), eventfold.ErrClosed)
}

func TestArgumentCounts(t *testing.T) {
	db := openDB(t, ":memory:")
	tests := []struct {
		text string
		args []any
		ok   bool
	}{
		{`SELECT ? + ?`, []any{1, 2}, true},
		{`SELECT ? + ?`, []any{1}, false},
		{`SELECT ? + ?`, []any{1, 2, 3}, false},
		{`SELECT 1`, []any{1}, false},
		{`SELECT $2 + $1`, []any{1, 2}, true},
		{`SELECT $2 + $1`, []any{1}, false},
		{`SELECT ?2 + ?1`, []any{1, 2}, true},
		{`SELECT :a + @b`, []any{sql.Named("a", 1), sql.Named("b", 2)}, true},
		{`SELECT :a + :a`, []any{sql.Named("a", 1)}, true},
		{`SELECT :a + @b`, []any{sql.Named("a", 1)}, false},
		{`SELECT :a`, []any{sql.Named("a", 1), sql.Named("b", 2)}, false},
		{`SELECT ?`, []any{sql.Named("a", 1)}, false},
	}
	for _, tt := range tests {
		check := func(err error) {
			t.Helper()
			if tt.ok {
				assert.NoError(t, err, tt.text)
			} else {
				assert.Error(t, err, tt.text)
			}
		}
		var n int
		err := db.QueryRow(tt.text, tt.args...).Scan(&n)
		check(err)
		if !tt.ok {
			assert.ErrorIs(t, err, eventfold.ErrArgument, "%s with %d arguments", tt.text, len(tt.args))
		}
		prepared, err := db.Prepare(tt.text)
		require.NoError(t, err, tt.text)
		check(prepared.QueryRow(tt.args...).Scan(&n))
		require.NoError(t, prepared.Close())
		_, err = db.Exec(tt.text, tt.args...)
		check(err)
	}
}

func TestArguments(t *testing.T) {
	db := openDB(t, ":memory:")
	id := uuid.MustParse("0190e5a6-1111-7abc-8def-0123456789ab")
	type orderID [16]byte
	type name string
	type order struct {
		Total int `json:"total"`
	}
	text := "a string"
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 7200))
	tests := []struct {
		name string
		arg  any
		want any // as SELECT ? gives it
	}{
		{"uuid.UUID", id, id.String()},
		{"*uuid.UUID", &id, id.String()},
		{"nil *uuid.UUID", (*uuid.UUID)(nil), nil},
		{"uuid.NullUUID", uuid.NullUUID{}, nil},
		{"[16]byte", [16]byte(id), id.String()},
		{"named [16]byte", orderID(id), id.String()},
		{"json.RawMessage", json.RawMessage(`{}`), []byte(`{}`)},
		{"nil json.RawMessage", json.RawMessage(nil), nil},
		{"nil []byte", []byte(nil), nil},
		{"[]byte", []byte("b"), []byte("b")},
		{"empty []byte", []byte{}, []byte{}},
		{"JSON", eventfold.JSON(order{42}), []byte(`{"total":42}`)},
		{"[]string", []string{"x", "y"}, `["x","y"]`},
		{"[]uuid.UUID", []uuid.UUID{id}, `["` + id.String() + `"]`},
		{"[]int64", []int64{1, 2}, `[1,2]`},
		{"named string", name("n"), "n"},
		{"*string", &text, text},
		{"nil *string", (*string)(nil), nil},
		{"sql.NullInt64", sql.NullInt64{Int64: 7, Valid: true}, int64(7)},
		{"bool", true, int64(1)},
		{"int8", int8(-3), int64(-3)},
		{"float32", float32(0.5), 0.5},
		{"json.Number", json.Number("12"), "12"},
		{"time.Duration", time.Second, int64(time.Second)},
		{"time.Time", at, at.UTC()},
		{"time.Time with a monotonic part", time.Now().Round(0), nil},
	}
	for _, tt := range tests {
		var got any
		require.NoError(t, db.QueryRow(`SELECT ?`, tt.arg).Scan(&got), tt.name)
		if at, ok := tt.arg.(time.Time); ok {
			require.IsType(t, at, got, tt.name)
			assert.True(t, at.Truncate(time.Microsecond).Equal(got.(time.Time)), tt.name)
			assert.Equal(t, time.UTC, got.(time.Time).Location(), tt.name)
			continue
		}
		assert.Equal(t, tt.want, got, tt.name)
	}
	for name, arg := range map[string]any{
		"map": map[string]int{}, "struct": order{}, "chan": make(chan int), "huge": uint64(1 << 63), "list of lists": [][]string{{"a"}},
		"unmarshallable": eventfold.JSON(make(chan int)),
	} {
		_, err := db.Exec(`SELECT ?`, arg)
		assert.Error(t, err, name)
	}
}

func TestListArguments(t *testing.T) {
	db := openDB(t, ":memory:")
	seed(t, db, 30)
	ids := column[string](t, db, `SELECT id FROM $all WHERE position IN (?) ORDER BY position`, []int64{3, 5})
	require.Len(t, ids, 2)
	parsed := []uuid.UUID{uuid.MustParse(ids[0]), uuid.MustParse(ids[1])}
	tests := []struct {
		text string
		args []any
		want int
	}{
		{`SELECT COUNT(*) FROM $all WHERE type IN (?)`, []any{[]string{"A", "B"}}, 20},
		{`SELECT COUNT(*) FROM $all WHERE type IN (?)`, []any{[]string{}}, 0},
		{`SELECT COUNT(*) FROM $all WHERE type NOT IN (?)`, []any{[]string{}}, 30},
		{`SELECT COUNT(*) FROM $all WHERE type NOT IN (?) AND position < ?`, []any{[]string{"A"}, 10}, 6},
		{`SELECT COUNT(*) FROM $all WHERE position >= ? AND stream IN (?) AND type IN (?)`, []any{10, []string{"s-1", "s-2"}, []string{"A"}}, 2},
		{`SELECT COUNT(*) FROM $all WHERE id IN (?)`, []any{parsed}, 2},
		{`SELECT COUNT(*) FROM $all WHERE type IN (?, 'C')`, []any{[]string{"A"}}, 20},
		{`SELECT COUNT(*) FROM $all WHERE type IN (:t) OR stream IN (:t)`, []any{sql.Named("t", []string{"A", "s-1"})}, 12},
		{`SELECT COUNT(*) FROM $all WHERE type = ?`, []any{"A"}, 10},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, one[int](t, db, tt.text, tt.args...), "%s with %v", tt.text, tt.args)
		prepared, err := db.Prepare(tt.text)
		require.NoError(t, err)
		var n int
		require.NoError(t, prepared.QueryRow(tt.args...).Scan(&n))
		assert.Equal(t, tt.want, n, "prepared: %s", tt.text)
		require.NoError(t, prepared.Close())
	}
	assert.Equal(t, 1, one[int](t, db, `SELECT 1 WHERE 'a' IN ($1)`, []string{"a"}))
	mustExec(t, db, `INSERT INTO tagged (type, tags) VALUES ('T', ?)`, []string{"b", "a"})
	assert.Equal(t, `["a","b"]`, one[string](t, db, `SELECT tags FROM tagged WHERE HAS(tags, 'a')`))
}

// TestPreparedStatementLivesLong holds that a prepared statement sees streams that did not exist when it was prepared.
func TestPreparedStatementLivesLong(t *testing.T) {
	db := openDB(t, ":memory:")
	count, err := db.Prepare(`SELECT COUNT(*) FROM later WHERE version >= ?`)
	require.NoError(t, err)
	defer count.Close()
	for want := range 3 {
		var n int
		require.NoError(t, count.QueryRow(0).Scan(&n))
		assert.Equal(t, want, n)
		mustExec(t, db, `INSERT INTO later (type) VALUES ('A')`)
	}
}

func TestScripts(t *testing.T) {
	db := openDB(t, ":memory:")
	result := mustExec(t, db, `
		-- two streams at once
		INSERT INTO a (type, payload) VALUES (?, ?);
		INSERT INTO b (type) VALUES (?), (?); -- and a semicolon; in a comment
		INSERT INTO a (type, payload) VALUES ('Last', 'a ; b');
	`, "A", `{}`, "B", "C")
	position, err := result.LastInsertId()
	require.NoError(t, err)
	assert.Equal(t, int64(3), position)
	affected, err := result.RowsAffected()
	require.NoError(t, err)
	assert.Equal(t, int64(4), affected)

	before := one[int](t, db, `SELECT COUNT(*) FROM $all`)
	for name, script := range map[string]struct {
		text string
		args []any
		code eventfold.Code
	}{
		"conflict":      {`INSERT INTO c (type) VALUES ('A'); INSERT INTO a (type) VALUES ('B') EXPECTING NO STREAM`, nil, eventfold.ErrVersionConflict},
		"syntax":        {`INSERT INTO c (type) VALUES ('A'); INSERT INTO`, nil, eventfold.ErrSyntax},
		"too few":       {`INSERT INTO c (type) VALUES (?); INSERT INTO c (type) VALUES (?)`, []any{"A"}, eventfold.ErrArgument},
		"too many":      {`INSERT INTO c (type) VALUES (?); INSERT INTO c (type) VALUES (?)`, []any{"A", "B", "C"}, eventfold.ErrArgument},
		"unknown table": {`INSERT INTO c (type) VALUES ('A'); SELECT * FROM $nothing`, nil, eventfold.ErrUnknownTable},
	} {
		_, err := db.Exec(script.text, script.args...)
		assert.ErrorIs(t, err, script.code, name)
		assert.Equal(t, before, one[int](t, db, `SELECT COUNT(*) FROM $all`), "%s: a script is all or nothing", name)
	}
	_, err = db.Exec("INSERT INTO c (type) VALUES ('A');\n\n  INSERT INTO c (tipe) VALUES ('B')")
	var full *eventfold.Error
	require.ErrorAs(t, err, &full)
	assert.Equal(t, []int{3, 18}, []int{full.Line, full.Column}, "the place in the whole script")

	mustExec(t, db, `INSERT INTO n (type) VALUES (:x); INSERT INTO n (type) VALUES (:y); INSERT INTO n (type) VALUES (:x)`,
		sql.Named("x", "X"), sql.Named("y", "Y"))
	assert.Equal(t, []string{"X", "Y", "X"}, column[string](t, db, `SELECT type FROM n`))
	_, err = db.Query(`SELECT 1; SELECT 2`)
	assert.ErrorIs(t, err, eventfold.ErrSyntax)
	_, err = db.Prepare(`SELECT 1; SELECT 2`)
	assert.ErrorIs(t, err, eventfold.ErrSyntax)
}

func TestReadOnlyDatabase(t *testing.T) {
	dir := t.TempDir()
	_, err := openDB(t, dir+"/none?mode=ro").Exec(`SELECT 1`)
	assert.ErrorIs(t, err, eventfold.ErrNotExist)
	assert.NoDirExists(t, dir+"/none")
	_, err = openDB(t, dir+"/none?mode=rw").Exec(`SELECT 1`)
	assert.ErrorIs(t, err, eventfold.ErrNotExist)

	db := openDB(t, dir+"/store")
	mustExec(t, db, `INSERT INTO a (type) VALUES ('A')`)
	require.NoError(t, db.Close())
	reader := openDB(t, dir+"/store?mode=ro")
	assert.Equal(t, 1, one[int](t, reader, `SELECT COUNT(*) FROM $all`))
	_, err = reader.Exec(`INSERT INTO a (type) VALUES ('A')`)
	assert.ErrorIs(t, err, eventfold.ErrReadOnly)

	writer := openDB(t, dir+"/store") // beside the reader, in the same process
	mustExec(t, writer, `INSERT INTO a (type) VALUES ('A')`)
	assert.Equal(t, 2, one[int](t, reader, `SELECT COUNT(*) FROM $all`))
}
