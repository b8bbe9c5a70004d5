package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mattn/go-sqlite3"
	_ "modernc.org/sqlite"
)

// A sqlDialect is what differs between the databases that hold events in a table.
type sqlDialect struct {
	driver    string
	dsn       func(dir string) string
	table     string   // CREATE TABLE IF NOT EXISTS events (..., without what stands behind its columns
	id        string   // the column of ids that clients make, and what keeps them unique
	unchecked bool     // nothing keeps stream and version unique
	schema    []string // further statements
	fields    fields
	loops     bool               // a join by what is no column compares every row with every other
	dollar    bool               // parameters are $1, $2, ...
	instant   func(at int64) any // what stands for a time of the column recorded_at
}

// fields are what reports ask for, in the words of a database.
type fields struct {
	amount, customer string // of the payload
	day, hour        string // of recorded_at, as 2026-01-31 and 2026-01-31 23
	truncated        string // recorded_at with its time cut off, as the database likes it best
}

const sqliteTable = `CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY AUTOINCREMENT,
	stream TEXT NOT NULL, version INTEGER NOT NULL, type TEXT NOT NULL, payload BLOB NOT NULL,
	metadata BLOB NOT NULL, recorded_at INTEGER NOT NULL`

// SQLite's own page cache of 2 MB and its checkpoint every 1,000 pages suit small files. Both
// drivers have 64 MiB instead. For mattn's the second can only be said to each connection.
func init() {
	sql.Register("sqlite3 with large checkpoints",
		&sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
			_, err := c.Exec("PRAGMA wal_autocheckpoint = 16384", nil)
			return err
		}})
}

var (
	mattn = sqlDialect{
		driver: "sqlite3 with large checkpoints",
		dsn: func(dir string) string {
			return "file:" + filepath.Join(dir, "events.db") +
				"?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=60000&_txlock=immediate&_cache_size=-65536"
		},
		table:  sqliteTable,
		id:     `id BLOB NOT NULL UNIQUE`,
		schema: []string{`CREATE INDEX IF NOT EXISTS by_type ON events (type)`},
		fields: fields{
			amount:    `payload->>'$.amount'`,
			customer:  `payload->>'$.customer'`,
			day:       `date(recorded_at / 1000000, 'unixepoch')`,
			hour:      `strftime('%Y-%m-%d %H', recorded_at / 1000000, 'unixepoch')`,
			truncated: `recorded_at / 86400000000`,
		},
		loops:   true,
		instant: func(at int64) any { return at },
	}
	modernc = sqlDialect{
		driver: "sqlite",
		dsn: func(dir string) string {
			return "file:" + filepath.Join(dir, "events.db") +
				"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(60000)" +
				"&_pragma=cache_size(-65536)&_pragma=wal_autocheckpoint(16384)&_txlock=immediate"
		},
		table:   mattn.table,
		id:      mattn.id,
		schema:  mattn.schema,
		fields:  mattn.fields,
		loops:   mattn.loops,
		instant: mattn.instant,
	}
)

// indexed is mattn's SQLite with an index for every report, which each append then pays.
func indexed() sqlDialect {
	d := mattn
	d.loops = false
	d.schema = append(slices.Clone(d.schema),
		`CREATE INDEX IF NOT EXISTS by_type_and_stream ON events (stream, type)`,
		`CREATE INDEX IF NOT EXISTS by_time ON events (recorded_at)`,
		`CREATE INDEX IF NOT EXISTS by_amount ON events (`+d.fields.amount+`)`,
		`CREATE INDEX IF NOT EXISTS by_customer ON events (`+d.fields.customer+`)`)
	return d
}

// A sqlStore is a table of events. Its unique index on stream and version is the optimistic check.
type sqlStore struct {
	dialect sqlDialect
	ids     bool
	db      *sql.DB
	insert  *sql.Stmt
	rows    *sql.Stmt // inserts many rows, from the first appendRows on
	stream  *sql.Stmt
	point   *sql.Stmt
}

const readColumns = "position, stream, version, type, payload, metadata"

// useIDs implements identifier.
func (s *sqlStore) useIDs() { s.ids = true }

