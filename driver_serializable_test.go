package eventfold_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

var serializable = &sql.TxOptions{Isolation: sql.LevelSerializable}

// A serialRead is a statement of a serializable transaction.
type serialRead struct {
	text string
	// the writes that change nothing of what it gives and are conflicts all the same, because they
	// cannot be told from those that do
	wide []string
}

var everyWrite = []string{"deposit", "small", "foreign", "new stream", "new type", "tagged", "text"}

var serialReads = []serialRead{
	{"SELECT COUNT(*) FROM $all", nil},
	{"SELECT COUNT(*) FROM a", nil},
	{"SELECT COUNT(*) FROM nobody", nil},
	{"SELECT COUNT(*) FROM $all WHERE type = 'Deposited'", nil},
	{"SELECT COUNT(*) FROM $all WHERE type = 'Deposited' AND stream = 'a'", nil},
	{"SELECT COUNT(*) FROM $all WHERE type IN ('Weird', 'Strange')", nil},
	{"SELECT COUNT(*) FROM $all WHERE type LIKE 'wei%'", nil},
	{"SELECT COUNT(*) FROM $all WHERE NOT type = 'Deposited'", nil},
	{"SELECT COUNT(*) FROM $all WHERE HAS(tags, 'x')", nil},
	{"SELECT COUNT(*) FROM $all WHERE HAS(tags, 'x') OR type = 'Weird'", nil},
	{"SELECT COUNT(*) FROM $all WHERE HAS(tags, 'x') OR payload->>'$.n' = 5", []string{"erasure"}},
	{"SELECT SUM(payload->>'$.n') FROM $all WHERE payload->>'$.n' > 3", []string{"erasure"}},
	{"SELECT payload->>'$.n' FROM a", nil},
	{"SELECT type FROM a WHERE payload->>'$.n' = 1", []string{"erasure"}},
	{"SELECT COUNT(*) FROM $all WHERE redacted", nil},
	{"SELECT event FROM b WHERE payload->>'$.n' > 100", []string{"erasure"}},
	{"SELECT MAX(position) FROM $all", nil},
	{"SELECT MAX(position) FROM $all WHERE type = 'Opened'", nil},
	{"SELECT MAX(version) FROM a", nil},
	{"SELECT MIN(position) FROM $all", nil},
	{"SELECT MIN(position) FROM $all WHERE type = 'Weird'", nil},
	{"SELECT MIN(recorded_at), MAX(recorded_at) FROM b", nil},
	{"SELECT position FROM $all ORDER BY position LIMIT 2", nil},
	{"SELECT position FROM $all ORDER BY position LIMIT 100", nil},
	{"SELECT position FROM $all ORDER BY position DESC LIMIT 1", nil},
	{"SELECT version FROM a ORDER BY version DESC LIMIT 1", nil},
	{"SELECT type FROM $all LIMIT 1 OFFSET 1", nil},
	{"SELECT type FROM $all ORDER BY type LIMIT 1", everyWrite},
	{"SELECT type, COUNT(*) FROM $all GROUP BY type", nil},
	{"SELECT stream, COUNT(*) FROM $all GROUP BY stream HAVING COUNT(*) > 1", []string{"small", "foreign", "new stream", "new type", "tagged", "text", "erasure"}},
	{"SELECT DISTINCT stream FROM $all", []string{"deposit", "small", "foreign", "tagged", "text"}},
	{"SELECT type, ROW_NUMBER() OVER (ORDER BY position) FROM a", nil},
	{"SELECT stream, ROW_NUMBER() OVER (PARTITION BY stream ORDER BY version) FROM $all WHERE payload->>'$.n' = 5", []string{"erasure"}},
	{"SELECT COUNT(*) FROM $all WHERE stream LIKE 'a%'", nil},
	{"SELECT COUNT(*) FROM $all WHERE stream LIKE 'new%'", nil},
	{"SELECT COUNT(*) FROM $all WHERE stream LIKE '%w'", nil},
	{"SELECT stream FROM $all WHERE stream LIKE 'A'", nil},
	{"SELECT stream FROM $streams", nil},
	{"SELECT COUNT(*) FROM $streams", nil},
	{"SELECT stream, version FROM $streams", nil},
	{"SELECT version FROM $streams WHERE stream = 'a'", nil},
	{"SELECT version FROM $streams WHERE stream = 'new'", nil},
	{"SELECT created_at FROM $streams WHERE stream IN ('a', 'new')", nil},
	{"SELECT last_position FROM $streams WHERE stream = 'b'", nil},
	{"SHOW STREAMS LIKE 'n%'", append(slices.Clone(everyWrite), "erasure")},
	{"SELECT type FROM $types", everyWrite},
	{"SELECT events FROM $types WHERE type = 'Weird'", []string{"deposit", "small", "foreign", "new stream", "tagged", "text", "erasure"}},
	{"SELECT COUNT(*) FROM $erasures", nil},
	{"SELECT EXISTS (SELECT 1 FROM a)", nil},
	{"SELECT EXISTS (SELECT 1 FROM new)", nil},
	{"SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM $all WHERE type = 'Weird')", nil},
	{"SELECT (SELECT type FROM a)", nil},
	{"SELECT COUNT(*) FROM a WHERE type IN (SELECT type FROM b)", []string{"deposit", "small"}},
	{"SELECT COUNT(*) FROM $all WHERE type = (SELECT MAX(type) FROM b)", append(slices.Clone(everyWrite), "erasure")},
	{"SELECT COUNT(*) FROM a JOIN b ON a.type = b.type", []string{"deposit", "small"}},
	{"SELECT COUNT(*) FROM a JOIN b USING (type) WHERE b.version = 0 AND a.type = 'Opened'", nil},
	{"SELECT COUNT(*) FROM b LEFT JOIN new ON new.type = b.type", []string{"new stream"}},
	{"SELECT COUNT(*) FROM nobody JOIN a ON a.version = nobody.version", []string{"deposit"}},
	{"SELECT s.stream FROM $streams s WHERE NOT EXISTS (SELECT 1 FROM $all e WHERE e.stream = s.stream AND e.type = 'Weird')", []string{"new type"}},
	{"SELECT stream, (SELECT COUNT(*) FROM $all e WHERE e.stream = s.stream AND e.type > s.type) FROM b s", nil},
	{"WITH d AS (SELECT * FROM $all WHERE type = 'Deposited') SELECT COUNT(*) FROM d WHERE stream = 'b'", []string{"deposit", "foreign"}},
	{"SELECT type FROM a UNION SELECT type FROM b", []string{"deposit", "small", "foreign"}},
	{"SELECT type FROM a INTERSECT SELECT type FROM b", []string{"deposit", "small"}},
	{"SELECT type FROM a EXCEPT SELECT type FROM new", []string{"deposit"}},
	{"SELECT DISTINCT ON (stream) type FROM $all ORDER BY stream, position", []string{"deposit", "small", "foreign", "tagged", "text"}},
	{"SELECT COUNT(*) FROM $all WHERE category = 'a'", nil},
	{"SELECT COUNT(*) FROM $all WHERE category IN ('new', 'nobody')", nil},
	{"SELECT COUNT(*) FROM $streams WHERE category = 'new'", nil},
	{"WITH RECURSIVE n AS (SELECT 0 AS v UNION ALL SELECT v + 1 FROM n WHERE EXISTS (SELECT 1 FROM a WHERE version = v)) " +
		"SELECT MAX(v) FROM n", nil},
	{"SELECT type FROM a EXCEPT ALL SELECT type FROM new", nil},
	{"SELECT type FROM nobody INTERSECT SELECT type FROM new", []string{"new stream"}},
	{"SELECT COUNT(*) FROM $all WHERE category = 'new'", nil},
	{"SELECT COUNT(*) FROM $all WHERE category IN ('a', 'none')", nil},
	{"SELECT stream FROM $streams WHERE category = 'new'", nil},
	{"SELECT DISTINCT ON (stream) stream, type FROM $all WHERE type = 'Opened' ORDER BY stream, version DESC", []string{"tagged", "text"}},
	{"SELECT DISTINCT ON (type) type, version FROM a ORDER BY version DESC", nil},
	{"WITH RECURSIVE n (v) AS (SELECT version FROM a WHERE version = 0 UNION ALL SELECT e.version FROM a AS e JOIN n ON e.version = n.v + 1) SELECT COUNT(*) FROM n", nil},
	{"WITH RECURSIVE n (v) AS (SELECT 0 UNION SELECT e.version FROM new AS e JOIN n ON e.version = n.v) SELECT COUNT(*) FROM n", []string{"new stream"}},
	{"SELECT COUNT(*) FROM (SELECT stream FROM $all WHERE type = 'Opened' LIMIT 1)", nil},
	{"SELECT COUNT(*) FROM $all AS OF POSITION 2", nil},
	{"SELECT payload FROM a AS OF POSITION 2", nil},
	{"SELECT COUNT(*) FROM $all WHERE position < 3", nil},
	{"SELECT COUNT(*) FROM $all WHERE position >= 3", nil},
	{"SELECT COUNT(*) FROM $all WHERE position = 7", nil},
	{"SELECT COUNT(*) FROM a WHERE version = 1", nil},
	{"SELECT COUNT(*) FROM a WHERE version > 1", nil},
	{"SELECT COUNT(*) FROM $all WHERE version = 0", nil},
	{"SELECT COUNT(*) FROM $all WHERE recorded_at < '2000-01-01'", nil},
	{"SELECT COUNT(*) FROM $all WHERE recorded_at > '2000-01-01' AND type = 'Opened'", nil},
	{"SELECT COUNT(*) FROM $all WHERE id = '0190f7a2-0000-7000-8000-000000000001'", nil},
	{"SELECT 1", nil},
	{"SELECT COUNT(*) FROM a WHERE 1 = 0", nil},
	{"SELECT table_name FROM information_schema.tables", nil},
	{"DESCRIBE a", nil},
	{"EXPLAIN SELECT * FROM a", nil},
	{"EXPLAIN ANALYZE SELECT MIN(position) FROM $all", nil},
	{"EXPLAIN ERASE FROM nobody WHERE type = 'T' REASON 'r'", nil},
}

