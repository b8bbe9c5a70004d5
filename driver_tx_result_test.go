package eventfold_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// outcome asks a result for both of its numbers.
func outcome(t *testing.T, r sql.Result) (position int64, rows int64, err error) {
	t.Helper()
	rows, rowsErr := r.RowsAffected()
	require.NoError(t, rowsErr)
	position, err = r.LastInsertId()
	return position, rows, err
}

// TestAResultOfATransactionKnowsItsPositionAfterCommit: LastInsertId and RowsAffected may be asked
// for at any time.
func TestAResultOfATransactionKnowsItsPositionAfterCommit(t *testing.T) {
	db := openDB(t, ":memory:")
	tx := begin(t, db, nil)
	results := []sql.Result{
		mustExec(t, tx, `INSERT INTO a (type) VALUES ('A')`),
		mustExec(t, tx, `INSERT INTO $all (stream, type) VALUES ('a', 'B'), ('b', 'C'), ('a', 'D')`),
		mustExec(t, tx, `INSERT INTO b (type) VALUES ('E'); INSERT INTO c (type) VALUES ('F'), ('G')`),
	}
	guard := mustExec(t, tx, `EXPECT z NO STREAM`)
	mustExec(t, db, `INSERT INTO other (type) VALUES ('Meanwhile')`)
	for _, r := range results {
		_, _, err := outcome(t, r)
		assert.ErrorIs(t, err, eventfold.ErrTransaction)
		assert.ErrorContains(t, err, "COMMIT")
	}
	require.NoError(t, tx.Commit())
	for i, want := range []struct{ position, rows int64 }{{1, 1}, {4, 3}, {7, 3}} {
		position, rows, err := outcome(t, results[i])
		require.NoError(t, err)
		assert.Equal(t, want.position, position)
		assert.Equal(t, want.rows, rows)
	}
	_, rows, err := outcome(t, guard)
	assert.ErrorContains(t, err, "no event")
	assert.Zero(t, rows)
}

// TestAResultOfWhatWasNotCommittedHasNoPosition: after Rollback, a conflict at Commit, and ROLLBACK
// TO.
func TestAResultOfWhatWasNotCommittedHasNoPosition(t *testing.T) {
	db := openDB(t, ":memory:")
	gone := func(r sql.Result) {
		t.Helper()
		_, rows, err := outcome(t, r)
		assert.ErrorIs(t, err, eventfold.ErrTransaction)
		assert.ErrorContains(t, err, "rolled back")
		assert.Zero(t, rows)
	}
	tx := begin(t, db, nil)
	r := mustExec(t, tx, `INSERT INTO a (type) VALUES ('A')`)
	require.NoError(t, tx.Rollback())
	gone(r)

	tx = begin(t, db, nil)
	r = mustExec(t, tx, `INSERT INTO a (type) VALUES ('A') EXPECTING NO STREAM`)
	mustExec(t, db, `INSERT INTO a (type) VALUES ('Faster')`)
	require.ErrorIs(t, tx.Commit(), eventfold.ErrVersionConflict)
	gone(r)

	tx = begin(t, db, nil)
	first := mustExec(t, tx, `INSERT INTO a (type) VALUES ('A')`)
	mustExec(t, tx, `SAVEPOINT p`)
	r = mustExec(t, tx, `INSERT INTO a (type) VALUES ('B'), ('C')`)
	mustExec(t, tx, `ROLLBACK TO p`)
	gone(r)
	last := mustExec(t, tx, `INSERT INTO a (type) VALUES ('D')`)
	mustExec(t, tx, `ROLLBACK TO p`)
	again := mustExec(t, tx, `INSERT INTO a (type) VALUES ('E')`)
	require.NoError(t, tx.Commit())
	gone(r)
	gone(last)
	for r, want := range map[sql.Result]int64{first: 1, again: 2} {
		position, rows, err := outcome(t, r)
		require.NoError(t, err)
		assert.Equal(t, want, position)
		assert.Equal(t, int64(1), rows)
	}
}

