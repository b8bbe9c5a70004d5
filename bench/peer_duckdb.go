package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

// A duckStore is a table in DuckDB, which is loaded through its appender, as its guide says. Single
// appends are nothing that its users would do: they are not measured.
type duckStore struct{ sqlStore }

var duck = sqlDialect{
	driver: "duckdb",
	dsn:    func(dir string) string { return filepath.Join(dir, "events.duckdb") },
	table: `CREATE TABLE IF NOT EXISTS events (position BIGINT NOT NULL, stream VARCHAR NOT NULL,
		version BIGINT NOT NULL, type VARCHAR NOT NULL, payload VARCHAR NOT NULL,
		metadata VARCHAR NOT NULL, recorded_at TIMESTAMP NOT NULL`,
	id:        `id UUID NOT NULL UNIQUE`,
	unchecked: true,
	fields: fields{
		amount:    `CAST(json_extract(payload, '$.amount') AS BIGINT)`,
		customer:  `json_extract_string(payload, '$.customer')`,
		day:       `strftime(recorded_at, '%Y-%m-%d')`,
		hour:      `strftime(recorded_at, '%Y-%m-%d %H')`,
		truncated: `date_trunc('day', recorded_at)`,
	},
	instant: func(at int64) any { return time.UnixMicro(at).UTC() },
}

func (s *duckStore) append(context.Context, int, *event) error { return errUnsupported }

// appendRows says that there is nothing faster than the appender.
func (s *duckStore) appendRows(context.Context, []event) error { return errUnsupported }

func (s *duckStore) appendAll(ctx context.Context, events []event) error {
	var stored int64
	if err := s.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM events").Scan(&stored); err != nil {
		return err
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error {
		appender, err := duckdb.NewAppenderFromConn(c.(driver.Conn), "", "events")
		if err != nil {
			return err
		}
		for i := range events {
			if err := appender.AppendRow(s.row(stored+int64(i)+1, &events[i])...); err != nil {
				return errors.Join(err, appender.Close())
			}
		}
		return appender.Close()
	})
}

func (s *duckStore) row(position int64, e *event) []driver.Value {
	row := []driver.Value{
		position, e.stream, e.version, e.typ, string(e.payload), string(e.metadata), s.dialect.instant(e.time()),
	}
	if s.ids {
		row = append(row, duckdb.UUID(e.id))
	}
	return row
}