var serialWrites = []struct{ name, text string }{
	{"deposit", `INSERT INTO a (type, payload) VALUES ('Deposited', '{"n": 5}')`},
	{"small", `INSERT INTO b (type, payload) VALUES ('Deposited', '{"n": 1}')`},
	{"foreign", `INSERT INTO c (type) VALUES ('Deposited')`},
	{"new stream", `INSERT INTO new (type) VALUES ('Opened')`},
	{"new type", `INSERT INTO d (type, id) VALUES ('Weird', '0190f7a2-0000-7000-8000-000000000001')`},
	{"tagged", `INSERT INTO c (type, tags) VALUES ('Opened', '["x"]')`},
	{"text", `INSERT INTO c (type, payload) VALUES ('Opened', 'no json')`},
	{"erasure", `ERASE FROM a WHERE version = 1 REASON 'r'`},
}

// serialStore is a database with the events that the reads are about.
func serialStore(t *testing.T) *sql.DB {
	db := openDB(t, ":memory:")
	mustExec(t, db, `INSERT INTO a (type, payload, tags) VALUES ('Opened', '{"n": 1}', '["x"]'),
		('Deposited', '{"n": 7}', NULL)`)
	mustExec(t, db, `INSERT INTO b (type, payload) VALUES ('Opened', '{"n": 2}')`)
	mustExec(t, db, `INSERT INTO c (type) VALUES ('Opened')`)
	return db
}