func (s *sqlStore) open(dir string) (err error) {
	if s.db, err = sql.Open(s.dialect.driver, s.dialect.dsn(dir)); err != nil {
		return err
	}
	s.db.SetMaxIdleConns(greatestClients)
	table := s.dialect.table
	if s.ids {
		table += ", " + s.dialect.id
	}
	if !s.dialect.unchecked {
		table += ", UNIQUE (stream, version)"
	}
	for _, statement := range append([]string{table + ")"}, s.dialect.schema...) {
		if _, err := s.db.Exec(statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	if s.insert, err = s.db.Prepare(s.insertText(1)); err != nil {
		return err
	}
	s.stream, err = s.db.Prepare("SELECT " + readColumns + " FROM events WHERE stream = " + s.dialect.param(1) +
		" ORDER BY version")
	if err != nil {
		return err
	}
	s.point, err = s.db.Prepare("SELECT " + readColumns + " FROM events WHERE position = " + s.dialect.param(1))
	return err
}

// param is the parameter n of a statement, counted from 1.
func (d *sqlDialect) param(n int) string {
	if d.dollar {
		return "$" + strconv.Itoa(n)
	}
	return "?"
}

func (s *sqlStore) columns() []string {
	columns := []string{"stream", "version", "type", "payload", "metadata", "recorded_at"}
	if s.ids {
		columns = append(columns, "id")
	}
	return columns
}

// insertText is the INSERT of so many rows.
func (s *sqlStore) insertText(rows int) string {
	columns := s.columns()
	var text strings.Builder
	text.WriteString("INSERT INTO events (" + strings.Join(columns, ", ") + ") VALUES ")
	for n := range rows * len(columns) {
		switch {
		case n%len(columns) != 0:
			text.WriteString(", ")
		case n > 0:
			text.WriteString("), (")
		default:
			text.WriteString("(")
		}
		text.WriteString(s.dialect.param(n + 1))
	}
	return text.String() + ")"
}

func (s *sqlStore) arguments(dst []any, e *event) []any {
	dst = append(dst, e.stream, e.version, e.typ, e.payload, e.metadata, s.dialect.instant(e.time()))
	if s.ids {
		dst = append(dst, e.id[:])
	}
	return dst
}

func (s *sqlStore) append(ctx context.Context, _ int, e *event) error {
	_, err := s.insert.ExecContext(ctx, s.arguments(nil, e)...)
	return err
}

func (s *sqlStore) appendAll(ctx context.Context, events []event) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	insert := tx.StmtContext(ctx, s.insert)
	var args []any
	for i := range events {
		args = s.arguments(args[:0], &events[i])
		if _, err := insert.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// appendRows implements rower.
func (s *sqlStore) appendRows(ctx context.Context, events []event) (err error) {
	if s.rows == nil {
		if s.rows, err = s.db.PrepareContext(ctx, s.insertText(len(events))); err != nil {
			return err
		}
	}
	var args []any
	for i := range events {
		args = s.arguments(args, &events[i])
	}
	_, err = s.rows.ExecContext(ctx, args...)
	return err
}

// readAt implements peer. The databases count from 1.
func (s *sqlStore) readAt(n int64, use func(*event)) error {
	rows, err := s.point.Query(n + 1)
	return scanRows(rows, err, use)
}

func (s *sqlStore) scan(use func(*event)) error {
	rows, err := s.db.Query("SELECT " + readColumns + " FROM events ORDER BY position")
	return scanRows(rows, err, use)
}

func (s *sqlStore) readStream(stream string, use func(*event)) error {
	rows, err := s.stream.Query(stream)
	return scanRows(rows, err, use)
}

func scanRows(rows *sql.Rows, err error, use func(*event)) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var e event
		if err := rows.Scan(&e.position, &e.stream, &e.version, &e.typ, &e.payload, &e.metadata); err != nil {
			return err
		}
		use(&e)
	}
	return rows.Err()
}

func (s *sqlStore) countByType() (map[string]int64, error) {
	return pairs(s.db, "SELECT type, COUNT(*) FROM events GROUP BY type")
}

func (s *sqlStore) countOfType(typ string) (n int64, err error) {
	err = s.db.QueryRow("SELECT COUNT(*) FROM events WHERE type = "+s.dialect.param(1), typ).Scan(&n)
	return n, err
}

func (s *sqlStore) sumByType() (map[string]int64, error) {
	return pairs(s.db, "SELECT type, SUM("+s.dialect.fields.amount+") FROM events GROUP BY type")
}

// pairs reads a result of names and numbers.
func pairs(db *sql.DB, query string) (map[string]int64, error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	result := map[string]int64{}
	for rows.Next() {
		var name string
		var number float64
		if err := rows.Scan(&name, &number); err != nil {
			return nil, err
		}
		result[name] = int64(number)
	}
	return result, rows.Err()
}

func (s *sqlStore) close() error { return s.db.Close() }
