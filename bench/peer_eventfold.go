package main

import (
	"context"
	"database/sql"
	"path/filepath"
	"time"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// eventfoldSQL is ours as users see it: everything goes through database/sql.
type eventfoldSQL struct {
	db     *sql.DB
	insert *sql.Stmt
	stream *sql.Stmt
}

func (s *eventfoldSQL) open(dir string) (err error) {
	if s.db, err = sql.Open("eventfold", filepath.Join(dir, "store")); err != nil {
		return err
	}
	s.db.SetMaxIdleConns(256)
	s.insert, err = s.db.Prepare(
		`INSERT INTO $all (stream, type, payload, metadata, expected_version) VALUES (?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	s.stream, err = s.db.Prepare(`SELECT ` + readColumns + ` FROM $all WHERE stream = ? ORDER BY version`)
	return err
}

// stats implements statistician.
func (s *eventfoldSQL) stats() (stats engine.Stats, err error) {
	conn, err := s.db.Conn(context.Background())
	if err != nil {
		return stats, err
	}
	defer conn.Close()
	return stats, conn.Raw(func(c any) error {
		stats = c.(*eventfold.Conn).Store().Stats()
		return nil
	})
}

func (s *eventfoldSQL) append(ctx context.Context, _ int, e *event) error {
	_, err := s.insert.ExecContext(ctx, e.stream, e.typ, e.payload, e.metadata, e.version-1)
	return err
}

func (s *eventfoldSQL) appendAll(ctx context.Context, events []event) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	insert := tx.StmtContext(ctx, s.insert)
	for i := range events {
		e := &events[i]
		if _, err := insert.ExecContext(ctx, e.stream, e.typ, e.payload, e.metadata, e.version-1); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (s *eventfoldSQL) scan(use func(*event)) error {
	rows, err := s.db.Query(`SELECT ` + readColumns + ` FROM $all`)
	return scanRows(rows, err, use)
}

// scanEvents scans the pseudo-column event into one Event.
func (s *eventfoldSQL) scanEvents(use func(*eventfold.Event)) error {
	rows, err := s.db.Query(`SELECT event FROM $all`)
	if err != nil {
		return err
	}
	return scanEventRows(rows, use)
}

// scanEventRows scans rows of one column, an event.
func scanEventRows(rows *sql.Rows, use func(*eventfold.Event)) error {
	defer rows.Close()
	var e eventfold.Event
	for rows.Next() {
		if err := rows.Scan(&e); err != nil {
			return err
		}
		use(&e)
	}
	return rows.Err()
}

func (s *eventfoldSQL) readStream(stream string, use func(*event)) error {
	rows, err := s.stream.Query(stream)
	return scanRows(rows, err, use)
}

func (s *eventfoldSQL) countByType() (map[string]int64, error) {
	return pairs(s.db, `SELECT type, COUNT(*) FROM $all GROUP BY type`)
}

func (s *eventfoldSQL) countOfType(typ string) (n int64, err error) {
	err = s.db.QueryRow(`SELECT COUNT(*) FROM $all WHERE type = ?`, typ).Scan(&n)
	return n, err
}

func (s *eventfoldSQL) sumByType() (map[string]int64, error) {
	return pairs(s.db, `SELECT type, SUM(payload->>'$.amount') FROM $all GROUP BY type`)
}

func (s *eventfoldSQL) close() error { return s.db.Close() }

// eventfoldEngine is ours without database/sql: the native API, as projections and replays use it.
type eventfoldEngine struct {
	unsupported
	options filestore.Options
	store   *filestore.FileStore
}

func (s *eventfoldEngine) open(dir string) (err error) {
	s.store, err = filestore.Open(filepath.Join(dir, "store"), s.options)
	return err
}

// stats implements statistician.
func (s *eventfoldEngine) stats() (engine.Stats, error) { return s.store.Stats(), nil }

func (s *eventfoldEngine) append(ctx context.Context, _ int, e *event) error {
	_, err := s.store.Append(ctx, toAppend(e))
	return err
}

func toAppend(e *event) engine.Append {
	return engine.Append{
		Stream: e.stream,
		Expect: []engine.Expectation{engine.Exact(engine.Version(e.version - 1))},
		Events: []engine.NewEvent{{Type: e.typ, Payload: e.payload, Metadata: e.metadata}},
	}
}

func (s *eventfoldEngine) appendAll(ctx context.Context, events []event) error {
	batch := make([]engine.Append, len(events))
	for i := range events {
		batch[i] = toAppend(&events[i])
	}
	_, err := s.store.Append(ctx, batch...)
	return err
}

func (s *eventfoldEngine) scan(use func(*event)) error {
	return useCursor(s.store.ReadIndex().ReadAll(context.Background(), 0, engine.Forwards), use)
}

func (s *eventfoldEngine) readStream(stream string, use func(*event)) error {
	return useCursor(s.store.ReadIndex().ReadStream(context.Background(), stream, 0, engine.Forwards), use)
}

// useCursor lets the cursor use its memory again, as events are used one after the other. So do the
// peers: bbolt's are good until the end of the transaction, pebble's until the iterator moves on.
func useCursor(c engine.Cursor, use func(*event)) error {
	defer c.Close()
	c.(engine.Reuser).Reuse()
	var out event
	for c.Next() {
		e := c.Event()
		out = event{int64(e.Position), e.Stream, int64(e.Version), e.Type, e.Payload, e.Metadata}
		use(&out)
	}
	return c.Err()
}

func (s *eventfoldEngine) countByType() (map[string]int64, error) {
	types, err := s.store.ReadIndex().Types(context.Background())
	counts := map[string]int64{}
	for _, t := range types {
		counts[t.Type] = t.Events
	}
	return counts, err
}

func (s *eventfoldEngine) countOfType(typ string) (int64, error) {
	return s.store.ReadIndex().Count(context.Background(), engine.Filter{Types: []string{typ}})
}

// close waits until what is to be compressed is, so that the disk holds what it will hold.
func (s *eventfoldEngine) close() error {
	for compress := s.options.Compress == filestore.CompressZstd; compress; time.Sleep(time.Millisecond) {
		stats := s.store.Stats()
		compress = stats.Writable && stats.Compressed < stats.Segments-1
	}
	return s.store.Close()
}
