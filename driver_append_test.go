package eventfold_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
)

// placed is where an INSERT ... RETURNING says that an event is.
type placed struct{ position, version int64 }

func appendOne(t testing.TB, db *sql.DB, text string, args ...any) (p placed) {
	t.Helper()
	require.NoError(t, db.QueryRow(text+` RETURNING position, version`, args...).Scan(&p.position, &p.version), text)
	return p
}

func TestAppendsAreNumberedFromZero(t *testing.T) {
	db := openDB(t, t.TempDir())
	for i := range int64(3) {
		assert.Equal(t, placed{i, i},
			appendOne(t, db, `INSERT INTO "account-1" (type, payload) VALUES (?, ?)`, "Deposited", `{}`))
	}
	assert.Equal(t, placed{3, 0}, appendOne(t, db, `INSERT INTO "account-2" (type) VALUES ('Opened')`))

	result := mustExec(t, db, `INSERT INTO "account-1" (type) VALUES ('A'), ('B')`)
	position, err := result.LastInsertId()
	require.NoError(t, err)
	assert.Equal(t, int64(5), position, "of the last event")
	affected, err := result.RowsAffected()
	require.NoError(t, err)
	assert.Equal(t, int64(2), affected)
}

// TestConcurrentAppends holds that positions are unique and without gaps whoever appends, and that
// the versions of each stream are too.
func TestConcurrentAppends(t *testing.T) {
	for _, writers := range []int{10, 100} {
		t.Run(fmt.Sprintf("writers=%d", writers), func(t *testing.T) {
			db := openDB(t, t.TempDir())
			const each = 5
			positions := make([][]int64, writers)
			var group sync.WaitGroup
			for w := range writers {
				group.Go(func() {
					for range each {
						result, err := db.Exec(`INSERT INTO ? (type, payload) VALUES (?, ?)`, fmt.Sprintf("s-%d", w%7),
							"Added", `{}`)
						if !assert.NoError(t, err) {
							return
						}
						position, err := result.LastInsertId()
						assert.NoError(t, err)
						positions[w] = append(positions[w], position)
					}
				})
			}
			group.Wait()
			for w, own := range positions {
				assert.True(t, slices.IsSorted(own), "writer %d sees its appends in order", w)
			}
			all := slices.Concat(positions...)
			slices.Sort(all)
			want := make([]int64, writers*each)
			for i := range want {
				want[i] = int64(i)
			}
			assert.Equal(t, want, all)
			assert.Equal(t, want, column[int64](t, db, `SELECT position FROM $all`))
			for s := range 7 {
				versions := column[int64](t, db, fmt.Sprintf(`SELECT version FROM "s-%d"`, s))
				assert.Equal(t, want[:len(versions)], versions)
			}
		})
	}
}

func TestExpecting(t *testing.T) {
	db := openDB(t, ":memory:")
	tests := []struct {
		expecting string
		ok        bool
		actual    eventfold.Version
	}{ // in order: each sees the stream that the last one left
		{"STREAM EXISTS", false, eventfold.NoVersion},
		{"VERSION 0", false, eventfold.NoVersion},
		{"NO STREAM", true, 0},
		{"NO STREAM", false, 0},
		{"VERSION 0", true, 0},
		{"VERSION 5", false, 1},
		{"VERSION 0", false, 1},
		{"STREAM EXISTS", true, 0},
		{"ANY", true, 0},
		{"VERSION 3", true, 0},
	}
	events := 0
	for _, tt := range tests {
		_, err := db.Exec(`INSERT INTO "account-1" (type) VALUES ('Added') EXPECTING ` + tt.expecting)
		if tt.ok {
			require.NoError(t, err, tt.expecting)
			events++
			continue
		}
		require.ErrorIs(t, err, eventfold.ErrVersionConflict, tt.expecting)
		assert.NotErrorIs(t, err, eventfold.ErrConditionFailed, tt.expecting)
		var conflict *eventfold.ConflictError
		require.ErrorAs(t, err, &conflict)
		require.Len(t, conflict.Checks, 1)
		assert.Equal(t, "account-1", conflict.Checks[0].Stream)
		assert.Equal(t, tt.actual, conflict.Checks[0].Actual, tt.expecting)
		assert.Equal(t, strings.ToLower(tt.expecting), conflict.Checks[0].Expected.String())
		var full *eventfold.Error
		require.ErrorAs(t, err, &full)
		assert.Equal(t, "account-1", full.Stream)
		assert.Equal(t, "40001", full.SQLState())
		assert.Equal(t, tt.expecting != "NO STREAM", full.Retryable(), tt.expecting)
	}
	assert.Equal(t, events, one[int](t, db, `SELECT COUNT(*) FROM $all`), "nothing was written by those that failed")

	mustExec(t, db, `INSERT INTO "account-1" (type) VALUES ('Added') EXPECTING VERSION ?`, events-1)
	_, err := db.Exec(`INSERT INTO "account-2" (type) VALUES ('Added') EXPECTING NO EVENT FROM "account-1" WHERE ` +
		`type = 'Added'`)
	assert.ErrorIs(t, err, eventfold.ErrConditionFailed)
	assert.NotErrorIs(t, err, eventfold.ErrVersionConflict)
	_, err = db.Exec(`INSERT INTO "account-2" (type) VALUES ('Added') EXPECTING STREAM EXISTS, NO EVENT FROM ` +
		`"account-1" WHERE type = 'Added'`)
	assert.ErrorIs(t, err, eventfold.ErrConditionFailed, "both have failed")
	assert.ErrorIs(t, err, eventfold.ErrVersionConflict, "both have failed")
}