// gives is what a statement gives, as text.
func gives(t *testing.T, q interface {
	Query(string, ...any) (*sql.Rows, error)
}, text string) string {
	t.Helper()
	rows, err := q.Query(text)
	require.NoError(t, err, text)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var all strings.Builder
	for rows.Next() {
		values, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		require.NoError(t, rows.Scan(dest...), text)
		for _, v := range values {
			if e, ok := v.(*eventfold.Event); ok {
				v = fmt.Sprint(e.Position, e.Redacted)
			}
			fmt.Fprintf(&all, "%s|", v)
		}
		all.WriteString("\n")
	}
	require.NoError(t, rows.Err(), text)
	return all.String()
}

// TestCommitRefusesWhatHasReadSomethingElse tries every way of reading with everything that others
// may write meanwhile, with and without an event of the transaction's own, which lets reads go
// other ways: COMMIT fails if the read would now give something else, and, but for the cases that
// are named, only then.
func TestCommitRefusesWhatHasReadSomethingElse(t *testing.T) {
	for _, read := range serialReads {
		for _, write := range serialWrites {
			for _, own := range []bool{false, true} {
				db := serialStore(t)
				tx := begin(t, db, serializable)
				if own {
					mustExec(t, tx, `INSERT INTO mine (type) VALUES ('Mine')`)
				}
				gives(t, tx, read.text)
				before := gives(t, db, read.text)
				mustExec(t, db, write.text)
				after := gives(t, db, read.text)
				mustExec(t, tx, `INSERT INTO mine (type) VALUES ('Decided')`)
				err := tx.Commit()
				what := fmt.Sprintf("%s, then %s (own: %v)", read.text, write.name, own)
				if err != nil {
					require.ErrorIs(t, err, eventfold.ErrConditionFailed, what)
				}
				switch {
				case before != after:
					assert.Error(t, err, what)
				case !slices.Contains(read.wide, write.name) && !own: // an own event makes some reads go on
					assert.NoError(t, err, what)
				}
			}
		}
	}
}

