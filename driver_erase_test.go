package eventfold_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
)

// openErasable opens a database on a Model that holds three events of two streams.
func openErasable(t *testing.T, c eventfold.Config) *sql.DB {
	t.Helper()
	m := enginetest.NewModel()
	c.Store = m
	db := eventfold.OpenDB(c)
	t.Cleanup(func() {
		assert.NoError(t, db.Close())
		assert.NoError(t, m.Close())
	})
	mustExec(t, db, `INSERT INTO a (type, payload) VALUES ('X', '{"n": 1}'), ('Y', '{"n": 2}')`)
	mustExec(t, db, `INSERT INTO b (type, payload) VALUES ('X', '{"n": 3}')`)
	return db
}

func TestEraseTellsHowManyAndWhereItIsToldOf(t *testing.T) {
	db := openErasable(t, eventfold.Config{Actor: "dpo@example.com"})
	st, err := db.Prepare(`ERASE FROM $all WHERE type = ? REASON ?`)
	require.NoError(t, err)
	defer st.Close()
	result, err := st.Exec("X", "Art. 17")
	require.NoError(t, err)
	rows, err := result.RowsAffected()
	require.NoError(t, err)
	assert.EqualValues(t, 2, rows)
	id, err := result.LastInsertId()
	require.NoError(t, err)
	assert.EqualValues(t, id, one[int64](t, db, `SELECT position FROM $erasures`))
	assert.Equal(t, "dpo@example.com", one[string](t, db, `SELECT actor FROM $erasures`))
	assert.False(t, one[time.Time](t, db, `SELECT done_at FROM $erasures`).IsZero())
	result, err = st.Exec("X", "Art. 17")
	require.NoError(t, err)
	rows, err = result.RowsAffected()
	require.NoError(t, err)
	assert.Zero(t, rows)
	_, err = result.LastInsertId()
	assert.ErrorIs(t, err, eventfold.ErrUnsupported, "nothing was appended")

	var e eventfold.Event
	require.NoError(t, db.QueryRow(`SELECT event FROM $all WHERE position = 0`).Scan(&e))
	assert.True(t, e.Redacted)
	assert.Nil(t, e.Payload)
	assert.Equal(t, "{}", string(e.Metadata))
	assert.Equal(t, []bool{true, false, true}, column[bool](t, db, `SELECT redacted FROM $all WHERE position < 3`))
}

func TestNobodyInParticularErases(t *testing.T) {
	db := openErasable(t, eventfold.Config{})
	mustExec(t, db, `ERASE FROM a WHERE TRUE REASON 'x'`)
	assert.Equal(t, sql.NullString{}, one[sql.NullString](t, db, `SELECT actor FROM $erasures`))
	for _, actor := range []string{"a\x00", "\xff", string(make([]byte, 300))} {
		bad := eventfold.OpenDB(eventfold.Config{Path: t.TempDir(), Actor: actor})
		assert.ErrorIs(t, bad.Ping(), eventfold.ErrConfig)
		assert.NoError(t, bad.Close())
	}
}

func TestWhoOnlyReadsErasesNothing(t *testing.T) {
	dir := t.TempDir()
	mustExec(t, openDB(t, dir), `INSERT INTO a (type, payload) VALUES ('X', '1')`)
	db := openDB(t, dir+"?mode=ro")
	for _, text := range []string{`ERASE FROM a WHERE TRUE REASON 'x'`, `ERASE FROM nobody WHERE TRUE REASON 'x'`} {
		_, err := db.Exec(text)
		assert.ErrorIs(t, err, eventfold.ErrReadOnly, text)
	}
	assert.Equal(t, "1", one[string](t, db, `SELECT payload FROM a`))
	rows, err := db.Query(`EXPLAIN ERASE FROM a WHERE TRUE REASON 'x'`)
	require.NoError(t, err, "telling what would be erased is reading")
	require.NoError(t, rows.Close())
}

