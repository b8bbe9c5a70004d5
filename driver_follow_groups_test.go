package eventfold_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/engine/filestore"
)

// nextRows reads n rows of a statement that waits for events, as texts.
func nextRows(t *testing.T, rows *sql.Rows, n int) (list []string) {
	t.Helper()
	columns, err := rows.Columns()
	require.NoError(t, err)
	for range n {
		values, err := nextValues(rows, len(columns))
		require.NoError(t, err)
		list = append(list, plainText(values))
	}
	return list
}

func plainText(values []any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		if texts[i] = fmt.Sprint(v); v == nil {
			texts[i] = "NULL"
		}
		if b, ok := v.([]byte); ok {
			texts[i] = string(b)
		}
	}
	return strings.Join(texts, " ")
}

// endOf reads rows to their end and returns the error that it has.
func endOf(rows *sql.Rows) error {
	for rows.Next() {
	}
	return rows.Err()
}

func TestFollowTellsTheRowsOfGroupsThatChange(t *testing.T) {
	db := openDB(t, ":memory:")
	insert := func(stream string, values ...string) {
		tx := begin(t, db, nil)
		for _, v := range values {
			mustExec(t, tx, `INSERT INTO ? (type, payload) VALUES (?, ?)`, stream, v[:1], `{"n": `+v[1:]+`}`)
		}
		require.NoError(t, tx.Commit())
	}
	insert("s", "A1", "B2", "A3")
	rows := follow(t, db, `SELECT type, COUNT(*), SUM(payload->>'$.n'), as_of, change FROM $all GROUP BY type FOLLOW`)
	assert.Equal(t, []string{"A 2 4 2 insert", "B 1 2 2 insert"}, nextRows(t, rows, 2))
	insert("s", "A10")
	assert.Equal(t, []string{"A 3 14 3 update"}, nextRows(t, rows, 1))
	insert("t", "C7", "B1", "C7")
	assert.Equal(t, []string{"C 2 14 6 insert", "B 2 3 6 update"}, nextRows(t, rows, 2), "of one position")
	insert("t", "A1")
	insert("t", "A1")
	insert("t", "D1")
	got := nextRows(t, rows, 1)
	assert.Equal(t, []string{"A 5 16 9 update"}, got, "what has come while nobody read is one row")
	assert.Equal(t, []string{"D 1 1 9 insert"}, nextRows(t, rows, 1))

	all := follow(t, db, `SELECT COUNT(*), MAX(position), FIRST(type), LAST(type), COUNT(*) FILTER (WHERE type = 'C') `+
		`FROM $all FOLLOW`)
	assert.Equal(t, []string{"10 9 A D 2"}, nextRows(t, all, 1), "one group without GROUP BY")
	insert("t", "C1")
	assert.Equal(t, []string{"11 10 A C 3"}, nextRows(t, all, 1))

	empty := follow(t, db, `SELECT COUNT(*), SUM(payload->>'$.n'), as_of FROM nobody FOLLOW`)
	assert.Equal(t, []string{"0 NULL 10"}, nextRows(t, empty, 1), "which is there without events, too")
	insert("nobody", "X5")
	assert.Equal(t, []string{"1 5 11"}, nextRows(t, empty, 1))
}

