package docs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/shred"
)

// The Go code of guide.md stands in this file, where it is compiled and run.
// TestTheGoCodeOfTheGuideIsCompiled compares the two.

func Example_guideFirstEvent() {
	dir, err := os.MkdirTemp("", "library")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	db, err := sql.Open("eventfold", filepath.Join(dir, "events"))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	_, err = db.Exec(`INSERT INTO "copy-12" (type, payload) VALUES (?, ?)`,
		"Acquired", `{"title": "Dracula", "shelf": "B4"}`)
	if err != nil {
		log.Fatal(err)
	}

	var title string
	err = db.QueryRow(`SELECT payload->>'$.title' FROM "copy-12"`).Scan(&title)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(title)
	// Output: Dracula
}

// library opens a store in memory with a book and a member in it.
func library() *sql.DB {
	db, err := sql.Open("eventfold", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	_, err = db.Exec(`INSERT INTO $all (stream, type, payload, tags) VALUES
		('copy-12', 'Acquired', '{"title": "Dracula", "shelf": "B4"}', '["copy:12"]'),
		('copy-13', 'Acquired', '{"title": "Emma", "shelf": "A1"}', '["copy:13"]'),
		('member-7', 'Joined', '{"name": "Ada"}', '["member:7"]')`)
	if err != nil {
		log.Fatal(err)
	}
	return db
}

// A copyState is what there is to know of a copy before something is done with it.
type copyState struct {
	version eventfold.Version // of the last event that it was made of
	shelf   string
	lentTo  string // "" if the copy is here
}

// apply is what an event means to a copy.
func (c *copyState) apply(e eventfold.Event) error {
	var payload struct{ Shelf, Member string }
	if e.Payload != nil {
		if err := json.Unmarshal(e.Payload, &payload); err != nil {
			return err
		}
	}
	switch e.Type {
	case "Acquired", "Moved":
		c.shelf = payload.Shelf
	case "Lent":
		c.lentTo = payload.Member
	case "Returned":
		c.lentTo = ""
	}
	c.version = e.Version
	return nil
}

// loadCopy makes the state of a copy of its events.
func loadCopy(ctx context.Context, db *sql.DB, stream string) (*copyState, error) {
	rows, err := db.QueryContext(ctx, `SELECT event FROM $all WHERE stream = ? ORDER BY version`, stream)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	state := &copyState{version: eventfold.NoVersion}
	for rows.Next() {
		var e eventfold.Event
		if err := rows.Scan(&e); err != nil {
			return nil, err
		}
		if err := state.apply(e); err != nil {
			return nil, err
		}
	}
	return state, rows.Err()
}

var errLent = errors.New("the copy is lent")

// moveCopy puts a copy that is here on another shelf.
func moveCopy(ctx context.Context, db *sql.DB, stream, shelf string) error {
	state, err := loadCopy(ctx, db, stream)
	if err != nil {
		return err
	}
	if state.lentTo != "" {
		return errLent
	}
	_, err = db.ExecContext(ctx, `INSERT INTO $all (stream, type, payload) VALUES (?, 'Moved', ?) EXPECTING VERSION ?`,
		stream, eventfold.JSON(map[string]string{"shelf": shelf}), state.version)
	return err
}

// retry decides again as long as that may help: when what was read is no longer so, and when nobody
// knows whether the append is durable.
func retry(ctx context.Context, decide func() error) error {
	for {
		err := decide()
		var e *eventfold.Error
		if !errors.As(err, &e) || !e.Retryable() {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func Example_guideRetry() {
	ctx := context.Background()
	db := library()
	defer db.Close()

	err := retry(ctx, func() error { return moveCopy(ctx, db, "copy-12", "C2") })
	if err != nil {
		log.Fatal(err)
	}
	state, err := loadCopy(ctx, db, "copy-12")
	fmt.Println(state.shelf, state.version, err)
	// Output: C2 1 <nil>
}

// A conflict tells what was expected and what there was.
func Example_guideConflict() {
	db := library()
	defer db.Close()

	_, err := db.Exec(`INSERT INTO "copy-12" (type) VALUES ('Lost') EXPECTING VERSION 7`)
	var conflict *eventfold.ConflictError
	if errors.As(err, &conflict) {
		check := conflict.Checks[0]
		fmt.Println(check.Stream, "is at version", check.Actual)
	}
	// Output: copy-12 is at version 0
}

const maxLoans = 3 // of one member

var errTooMany = errors.New("the member has three books already")

// lend decides over two streams: the copy must be here, and the member must have less than three.
func lend(ctx context.Context, db *sql.DB, copyNumber, member string) error {
	id := uuid.New() // made once: a second attempt is then the same event
	copyTag, memberTag := "copy:"+copyNumber, "member:"+member
	return retry(ctx, func() error {
		var last *int64
		var out, loans int
		err := db.QueryRowContext(ctx, `
			SELECT MAX(position),
			       COUNT_IF(type = 'Lent' AND HAS(tags, $1)) - COUNT_IF(type = 'Returned' AND HAS(tags, $1)),
			       COUNT_IF(type = 'Lent' AND HAS(tags, $2)) - COUNT_IF(type = 'Returned' AND HAS(tags, $2))
			FROM $all WHERE HAS(tags, $1) OR HAS(tags, $2)`, copyTag, memberTag).Scan(&last, &out, &loans)
		switch {
		case err != nil:
			return err
		case out > 0:
			return errLent
		case loans >= maxLoans:
			return errTooMany
		}
		_, err = db.ExecContext(ctx, `
			INSERT INTO $all (stream, id, type, payload, tags) VALUES ($1, $2, 'Lent', $3, $4)
			EXPECTING NO EVENT FROM $all WHERE HAS(tags, $5) OR HAS(tags, $6) AFTER $7`,
			"copy-"+copyNumber, id, eventfold.JSON(map[string]string{"member": member}),
			[]string{copyTag, memberTag}, copyTag, memberTag, last)
		return err
	})
}

func Example_guideDecision() {
	ctx := context.Background()
	db := library()
	defer db.Close()

	fmt.Println(lend(ctx, db, "12", "7"))
	fmt.Println(lend(ctx, db, "12", "8"))
	// Output:
	// <nil>
	// the copy is lent
}

// giveBack appends to two streams, both or none.
func giveBack(ctx context.Context, db *sql.DB, copyNumber, member string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	tags := []string{"copy:" + copyNumber, "member:" + member}
	if _, err := tx.ExecContext(ctx, `INSERT INTO $all (stream, type, tags) VALUES (?, 'Returned', ?)`,
		"copy-"+copyNumber, tags); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO $all (stream, type) VALUES (?, 'CardStamped')`,
		"member-"+member); err != nil {
		return err
	}
	return tx.Commit()
}

func Example_guideTransaction() {
	ctx := context.Background()
	db := library()
	defer db.Close()

	fmt.Println(lend(ctx, db, "12", "7"), giveBack(ctx, db, "12", "7"), lend(ctx, db, "12", "8"))
	// Output: <nil> <nil> <nil>
}

// A shelfList is a read model: which copies stand on which shelf. It and the checkpoint are kept
// together, so that every event counts exactly once.
type shelfList struct {
	Next    int64             // the next position to read: the checkpoint
	Shelves map[string]string // by copy
}

// follow brings the list up to date, and keeps it so until ctx ends.
func (s *shelfList) follow(ctx context.Context, db *sql.DB, saved func()) error {
	rows, err := db.QueryContext(ctx, `SELECT position, stream, payload->>'$.shelf' FROM $all
		WHERE position >= ? AND type IN ('Acquired', 'Moved') FOLLOW`, s.Next)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var position int64
		var stream, shelf string
		if err := rows.Scan(&position, &stream, &shelf); err != nil {
			return err
		}
		s.Shelves[stream], s.Next = shelf, position+1
		saved() // where a program writes both, in one transaction
	}
	return rows.Err()
}

func Example_guideFollow() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	db := library()
	defer db.Close()

	list := &shelfList{Shelves: map[string]string{}}
	err := list.follow(ctx, db, func() {
		switch list.Next {
		case 2: // both copies are there
			if err := moveCopy(ctx, db, "copy-13", "D9"); err != nil {
				log.Fatal(err)
			}
		case 4: // and the one that moved
			cancel()
		}
	})
	fmt.Println(list.Shelves["copy-12"], list.Shelves["copy-13"], errors.Is(err, context.Canceled))
	// Output: B4 D9 true
}

// copiesByTitle is told how many copies of a title there are, now and whenever that changes.
func copiesByTitle(ctx context.Context, db *sql.DB, changed func(title string, copies int)) error {
	rows, err := db.QueryContext(ctx, `SELECT payload->>'$.title' AS title, COUNT(*) FROM $all
		WHERE type = 'Acquired' GROUP BY title FOLLOW`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var title string
		var copies int
		if err := rows.Scan(&title, &copies); err != nil {
			return err
		}
		changed(title, copies)
	}
	return rows.Err()
}

func Example_guideLiveQuery() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	db := library()
	defer db.Close()

	copiesByTitle(ctx, db, func(title string, copies int) {
		fmt.Println(title, copies)
		switch {
		case title == "Emma": // the last of those that there are
			if _, err := db.Exec(`INSERT INTO "copy-14" (type, payload) VALUES ('Acquired', ?)`,
				eventfold.JSON(map[string]string{"title": "Dracula"})); err != nil {
				log.Fatal(err)
			}
		case copies == 2:
			cancel()
		}
	})
	// Output:
	// Dracula 1
	// Emma 1
	// Dracula 2
}

func TestACopyThatIsLentIsNotMoved(t *testing.T) {
	ctx := t.Context()
	db, err := sql.Open("eventfold", ":memory:") // a store of its own for each test
	require.NoError(t, err)
	defer db.Close()

	// given
	_, err = db.Exec(`INSERT INTO "copy-12" (type, payload) VALUES
		('Acquired', '{"title": "Dracula", "shelf": "B4"}'), ('Lent', '{"member": "7"}')`)
	require.NoError(t, err)
	// when
	err = moveCopy(ctx, db, "copy-12", "C2")
	// then
	assert.ErrorIs(t, err, errLent)
	var events int
	require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM "copy-12" WHERE version > 1`).Scan(&events))
	assert.Zero(t, events)
}

func TestALoanOfAMonthAgoIsOverdue(t *testing.T) {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	db := eventfold.OpenDB(eventfold.Config{Mode: eventfold.Memory, Now: func() time.Time { return now }})
	defer db.Close()

	_, err := db.Exec(`INSERT INTO "copy-12" (type) VALUES ('Lent')`)
	require.NoError(t, err)
	now = now.AddDate(0, 1, 0)
	var days float64
	require.NoError(t, db.QueryRow(`SELECT (now() - recorded_at) / 86400 FROM "copy-12"`).Scan(&days))
	assert.Equal(t, 31.0, days)
}

// openSealed opens a store whose statements can read what is sealed with the keys of dir. A program
// keeps store, keys and epochs on different disks, and never in one backup.
func openSealed(ctx context.Context, dir string) (*sql.DB, *shred.File, error) {
	epochs, err := shred.OpenEpochFiles(filepath.Join(dir, "epochs"), "")
	if err != nil {
		return nil, nil, err
	}
	keys, err := shred.OpenFile(ctx, shred.FileOptions{
		Dir: filepath.Join(dir, "keys"), Epochs: epochs, Create: true,
	})
	if err != nil {
		return nil, nil, err
	}
	db := eventfold.OpenDB(eventfold.Config{Path: filepath.Join(dir, "events"), Keyring: keys})
	return db, keys, nil
}

// A memberJoined has a name that is sealed with the key of its subject.
type memberJoined struct {
	Subject string `json:"subject"`
	Name    string `json:"name" pii:"Subject"`
}

// join seals what is personal before it is appended.
func join(ctx context.Context, db *sql.DB, keys shred.Keyring, member, name string) error {
	at := shred.Place{Stream: "member-" + member, Type: "Joined"}
	payload, err := shred.Marshal(ctx, keys, at, memberJoined{Subject: "member:" + member, Name: name})
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `INSERT INTO $all (stream, type, payload) VALUES (?, ?, ?) EXPECTING NO STREAM`,
		at.Stream, at.Type, payload)
	return err
}

func TestTheNameOfAMemberCanBeForgotten(t *testing.T) {
	ctx := t.Context()
	db, keys, err := openSealed(ctx, t.TempDir())
	require.NoError(t, err)
	defer keys.Close()
	defer db.Close()
	require.NoError(t, join(ctx, db, keys, "7", "Ada"))

	name := func() (name sql.NullString) {
		err := db.QueryRow(`SELECT reveal(payload->'$.name') FROM "member-7"`).Scan(&name)
		require.NoError(t, err)
		return name
	}
	assert.Equal(t, "Ada", name().String)
	_, err = db.Exec(`FORGET SUBJECT 'member:7' REASON 'has left, ticket 114'`)
	require.NoError(t, err)
	assert.False(t, name().Valid)
}

// backup copies the store as it is now, while appends go on, and looks whether the copy is whole.
func backup(ctx context.Context, db *sql.DB, dir string) error {
	if _, err := db.ExecContext(ctx, `BACKUP TO ?`, dir); err != nil {
		return err
	}
	copied, err := sql.Open("eventfold", dir+"?mode=ro")
	if err != nil {
		return err
	}
	_, err = copied.ExecContext(ctx, `VERIFY`)
	return errors.Join(err, copied.Close())
}

func TestABackupOfTheGuideIsAStore(t *testing.T) {
	db := library()
	defer db.Close()
	dir := filepath.Join(t.TempDir(), "nightly")
	require.NoError(t, backup(t.Context(), db, dir))
	_, err := db.Exec(`INSERT INTO "copy-14" (type) VALUES ('Acquired')`)
	require.NoError(t, err)
	require.NoError(t, backup(t.Context(), db, dir), "the second copies what is new")
	restored, err := sql.Open("eventfold", dir)
	require.NoError(t, err)
	defer restored.Close()
	var events int
	require.NoError(t, restored.QueryRow(`SELECT COUNT(*) FROM $all`).Scan(&events))
	assert.Equal(t, 4, events)
}
