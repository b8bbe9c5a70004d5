package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// A postgresStore is a PostgreSQL server of its own in dir, reached over a unix socket only.
type postgresStore struct {
	table  sqlStore
	server *exec.Cmd
}

// postgresBin finds the server's programs, which Debian keeps out of the PATH.
func postgresBin(name string) (string, error) {
	if found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); len(found) > 0 {
		return found[len(found)-1], nil
	}
	return exec.LookPath(name)
}

// credential lets the server run as somebody else than root, which it refuses to do.
func credential(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(dir, uid, -1); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid)}}, nil
}

func (s *postgresStore) open(dir string) error {
	postgres, err := postgresBin("postgres")
	if err != nil {
		return &missingError{err}
	}
	initdb, err := postgresBin("initdb")
	if err != nil {
		return &missingError{err}
	}
	as, err := credential(dir)
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "pg")
	if _, err := os.Stat(data); err != nil {
		cmd := exec.Command(initdb, "-D", data, "-U", "bench", "--auth=trust", "--no-locale", "--encoding=UTF8")
		cmd.SysProcAttr, cmd.Dir = as, dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("initdb: %w: %s", err, out)
		}
	}
	s.server = exec.Command(postgres, "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "max_connections=300",
		"-c", "shared_buffers=512MB", "-c", "max_wal_size=4GB")
	s.server.SysProcAttr, s.server.Dir = as, dir
	if err := s.server.Start(); err != nil {
		return err
	}
	s.table.dialect = postgresDialect
	return s.connect(dir)
}

var postgresDialect = sqlDialect{
	driver: "pgx",
	dsn:    func(dir string) string { return "host=" + dir + " user=bench dbname=postgres sslmode=disable" },
	table: `CREATE TABLE IF NOT EXISTS events (position BIGSERIAL PRIMARY KEY,
		stream TEXT NOT NULL, version BIGINT NOT NULL, type TEXT NOT NULL, payload JSONB NOT NULL,
		metadata JSONB NOT NULL, recorded_at TIMESTAMP NOT NULL`,
	id:     `id UUID NOT NULL UNIQUE`,
	schema: []string{`CREATE INDEX IF NOT EXISTS by_type ON events (type)`},
	fields: fields{
		amount:    `(payload->>'amount')::bigint`,
		customer:  `payload->>'customer'`,
		day:       `to_char(recorded_at, 'YYYY-MM-DD')`,
		hour:      `to_char(recorded_at, 'YYYY-MM-DD HH24')`,
		truncated: `date_trunc('day', recorded_at)`,
	},
	dollar:  true,
	instant: func(at int64) any { return time.UnixMicro(at).UTC() },
}

// connect waits until the server answers.
func (s *postgresStore) connect(dir string) error {
	db, err := sql.Open("pgx", s.table.dialect.dsn(dir))
	if err != nil {
		return err
	}
	defer db.Close()
	if err := retry(func() error { return db.Ping() }); err != nil {
		return err
	}
	return s.table.open(dir)
}

// useIDs implements identifier.
func (s *postgresStore) useIDs() { s.table.useIDs() }

func (s *postgresStore) append(ctx context.Context, client int, e *event) error {
	return s.table.append(ctx, client, e)
}

// appendAll copies, which is how PostgreSQL takes many rows in one transaction.
func (s *postgresStore) appendAll(ctx context.Context, events []event) error {
	conn, err := s.table.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error {
		rows := pgx.CopyFromSlice(len(events), func(i int) ([]any, error) {
			return s.table.arguments(nil, &events[i]), nil
		})
		_, err := c.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{"events"}, s.table.columns(), rows)
		return err
	})
}

// appendRows implements rower.
func (s *postgresStore) appendRows(ctx context.Context, events []event) error {
	return s.table.appendRows(ctx, events)
}

func (s *postgresStore) scan(use func(*event)) error { return s.table.scan(use) }
func (s *postgresStore) readAt(n int64, use func(*event)) error {
	return s.table.readAt(n, use)
}
func (s *postgresStore) readStream(stream string, use func(*event)) error {
	return s.table.readStream(stream, use)
}
func (s *postgresStore) countByType() (map[string]int64, error) { return s.table.countByType() }
func (s *postgresStore) countOfType(typ string) (int64, error)  { return s.table.countOfType(typ) }
func (s *postgresStore) sumByType() (map[string]int64, error)   { return s.table.sumByType() }

func (s *postgresStore) close() error {
	err := s.table.close()
	if e := s.server.Process.Signal(os.Interrupt); e != nil { // a fast shutdown
		return errors.Join(err, e)
	}
	return errors.Join(err, s.server.Wait())
}