// A row that is as it was is not told again, though events have come.
func TestFollowTellsNoRowTwice(t *testing.T) {
	db := openDB(t, ":memory:")
	mustExec(t, db, `INSERT INTO s (type) VALUES ('B'), ('A')`)
	rows := follow(t, db, `SELECT stream, MAX(type) FROM $all GROUP BY stream FOLLOW`)
	assert.Equal(t, []string{"s B"}, nextRows(t, rows, 1))
	mustExec(t, db, `INSERT INTO s (type) VALUES ('A'), ('B')`)
	mustExec(t, db, `INSERT INTO t (type) VALUES ('A')`)
	mustExec(t, db, `INSERT INTO s (type) VALUES ('C')`)
	assert.Equal(t, []string{"t A", "s C"}, sorted(nextRows(t, rows, 2)))

	distinct := follow(t, db, `SELECT DISTINCT type, change, as_of FROM $all FOLLOW`)
	assert.Equal(t, []string{"B insert 5", "A insert 5", "C insert 5"}, nextRows(t, distinct, 3))
	mustExec(t, db, `INSERT INTO s (type) VALUES ('C'), ('D'), ('A')`)
	assert.Equal(t, []string{"D insert 8"}, nextRows(t, distinct, 1))

	collated := follow(t, db, `SELECT type COLLATE NOCASE, LAST(type) FROM $all GROUP BY 1 FOLLOW`)
	assert.Equal(t, []string{"B B", "A A", "C C", "D D"}, nextRows(t, collated, 4))
	mustExec(t, db, `INSERT INTO s (type) VALUES ('d')`)
	assert.Equal(t, []string{"D d"}, nextRows(t, collated, 1), "equal for a collation is not the same")
}

// sorted puts rows of one batch, which has no order, into one.
func sorted(list []string) []string {
	if len(list) == 2 && list[0] > list[1] {
		list[0], list[1] = list[1], list[0]
	}
	return []string{list[1], list[0]}
}

func TestAGroupThatHavingNoLongerLetsPassIsDeleted(t *testing.T) {
	db := openDB(t, ":memory:")
	mustExec(t, db, `INSERT INTO s (type) VALUES ('A'), ('B'), ('B')`)
	const text = `SELECT type, COUNT(*) AS n, UPPER(type) AS u, change FROM $all GROUP BY type HAVING n % 2 = 0 FOLLOW`
	rows := follow(t, db, text)
	assert.Equal(t, []string{"B 2 B insert"}, nextRows(t, rows, 1))
	types, err := rows.ColumnTypes()
	require.NoError(t, err)
	for i, want := range []bool{false, true, false, false} {
		nullable, _ := types[i].Nullable()
		assert.Equal(t, want, nullable, "column %d", i)
	}
	mustExec(t, db, `INSERT INTO s (type) VALUES ('B'), ('A')`)
	assert.Equal(t, []string{"B NULL B delete", "A 2 A insert"}, nextRows(t, rows, 2))
	mustExec(t, db, `INSERT INTO s (type) VALUES ('B')`)
	assert.Equal(t, []string{"B 4 B insert"}, nextRows(t, rows, 1))
	mustExec(t, db, `INSERT INTO s (type) VALUES ('B')`)
	mustExec(t, db, `INSERT INTO s (type) VALUES ('B')`)
	assert.Equal(t, []string{"B 6 B update"}, nextRows(t, rows, 1), "what was so in between is not told")

	grows := follow(t, db, `SELECT type, COUNT(*) FROM $all GROUP BY type HAVING COUNT(*) >= 3 AND type > '' `+
		`AND (MAX(position) > 0 OR 1 > MIN(version)) FOLLOW`)
	assert.Equal(t, []string{"B 6"}, nextRows(t, grows, 1), "what holds once needs no change")
}

func TestFollowAfterTellsOnlyWhatHasChanged(t *testing.T) {
	db := openDB(t, ":memory:")
	mustExec(t, db, `INSERT INTO s (type) VALUES ('A'), ('B'), ('A'), ('C')`)
	const text = `SELECT type, COUNT(*), as_of, change FROM $all GROUP BY type FOLLOW AFTER ?`
	assert.Equal(t, []string{"A 2 3 update", "C 1 3 insert"}, nextRows(t, follow(t, db, text, 1), 2))
	assert.Equal(t, []string{"A 2 3 insert", "B 1 3 insert", "C 1 3 insert"}, nextRows(t, follow(t, db, text, -1), 3))
	rows, ahead := follow(t, db, text, 3), follow(t, db, text, 4)
	mustExec(t, db, `INSERT INTO s (type) VALUES ('B')`)
	mustExec(t, db, `INSERT INTO s (type) VALUES ('A')`)
	assert.Equal(t, []string{"B 2 5 update", "A 3 5 update"}, nextRows(t, rows, 2))
	assert.Equal(t, []string{"A 3 5 update"}, nextRows(t, ahead, 1), "a position that is not there yet is waited for")

	for _, p := range []any{-2, nil, "x", 1.5} {
		_, err := db.Query(text, p)
		assert.ErrorIs(t, err, eventfold.ErrValue, "%v", p)
		assert.ErrorContains(t, err, "FOLLOW AFTER takes a position, or -1 for the empty log")
	}
	events := follow(t, db, `SELECT position FROM $all WHERE type = 'A' FOLLOW AFTER 0`)
	assert.Equal(t, []string{"2", "5"}, nextRows(t, events, 2), "events, too")
}