func TestReadByStreamAndGlobally(t *testing.T) {
	db := openDB(t, ":memory:")
	for i := range 6 {
		mustExec(t, db, `INSERT INTO ? (type, payload) VALUES (?, ?)`, []string{"a", "b"}[i%2], "Added",
			fmt.Sprintf(`{"n":%d}`, i))
	}
	assert.Equal(t, []string{`{"n":0}`, `{"n":2}`, `{"n":4}`}, column[string](t, db, `SELECT payload FROM a`))
	assert.Equal(t, []int64{0, 1, 2}, column[int64](t, db, `SELECT version FROM b`))
	assert.Equal(t, []int64{1, 3, 5}, column[int64](t, db, `SELECT position FROM b`))
	assert.Equal(t, []string{"a", "b", "a", "b", "a", "b"}, column[string](t, db, `SELECT stream FROM $all`))
	assert.Empty(t, column[string](t, db, `SELECT payload FROM "no such stream"`))
}

func TestEventsSurviveReopen(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	var want []eventfold.Event
	for i := range 5 {
		mustExec(t, db, `INSERT INTO "account-1" (type, payload, metadata, tags) VALUES (?, ?, ?, ?)`,
			"Added", fmt.Sprintf(`{"n":%d}`, i), `{"by":"me"}`, []string{"b", "a"})
	}
	want = column[eventfold.Event](t, db, `SELECT event FROM $all`)
	require.NoError(t, db.Close())

	db = openDB(t, dir)
	got := column[eventfold.Event](t, db, `SELECT event FROM "account-1"`)
	assert.Equal(t, want, got)
	require.Len(t, got, 5)
	assert.Equal(t, `{"n":4}`, string(got[4].Payload))
	assert.Equal(t, `{"by":"me"}`, string(got[4].Metadata))
	assert.Equal(t, []string{"a", "b"}, got[4].Tags)
	assert.Equal(t, time.UTC, got[4].RecordedAt.Location())
	assert.Equal(t, placed{5, 5}, appendOne(t, db, `INSERT INTO "account-1" (type) VALUES ('A')`))
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	mustExec(t, db, `INSERT INTO a (type) VALUES ('A')`)
	s, release := store(t, db)
	release()
	require.NoError(t, db.Close())
	requireNoLeaks(t)
	requireUnlocked(t, dir)
	_, err := s.Append(context.Background(), engine.Append{Stream: "a", Events: []engine.NewEvent{{Type: "A"}}})
	assert.ErrorIs(t, err, engine.ErrClosed)
}

