package eventfold_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// TestAPreparedSelectFollowsTheDefinitionOfItsView also in the plan cache and in another pool of the
// same store that is open for reading only.
func TestAPreparedSelectFollowsTheDefinitionOfItsView(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	mustExec(t, db, `INSERT INTO a (type, payload) VALUES ('x', '{"n": 1}')`)
	stmt, err := db.Prepare("SELECT * FROM views.v")
	require.NoError(t, err, "a view may be created later, as a stream may")
	defer stmt.Close()
	_, err = stmt.Query()
	require.ErrorIs(t, err, eventfold.ErrUnknownTable)

	reader := openDB(t, dir+"?mode=ro")
	for _, want := range []struct {
		definition string
		columns    []string
	}{
		{"SELECT type FROM a", []string{"type"}},
		{"SELECT payload->>'$.n' AS n, type FROM a", []string{"n", "type"}},
		{"SELECT COUNT(*) AS events FROM a", []string{"events"}},
	} {
		mustExec(t, db, "CREATE OR REPLACE VIEW v AS "+want.definition)
		rows, err := stmt.Query()
		assert.Equal(t, want.columns, columnsOf(t, rows, err))
		for _, pool := range []*sql.DB{db, reader} {
			rows, err := pool.Query("SELECT * FROM views.v")
			assert.Equal(t, want.columns, columnsOf(t, rows, err))
		}
	}
}

func columnsOf(t *testing.T, rows *sql.Rows, err error) []string {
	t.Helper()
	require.NoError(t, err)
	defer rows.Close()
	names, err := rows.Columns()
	require.NoError(t, err)
	types, err := rows.ColumnTypes()
	require.NoError(t, err)
	require.Len(t, types, len(names))
	n := 0
	for ; rows.Next(); n++ {
	}
	require.NoError(t, rows.Err())
	assert.Equal(t, 1, n)
	return names
}

// TestOneOfManyCreatesAViewOfAName: the others learn that it is there, as a conflict; views of other
// names are none.
func TestOneOfManyCreatesAViewOfAName(t *testing.T) {
	db := openDB(t, t.TempDir())
	const clients = 8
	errs := make([]error, 2*clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { _, errs[i] = db.Exec(fmt.Sprintf("CREATE VIEW v AS SELECT %d AS n", i)) })
		wg.Go(func() { _, errs[clients+i] = db.Exec(fmt.Sprintf("CREATE VIEW v%d AS SELECT %d AS n", i, i)) })
	}
	wg.Wait()
	created := 0
	for _, err := range errs[:clients] {
		if err == nil {
			created++
			continue
		}
		assert.ErrorContains(t, err, `there is a view "v" already`)
		assert.True(t, errors.Is(err, eventfold.ErrVersionConflict) || errors.Is(err, eventfold.ErrStatement), err)
	}
	assert.Equal(t, 1, created)
	for _, err := range errs[clients:] {
		assert.NoError(t, err)
	}
	var n int
	require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM $views").Scan(&n))
	assert.Equal(t, 1+clients, n)
}

// TestTransactionsThatDefineViewsConflict: the second COMMIT says at which version the definitions
// are, and can be tried again.
func TestTransactionsThatDefineViewsConflict(t *testing.T) {
	db := openDB(t, t.TempDir())
	begin := func() *sql.Tx {
		tx, err := db.BeginTx(context.Background(), nil)
		require.NoError(t, err)
		return tx
	}
	one, two := begin(), begin()
	for i, tx := range []*sql.Tx{one, two} {
		_, err := tx.Exec(fmt.Sprintf("CREATE VIEW v AS SELECT %d AS n", i))
		require.NoError(t, err)
		_, err = tx.Exec("INSERT INTO a (type) VALUES ('x')")
		require.NoError(t, err)
		var n int
		require.NoError(t, tx.QueryRow("SELECT n FROM views.v").Scan(&n))
		assert.Equal(t, i, n)
	}
	require.NoError(t, one.Commit())
	err := two.Commit()
	require.ErrorIs(t, err, eventfold.ErrVersionConflict)
	assert.ErrorContains(t, err, `stream "$views" is at version 0`)
	var e *eventfold.Error
	require.ErrorAs(t, err, &e)
	assert.True(t, e.Retryable())
	var n int
	require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM a").Scan(&n))
	assert.Equal(t, 1, n)
}

// TestAScriptOfViewsIsAllOrNothing as any script.
func TestAScriptOfViewsIsAllOrNothing(t *testing.T) {
	db := openDB(t, t.TempDir())
	const script = "CREATE VIEW a AS SELECT 1 AS n; CREATE VIEW b AS SELECT n FROM views.a; " +
		"CREATE VIEW c AS SELECT wrong FROM views.b"
	_, err := db.Exec(script)
	require.ErrorIs(t, err, eventfold.ErrUnknownColumn)
	var e *eventfold.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, strings.Index(script, "wrong")+1, e.Column)
	mustExec(t, db, "CREATE VIEW a AS SELECT 1 AS n; CREATE VIEW b AS SELECT n FROM views.a")
	var n int
	require.NoError(t, db.QueryRow("SELECT n FROM views.b").Scan(&n))
	assert.Equal(t, 1, n)
}

// TestOnlyStatementsWriteDefinitions: neither INSERT nor the store itself lets anything else into the
// stream of views.
func TestOnlyStatementsWriteDefinitions(t *testing.T) {
	db := openDB(t, t.TempDir())
	mustExec(t, db, "CREATE VIEW v AS SELECT 1 AS n")
	for _, text := range []string{
		`INSERT INTO "$views" (type) VALUES ('$view-created')`,
		`INSERT INTO $all (stream, type) VALUES ('$views', '$view-created')`,
		`INSERT INTO ? (type) VALUES ('$view-created')`,
		`EXPECT "$views" VERSION 0`,
	} {
		var args []any
		if text[12] == '?' {
			args = append(args, "$views")
		}
		_, err := db.Exec(text, args...)
		assert.Error(t, err, text)
	}
	var n int
	require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM $all").Scan(&n))
	assert.Equal(t, 1, n)
}