func TestFollowProgressTellsTheEndOfEachBatch(t *testing.T) {
	db := openDB(t, ":memory:")
	const text = `SELECT type, COUNT(*), as_of, change FROM $all WHERE type <> 'Other' GROUP BY type FOLLOW PROGRESS`
	rows := follow(t, db, text)
	assert.Equal(t, []string{"NULL NULL -1 NULL 1"}, nextRows(t, rows, 1), "of an empty log")
	mustExec(t, db, `INSERT INTO s (type) VALUES ('A'), ('B')`)
	assert.Equal(t, []string{"A 1 1 insert 0", "B 1 1 insert 0", "NULL NULL 1 NULL 1"}, nextRows(t, rows, 3))
	mustExec(t, db, `INSERT INTO s (type) VALUES ('Other')`)
	assert.Equal(t, []string{"NULL NULL 2 NULL 1"}, nextRows(t, rows, 1))
	after := follow(t, db, text+` AFTER 0`)
	assert.Equal(t, []string{"B 1 2 insert 0", "NULL NULL 2 NULL 1"}, nextRows(t, after, 2))
	idle := follow(t, db, text+` AFTER 2`)
	assert.Equal(t, []string{"NULL NULL 2 NULL 1"}, nextRows(t, idle, 1), "there is nothing to tell")

	ends := follow(t, db, `SELECT COUNT(*), as_of FROM $all WHERE position < 4 FOLLOW PROGRESS`)
	assert.Equal(t, []string{"3 2 0", "NULL 2 1"}, nextRows(t, ends, 2))
	mustExec(t, db, `INSERT INTO s (type) VALUES ('A'), ('A')`)
	assert.Equal(t, []string{"4 3 0", "NULL 3 1"}, nextRows(t, ends, 2))
	assert.False(t, ends.Next(), "a range that ends")
	assert.NoError(t, ends.Err())
	for _, text := range []string{
		`SELECT type, COUNT(*) FROM $all WHERE position < 4 GROUP BY type FOLLOW AFTER 9`,
		`SELECT type, COUNT(*) FROM $all WHERE 1 = 0 GROUP BY type FOLLOW`,
	} {
		assert.NoError(t, endOf(follow(t, db, text)), text)
	}
}