// TestConflictsNameTheSelectAndTheEvent: and can be tried again.
func TestConflictsNameTheSelectAndTheEvent(t *testing.T) {
	db := serialStore(t)
	tx := begin(t, db, serializable)
	gives(t, tx, "SELECT COUNT(*) FROM c")
	gives(t, tx, "SELECT SUM(payload->>'$.n')\n  FROM b WHERE type = 'Deposited'")
	mustExec(t, db, `INSERT INTO b (type, payload) VALUES ('Deposited', '{"n": 1}'), ('Closed', NULL)`)
	mustExec(t, tx, `INSERT INTO mine (type) VALUES ('Decided')`)
	err := tx.Commit()
	require.ErrorIs(t, err, eventfold.ErrConditionFailed)
	assert.EqualError(t, err, `eventfold: an event after position 3 changes what the transaction has read: position 4, `+
		`Deposited in stream "b", read at line 2, column 8 of SELECT SUM(payload->>'$.n') FROM b WHERE type = 'Deposited'`)
	var e *eventfold.Error
	require.ErrorAs(t, err, &e)
	assert.True(t, e.Retryable())
	assert.Equal(t, "40001", e.SQLState())
	assert.Equal(t, "b", e.Stream)
	var conflict *eventfold.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Len(t, conflict.Checks, 1)
	require.Len(t, conflict.Checks[0].Conflicts, 1)
	assert.Equal(t, eventfold.Position(4), conflict.Checks[0].Conflicts[0].Position)
	assert.True(t, conflict.Checks[0].Condition.Read)

	tx = begin(t, db, serializable)
	gives(t, tx, "SELECT COUNT(*) FROM c")
	gives(t, tx, "SELECT type FROM b")
	mustExec(t, db, `INSERT INTO b (type) VALUES ('B'), ('B')`)
	mustExec(t, db, `INSERT INTO c (type) VALUES ('C')`)
	mustExec(t, tx, `INSERT INTO mine (type) VALUES ('Decided')`)
	require.ErrorAs(t, tx.Commit(), &conflict)
	require.Len(t, conflict.Checks, 2, "one for each statement")
	assert.Equal(t, "SELECT type FROM b", conflict.Checks[0].Condition.Text)
	assert.Len(t, conflict.Checks[0].Conflicts, 2)
	assert.Equal(t, "SELECT COUNT(*) FROM c", conflict.Checks[1].Condition.Text)
	assert.Equal(t, "c", conflict.Checks[1].Stream)
}

// TestAnErasureOfWhatWasReadIsAConflict names the statement that has read the content.
func TestAnErasureOfWhatWasReadIsAConflict(t *testing.T) {
	db := serialStore(t)
	tx := begin(t, db, serializable)
	gives(t, tx, "SELECT payload FROM a")
	mustExec(t, db, `ERASE FROM a WHERE version = 0 REASON 'r'`)
	mustExec(t, tx, `INSERT INTO mine (type) VALUES ('Decided')`)
	err := tx.Commit()
	require.ErrorIs(t, err, eventfold.ErrConditionFailed)
	assert.ErrorContains(t, err, `$erased in stream "$erasures", read at line 1, column 21 of SELECT payload FROM a`)

	// An event that did not pass when COMMIT looked at it may pass once it is erased, and that may come
	// between COMMIT's look and its write: the erasure is the conflict, whatever the condition is.
	tx = begin(t, db, serializable)
	gives(t, tx, "SELECT COUNT(*) FROM $all WHERE payload->>'$.n' = 77")
	mustExec(t, db, `INSERT INTO later (type, payload) VALUES ('T', '{"n": 78}')`)
	mustExec(t, db, `ERASE FROM later WHERE TRUE REASON 'r'`)
	mustExec(t, tx, `INSERT INTO mine (type) VALUES ('Decided')`)
	assert.ErrorIs(t, tx.Commit(), eventfold.ErrConditionFailed)

	tx = begin(t, db, serializable)
	mustExec(t, tx, `ERASE FROM a WHERE TRUE REASON 'r'`)
	mustExec(t, tx, `INSERT INTO mine (type) VALUES ('Decided')`)
	assert.NoError(t, tx.Commit(), "its own erasure is none")
}

