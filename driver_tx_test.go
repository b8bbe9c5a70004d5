package eventfold_test

import (
	"context"
	"database/sql"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

func begin(t testing.TB, db *sql.DB, options *sql.TxOptions) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(context.Background(), options)
	require.NoError(t, err)
	t.Cleanup(func() { tx.Rollback() }) // harmless once it has ended
	return tx
}

func TestTransactionIsOneAppend(t *testing.T) {
	db := openDB(t, ":memory:")
	mustExec(t, db, `INSERT INTO a (type) VALUES ('Before')`)
	tx := begin(t, db, nil)
	result := mustExec(t, tx, `INSERT INTO a (type) VALUES ('A') EXPECTING VERSION 0`)
	mustExec(t, tx, `INSERT INTO b (type) VALUES ('B'), ('C') EXPECTING NO STREAM`)
	mustExec(t, tx, `INSERT INTO a (type) VALUES ('D') EXPECTING VERSION 1`)

	_, err := result.LastInsertId()
	assert.ErrorIs(t, err, eventfold.ErrTransaction)
	assert.ErrorContains(t, err, "COMMIT")
	affected, err := result.RowsAffected()
	require.NoError(t, err)
	assert.Equal(t, int64(1), affected)

	mustExec(t, db, `INSERT INTO c (type) VALUES ('Meanwhile')`)
	assert.Equal(t, []string{"Before", "A", "B", "C", "D"}, column[string](t, tx, `SELECT type FROM $all`),
		"the snapshot, and its own events")
	assert.Equal(t, []int64{0, 1, 2}, column[int64](t, tx, `SELECT version FROM a`))
	assert.Equal(t, 4, one[int](t, tx, `SELECT COUNT(*) FROM $all WHERE position IS NULL`))
	assert.Equal(t, []string{"Before", "Meanwhile"}, column[string](t, db, `SELECT type FROM $all`),
		"nobody else sees them")

	require.NoError(t, tx.Commit())
	assert.Equal(t, []string{"Before", "Meanwhile", "A", "B", "C", "D"}, column[string](t, db, `SELECT type FROM $all`))
	assert.Equal(t, []string{"A", "D"}, column[string](t, db, `SELECT type FROM a WHERE version > 0`))
	assert.Equal(t, 1, one[int](t, db, `SELECT COUNT(DISTINCT recorded_at) FROM $all WHERE position > 1`),
		"one append has one time")
}

func TestRollbackWritesNothing(t *testing.T) {
	db := openDB(t, ":memory:")
	tx := begin(t, db, nil)
	mustExec(t, tx, `INSERT INTO a (type) VALUES ('A')`)
	require.NoError(t, tx.Rollback())
	assert.ErrorIs(t, tx.Commit(), sql.ErrTxDone)
	assert.Equal(t, 0, one[int](t, db, `SELECT COUNT(*) FROM $all`))
	tx = begin(t, db, nil)
	require.NoError(t, tx.Commit(), "an empty transaction is fine")
}

// TestCommitReportsConflicts holds that expectations are checked twice: at once, and against the
// store as it is at Commit.
func TestCommitReportsConflicts(t *testing.T) {
	db := openDB(t, ":memory:")
	mustExec(t, db, `INSERT INTO a (type) VALUES ('A')`)

	tx := begin(t, db, nil)
	_, err := tx.Exec(`INSERT INTO a (type) VALUES ('X') EXPECTING NO STREAM`)
	assert.ErrorIs(t, err, eventfold.ErrVersionConflict, "at once")
	mustExec(t, tx, `INSERT INTO a (type) VALUES ('X') EXPECTING VERSION 0`)
	mustExec(t, tx, `INSERT INTO b (type) VALUES ('X') EXPECTING NO STREAM`)
	mustExec(t, tx, `EXPECT c NO STREAM`)
	for _, stream := range []string{"a", "b", "c"} {
		mustExec(t, db, `INSERT INTO ? (type) VALUES ('Faster')`, stream)
	}
	err = tx.Commit()
	require.ErrorIs(t, err, eventfold.ErrVersionConflict)
	var conflict *eventfold.ConflictError
	require.ErrorAs(t, err, &conflict)
	var streams []string
	for _, check := range conflict.Checks {
		streams = append(streams, check.Stream)
	}
	assert.ElementsMatch(t, []string{"a", "b", "c"}, streams, "all that failed")
	assert.Equal(t, 4, one[int](t, db, `SELECT COUNT(*) FROM $all`), "nothing was written")
}