// What was derived from content that is erased is computed again, and told.
func TestAnErasureIsToldToWhoeverFollowsGroups(t *testing.T) {
	db := openErasable(t, eventfold.Config{}) // a: X 1, Y 2; b: X 3
	byStream := follow(t, db, `SELECT stream, COUNT(*), SUM(payload->>'$.n'), MAX(payload->>'$.n'), LAST(payload) `+
		`FROM $all WHERE stream <> '$erasures' GROUP BY stream FOLLOW`)
	assert.Equal(t, []string{`a 2 3 2 {"n": 2}`, `b 1 3 3 {"n": 3}`}, nextRows(t, byStream, 2))
	counts := follow(t, db, `SELECT stream, COUNT(*) FROM $all GROUP BY stream FOLLOW`)
	assert.Equal(t, []string{"a 2", "b 1"}, nextRows(t, counts, 2))
	byValue := follow(t, db, `SELECT payload->>'$.n' AS n, COUNT(*), change FROM $all WHERE stream <> '$erasures' `+
		`GROUP BY n FOLLOW`)
	assert.Equal(t, []string{"1 1 insert", "2 1 insert", "3 1 insert"}, nextRows(t, byValue, 3))
	blind := follow(t, db, `SELECT payload->>'$.n' AS n, COUNT(*) FROM $all WHERE stream <> '$erasures' GROUP BY n FOLLOW`)
	nextRows(t, blind, 3)

	mustExec(t, db, `ERASE FROM a WHERE type = 'Y' REASON 'x'`)
	assert.Equal(t, []string{`a 2 1 1 {"n": 1}`}, nextRows(t, byStream, 1))
	assert.Equal(t, []string{"$erasures 2"}, nextRows(t, counts, 1), "nothing else that was counted has changed")
	assert.Equal(t, []string{"2 NULL delete", "NULL 1 insert"}, nextRows(t, byValue, 2))
	err := endOf(blind)
	assert.ErrorIs(t, err, eventfold.ErrStatement)
	assert.ErrorContains(t, err, "select change as well")

	tx := begin(t, db, nil)
	mustExec(t, tx, `INSERT INTO a (type, payload) VALUES ('Z', '{"n": 3}')`)
	mustExec(t, tx, `ERASE FROM $all WHERE payload->>'$.n' = 3 AND position < 3 REASON 'x'`)
	require.NoError(t, tx.Commit())
	assert.Equal(t, []string{`b 1 NULL NULL NULL`, `a 3 4 3 {"n": 3}`}, nextRows(t, byStream, 2),
		"what the same transaction has appended is there")
	assert.Equal(t, []string{"NULL 2 update"}, nextRows(t, byValue, 1), "3 is as it was: one has gone and one has come")
}

// Who goes on from a position is told what was erased since, too, or that it cannot be.
func TestAnErasureIsToldToWhoeverGoesOn(t *testing.T) {
	db := openErasable(t, eventfold.Config{})
	mustExec(t, db, `ERASE FROM a WHERE type = 'Y' REASON 'x'`)
	rows := follow(t, db, `SELECT stream, SUM(payload->>'$.n'), change FROM $all WHERE stream <> '$erasures' `+
		`GROUP BY stream FOLLOW AFTER 2`)
	assert.Equal(t, []string{"a 1 update"}, nextRows(t, rows, 1))
	const unknown = `SELECT payload->>'$.n' AS n, COUNT(*), change FROM $all WHERE %s GROUP BY n FOLLOW AFTER 2`
	err := endOf(follow(t, db, fmt.Sprintf(unknown, "stream <> '$erasures'")))
	assert.ErrorIs(t, err, eventfold.ErrValue)
	assert.ErrorContains(t, err, "erased after position 2")
	assert.ErrorContains(t, err, "begin again without AFTER")
	others := follow(t, db, fmt.Sprintf(unknown, "stream = 'b'"))
	mustExec(t, db, `INSERT INTO b (type, payload) VALUES ('X', '{"n": 9}')`)
	assert.Equal(t, []string{"9 1 insert"}, nextRows(t, others, 1), "nothing of these was erased")
	having := follow(t, db, `SELECT stream, SUM(payload->>'$.n') AS n, change FROM $all WHERE stream = 'a' `+
		`GROUP BY stream HAVING n > 2 FOLLOW AFTER 2`)
	assert.Equal(t, []string{"a NULL delete"}, nextRows(t, having, 1))
}

// $followers lists who follows groups like any other.
func TestFollowersOfGroupsAreListed(t *testing.T) {
	db := openDB(t, ":memory:")
	mustExec(t, db, `INSERT INTO s (type) VALUES ('A'), ('B'), ('C')`)
	rows := follow(t, db, `SELECT type, COUNT(*) FROM s GROUP BY type FOLLOW`)
	list := func() string {
		listed, err := db.Query(`SELECT source, position, lag, rows FROM $followers`)
		require.NoError(t, err)
		defer listed.Close()
		return nextRows(t, listed, 1)[0]
	}
	assert.Equal(t, "s -1 3 0", list())
	nextRows(t, rows, 2)
	assert.Equal(t, "s -1 3 2", list(), "a batch counts when it has been read")
	nextRows(t, rows, 1)
	mustExec(t, db, `INSERT INTO s (type) VALUES ('A')`)
	nextRows(t, rows, 1)
	assert.Equal(t, "s 2 1 4", list())
	require.NoError(t, rows.Close())
	assert.Equal(t, 0, one[int](t, db, `SELECT COUNT(*) FROM $followers`))
}