// TestWriteSkewIsRefused: of two transactions, each of which reads what the other one changes, one
// fails; with a snapshot both commit.
func TestWriteSkewIsRefused(t *testing.T) {
	const onCall = "SELECT COUNT(*) FILTER (WHERE type = 'On') - COUNT(*) FILTER (WHERE type = 'Off') FROM $all " +
		"WHERE type IN ('On', 'Off')"
	for _, options := range []*sql.TxOptions{serializable, nil} {
		db := openDB(t, ":memory:")
		mustExec(t, db, `INSERT INTO ann (type) VALUES ('On')`)
		mustExec(t, db, `INSERT INTO bob (type) VALUES ('On')`)
		a, b := begin(t, db, options), begin(t, db, options)
		require.Equal(t, 2, one[int](t, a, onCall))
		require.Equal(t, 2, one[int](t, b, onCall))
		mustExec(t, a, `INSERT INTO ann (type) VALUES ('Off')`)
		mustExec(t, b, `INSERT INTO bob (type) VALUES ('Off')`)
		require.NoError(t, a.Commit())
		err := b.Commit()
		if options == nil {
			require.NoError(t, err)
			require.Zero(t, one[int](t, db, onCall), "the snapshot allows it")
			continue
		}
		require.ErrorIs(t, err, eventfold.ErrConditionFailed)
		require.Equal(t, 1, one[int](t, db, onCall))
	}
}

// TestReadingAloneIsNeverRefused: a snapshot is what one moment was like.
func TestReadingAloneIsNeverRefused(t *testing.T) {
	db := serialStore(t)
	for _, readOnly := range []bool{false, true} {
		tx := begin(t, db, &sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: readOnly})
		before := gives(t, tx, "SELECT * FROM $all")
		mustExec(t, db, `INSERT INTO a (type) VALUES ('Meanwhile')`)
		assert.Equal(t, before, gives(t, tx, "SELECT * FROM $all"))
		assert.NoError(t, tx.Commit())
	}
	tx := begin(t, db, serializable)
	gives(t, tx, "SELECT * FROM $all")
	mustExec(t, tx, `SAVEPOINT p; INSERT INTO mine (type) VALUES ('T'); ROLLBACK TO p`)
	mustExec(t, db, `INSERT INTO a (type) VALUES ('Meanwhile')`)
	assert.NoError(t, tx.Commit(), "what it has written is rolled back")
}

// TestExpectingAloneIsChecked: a transaction with EXPECT is a decision, though it writes nothing.
func TestExpectingAloneIsChecked(t *testing.T) {
	db := openDB(t, ":memory:")
	mustExec(t, db, `INSERT INTO a (type) VALUES ('T')`)
	tx := begin(t, db, serializable)
	assert.Equal(t, 1, one[int](t, tx, "SELECT COUNT(*) FROM a"))
	mustExec(t, tx, `EXPECT b NO STREAM`)
	mustExec(t, db, `INSERT INTO a (type) VALUES ('T')`)
	assert.ErrorIs(t, tx.Commit(), eventfold.ErrConditionFailed)
	tx = begin(t, db, serializable)
	assert.Equal(t, 2, one[int](t, tx, "SELECT COUNT(*) FROM a"))
	mustExec(t, tx, `EXPECT b NO STREAM`)
	assert.NoError(t, tx.Commit())
}

// TestItsOwnEventsAreNoConflict: however they match what it has read.
func TestItsOwnEventsAreNoConflict(t *testing.T) {
	db := serialStore(t)
	tx := begin(t, db, serializable)
	gives(t, tx, "SELECT * FROM $all")
	mustExec(t, tx, `INSERT INTO a (type) VALUES ('One') EXPECTING VERSION 1`)
	gives(t, tx, "SELECT MAX(version) FROM a")
	mustExec(t, tx, `INSERT INTO a (type) VALUES ('Two')`)
	mustExec(t, tx, `ERASE FROM b WHERE TRUE REASON 'r'`)
	require.NoError(t, tx.Commit())
	assert.Equal(t, 7, one[int](t, db, "SELECT COUNT(*) FROM $all WHERE type <> '$erasure-done'"), "with the event that tells of the erasure")
}

