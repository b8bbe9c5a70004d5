package main

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// A setClock is a store's clock, which says the time of the events of the data set while that is
// loaded.
type setClock struct{ at atomic.Int64 } // microseconds; 0 is now

func (c *setClock) now() time.Time {
	if at := c.at.Load(); at != 0 {
		return time.UnixMicro(at)
	}
	return time.Now()
}

// eventfoldSQL is ours as users see it: everything goes through database/sql.
type eventfoldSQL struct {
	clock  setClock
	ids    bool
	db     *sql.DB
	insert *sql.Stmt
	rows   *sql.Stmt // inserts many rows, from the first appendRows on
	stream *sql.Stmt
	point  *sql.Stmt
}

// useIDs implements identifier.
func (s *eventfoldSQL) useIDs() { s.ids = true }

func (s *eventfoldSQL) open(dir string) error { return s.openMode(dir, eventfold.ReadWriteCreate) }

func (s *eventfoldSQL) openMode(dir string, mode eventfold.Mode) (err error) {
	s.db = eventfold.OpenDB(eventfold.Config{Path: filepath.Join(dir, "store"), Mode: mode, Now: s.clock.now})
	s.db.SetMaxIdleConns(greatestClients)
	if mode != eventfold.ReadOnly {
		if s.insert, err = s.db.Prepare(s.insertText(1)); err != nil {
			return err
		}
	}
	if s.stream, err = s.db.Prepare(`SELECT ` + readColumns + ` FROM $all WHERE stream = ? ORDER BY version`); err != nil {
		return err
	}
	s.point, err = s.db.Prepare(`SELECT ` + readColumns + ` FROM $all WHERE position = ?`)
	return err
}

// insertText is the INSERT of so many rows.
func (s *eventfoldSQL) insertText(rows int) string {
	columns := "stream, type, payload, metadata, expected_version"
	if s.ids {
		columns += ", id"
	}
	row := "(" + strings.Repeat("?, ", strings.Count(columns, ",")) + "?)"
	return "INSERT INTO $all (" + columns + ") VALUES " + strings.Repeat(row+", ", rows-1) + row
}

func (s *eventfoldSQL) arguments(dst []any, e *event) []any {
	dst = append(dst, e.stream, e.typ, e.payload, e.metadata, e.version-1)
	if s.ids {
		dst = append(dst, e.id)
	}
	return dst
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
	_, err := s.insert.ExecContext(ctx, s.arguments(nil, e)...)
	return err
}

func (s *eventfoldSQL) appendAll(ctx context.Context, events []event) error {
	s.clock.at.Store(events[0].at)
	defer s.clock.at.Store(0)
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
func (s *eventfoldSQL) appendRows(ctx context.Context, events []event) (err error) {
	if s.rows == nil {
		if s.rows, err = s.db.PrepareContext(ctx, s.insertText(len(events))); err != nil {
			return err
		}
	}
	var args []any
	for _, e := range events {
		e.version = events[0].version // the one that is expected is that before all of them
		args = s.arguments(args, &e)
	}
	_, err = s.rows.ExecContext(ctx, args...)
	return err
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

func (s *eventfoldSQL) readAt(n int64, use func(*event)) error {
	rows, err := s.point.Query(n)
	return scanRows(rows, err, use)
}

// follow implements follower.
func (s *eventfoldSQL) follow(ctx context.Context, stream string, use func(*event)) error {
	rows, err := s.db.QueryContext(ctx, `SELECT `+readColumns+` FROM $all WHERE stream = ? FOLLOW`, stream)
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
	clock   setClock
	options filestore.Options
	store   *filestore.FileStore
}

// useIDs implements identifier.
func (s *eventfoldEngine) useIDs() {}

func (s *eventfoldEngine) open(dir string) (err error) {
	s.options.Now = s.clock.now
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
		Events: []engine.NewEvent{{ID: e.id, Type: e.typ, Payload: e.payload, Metadata: e.metadata}},
	}
}

func (s *eventfoldEngine) appendAll(ctx context.Context, events []event) error {
	s.clock.at.Store(events[0].at)
	defer s.clock.at.Store(0)
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

func (s *eventfoldEngine) readAt(n int64, use func(*event)) error {
	index := s.store.ReadIndex()
	only := index.At(engine.Position(n + 1))
	return useCursor(only.ReadAll(context.Background(), engine.Position(n), engine.Forwards), use)
}

// follow implements follower.
func (s *eventfoldEngine) follow(ctx context.Context, stream string, use func(*event)) error {
	sub := engine.Subscribe(ctx, s.store, engine.Filter{Streams: []string{stream}}, engine.ColAll)
	defer sub.Close()
	for {
		batch, err := sub.Next()
		if err != nil {
			return err
		}
		for row := 0; batch != nil && row < batch.Len; row++ {
			use(&event{
				position: int64(batch.Positions[row]), stream: stream, version: int64(batch.Versions[row]),
				payload: batch.Payloads[row], metadata: batch.Metadata[row],
			})
		}
	}
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
		out = event{
			position: int64(e.Position), stream: e.Stream, version: int64(e.Version), typ: e.Type,
			payload: e.Payload, metadata: e.Metadata,
		}
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
