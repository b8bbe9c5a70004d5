package eventfold_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine/filestore"
)

// follow runs a statement that waits for events. A fault does not hang the tests.
func follow(t *testing.T, db *sql.DB, query string, args ...any) *sql.Rows {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	rows, err := db.QueryContext(ctx, query, args...)
	t.Cleanup(func() {
		cancel()
		if rows != nil {
			rows.Close()
		}
	})
	require.NoError(t, err)
	return rows
}

// A told row is one of FOLLOW PROGRESS.
type told struct {
	position int64
	kind     sql.NullString
	progress bool
}

func nextTold(t *testing.T, rows *sql.Rows) (row told) {
	t.Helper()
	require.True(t, rows.Next(), "%v", rows.Err())
	require.NoError(t, rows.Scan(&row.position, &row.kind, &row.progress))
	return row
}

// A follower whose filter nothing passes is told how far it has looked, so that its checkpoint
// moves with the log.
func TestFollowProgressTellsAnIdleFollowerTheHead(t *testing.T) {
	db := openDB(t, ":memory:")
	statement := `SELECT position, type FROM $all WHERE type = 'Wanted' AND position >= ? FOLLOW PROGRESS`
	prepared, err := db.Prepare(statement)
	require.NoError(t, err)
	defer prepared.Close()
	rows := follow(t, db, statement, 0)
	assert.Equal(t, told{position: -1, progress: true}, nextTold(t, rows), "of an empty log")

	insert := func(kind string) {
		_, err := db.Exec(`INSERT INTO s (type) VALUES (?)`, kind)
		require.NoError(t, err)
	}
	insert("Other")
	assert.Equal(t, told{position: 0, progress: true}, nextTold(t, rows))
	insert("Wanted")
	assert.Equal(t, told{position: 1, kind: sql.NullString{String: "Wanted", Valid: true}}, nextTold(t, rows))
	assert.Equal(t, told{position: 1, progress: true}, nextTold(t, rows))
	insert("Other")
	insert("Other")
	for last := int64(1); last < 3; { // it may come between the two
		row := nextTold(t, rows)
		assert.True(t, row.progress)
		assert.Greater(t, row.position, last, "every head is told once")
		last = row.position
	}

	late, err := prepared.Query(100)
	require.NoError(t, err)
	defer late.Close()
	assert.Equal(t, told{position: 99, progress: true}, nextTold(t, late),
		"a checkpoint ahead of the log does not go back")
}

// What is selected decides where progress stands, and LIMIT counts events.
func TestFollowProgressKeepsToTheColumnsOfTheSelect(t *testing.T) {
	db := openDB(t, ":memory:")
	_, err := db.Exec(`INSERT INTO s (type, payload) VALUES ('A', '{"n": 1}'), ('B', '{"n": 2}')`)
	require.NoError(t, err)

	rows := follow(t, db, `SELECT event FROM s WHERE type = 'A' FOLLOW PROGRESS`)
	var e eventfold.Event
	var progress bool
	require.True(t, rows.Next())
	require.NoError(t, rows.Scan(&e, &progress))
	assert.Equal(t, "A", e.Type)
	assert.False(t, progress)
	require.True(t, rows.Next())
	require.NoError(t, rows.Scan(&e, &progress))
	assert.Equal(t, eventfold.Event{Position: 1, Version: eventfold.NoVersion}, e)
	assert.True(t, progress)

	rows = follow(t, db,
		`SELECT payload->>'$.n' + 1 AS n, position AS p FROM $all WHERE type > 'A' LIMIT 2 FOLLOW PROGRESS`)
	columns, err := rows.Columns()
	require.NoError(t, err)
	assert.Equal(t, []string{"n", "p", "progress"}, columns)
	var got [][3]any
	for len(got) < 3 && rows.Next() {
		var row [3]any
		require.NoError(t, rows.Scan(&row[0], &row[1], &row[2]))
		if got = append(got, row); len(got) == 2 {
			_, err := db.Exec(`INSERT INTO s (type) VALUES ('C')`)
			require.NoError(t, err)
		}
	}
	assert.Equal(t, [][3]any{{int64(3), int64(1), int64(0)}, {nil, int64(1), int64(1)}, {nil, int64(2), int64(0)}}, got)
	assert.False(t, rows.Next(), "two events are the limit, whatever was told between them")
	assert.NoError(t, rows.Err())

	_, err = db.Query(`SELECT type, position + 1 FROM $all FOLLOW PROGRESS`)
	assert.ErrorIs(t, err, eventfold.ErrStatement)
	assert.ErrorContains(t, err, "select position or event as well")
	_, err = db.Query(`SELECT position FROM $all FOLLOW PROGRES`)
	assert.ErrorIs(t, err, eventfold.ErrSyntax)
}