// TestRowsThatWereNotReadToTheEndAreNoConflict: what comes later comes behind them.
func TestRowsThatWereNotReadToTheEndAreNoConflict(t *testing.T) {
	for _, all := range []bool{false, true} {
		db := serialStore(t)
		tx := begin(t, db, serializable)
		rows, err := tx.Query("SELECT type FROM $all")
		require.NoError(t, err)
		require.True(t, rows.Next())
		for all && rows.Next() {
			continue
		}
		require.NoError(t, rows.Close())
		mustExec(t, db, `INSERT INTO a (type) VALUES ('Meanwhile')`)
		mustExec(t, tx, `INSERT INTO mine (type) VALUES ('Decided')`)
		if err := tx.Commit(); all {
			assert.ErrorIs(t, err, eventfold.ErrConditionFailed)
		} else {
			assert.NoError(t, err)
		}
	}
}

// TestWhatExpectationsHaveToldIsRead: one that has failed, or was rolled back, is known to the
// program, and COMMIT does not ask again for it.
func TestWhatExpectationsHaveToldIsRead(t *testing.T) {
	tests := []struct {
		name, statement string
		fails           bool
		write           string
		conflict        bool
	}{
		{"a version that was rolled back", `EXPECT new NO STREAM`, false, `INSERT INTO new (type) VALUES ('T')`, true},
		{"another stream", `EXPECT new NO STREAM`, false, `INSERT INTO other (type) VALUES ('T')`, false},
		{"a version that has failed", `EXPECT a VERSION 7`, true, `INSERT INTO a (type) VALUES ('T')`, true},
		{"a condition that was rolled back", `EXPECT $all NO EVENT FROM $all WHERE type = 'Weird'`, false,
			`INSERT INTO d (type) VALUES ('Weird')`, true},
		{"what passes it", `EXPECT $all NO EVENT FROM $all WHERE type = 'Weird'`, false,
			`INSERT INTO d (type) VALUES ('Plain')`, false},
		{"a condition that has failed", `EXPECT $all NO EVENT FROM $all WHERE type = 'Opened' AND stream LIKE 'a%'`, true,
			`INSERT INTO a (type) VALUES ('Opened')`, true},
		{"any version", `INSERT INTO a (type) VALUES ('Mine') EXPECTING ANY`, false, `INSERT INTO a (type) VALUES ('T')`, false},
	}
	for _, tt := range tests {
		db := serialStore(t)
		tx := begin(t, db, serializable)
		mustExec(t, tx, "SAVEPOINT p")
		_, err := tx.Exec(tt.statement)
		require.Equal(t, tt.fails, err != nil, tt.name)
		mustExec(t, tx, "ROLLBACK TO p")
		mustExec(t, tx, `INSERT INTO mine (type) VALUES ('Decided')`)
		mustExec(t, db, tt.write)
		if err := tx.Commit(); tt.conflict {
			assert.ErrorIs(t, err, eventfold.ErrConditionFailed, tt.name)
		} else {
			assert.NoError(t, err, tt.name)
		}
	}
}

// TestTooManyReadsAreTakenTogether: however much was read, what changes it is a conflict.
func TestTooManyReadsAreTakenTogether(t *testing.T) {
	tests := []struct {
		name string
		text func(i int) string
		arg  func(i int) any
		n    int
	}{
		{"streams by name", func(int) string { return "SELECT COUNT(*) FROM $all WHERE stream = ?" },
			func(i int) any { return fmt.Sprint("s", i) }, 1500},
		{"many texts", func(i int) string { return fmt.Sprintf("SELECT COUNT(*) FROM s%d WHERE type <> ?", i) },
			func(int) any { return "T" }, 200},
		{"many payloads", func(int) string { return "SELECT COUNT(*) FROM $all WHERE type = 'E' AND payload->>'$.n' = ?" },
			func(i int) any { return i }, 200},
		{"a long list", func(int) string { return "SELECT COUNT(*) FROM $all WHERE stream IN (?)" },
			func(int) any { return strings.Fields(strings.Repeat("s7 ", 3000)) }, 1},
		{"a long argument", func(int) string { return "SELECT COUNT(*) FROM $all WHERE type = 'E' AND payload->>'$.n' <> ?" },
			func(int) any { return strings.Repeat("x", 1<<20) }, 3},
	}
	for _, tt := range tests {
		for _, write := range []string{`INSERT INTO s7 (type, payload) VALUES ('E', '{"n": 7}')`, ""} {
			db := openDB(t, ":memory:")
			tx := begin(t, db, serializable)
			for i := range tt.n {
				one[int](t, tx, tt.text(i), tt.arg(i))
			}
			mustExec(t, tx, `INSERT INTO mine (type) VALUES ('Decided')`)
			if write == "" {
				assert.NoError(t, tx.Commit(), tt.name)
				continue
			}
			mustExec(t, db, write)
			assert.ErrorIs(t, tx.Commit(), eventfold.ErrConditionFailed, tt.name)
		}
	}
}

