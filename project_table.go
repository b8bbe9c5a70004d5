package eventfold

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// The tables of projections, in the database of the read model. Times are microseconds since 1970,
// UTC; truths are 0 and 1. Only Project changes next_position. The statements number their
// parameters in the order of their text, which SQLite and PostgreSQL read alike.
var projectionTables = []string{
	`CREATE TABLE IF NOT EXISTS eventfold_projections (
	name           TEXT   NOT NULL,
	version        BIGINT NOT NULL,
	next_position  BIGINT NOT NULL, -- the next position to read: all before it is in the read model
	owner          TEXT   NOT NULL, -- who has moved it last, a UUID for each runner
	live_from      BIGINT NOT NULL, -- from here events are given without Replay; -1 while it is built
	live_until     BIGINT NOT NULL, -- from here they have Replay again: a later version took over; -1 if none
	mark_position  BIGINT NOT NULL, -- of the last event that was handled, -1 for none; with its id it tells the
	mark_id        TEXT   NOT NULL, -- store from another one, or from what a backup has brought back
	began_position BIGINT NOT NULL, -- where the runner began, to tell its rate
	began_at       BIGINT NOT NULL,
	seen_at        BIGINT NOT NULL, -- when the runner has last written, at least every ten seconds
	resettable     BIGINT NOT NULL, -- it has a Setup
	reset_asked    BIGINT NOT NULL, -- the runner is to begin again
	stopped_at     BIGINT NOT NULL, -- when it has stopped by itself; 0 if it has not
	error          TEXT   NOT NULL, -- why
	PRIMARY KEY (name, version))`,
	`CREATE TABLE IF NOT EXISTS eventfold_parked (
	name         TEXT   NOT NULL,
	version      BIGINT NOT NULL,
	position     BIGINT NOT NULL, -- of the event, whose content stays in the store alone
	stream       TEXT   NOT NULL,
	type         TEXT   NOT NULL,
	attempts     BIGINT NOT NULL,
	parked_at    BIGINT NOT NULL,
	error        TEXT   NOT NULL, -- the last that Handle has returned
	retry_asked  BIGINT NOT NULL, -- the runner is to try it again
	PRIMARY KEY (name, version, position))`,
	// a row for each projection, which is locked while it is decided which of its versions are there
	`CREATE TABLE IF NOT EXISTS eventfold_projection_names (
	name TEXT NOT NULL PRIMARY KEY)`,
}

// makeTables makes the tables of projections. Of several that do so at once all but one may be
// refused until that has made them all.
func makeTables(ctx context.Context, target *sql.DB, tables []string, probe string) error {
	const tries, pause = 50, 20 * time.Millisecond
	for try := 1; ; try++ {
		if there(ctx, target, probe) {
			return nil
		}
		err := makeEach(ctx, target, tables)
		if err == nil {
			return nil
		}
		if try == tries || sleep(ctx, pause) != nil {
			return fmt.Errorf("eventfold: make the tables beside the read model: %w", err)
		}
	}
}

func makeEach(ctx context.Context, target *sql.DB, tables []string) error {
	for _, table := range tables {
		if _, err := target.ExecContext(ctx, table); err != nil {
			return err
		}
	}
	return nil
}

// there reports whether a query can be run.
func there(ctx context.Context, target *sql.DB, probe string) bool {
	rows, err := target.QueryContext(ctx, probe)
	if err != nil {
		return false
	}
	for rows.Next() { // nothing is selected, and some drivers tell of errors only here
	}
	rows.Close()
	return rows.Err() == nil
}

const projectionProbe = `SELECT a.name FROM eventfold_projections AS a, eventfold_parked AS b,
	eventfold_projection_names AS c WHERE 1 = 0`

// checkpointProbe asks for what WaitFor reads.
const checkpointProbe = `SELECT name FROM eventfold_projections WHERE 1 = 0`

// lockName lets one transaction at a time make, drop or first lead a version of a projection. What is
// asked behind it sees what the one before has done.
func lockName(ctx context.Context, tx *sql.Tx, name string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO eventfold_projection_names (name) VALUES ($1)
		ON CONFLICT (name) DO UPDATE SET name = excluded.name`, name)
	return err
}

// A checkpoint is a row of eventfold_projections, without what only people read.
type checkpoint struct {
	next       Position
	owner      string
	liveFrom   Position // NoPosition while the version is built
	liveUntil  Position // NoPosition if no later version has taken over
	markAt     Position // of the last event that was handled, NoPosition for none
	markID     string   // its id
	resetAsked bool
	stoppedAt  int64
	err        string
}

// replays reports whether what Handle does outside of the read model is not to be done at p.
func (c checkpoint) replays(p Position) bool {
	return c.liveFrom == NoPosition || p < c.liveFrom || c.liveUntil != NoPosition && p >= c.liveUntil
}

// A rowQuerier is a *sql.DB or a *sql.Tx of the read model's database.
type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// readCheckpoint returns the row of a projection; ok is false if there is none.
func readCheckpoint(ctx context.Context, from rowQuerier, name string,
	version int) (c checkpoint, ok bool, err error) {
	var resetAsked int64
	row := from.QueryRowContext(ctx, `SELECT next_position, owner, live_from, live_until, mark_position,
		mark_id, reset_asked, stopped_at, error
		FROM eventfold_projections WHERE name = $1 AND version = $2`, name, version)
	err = row.Scan(&c.next, &c.owner, &c.liveFrom, &c.liveUntil, &c.markAt, &c.markID,
		&resetAsked, &c.stoppedAt, &c.err)
	if errors.Is(err, sql.ErrNoRows) {
		return checkpoint{}, false, nil
	}
	c.resetAsked = resetAsked != 0
	return c, err == nil, err
}

// execOne runs a statement that is to change one row, and reports whether it has.
func execOne(ctx context.Context, tx *sql.Tx, statement string, args ...any) (bool, error) {
	result, err := tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// inTx runs f in a transaction, which is committed if it returns nil.
func inTx(ctx context.Context, target *sql.DB, f func(tx *sql.Tx) error) error {
	tx, err := target.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// micros is a time as the tables have it.
func micros(t time.Time) int64 { return t.UnixMicro() }

// flag is a truth as the tables have it.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