func TestEraseInATransaction(t *testing.T) {
	db := openErasable(t, eventfold.Config{})
	tx := begin(t, db, nil)
	inserted := mustExec(t, tx, `INSERT INTO a (type) VALUES ('Closed') EXPECTING VERSION 1`)
	result := mustExec(t, tx, `ERASE FROM $all WHERE type = 'X' REASON 'x'`)
	rows, err := result.RowsAffected()
	require.NoError(t, err)
	assert.EqualValues(t, 2, rows)
	_, err = result.LastInsertId()
	assert.ErrorIs(t, err, eventfold.ErrTransaction)
	assert.Equal(t, 2, one[int](t, tx, `SELECT SUM(redacted) FROM $all`))
	assert.Equal(t, 0, one[int](t, db, `SELECT SUM(redacted) FROM $all`))
	require.NoError(t, tx.Commit())
	assert.Equal(t, 2, one[int](t, db, `SELECT SUM(redacted) FROM $all`))
	position, err := inserted.LastInsertId()
	require.NoError(t, err)
	assert.EqualValues(t, 3, position)
	position, err = result.LastInsertId()
	require.NoError(t, err)
	assert.EqualValues(t, 4, position)
	assert.Equal(t, position, one[int64](t, db, `SELECT position FROM $erasures`))

	tx = begin(t, db, &sql.TxOptions{ReadOnly: true})
	_, err = tx.Exec(`ERASE FROM $all WHERE TRUE REASON 'x'`)
	assert.ErrorIs(t, err, eventfold.ErrReadOnly)
	require.NoError(t, tx.Rollback())

	tx = begin(t, db, nil)
	first := mustExec(t, tx, `ERASE FROM b WHERE type <> 'X' OR NOT redacted OR TRUE REASON 'x'`)
	mustExec(t, tx, `SAVEPOINT s`)
	second := mustExec(t, tx, `ERASE FROM $all WHERE TRUE REASON 'x'`)
	mustExec(t, tx, `ROLLBACK TO s`)
	count := func(r sql.Result) int64 {
		n, err := r.RowsAffected()
		require.NoError(t, err)
		return n
	}
	assert.Equal(t, []int64{0, 0}, []int64{count(first), count(second)}, "the second was rolled back")
	third := mustExec(t, tx, `ERASE FROM $all WHERE TRUE REASON 'x'`)
	assert.EqualValues(t, 2, count(third))
	require.NoError(t, tx.Rollback())
	assert.Zero(t, count(third))
	_, err = third.LastInsertId()
	assert.ErrorIs(t, err, eventfold.ErrTransaction)
	assert.Equal(t, 1, one[int](t, db, `SELECT COUNT(*) FROM $erasures`))
}

func TestEraseInAScript(t *testing.T) {
	affected := func(r sql.Result) int64 {
		n, err := r.RowsAffected()
		require.NoError(t, err)
		return n
	}
	const script = `INSERT INTO a (type) VALUES ('Closed'); ERASE FROM b WHERE TRUE REASON ?; ERASE FROM a WHERE n > 'x';`
	db := openErasable(t, eventfold.Config{})
	_, err := db.Exec(script, "x")
	assert.ErrorIs(t, err, eventfold.ErrSyntax, "the last statement has no reason")
	assert.ErrorContains(t, err, "ERASE needs a reason")
	assert.Equal(t, 3, one[int](t, db, `SELECT COUNT(*) FROM $all`))
	const good = `INSERT INTO a (type) VALUES ('Closed'); ERASE FROM b WHERE TRUE REASON ?; ERASE FROM a WHERE type = ? REASON ?`
	for name, words := range map[string][2]string{
		"by itself": {"", ""}, "with BEGIN": {"BEGIN; ", "; COMMIT"},
	} {
		db = openErasable(t, eventfold.Config{})
		result := mustExec(t, db, words[0]+good+words[1], "x", "Y", "y")
		assert.EqualValues(t, 3, affected(result), name)
		assert.Equal(t, []string{"x", "y"}, column[string](t, db, `SELECT reason FROM $erasures`), name)
	}
	db = openErasable(t, eventfold.Config{})
	tx := begin(t, db, nil)
	result := mustExec(t, tx, good, "x", "Y", "y")
	assert.EqualValues(t, 3, affected(result), "inside of a transaction")
	require.NoError(t, tx.Commit())
	assert.EqualValues(t, 3, affected(result))
	tx = begin(t, db, nil)
	result = mustExec(t, tx, `ERASE FROM a WHERE TRUE REASON 'x'; EXPECT a VERSION 2`)
	assert.EqualValues(t, 2, affected(result))
	_, err = result.LastInsertId()
	assert.ErrorIs(t, err, eventfold.ErrTransaction)
}