// Groups of a store that another process writes are followed, and what it has erased is told.
func TestGroupsAreFollowedInAnotherReader(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	writer := openDB(t, dir)
	mustExec(t, writer, `INSERT INTO s (type, payload) VALUES ('A', '{"n": 1}'), ('A', '{"n": 2}')`)
	store, err := filestore.Open(dir, filestore.Options{ReadOnly: true})
	require.NoError(t, err)
	t.Cleanup(func() { store.Close() })
	reader := openConfig(t, eventfold.Config{Store: store})
	rows := follow(t, reader, `SELECT type, SUM(payload->>'$.n') FROM s GROUP BY type FOLLOW`)
	assert.Equal(t, []string{"A 3"}, nextRows(t, rows, 1))
	mustExec(t, writer, `INSERT INTO s (type, payload) VALUES ('A', '{"n": 4}')`)
	assert.Equal(t, []string{"A 7"}, nextRows(t, rows, 1))
	mustExec(t, writer, `ERASE FROM s WHERE position = 1 REASON 'x'`)
	assert.Equal(t, []string{"A 5"}, nextRows(t, rows, 1))
}

// Who follows groups stops with the context, with the database, and with the store.
func TestFollowersOfGroupsEnd(t *testing.T) {
	const text = `SELECT type, COUNT(*) FROM $all GROUP BY type FOLLOW`
	open := func() (*sql.DB, *enginetest.Model) {
		m := enginetest.NewModel()
		db := openConfig(t, eventfold.Config{Store: m})
		mustExec(t, db, `INSERT INTO s (type) VALUES ('A')`)
		return db, m
	}
	ended := func(rows *sql.Rows) chan error {
		nextRows(t, rows, 1)
		end := make(chan error, 1)
		go func() { end <- endOf(rows) }() // ends with what the test does
		return end
	}
	db, m := open()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	rows, err := db.QueryContext(ctx, text)
	require.NoError(t, err)
	end := ended(rows)
	cancel()
	assert.ErrorIs(t, <-end, context.Canceled)
	end = ended(follow(t, db, text))
	require.NoError(t, m.Close())
	assert.ErrorIs(t, <-end, eventfold.ErrClosed)

	db, _ = open()
	tx := begin(t, db, nil)
	_, err = tx.Query(text)
	assert.ErrorContains(t, err, "FOLLOW cannot be used in a transaction")
	_, err = db.Exec(text)
	assert.ErrorContains(t, err, "FOLLOW gives rows without end: use Query")
}

// What is held for groups counts as the memory of the query does.
func TestFollowedGroupsCountAsMemory(t *testing.T) {
	db := openDB(t, ":memory:?query_memory=1MiB")
	rows := follow(t, db, `SELECT position, COUNT(*) FROM $all GROUP BY position FOLLOW`)
	var err error
	for i := 0; err == nil && i < 100; i++ {
		tx := begin(t, db, nil)
		for range 500 {
			mustExec(t, tx, `INSERT INTO s (type) VALUES ('A')`)
		}
		require.NoError(t, tx.Commit())
		for range 500 {
			if !rows.Next() {
				err = rows.Err()
				break
			}
		}
	}
	var memory *eventfold.MemoryError
	require.True(t, errors.As(err, &memory), "%v", err)
	assert.EqualValues(t, 1<<20, memory.Limit)
}

