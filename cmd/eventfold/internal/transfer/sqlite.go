package transfer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	_ "modernc.org/sqlite" // the database

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/cmd/eventfold/internal/wholefile"
	"github.com/eventfold/eventfold/engine"
)

// sqliteSchema is what a file of SQLite has. Payload and metadata are TEXT if they are text, which
// other programs can look into with its functions of JSON, and BLOB otherwise.
const sqliteSchema = `
CREATE TABLE events (
	position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL, id TEXT NOT NULL,
	type TEXT NOT NULL, payload ANY, metadata ANY NOT NULL, tags TEXT, recorded_at TEXT NOT NULL,
	redacted INTEGER NOT NULL
) STRICT;
CREATE TABLE eventfold_export (plan TEXT NOT NULL) STRICT;
`

// sqliteIndexes are made last, when all is there: ids come in any order, so that keeping an index of
// them meanwhile would touch a page somewhere for every event.
const sqliteIndexes = `
CREATE UNIQUE INDEX IF NOT EXISTS events_by_id ON events (id);
CREATE UNIQUE INDEX IF NOT EXISTS events_by_stream ON events (stream, version);
CREATE INDEX IF NOT EXISTS events_by_type ON events (type);
DROP TABLE eventfold_export;
`

const sqliteInsert = `INSERT INTO events
	(position, stream, version, id, type, payload, metadata, tags, recorded_at, redacted)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// A sqliteTarget is a file of SQLite that is filled. What is in it after a crash is what was
// committed, and so it needs no other checkpoint.
type sqliteTarget struct {
	path string
	db   *sql.DB
	tx   *sql.Tx // nil between two pieces
	put  *sql.Stmt
	next engine.Position
}

// openSQLiteFile opens a file, whatever characters its name has.
func openSQLiteFile(path, options string) (*sql.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(absolute), RawQuery: options}
	db, err := sql.Open("sqlite", u.String())
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

func openSQLite(path string, p Plan) (Target, error) {
	there, err := private(path + partSuffix)
	if err != nil {
		return nil, err
	}
	db, err := openSQLiteFile(path+partSuffix, "_pragma=synchronous(normal)")
	if err != nil {
		return nil, err
	}
	t := &sqliteTarget{path: path, db: db, next: p.From}
	if err := t.begin(p, there); err != nil {
		return nil, errors.Join(err, t.db.Close())
	}
	return t, nil
}

// begunSQLite returns the plan of an export that was begun, nil if there is none.
func begunSQLite(path string) (*Plan, error) {
	if _, err := os.Stat(path + partSuffix); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	db, err := openSQLiteFile(path+partSuffix, "")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	text, err := planSQLite(db)
	if err != nil {
		return nil, &StuckError{path, err}
	}
	if text == "" {
		return nil, nil
	}
	var p Plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return nil, &StuckError{path, err}
	}
	return &p, nil
}

// planSQLite returns the plan of an unfinished file, "" if it was killed before anything was in it,
// or after all was. Whatever else is wrong with it, such as that somebody else has locked it, is an
// error: what is there may be a whole night's work.
func planSQLite(db *sql.DB) (plan string, err error) {
	var tables int
	err = db.QueryRow("SELECT COUNT(*) FROM sqlite_master WHERE name = 'eventfold_export'").Scan(&tables)
	if err != nil || tables == 0 {
		return "", err
	}
	err = db.QueryRow("SELECT plan FROM eventfold_export").Scan(&plan)
	return plan, err
}

// private makes an empty file for its owner alone, unless something is there.
func private(path string) (there bool, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, f.Close()
}

// begin makes the tables, or looks how far an earlier export has come.
func (t *sqliteTarget) begin(p Plan, there bool) error {
	plan, err := json.Marshal(p)
	if err != nil {
		return err
	}
	before := ""
	if there {
		if before, err = planSQLite(t.db); err != nil {
			return &StuckError{t.path, err}
		}
	}
	if before != "" {
		if before != string(plan) {
			return otherPlan(t.path, before)
		}
		var last sql.NullInt64
		if err := t.db.QueryRow("SELECT MAX(position) FROM events").Scan(&last); err != nil {
			return err
		}
		if last.Valid {
			t.next = engine.Position(last.Int64) + 1
		}
		return nil
	}
	if there { // it was killed before anything was in it
		if err := t.db.Close(); err != nil {
			return err
		}
		if err := os.Remove(t.path + partSuffix); err != nil {
			return err
		}
		if _, err := private(t.path + partSuffix); err != nil {
			return err
		}
		if t.db, err = openSQLiteFile(t.path+partSuffix, "_pragma=synchronous(normal)"); err != nil {
			return err
		}
	}
	tx, err := t.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing after the commit
	if _, err := tx.Exec(sqliteSchema); err != nil {
		return err
	}
	if _, err := tx.Exec("INSERT INTO eventfold_export (plan) VALUES (?)", string(plan)); err != nil {
		return err
	}
	return tx.Commit()
}

func (t *sqliteTarget) Next() engine.Position { return t.next }

func (t *sqliteTarget) Write(e *eventfold.Event) error {
	if t.tx == nil {
		var err error
		if t.tx, err = t.db.Begin(); err != nil {
			return err
		}
		if t.put, err = t.tx.Prepare(sqliteInsert); err != nil {
			return err
		}
	}
	var tags any
	if len(e.Tags) > 0 {
		b, err := json.Marshal(e.Tags)
		if err != nil {
			return err
		}
		tags = string(b)
	}
	_, err := t.put.Exec(int64(e.Position), e.Stream, int64(e.Version), e.ID.String(), e.Type,
		sqliteValue(e.Payload), sqliteValue(e.Metadata), tags, e.RecordedAt.UTC().Format(timeFormat), e.Redacted)
	t.next = e.Position + 1
	return err
}

// sqliteValue returns text as TEXT and other bytes as BLOB.
func sqliteValue(b []byte) any {
	switch {
	case b == nil:
		return nil
	case utf8.Valid(b) && fitsCell(string(b)):
		return string(b)
	}
	return b
}

func (t *sqliteTarget) Checkpoint() error {
	if t.tx == nil {
		return nil
	}
	err := t.tx.Commit()
	t.tx = nil
	return err
}

func (t *sqliteTarget) Finish(func(int64)) error {
	if err := t.Checkpoint(); err != nil {
		return err
	}
	if _, err := t.db.Exec(sqliteIndexes); err != nil {
		return err
	}
	if err := t.db.Close(); err != nil {
		return err
	}
	if err := syncFile(t.path + partSuffix); err != nil {
		return err
	}
	return wholefile.Place(t.path+partSuffix, t.path)
}

func (t *sqliteTarget) Close() error {
	if t.tx != nil {
		_ = t.tx.Rollback()
	}
	return t.db.Close()
}

func readSQLite(path string) iter.Seq2[eventfold.Event, error] {
	return func(yield func(eventfold.Event, error) bool) {
		if _, err := os.Stat(path); err != nil {
			yield(eventfold.Event{}, err)
			return
		}
		db, err := openSQLiteFile(path, "mode=ro")
		if err != nil {
			yield(eventfold.Event{}, err)
			return
		}
		defer db.Close()
		rows, err := db.Query(`SELECT position, stream, version, id, type, payload, metadata, tags, recorded_at, redacted
			FROM events ORDER BY position`)
		if err != nil {
			yield(eventfold.Event{}, fmt.Errorf("%s is none that export has made: %w", path, err))
			return
		}
		defer rows.Close()
		for n := 1; rows.Next(); n++ {
			e, err := scanSQLite(rows)
			if err != nil {
				err = &InputError{Line: n, Err: err}
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(eventfold.Event{}, err)
		}
	}
}

func countSQLite(ctx context.Context, path string) (n int64, err error) {
	if _, err := os.Stat(path); err != nil {
		return 0, err
	}
	db, err := openSQLiteFile(path, "mode=ro")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, "SELECT COUNT(*) FROM events").Scan(&n)
	return n, err
}

func scanSQLite(rows *sql.Rows) (e eventfold.Event, err error) {
	var id, at string
	var payload, metadata any
	var tags sql.NullString
	err = rows.Scan(&e.Position, &e.Stream, &e.Version, &id, &e.Type, &payload, &metadata, &tags, &at, &e.Redacted)
	if err != nil {
		return e, err
	}
	if e.ID, err = idOf(id, ""); err != nil {
		return e, err
	}
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return e, err
	}
	e.RecordedAt = t.UTC()
	if tags.Valid {
		if err := json.Unmarshal([]byte(tags.String), &e.Tags); err != nil {
			return e, err
		}
	}
	if e.Payload, err = bytesOf(payload); err != nil {
		return e, err
	}
	e.Metadata, err = bytesOf(metadata)
	return e, err
}

// bytesOf returns the bytes of a value of SQLite.
func bytesOf(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(v), nil
	case []byte:
		return append([]byte{}, v...), nil
	}
	return nil, fmt.Errorf("a payload is a text or bytes, not %T", v)
}