// TestFullQueue holds that an append waits while the store's queue is full, and no longer than its
// context. Nothing of one that stopped waiting is ever written.
func TestFullQueue(t *testing.T) {
	disk := &slowFS{FS: vfs.OS(), syncing: make(chan struct{}, 8)}
	s, err := filestore.Open(t.TempDir(), filestore.Options{FS: disk, QueueLength: 1})
	require.NoError(t, err)
	defer s.Close()
	db := eventfold.OpenDB(eventfold.Config{Store: s})
	defer db.Close()
	mustExec(t, db, `INSERT INTO a (type) VALUES ('First')`)

	release := disk.hold()
	done := make(chan error, 2)
	insert := func(kind string) { // each ends when the disk is released
		_, err := db.Exec(`INSERT INTO a (type) VALUES (?)`, kind)
		done <- err
	}
	go insert("Claimed")
	<-disk.syncing // the writer has it
	go insert("Queued")
	require.Eventually(t, func() bool { return s.Stats().QueueLength == 1 }, time.Minute, time.Millisecond)

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = db.ExecContext(ctx, `INSERT INTO a (type) VALUES ('Refused')`)
	assert.Equal(t, context.DeadlineExceeded, err)
	release()
	assert.NoError(t, <-done)
	assert.NoError(t, <-done)
	assert.Equal(t, []string{"First", "Claimed", "Queued"}, column[string](t, db, `SELECT type FROM a`))
}

// A slowFS is a disk whose syncs wait while it is held.
type slowFS struct {
	vfs.FS
	syncing chan struct{} // gets a value when a sync begins to wait
	held    atomic.Pointer[chan struct{}]
}

// hold makes syncs wait until the function it returns is called.
func (f *slowFS) hold() (release func()) {
	wait := make(chan struct{})
	f.held.Store(&wait)
	return func() {
		f.held.Store(nil)
		close(wait)
	}
}

func (f *slowFS) Open(name string, flag int) (vfs.File, error) {
	file, err := f.FS.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return &slowFile{file, f}, nil
}

type slowFile struct {
	vfs.File
	fs *slowFS
}

func (f *slowFile) Fdatasync() error {
	if wait := f.fs.held.Load(); wait != nil {
		f.fs.syncing <- struct{}{}
		<-*wait
	}
	return f.File.Fdatasync()
}

// A blockedStore holds appends back as a full queue does.
type blockedStore struct {
	engine.Store
	entered chan struct{}
	admit   chan struct{}
}

func (s *blockedStore) Append(ctx context.Context, batch ...engine.Append) (engine.Appended, error) {
	s.entered <- struct{}{}
	select {
	case <-s.admit:
		return s.Store.Append(ctx, batch...)
	case <-ctx.Done():
		return engine.Appended{}, ctx.Err()
	}
}