// A key that a collation takes for another is told as it looks, also when the event that it was of
// is no longer in the group.
func TestAKeyThatLooksOtherwiseAfterAnErasureIsToldAnew(t *testing.T) {
	db := openErasable(t, eventfold.Config{})
	mustExec(t, db, `INSERT INTO c (type, payload) `+
		`VALUES ('K', '{"k": "Ada"}'), ('K', '{"k": "ADA"}'), ('K', '{"k": "bob"}')`)
	rows := follow(t, db, `SELECT (payload->>'$.k') COLLATE NOCASE AS k, COUNT(*), change FROM c GROUP BY k FOLLOW`)
	assert.Equal(t, []string{"Ada 2 insert", "bob 1 insert"}, nextRows(t, rows, 2))
	mustExec(t, db, `ERASE FROM c WHERE version = 0 REASON 'x'`)
	assert.Equal(t, []string{"Ada NULL delete", "ADA 1 insert", "NULL 1 insert"}, sortedRows(nextRows(t, rows, 3)))
	tx := begin(t, db, nil)
	mustExec(t, tx, `ERASE FROM c WHERE version = 2 REASON 'x'`)
	mustExec(t, tx, `INSERT INTO c (type, payload) VALUES ('K', '{"k": "BOB"}')`)
	require.NoError(t, tx.Commit())
	assert.Equal(t, []string{"bob NULL delete", "BOB 1 insert", "NULL 2 update"}, sortedRows(nextRows(t, rows, 3)))
}

// sortedRows puts those of delete before those of insert and these before those of update.
func sortedRows(list []string) []string {
	slices.SortFunc(list, func(a, b string) int {
		return strings.Compare(a[strings.LastIndex(a, " "):], b[strings.LastIndex(b, " "):])
	})
	if strings.HasPrefix(list[1], "NULL") {
		list[1], list[2] = list[2], list[1]
	}
	return list
}

// What was opened with a key is computed again when the key is destroyed.
func TestWhoIsForgottenIsTakenOutOfFollowedGroups(t *testing.T) {
	s := openShredded(t)
	put := func(subject, email string) {
		sealed := seal(t, s.ring, "order", "Placed", "$.email", subject, email)
		mustExec(t, s.db, `INSERT INTO "order" (type, payload) VALUES ('Placed', ?)`, `{"email": `+sealed+`}`)
	}
	put("ada", "ada@example.com")
	put("bob", "bob@example.com")
	rows := follow(t, s.db, `SELECT stream, COUNT(reveal(payload->'$.email')), GROUP_CONCAT(reveal(payload->'$.email')) `+
		`FROM "order" GROUP BY stream FOLLOW`)
	assert.Equal(t, []string{"order 2 ada@example.com,bob@example.com"}, nextRows(t, rows, 1))
	mustExec(t, s.db, `FORGET SUBJECT 'ada' REASON 'x'`)
	assert.Equal(t, []string{"order 1 bob@example.com"}, nextRows(t, rows, 1))
	after := follow(t, s.db, `SELECT stream, COUNT(reveal(payload->'$.email')) AS n, change FROM "order" GROUP BY stream `+
		`FOLLOW AFTER 1`)
	assert.Equal(t, []string{"order 1 update"}, nextRows(t, after, 1), "also for who goes on")
}

// A scannedStore notes what is read of the log.
type scannedStore struct {
	*enginetest.Model
	mu   *sync.Mutex // protects what follows
	what *[]engine.Filter
}

func (s scannedStore) ReadIndex() engine.ReadIndex { return scannedIndex{s.Model.ReadIndex(), s} }

type scannedIndex struct {
	engine.ReadIndex
	store scannedStore
}

func (i scannedIndex) At(h engine.Position) engine.ReadIndex {
	return scannedIndex{i.ReadIndex.At(h), i.store}
}

func (i scannedIndex) Scan(ctx context.Context, what engine.Filter, columns engine.ColumnSet) engine.BatchCursor {
	i.store.mu.Lock()
	*i.store.what = append(*i.store.what, what)
	i.store.mu.Unlock()
	return i.ReadIndex.Scan(ctx, what, columns)
}