// TestStreamsReadByNameStayApart: three hundred of them are one list, not everything.
func TestStreamsReadByNameStayApart(t *testing.T) {
	db := openDB(t, ":memory:")
	tx := begin(t, db, serializable)
	for i := range 300 {
		one[int](t, tx, "SELECT COUNT(*) FROM $all WHERE stream = ?", fmt.Sprint("s", i))
		one[int](t, tx, fmt.Sprintf(`SELECT COUNT(*) FROM "t%d"`, i))
	}
	mustExec(t, tx, `INSERT INTO mine (type) VALUES ('Decided')`)
	mustExec(t, db, `INSERT INTO elsewhere (type) VALUES ('E')`)
	assert.NoError(t, tx.Commit())
}

// TestTheLevelIsAskedForInManyWays: by BeginTx, by the words, and by the data source name.
func TestTheLevelIsAskedForInManyWays(t *testing.T) {
	ctx := context.Background()
	tests := []struct {
		dsn, begin string
		options    *sql.TxOptions
		want       bool
	}{
		{":memory:", "", serializable, true},
		{":memory:", "", nil, false},
		{":memory:", "", &sql.TxOptions{Isolation: sql.LevelSnapshot}, false},
		{":memory:?isolation=serializable", "", nil, true},
		{":memory:?isolation=serializable", "", &sql.TxOptions{Isolation: sql.LevelRepeatableRead}, false},
		{":memory:?begin=allow", "BEGIN", nil, false},
		{":memory:?begin=allow", "BEGIN ISOLATION LEVEL SERIALIZABLE", nil, true},
		{":memory:?begin=allow", "START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE", nil, true},
		{":memory:?begin=allow&isolation=serializable", "BEGIN", nil, true},
		{":memory:?begin=allow&isolation=serializable", "BEGIN ISOLATION LEVEL REPEATABLE READ", nil, false},
	}
	for _, tt := range tests {
		db := openDB(t, tt.dsn)
		conn, err := db.Conn(ctx)
		require.NoError(t, err)
		exec := func(text string) error {
			_, err := conn.ExecContext(ctx, text)
			return err
		}
		commit := func() error { return exec("COMMIT") }
		if tt.begin != "" {
			require.NoError(t, exec(tt.begin))
		} else {
			tx, err := conn.BeginTx(ctx, tt.options)
			require.NoError(t, err)
			commit = tx.Commit
		}
		require.NoError(t, exec("SELECT COUNT(*) FROM a"))
		mustExec(t, db, `INSERT INTO a (type) VALUES ('Meanwhile')`)
		require.NoError(t, exec(`INSERT INTO mine (type) VALUES ('Decided')`))
		if err := commit(); tt.want {
			assert.ErrorIs(t, err, eventfold.ErrConditionFailed, "%+v", tt)
		} else {
			assert.NoError(t, err, "%+v", tt)
		}
		require.NoError(t, conn.Close())
	}
}

// TestReadOnlyCanBeSaidInWords as PostgreSQL has it.
func TestReadOnlyCanBeSaidInWords(t *testing.T) {
	db := openDB(t, ":memory:")
	_, err := db.Exec(`BEGIN READ ONLY; INSERT INTO a (type) VALUES ('T'); COMMIT`)
	assert.ErrorIs(t, err, eventfold.ErrReadOnly)
	mustExec(t, db, `BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE; INSERT INTO a (type) VALUES ('T'); COMMIT`)
}

// TestARetryOfASerializableTransactionIsKnown: with the ids of its events it is not refused by what
// it has written itself.
func TestARetryOfASerializableTransactionIsKnown(t *testing.T) {
	db := openDB(t, ":memory:")
	for range 2 {
		tx := begin(t, db, serializable)
		one[int](t, tx, "SELECT COUNT(*) FROM $all")
		mustExec(t, tx, `INSERT INTO a (type, id) VALUES ('T', '0190f7a2-0000-7000-8000-000000000001')`)
		require.NoError(t, tx.Commit())
	}
	assert.Equal(t, 1, one[int](t, db, "SELECT COUNT(*) FROM $all"))
}