// A reader that does not share the writer's memory is told progress as well.
func TestFollowProgressReachesAnotherReader(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	writer := openDB(t, dir)
	_, err := writer.Exec(`INSERT INTO s (type) VALUES ('Other')`)
	require.NoError(t, err)
	store, err := filestore.Open(dir, filestore.Options{ReadOnly: true})
	require.NoError(t, err)
	t.Cleanup(func() { store.Close() })
	reader := openConfig(t, eventfold.Config{Store: store})
	rows := follow(t, reader, `SELECT position, type FROM $all WHERE type = 'Wanted' FOLLOW PROGRESS`)
	assert.Equal(t, told{position: 0, progress: true}, nextTold(t, rows))
	_, err = writer.Exec(`INSERT INTO s (type) VALUES ('Other')`)
	require.NoError(t, err)
	assert.Equal(t, told{position: 1, progress: true}, nextTold(t, rows))
}

// $followers tells of every FOLLOW of the process; the lag of one that has seen everything is 0,
// also where nothing matched.
func TestFollowersAreListedWithTheirLag(t *testing.T) {
	db := openDB(t, ":memory:")
	_, err := db.Exec(`INSERT INTO s (type) VALUES ('A'), ('B'), ('B')`)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	rows, err := db.QueryContext(ctx, `SELECT event FROM $all WHERE type = 'A' FOLLOW`)
	require.NoError(t, err)
	defer rows.Close()
	require.True(t, rows.Next())

	var id, position, lag, given int64
	var statement, source string
	var since time.Time
	list := func() error {
		return db.QueryRow(`SELECT id, statement, source, since, position, lag, rows FROM $followers`).
			Scan(&id, &statement, &source, &since, &position, &lag, &given)
	}
	require.NoError(t, list())
	assert.Equal(t, "SELECT event FROM $all WHERE type = 'A' FOLLOW", statement)
	assert.Equal(t, "$all", source)
	assert.WithinDuration(t, time.Now(), since, time.Hour)
	assert.Equal(t, []int64{1, 0, 2, 1}, []int64{id, position, lag, given})

	done := make(chan struct{})
	go func() { // ends with ctx
		defer close(done)
		for rows.Next() {
		}
	}()
	require.Eventually(t, func() bool { return list() == nil && lag == 0 }, time.Minute, time.Millisecond)
	_, err = db.Exec(`INSERT INTO s (type) VALUES ('B')`)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return list() == nil && lag == 0 && position == 3
	}, time.Minute, time.Millisecond)
	assert.Equal(t, int64(1), given)
	assert.Equal(t, []int64{0}, column[int64](t, db, `SELECT value FROM $stats WHERE name = 'follow_lag'`))
	cancel()
	<-done
	require.NoError(t, rows.Close())
	require.Eventually(t, func() bool { return list() == sql.ErrNoRows }, time.Minute, time.Millisecond)
}

// Figures are numbers and what they say in words stands beside them, so that whoever collects them
// need not look at each.
func TestStatsAreNumbersOfAKnownKind(t *testing.T) {
	for _, dsn := range []string{":memory:", filepath.Join(t.TempDir(), "store")} {
		db := openDB(t, dsn)
		for range 2 { // the store is empty at first
			assert.Empty(t, column[string](t, db,
				`SELECT name FROM $stats WHERE typeof(value) NOT IN ('integer', 'real') OR kind NOT IN ('counter', `+
					`'gauge') OR typeof(text) NOT IN ('text', 'null')`))
			_, err := db.Exec(`INSERT INTO s (type) VALUES ('A')`)
			require.NoError(t, err)
		}
	}
}

// TestFollowAfterAPositionLeavesSubQueriesWhole: what is behind AFTER is for the followed table alone.
func TestFollowAfterAPositionLeavesSubQueriesWhole(t *testing.T) {
	db, err := sql.Open("eventfold", ":memory:")
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec(`INSERT INTO config (type, payload) VALUES ('Wanted', '{"t": "A"}')`)
	require.NoError(t, err)
	_, err = db.Exec(`INSERT INTO s (type) VALUES ('A'), ('B'), ('A')`)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var position int64
	err = db.QueryRowContext(ctx, `SELECT position FROM $all
		WHERE type IN (SELECT payload->>'$.t' FROM config) FOLLOW AFTER 1`).Scan(&position)
	require.NoError(t, err)
	assert.EqualValues(t, 3, position)
}