// TestAResultOfARetryInATransactionIsTheOriginals: nothing is written, and the positions are those
// from before.
func TestAResultOfARetryInATransactionIsTheOriginals(t *testing.T) {
	db := openDB(t, ":memory:")
	const insert = `INSERT INTO a (type, id) VALUES ('A', '0190f7a2-0000-7000-8000-000000000001') EXPECTING NO STREAM`
	mustExec(t, db, insert)
	mustExec(t, db, `INSERT INTO a (type) VALUES ('B')`)
	tx := begin(t, db, nil)
	r := mustExec(t, tx, insert)
	require.NoError(t, tx.Commit())
	position, rows, err := outcome(t, r)
	require.NoError(t, err)
	assert.Zero(t, position)
	assert.Zero(t, rows)
}

// TestAScriptWithItsOwnTransactionCountsEachEventOnce holds that COMMIT's count replaces that of
// the INSERTs.
func TestAScriptWithItsOwnTransactionCountsEachEventOnce(t *testing.T) {
	db := openDB(t, ":memory:")
	r := mustExec(t, db, `BEGIN; INSERT INTO a (type) VALUES ('A'), ('B'); COMMIT; INSERT INTO a (type) VALUES ('C');
		BEGIN; INSERT INTO a (type) VALUES ('D'); ROLLBACK;
		START TRANSACTION; INSERT INTO a (type) VALUES ('E'); COMMIT`)
	position, rows, err := outcome(t, r)
	require.NoError(t, err)
	assert.Equal(t, int64(3), position)
	assert.Equal(t, int64(4), rows)
}

// TestABeginByItselfIsAnError: behind a pool the INSERT that follows would be committed by itself,
// and ROLLBACK would come too late.
func TestABeginByItselfIsAnError(t *testing.T) {
	ctx := context.Background()
	db := openDB(t, ":memory:")
	conn, err := db.Conn(ctx)
	require.NoError(t, err)
	defer conn.Close()
	prepared, err := db.Prepare(`BEGIN`)
	require.NoError(t, err)
	defer prepared.Close()
	const open = "INSERT INTO a (type) VALUES ('A');\n  /* BEGIN */ BEGIN; INSERT INTO a (type) VALUES ('B')"
	tries := map[string]func() error{
		"Exec":              func() error { _, err := db.Exec(`BEGIN`); return err },
		"with a semicolon":  func() error { _, err := db.Exec(` begin transaction ; -- and so on`); return err },
		"START TRANSACTION": func() error { _, err := db.Exec(`START TRANSACTION`); return err },
		"Query": func() error {
			rows, err := db.Query(`BEGIN`)
			if err == nil {
				rows.Close()
			}
			return err
		},
		"prepared":            func() error { _, err := prepared.Exec(); return err },
		"a pinned connection": func() error { _, err := conn.ExecContext(ctx, `BEGIN`); return err },
		"a script":            func() error { _, err := db.Exec(open); return err },
		"a script that begins again": func() error {
			_, err := db.Exec(`BEGIN; INSERT INTO a (type) VALUES ('A'); COMMIT; BEGIN`)
			return err
		},
	}
	for name, try := range tries {
		err := try()
		assert.ErrorIs(t, err, eventfold.ErrTransaction, name)
		for _, hint := range []string{"BeginTx", "in one text", "begin=allow", "line "} {
			assert.ErrorContains(t, err, hint, name)
		}
	}
	var full *eventfold.Error
	require.ErrorAs(t, tries["a script"](), &full)
	assert.Equal(t, []int{2, 15}, []int{full.Line, full.Column})
	assert.Equal(t, 0, one[int](t, db, `SELECT COUNT(*) FROM $all`), "nothing of it was done")

	tx := begin(t, db, nil)
	mustExec(t, tx, `SAVEPOINT p; INSERT INTO a (type) VALUES ('A')`)
	_, err = tx.Exec(`BEGIN`)
	assert.ErrorContains(t, err, "do not nest")
	require.NoError(t, tx.Commit())
	mustExec(t, db, `BEGIN; INSERT INTO a (type) VALUES ('B'); COMMIT`)
	assert.Equal(t, 2, one[int](t, db, `SELECT COUNT(*) FROM $all`))
}