func TestErasuresOfTheNativeStore(t *testing.T) {
	db := openErasable(t, eventfold.Config{})
	mustExec(t, db, `ERASE FROM b WHERE TRUE REASON 'x'`)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Raw(func(c any) error {
		store, ok := c.(*eventfold.Conn).Store().(engine.Eraser)
		require.True(t, ok)
		list, err := store.Erasures(t.Context())
		require.NoError(t, err)
		require.Len(t, list, 1)
		assert.Equal(t, engine.Spans{{From: 2, To: 3}}, list[0].Events)
		_, err = store.Append(t.Context(), engine.Append{Erase: &engine.Erasure{
			Events: engine.Spans{{From: 0, To: 1}}, Reason: "native",
		}})
		return err
	}))
	assert.Equal(t, []string{"x", "native"}, column[string](t, db, `SELECT reason FROM $erasures`))
}

// TestAFollowerIsToldOfErasures: who follows $all gets the event that tells of an erasure.
func TestAFollowerIsToldOfErasures(t *testing.T) {
	db := openErasable(t, eventfold.Config{})
	rows, err := db.QueryContext(t.Context(), `SELECT position, type, payload FROM $all WHERE position >= 3 LIMIT 2 FOLLOW`)
	require.NoError(t, err)
	defer rows.Close()
	mustExec(t, db, `ERASE FROM a WHERE TRUE REASON 'x'`)
	var types []string
	for rows.Next() {
		var position int64
		var typ, payload string
		require.NoError(t, rows.Scan(&position, &typ, &payload))
		types = append(types, typ)
	}
	require.NoError(t, rows.Err())
	assert.Equal(t, []string{engine.ErasedType, engine.ErasureDoneType}, types)
}

// TestATransactionOverTheEmbeddedStoreHidesWhatItErases reads many events, so that scans are divided,
// in the transaction that erases them and after it.
func TestATransactionOverTheEmbeddedStoreHidesWhatItErases(t *testing.T) {
	db := openDB(t, t.TempDir())
	mustExec(t, db, `ERASE FROM nobody WHERE TRUE REASON 'x'`)
	const rows = 200
	text := `INSERT INTO a (type, payload) VALUES ` + strings.Repeat(`('X', '{"n": 1}'), `, rows-1) + `('Y', '{"n": 1}')`
	for range 200 {
		mustExec(t, db, text)
	}
	const all, gone = 200 * rows, 200 * (rows - 1)
	sums := func(db interface {
		QueryRow(string, ...any) *sql.Row
	}) []int {
		return []int{
			one[int](t, db, `SELECT COUNT(*) FROM a`), one[int](t, db, `SELECT SUM(payload->>'$.n') FROM a`),
			one[int](t, db, `SELECT SUM(redacted) FROM a`), one[int](t, db, `SELECT COUNT(payload) FROM $all WHERE stream = 'a'`),
			one[int](t, db, `SELECT COUNT(*) FROM (SELECT type, redacted FROM a GROUP BY type, redacted) AS g`),
		}
	}
	before, after := []int{all, all, 0, all, 2}, []int{all, all - gone, gone, all - gone, 2}
	tx := begin(t, db, nil)
	mustExec(t, tx, `ERASE FROM a WHERE type = 'X' REASON 'x'`)
	assert.Equal(t, after, sums(tx))
	assert.Equal(t, before, sums(db))
	require.NoError(t, tx.Commit())
	assert.Equal(t, after, sums(db))
	assert.EqualValues(t, gone, one[int](t, db, `SELECT events FROM $erasures`))
}
