package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/mattn/go-sqlite3"
	_ "modernc.org/sqlite"
)

// A sqlDialect is what differs between the databases that hold events in a table.
type sqlDialect struct {
	driver    string
	dsn       func(dir string) string
	schema    []string
	insert    string // position, stream, version, type, payload, metadata by ?
	amount    string // the payload's field amount
	customer  string // the payload's field customer
	dollar    bool   // parameters are $1, $2, ...
	noAppends bool   // only the reading workloads make sense
}

const sqliteTable = `CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY AUTOINCREMENT,
	stream TEXT NOT NULL, version INTEGER NOT NULL, type TEXT NOT NULL,
	payload BLOB NOT NULL, metadata BLOB NOT NULL, UNIQUE (stream, version))`

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
		schema:   []string{sqliteTable, `CREATE INDEX IF NOT EXISTS by_type ON events (type)`},
		insert:   `INSERT INTO events (stream, version, type, payload, metadata) VALUES (?, ?, ?, ?, ?)`,
		amount:   `payload->>'$.amount'`,
		customer: `payload->>'$.customer'`,
	}
	modernc = sqlDialect{
		driver: "sqlite",
		dsn: func(dir string) string {
			return "file:" + filepath.Join(dir, "events.db") +
				"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(60000)" +
				"&_pragma=cache_size(-65536)&_pragma=wal_autocheckpoint(16384)&_txlock=immediate"
		},
		schema:   mattn.schema,
		insert:   mattn.insert,
		amount:   mattn.amount,
		customer: mattn.customer,
	}
	duck = sqlDialect{
		driver: "duckdb",
		dsn:    func(dir string) string { return filepath.Join(dir, "events.duckdb") },
		schema: []string{`CREATE SEQUENCE IF NOT EXISTS positions`,
			`CREATE TABLE IF NOT EXISTS events (position BIGINT DEFAULT nextval('positions'), stream VARCHAR, ` +
				`version BIGINT, type VARCHAR, payload VARCHAR, metadata VARCHAR)`},
		insert:    mattn.insert,
		amount:    `CAST(json_extract(payload, '$.amount') AS BIGINT)`,
		customer:  `json_extract_string(payload, '$.customer')`,
		noAppends: true,
	}
)

// indexed is mattn's SQLite with an index for every report, which each append then pays.
func indexed() sqlDialect {
	d := mattn
	d.schema = append(slices.Clone(d.schema),
		`CREATE INDEX IF NOT EXISTS by_type_and_stream ON events (stream, type)`,
		`CREATE INDEX IF NOT EXISTS by_amount ON events (`+d.amount+`)`,
		`CREATE INDEX IF NOT EXISTS by_customer ON events (`+d.customer+`)`)
	return d
}

// A sqlStore is a table of events. Its unique index on stream and version is the optimistic check.
type sqlStore struct {
	dialect sqlDialect
	db      *sql.DB
	insert  *sql.Stmt
	stream  *sql.Stmt
}

const readColumns = "position, stream, version, type, payload, metadata"

func (s *sqlStore) open(dir string) (err error) {
	if s.db, err = sql.Open(s.dialect.driver, s.dialect.dsn(dir)); err != nil {
		return err
	}
	s.db.SetMaxIdleConns(256)
	for _, statement := range s.dialect.schema {
		if _, err := s.db.Exec(statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	if s.insert, err = s.db.Prepare(s.dialect.insert); err != nil {
		return err
	}
	s.stream, err = s.db.Prepare("SELECT " + readColumns + " FROM events WHERE stream = " + s.dialect.param() +
		" ORDER BY version")
	return err
}

func (d *sqlDialect) param() string {
	if d.dollar {
		return "$1"
	}
	return "?"
}

func (s *sqlStore) append(ctx context.Context, _ int, e *event) error {
	if s.dialect.noAppends {
		return errUnsupported
	}
	_, err := s.insert.ExecContext(ctx, e.stream, e.version, e.typ, e.payload, e.metadata)
	return err
}

func (s *sqlStore) appendAll(ctx context.Context, events []event) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	insert := tx.StmtContext(ctx, s.insert)
	for i := range events {
		e := &events[i]
		var payload, metadata any = e.payload, e.metadata
		if s.dialect.noAppends { // VARCHAR
			payload, metadata = string(e.payload), string(e.metadata)
		}
		if _, err := insert.ExecContext(ctx, e.stream, e.version, e.typ, payload, metadata); err != nil {
			return err
		}
	}
	return tx.Commit()
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
	err = s.db.QueryRow("SELECT COUNT(*) FROM events WHERE type = "+s.dialect.param(), typ).Scan(&n)
	return n, err
}

func (s *sqlStore) sumByType() (map[string]int64, error) {
	return pairs(s.db, "SELECT type, SUM("+s.dialect.amount+") FROM events GROUP BY type")
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