func TestIsolationLevels(t *testing.T) {
	db := openDB(t, ":memory:")
	for level, ok := range map[sql.IsolationLevel]bool{
		sql.LevelDefault: true, sql.LevelRepeatableRead: true, sql.LevelSnapshot: true, sql.LevelSerializable: true,
		sql.LevelReadUncommitted: false, sql.LevelReadCommitted: false, sql.LevelWriteCommitted: false,
		sql.LevelLinearizable: false,
	} {
		tx, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: level})
		if ok {
			require.NoError(t, err, level)
			require.NoError(t, tx.Rollback())
			continue
		}
		assert.ErrorIs(t, err, eventfold.ErrUnsupported, level)
		assert.ErrorContains(t, err, level.String())
	}
}

func TestReadOnlyTransaction(t *testing.T) {
	db := openDB(t, ":memory:")
	mustExec(t, db, `INSERT INTO a (type) VALUES ('A')`)
	tx := begin(t, db, &sql.TxOptions{ReadOnly: true})
	_, err := tx.Exec(`INSERT INTO a (type) VALUES ('B')`)
	assert.ErrorIs(t, err, eventfold.ErrReadOnly)
	mustExec(t, db, `INSERT INTO a (type) VALUES ('B')`)
	first, err := tx.Query(`SELECT type FROM a`)
	require.NoError(t, err)
	second, err := tx.Query(`SELECT COUNT(*) FROM a`) // several open rows of one transaction
	require.NoError(t, err)
	n := 0
	require.True(t, second.Next())
	require.NoError(t, second.Scan(&n))
	assert.Equal(t, 1, n, "the snapshot of BeginTx")
	assert.True(t, first.Next())
	require.NoError(t, first.Close())
	require.NoError(t, second.Close())
	require.NoError(t, tx.Commit())
}

func TestSavepoints(t *testing.T) {
	db := openDB(t, ":memory:")
	tx := begin(t, db, nil)
	mustExec(t, tx, `INSERT INTO a (type) VALUES ('A')`)
	mustExec(t, tx, `SAVEPOINT tx_1`)
	mustExec(t, tx, `INSERT INTO a (type) VALUES ('B')`)
	mustExec(t, tx, `SAVEPOINT tx_2`)
	mustExec(t, tx, `INSERT INTO a (type) VALUES ('C') EXPECTING VERSION 1`)
	mustExec(t, tx, `RELEASE SAVEPOINT tx_2`)
	mustExec(t, tx, `ROLLBACK TO SAVEPOINT tx_1`)
	mustExec(t, tx, `INSERT INTO a (type) VALUES ('D') EXPECTING VERSION 0`)
	_, err := tx.Exec(`ROLLBACK TO tx_2`)
	assert.Error(t, err, "it went with tx_1")
	_, err = tx.Exec(`INSERT INTO b (type) VALUES ('E'); INSERT INTO a (type) VALUES ('E') EXPECTING NO STREAM`)
	assert.ErrorIs(t, err, eventfold.ErrVersionConflict)
	require.NoError(t, tx.Commit())
	assert.Equal(t, []string{"A", "D"}, column[string](t, db, `SELECT type FROM $all`),
		"a script that fails takes back only itself")
}