func openEngine(t testing.TB) engine.Store {
	t.Helper()
	s, err := filestore.Open("store", filestore.Options{FS: vfs.NewMem()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func TestTooLarge(t *testing.T) {
	db := openDB(t, ":memory:?max_event_size=64KiB")
	_, err := db.Exec(`INSERT INTO a (type, payload) VALUES ('A', ?)`, make([]byte, 70_000))
	require.ErrorIs(t, err, eventfold.ErrTooLarge)
	var tooLarge *eventfold.TooLargeError
	require.ErrorAs(t, err, &tooLarge)
	assert.Equal(t, int64(64<<10), tooLarge.Limit)
	assert.Equal(t, placed{0, 0}, appendOne(t, db, `INSERT INTO a (type) VALUES ('A')`), "the next append works")
}

func TestIdempotency(t *testing.T) {
	db := openDB(t, ":memory:")
	id, other := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	insert := `INSERT INTO a (id, type, payload) VALUES (?, 'A', '1')`
	mustExec(t, db, `INSERT INTO z (type) VALUES ('Z')`)
	mustExec(t, db, insert, id)
	mustExec(t, db, `INSERT INTO z (type) VALUES ('Z')`)

	again := mustExec(t, db, insert+` EXPECTING NO STREAM`, [16]byte(id))
	affected, err := again.RowsAffected()
	require.NoError(t, err)
	assert.Zero(t, affected)
	position, err := again.LastInsertId()
	require.NoError(t, err)
	assert.Equal(t, int64(1), position, "of the original")
	var duplicate bool
	require.NoError(t, db.QueryRow(insert+` RETURNING duplicate`, id.String()).Scan(&duplicate))
	assert.True(t, duplicate)

	_, err = db.Exec(`INSERT INTO a (id, type, payload) VALUES (?, 'A', '2')`, id)
	require.ErrorIs(t, err, eventfold.ErrDuplicateEvent)
	var facts *eventfold.DuplicateEventError
	require.ErrorAs(t, err, &facts)
	assert.Equal(t, eventfold.DuplicateEventError{ID: id, Kind: engine.DifferentContent, Stream: "a", Position: 1},
		*facts)
	_, err = db.Exec(`INSERT INTO a (id, type) VALUES (?, 'A'), (?, 'A')`, other, other)
	assert.ErrorIs(t, err, eventfold.ErrDuplicateEvent)
	assert.Equal(t, 3, one[int](t, db, `SELECT COUNT(*) FROM $all`))
}

// TestReturningIsCommittedBeforeTheFirstRow holds that nobody has to call Next for the append to
// happen, and that Exec takes it as well.
func TestReturningIsCommittedBeforeTheFirstRow(t *testing.T) {
	db := openDB(t, ":memory:")
	rows, err := db.Query(`INSERT INTO a (type) VALUES ('A') RETURNING position`)
	require.NoError(t, err)
	assert.Equal(t, 1, one[int](t, db, `SELECT COUNT(*) FROM a`))
	require.NoError(t, rows.Close())
	result := mustExec(t, db, `INSERT INTO a (type) VALUES ('A') RETURNING position`)
	affected, err := result.RowsAffected()
	require.NoError(t, err)
	assert.Equal(t, int64(1), affected)
	rows, err = db.Query(`INSERT INTO a (type) VALUES ('A')`)
	require.NoError(t, err)
	assert.False(t, rows.Next(), "without RETURNING there are no rows, and the event is there all the same")
	require.NoError(t, rows.Close())
	assert.Equal(t, 3, one[int](t, db, `SELECT COUNT(*) FROM a`))
}

// TestMixedUse lets readers, writers, transactions and followers of one database run beside each
// other; -race is the point.
func TestMixedUse(t *testing.T) {
	db := openDB(t, t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const writers, each = 8, 40
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			insert, err := db.Prepare(`INSERT INTO ? (type, payload) VALUES (?, ?)`)
			if !assert.NoError(t, err) {
				return
			}
			defer insert.Close()
			for i := range each {
				_, err := insert.Exec(fmt.Sprintf("s-%d", (w+i)%5), "Added", eventfold.JSON(map[string]int{"n": i}))
				assert.NoError(t, err)
			}
		})
	}
	writing.Go(func() {
		for range each {
			tx, err := db.Begin()
			if !assert.NoError(t, err) {
				return
			}
			mustExec(t, tx, `INSERT INTO "tx-1" (type) VALUES ('A')`)
			mustExec(t, tx, `INSERT INTO "tx-2" (type) VALUES ('B')`)
			assert.NoError(t, tx.Commit())
		}
	})
	for range 4 {
		reading.Go(func() {
			for ctx.Err() == nil {
				var events, last int64
				if !assert.NoError(t,
					db.QueryRow(`SELECT COUNT(*), COALESCE(MAX(position), -1) FROM $all`).Scan(&events, &last)) {
					return
				}
				assert.Equal(t, events, last+1, "a query sees one head")
				var a, b int64
				assert.NoError(t,
					db.QueryRow(`SELECT COUNT(*) FILTER (WHERE stream = 'tx-1'), COUNT(*) FILTER (WHERE stream = `+
						`'tx-2') FROM $all`).Scan(&a, &b))
				assert.Equal(t, a, b, "a transaction is there entirely or not at all")
			}
		})
	}
	const total = writers*each + 2*each
	followed := make(chan int64, 1)
	reading.Go(func() { // nothing missed, nothing twice
		rows, err := db.Query(`SELECT position FROM $all LIMIT ? FOLLOW`, total)
		if !assert.NoError(t, err) {
			followed <- -1
			return
		}
		defer rows.Close()
		var next, position int64
		for rows.Next() {
			assert.NoError(t, rows.Scan(&position))
			assert.Equal(t, next, position)
			next++
		}
		assert.NoError(t, rows.Err())
		followed <- next
	})
	writing.Wait()
	assert.Equal(t, int64(total), <-followed)
	cancel()
	reading.Wait()
}