// An erasure costs a scan of the streams that it is of, if they are in the key, and none at all if
// no group is made of what was erased.
func TestAnErasureReadsNoMoreThanItMust(t *testing.T) {
	store := scannedStore{enginetest.NewModel(), &sync.Mutex{}, &[]engine.Filter{}}
	db := openConfig(t, eventfold.Config{Store: store})
	for i := range 9 {
		mustExec(t, db, `INSERT INTO ? (type, payload) VALUES ('A', '{"n": 1}')`, fmt.Sprintf("s%d", i%3))
	}
	read := func() (list []engine.Filter) {
		store.mu.Lock()
		defer store.mu.Unlock()
		list, *store.what = *store.what, nil
		return slices.DeleteFunc(list, func(f engine.Filter) bool {
			return slices.Equal(f.Streams, []string{engine.ErasuresStream})
		})
	}
	sums := follow(t, db, `SELECT stream, SUM(payload->>'$.n') FROM $all WHERE stream <> '$erasures' `+
		`GROUP BY stream FOLLOW`)
	nextRows(t, sums, 3)
	counts := follow(t, db, `SELECT stream, COUNT(*) FROM $all GROUP BY stream FOLLOW`)
	nextRows(t, counts, 3)
	mustExec(t, db, `ERASE FROM s1 WHERE version > 0 REASON 'x'`)
	read()
	nextRows(t, sums, 1)
	assert.Equal(t, []engine.Filter{{From: 4, To: 0}, {Streams: []string{"s1"}}, {From: 9}}, read(),
		"what was erased, the stream that it is of, and what is new")
	nextRows(t, counts, 1)
	assert.Equal(t, []engine.Filter{{From: 9}}, read(), "nothing but what is new")
}

// Followers beside several clients that append and erase come to what is there in the end.
func TestFollowersOfGroupsKeepUpWithClients(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "store")+"?sync=interval")
	const clients, events = 4, 150
	q := &liveQuery{keys: 2, list: `stream, type, COUNT(*), SUM(payload->>'$.n'), GROUP_CONCAT(payload->>'$.n')`,
		from: ` FROM $all WHERE stream <> '$erasures'`, groups: ` GROUP BY stream, type`, change: true}
	l := &liveLog{t: t, ctx: t.Context(), db: db, plain: db}
	var running sync.WaitGroup
	for c := range clients {
		running.Go(func() {
			for i := range events {
				_, err := db.Exec(`INSERT INTO ? (type, payload) VALUES (?, ?)`, fmt.Sprintf("s%d", c%2),
					[]string{"A", "B"}[i%2], fmt.Sprintf(`{"n": %d}`, i))
				assert.NoError(t, err)
				if i%50 == 49 {
					_, err := db.Exec(`ERASE FROM $all WHERE position % 7 = ? AND stream LIKE 's%' REASON 'x'`, c)
					assert.NoError(t, err)
				}
			}
		})
	}
	followers := []*liveFollower{l.follow(q, nil), l.follow(q, nil)}
	for i, f := range followers {
		running.Go(func() { // ends with the clients
			for f.asOf < clients*events-1 {
				assert.NoError(t, f.read(f.asOf+1))
				if i == 1 {
					time.Sleep(time.Millisecond) // it is slow
				}
			}
		})
	}
	running.Wait()
	for _, f := range followers {
		require.NoError(t, f.read(l.head()-1))
		assert.NoError(t, f.check(db))
		require.NoError(t, f.told.Close())
	}
}

// Percentiles of one argument hold its values once, also where they are followed.
func TestAggregatesThatHoldTheSameValuesAreFollowedEachByItself(t *testing.T) {
	db := openDB(t, ":memory:")
	const insert = `INSERT INTO s (type, payload) VALUES ('A', '{"n": 1}'), ('A', '{"n": 2}'), ('A', '{"n": 30}')`
	mustExec(t, db, insert)
	const n = `payload->>'$.n'`
	rows := follow(t, db, `SELECT MEDIAN(`+n+`), QUANTILE_DISC(`+n+`, 1), MODE(`+n+`) FROM $all FOLLOW`)
	assert.Equal(t, []string{"2 30 1"}, nextRows(t, rows, 1))
	mustExec(t, db, `INSERT INTO s (type, payload) VALUES ('A', '{"n": 40}'), ('A', '{"n": 40}')`)
	assert.Equal(t, []string{"30 40 40"}, nextRows(t, rows, 1))
}