// TestTextualTransaction holds that BEGIN and COMMIT work as statements on one connection, and that
// nothing of them reaches its next user.
func TestTextualTransaction(t *testing.T) {
	ctx := context.Background()
	db := openDB(t, ":memory:?begin=allow")
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	require.NoError(t, err)
	exec := func(text string) error {
		_, err := conn.ExecContext(ctx, text)
		return err
	}
	require.NoError(t, exec(`begin;`))
	require.NoError(t, exec(`INSERT INTO a (type) VALUES ('A')`))
	assert.Error(t, exec(`BEGIN`), "already open")
	_, err = conn.BeginTx(ctx, nil)
	assert.ErrorIs(t, err, eventfold.ErrTransaction)
	require.NoError(t, exec(`COMMIT`))
	assert.Error(t, exec(`COMMIT`), "none is open")

	require.NoError(t,
		exec(`BEGIN; INSERT INTO a (type) VALUES ('B'); COMMIT; BEGIN; INSERT INTO a (type) VALUES ('C'); ROLLBACK`))
	require.NoError(t, exec(`BEGIN`))
	require.NoError(t, exec(`INSERT INTO a (type) VALUES ('Left open')`))
	require.NoError(t, conn.Close())
	assert.Equal(t, []string{"A", "B"}, column[string](t, db, `SELECT type FROM a`), "the next user begins anew")

	tx := begin(t, db, nil)
	mustExec(t, tx, `INSERT INTO a (type) VALUES ('D')`)
	_, err = tx.Exec(`COMMIT`)
	assert.ErrorContains(t, err, "BeginTx", "it is ended as it was begun")
	require.NoError(t, tx.Commit())
	assert.Equal(t, 3, one[int](t, db, `SELECT COUNT(*) FROM a`))
}

// TestCommitRunsUnderTheContextOfBegin holds that an ended context ends the transaction, and that
// nothing is written.
func TestCommitRunsUnderTheContextOfBegin(t *testing.T) {
	s := &blockedStore{Store: openEngine(t), entered: make(chan struct{}, 1), admit: make(chan struct{})}
	db := eventfold.OpenDB(eventfold.Config{Store: s})
	defer db.Close()
	ctx, cancel := context.WithCancel(context.Background())
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	mustExec(t, tx, `INSERT INTO a (type) VALUES ('A')`)
	committed := make(chan error)
	go func() { committed <- tx.Commit() }() // ends with cancel
	<-s.entered
	cancel()
	assert.Equal(t, context.Canceled, <-committed)
	assert.Equal(t, 0, one[int](t, db, `SELECT COUNT(*) FROM $all`))
}

func TestNoFollowInTransaction(t *testing.T) {
	db := openDB(t, ":memory:")
	tx := begin(t, db, nil)
	rows, err := tx.Query(`SELECT * FROM $all FOLLOW`)
	if err == nil {
		rows.Close()
	}
	assert.Error(t, err)
}

// TestColumnTypesInATransaction: a tool that makes its destinations from the column types can read
// a transaction's own events.
func TestColumnTypesInATransaction(t *testing.T) {
	db := openDB(t, ":memory:")
	tx := begin(t, db, nil)
	_, err := tx.Exec(`INSERT INTO a (type) VALUES ('Own')`)
	require.NoError(t, err)
	rows, err := tx.Query(`SELECT * FROM a`)
	require.NoError(t, err)
	defer rows.Close()
	types, err := rows.ColumnTypes()
	require.NoError(t, err)
	dest := make([]any, len(types))
	var nullable []string
	for i, c := range types {
		dest[i] = reflect.New(c.ScanType()).Interface()
		if can, ok := c.Nullable(); ok && can {
			nullable = append(nullable, c.Name())
		}
	}
	assert.Equal(t, []string{"position", "version", "id", "payload", "recorded_at"}, nullable)
	require.True(t, rows.Next())
	require.NoError(t, rows.Scan(dest...))
	assert.Equal(t, &sql.NullInt64{}, dest[0])
}
