package eventfold_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stateFilesOf returns the files with groups of views in a store's directory.
func stateFilesOf(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.state"))
	require.NoError(t, err)
	return found
}

// explained returns what EXPLAIN says of a statement.
func explained(t *testing.T, db *sql.DB, text string) string {
	t.Helper()
	rows, err := db.Query("EXPLAIN " + text)
	require.NoError(t, err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var step, detail string
		require.NoError(t, rows.Scan(&step, &detail))
		all = append(all, step+" | "+detail)
	}
	require.NoError(t, rows.Err())
	return strings.Join(all, "\n")
}

const viewOfStreams = `CREATE MATERIALIZED VIEW m AS SELECT stream AS s, COUNT(*) AS n, LAST(payload->>'$.m') AS m FROM $all GROUP BY stream`

// fillView appends so many events of 20 streams, a thousand at a time.
func fillView(t *testing.T, db *sql.DB, events int) {
	t.Helper()
	for at := 0; at < events; at += 1000 {
		var text strings.Builder
		fmt.Fprintf(&text, `INSERT INTO "s-%d" (type, payload) VALUES `, at/1000%20)
		for i := range 1000 {
			if i > 0 {
				text.WriteString(", ")
			}
			fmt.Fprintf(&text, `('x', '{"m": "%d"}')`, at+i)
		}
		_, err := db.Exec(text.String())
		require.NoError(t, err)
	}
}

// TestTheProcessThatAppendsKeepsViewsInTheBackground, without anybody reading them, and other processes
// begin with that.
func TestTheProcessThatAppendsKeepsViewsInTheBackground(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	_, err := db.Exec(viewOfStreams)
	require.NoError(t, err)
	fillView(t, db, 70_000)
	require.Eventually(t, func() bool { return len(stateFilesOf(t, dir)) == 1 }, time.Minute, time.Millisecond)
	reader := openDB(t, dir+"?mode=ro") // which is the same store, of the same process
	var n int
	require.NoError(t, reader.QueryRow(`SELECT n FROM views.m WHERE s = 's-3'`).Scan(&n))
	assert.Equal(t, 4000, n)
	require.NoError(t, reader.Close())
	require.NoError(t, db.Close())

	reader = openDB(t, dir+"?mode=ro")
	assert.Contains(t, explained(t, reader, "SELECT * FROM views.m"), "beside the log")
	require.NoError(t, reader.QueryRow(`SELECT n FROM views.m WHERE s = 's-3'`).Scan(&n))
	assert.Equal(t, 4000, n)
	assert.Len(t, stateFilesOf(t, dir), 1)
}

// TestClosingWhileViewsAreKeptEndsThat, and leaves a store that is whole.
func TestClosingWhileViewsAreKeptEndsThat(t *testing.T) {
	for i := range 2 {
		dir := t.TempDir()
		db := openDB(t, dir)
		_, err := db.Exec(viewOfStreams)
		require.NoError(t, err)
		fillView(t, db, 65_000+i*1000)
		require.NoError(t, db.Close())
		db = openDB(t, dir)
		var n, events int
		require.NoError(t, db.QueryRow(`SELECT SUM(n) FROM views.m`).Scan(&n))
		require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM $all`).Scan(&events))
		assert.Equal(t, events, n)
		require.NoError(t, db.Close())
	}
}

// TestAViewThatIsReadIsKeptWhenTheStoreIsClosed, whatever it is called.
func TestAViewThatIsReadIsKeptWhenTheStoreIsClosed(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	_, err := db.Exec(strings.Replace(viewOfStreams, " m AS", ` views."../a/CON.state" AS`, 1))
	require.NoError(t, err)
	fillView(t, db, 1000)
	_, err = db.Exec(`SELECT * FROM views."../a/CON.state"`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	assert.Len(t, stateFilesOf(t, dir), 1)
	db = openDB(t, dir)
	assert.Contains(t, explained(t, db, `SELECT * FROM views."../a/CON.state"`), "beside the log")
	_, err = db.Exec(`DROP VIEW views."../a/CON.state"`)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(stateFilesOf(t, dir)) == 0 }, time.Minute, time.Millisecond)
}

// TestViewMemoryBoundsAView, and $views says so; what is read is right all the same.
func TestViewMemoryBoundsAView(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir+"?view_memory="+url.QueryEscape("2KiB"))
	_, err := db.Exec(viewOfStreams)
	require.NoError(t, err)
	fillView(t, db, 20_000)
	var groups, n int
	require.NoError(t, db.QueryRow(`SELECT COUNT(*), SUM(n) FROM views.m WHERE s LIKE 's-%'`).Scan(&groups, &n))
	assert.Equal(t, []int{20, 20_000}, []int{groups, n})
	var state, why string
	require.NoError(t, db.QueryRow(`SELECT state, error FROM $views`).Scan(&state, &why))
	assert.Equal(t, "too large", state)
	assert.Regexp(t, `\d+ of them need more than the 2048 bytes of view_memory`, why)
	other, err := sql.Open("eventfold", dir+"?view_memory=3KiB")
	require.NoError(t, err)
	defer other.Close()
	assert.ErrorContains(t, other.Ping(), "view_memory=2KiB", "connectors of one store agree")
}

// TestNothingOfAnErasedEventIsInAnyFileOfAView once the erasure is done.
func TestNothingOfAnErasedEventIsInAnyFileOfAView(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	_, err := db.Exec(viewOfStreams)
	require.NoError(t, err)
	_, err = db.Exec(`INSERT INTO "s-1" (type, payload) VALUES ('x', '{"m": "marker-4711"}')`)
	require.NoError(t, err)
	_, err = db.Exec(`SELECT * FROM views.m`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.Len(t, stateFilesOf(t, dir), 1)
	db = openDB(t, dir)
	_, err = db.Exec(`ERASE FROM "s-1" WHERE type = 'x' REASON 'test'`)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		var open int
		require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM $erasures WHERE done_at IS NULL`).Scan(&open))
		return open == 0
	}, time.Minute, time.Millisecond)
	assert.Empty(t, stateFilesOf(t, dir))
	var m sql.NullString
	require.NoError(t, db.QueryRow(`SELECT m FROM views.m WHERE s = 's-1'`).Scan(&m))
	assert.False(t, m.Valid)
}