// TestNotesOfATransactionAreMemoryUntilItEnds, also if nobody ends it.
func TestNotesOfATransactionAreMemoryUntilItEnds(t *testing.T) {
	db := openConfig(t, eventfold.Config{Mode: eventfold.Memory, QueryMemory: 1 << 20, Begin: true, Serializable: true})
	used := func() int { return one[int](t, db, "SELECT value FROM $stats WHERE name = 'memory_used'") }
	read := func(on interface {
		ExecContext(context.Context, string, ...any) (sql.Result, error)
	}, n int) (err error) {
		for i := 0; i < n && err == nil; i++ {
			_, err = on.ExecContext(t.Context(), "SELECT COUNT(*) FROM $all WHERE payload->>'$.n' > ? AND stream = ?",
				strings.Repeat("x", 50_000), fmt.Sprint("s", i))
		}
		return err
	}
	mustExec(t, db, `INSERT INTO a (type) VALUES ('T')`)
	empty := used()
	for _, end := range []func(tx *sql.Tx){
		func(tx *sql.Tx) { assert.NoError(t, tx.Commit()) },
		func(tx *sql.Tx) { assert.NoError(t, tx.Rollback()) },
		func(tx *sql.Tx) {
			mustExec(t, tx, `EXPECT b NO STREAM`)
			mustExec(t, db, `INSERT INTO b (type) VALUES ('T')`)
			assert.ErrorIs(t, tx.Commit(), eventfold.ErrVersionConflict)
		},
	} {
		tx := begin(t, db, serializable)
		require.NoError(t, read(tx, 10))
		assert.Greater(t, used(), empty+400_000)
		end(tx)
		assert.Equal(t, empty, used())
	}
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), "BEGIN")
	require.NoError(t, err)
	require.NoError(t, read(conn, 10))
	assert.Greater(t, used(), empty+400_000)
	require.NoError(t, conn.Close())
	assert.Equal(t, 1, one[int](t, db, "SELECT COUNT(*) FROM a"), "on the same connection")
	assert.Equal(t, empty, used(), "whoever had the connection has left it")

	tx := begin(t, db, serializable)
	err = read(tx, 30)
	var spent *eventfold.MemoryError
	require.ErrorAs(t, err, &spent)
	assert.ErrorIs(t, err, eventfold.ErrMemory)
	assert.ErrorContains(t, err, "noting what a serializable transaction reads needs more than the 1048576 bytes")
	assert.Equal(t, empty, used())
	mustExec(t, tx, `INSERT INTO a (type) VALUES ('Decided')`)
	assert.ErrorIs(t, tx.Commit(), eventfold.ErrMemory)
	assert.Equal(t, 1, one[int](t, db, "SELECT COUNT(*) FROM a"))
}

// Whoever reads one row, and no more, is told at once that there is no memory to note it.
func TestOneRowOfASerializableTransactionTellsThatItCannotBeNoted(t *testing.T) {
	db := openConfig(t, eventfold.Config{QueryMemory: 1 << 20, Path: ":memory:"})
	mustExec(t, db, `INSERT INTO a (type, payload) VALUES ('T', '1'), ('T', '2')`)
	tx := begin(t, db, &sql.TxOptions{Isolation: sql.LevelSerializable})
	var n int64
	long, err := strings.Repeat("x", 60_000), error(nil)
	for i := 0; i < 30 && err == nil; i++ {
		err = tx.QueryRow(`SELECT COUNT(*) FROM $all WHERE payload->>'$.n' > ? AND stream = ?`, long, fmt.Sprint("s", i)).Scan(&n)
	}
	assert.ErrorIs(t, err, eventfold.ErrMemory)
	rows, err := tx.Query(`SELECT payload FROM $all`)
	require.NoError(t, err)
	assert.False(t, rows.Next(), "nor is there a row that could not be noted")
	assert.ErrorIs(t, rows.Err(), eventfold.ErrMemory)
	assert.ErrorIs(t, tx.QueryRow(`SELECT COUNT(*) FROM a`).Scan(&n), eventfold.ErrMemory)
	assert.NoError(t, tx.Rollback())
}