// TestAScriptThatFailsLeavesNoTransactionOpen: what it has begun is rolled back, unless whoever
// pinned the connection has asked for it.
func TestAScriptThatFailsLeavesNoTransactionOpen(t *testing.T) {
	ctx := context.Background()
	const script = `BEGIN; INSERT INTO a (type) VALUES ('A'); INSERT INTO a (type) VALUES ('B') EXPECTING NO STREAM; ` +
		`COMMIT`
	for _, begins := range []string{"refuse", "allow"} {
		conn, err := openDB(t, ":memory:?begin="+begins).Conn(ctx)
		require.NoError(t, err)
		_, err = conn.ExecContext(ctx, script)
		require.ErrorIs(t, err, eventfold.ErrVersionConflict)
		_, err = conn.ExecContext(ctx, `ROLLBACK`)
		assert.Equal(t, begins == "allow", err == nil)
		var n int
		require.NoError(t, conn.QueryRowContext(ctx, `SELECT COUNT(*) FROM $all`).Scan(&n))
		assert.Zero(t, n)
		require.NoError(t, conn.Close())
	}
}

// TestExpectedVersionsAreArguments: for EXPECTING VERSION and for the column, as they are and by
// pointer.
func TestExpectedVersionsAreArguments(t *testing.T) {
	exact := eventfold.Exact(1)
	var none *eventfold.ExpectedVersion
	tests := []struct {
		expected any
		fails    bool // of the stream s, which is at version 1
		absent   bool // succeeds for a stream that does not exist
	}{
		{eventfold.Any, false, true},
		{eventfold.StreamExists, false, false},
		{eventfold.NoStream, true, true},
		{eventfold.Exact(eventfold.NoVersion), true, true},
		{eventfold.Exact(1), false, false},
		{eventfold.Exact(3), true, false},
		{&exact, false, false},
		{eventfold.Version(1), false, false},
		{eventfold.NoVersion, true, true},
		{1, false, false},
		{uint8(1), false, false},
		{-1, true, true},
		{"1", false, false},
		{"exists", false, false},
		{"No Stream", true, true},
	}
	for _, text := range []string{
		`INSERT INTO ? (type) VALUES ('T') EXPECTING VERSION ?`,
		`INSERT INTO $all (stream, type, expected_version) VALUES (?, 'T', ?)`,
	} {
		for _, tt := range tests {
			db := openDB(t, ":memory:")
			mustExec(t, db, `INSERT INTO s (type) VALUES ('A'), ('B')`)
			_, err := db.Exec(text, "s", tt.expected)
			assert.Equal(t, tt.fails, err != nil, "%s: %v", text, tt.expected)
			if tt.fails {
				assert.ErrorIs(t, err, eventfold.ErrVersionConflict, "%s: %v", text, tt.expected)
			}
			_, err = db.Exec(text, "absent", tt.expected)
			assert.Equal(t, tt.absent, err == nil, "%s: %v: %v", text, tt.expected, err)
		}
	}
	db := openDB(t, ":memory:")
	for _, null := range []any{nil, none} {
		mustExec(t, db, `INSERT INTO s (type, expected_version) VALUES ('T', ?)`, null)
		_, err := db.Exec(`INSERT INTO s (type) VALUES ('T') EXPECTING VERSION ?`, null)
		assert.ErrorIs(t, err, eventfold.ErrArgument)
		assert.ErrorContains(t, err, "-1 for a stream that does not exist")
	}
	for _, wrong := range []any{-2, 1.5, "sometimes", []byte("any"), true} {
		_, err := db.Exec(`INSERT INTO s (type) VALUES ('T') EXPECTING VERSION ?`, wrong)
		if wrong != true { // which is 1, as everywhere
			assert.ErrorIs(t, err, eventfold.ErrArgument, "%v", wrong)
		}
	}
}
