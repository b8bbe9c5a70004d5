package main

import (
	"context"
	"database/sql"
	"time"

	"github.com/eventfold/eventfold"
)

// openStore opens a store that must be there. dsn is its path or data source name.
func openStore(dsn string, mode eventfold.Mode, actor string) (*sql.DB, error) {
	c, err := storeConfig(dsn, mode)
	if err != nil {
		return nil, err
	}
	if actor != "" {
		c.Actor = actor
	}
	return eventfold.OpenDB(c), nil
}

// storeConfig reads a path or data source name. The mode is the one it names, or else mode, unless
// that is ReadOnly.
func storeConfig(dsn string, mode eventfold.Mode) (eventfold.Config, error) {
	c, err := eventfold.ParseDSN(dsn)
	if err != nil {
		return c, err
	}
	if c.Mode == eventfold.Memory {
		return c, usage("a store in memory is gone when a command ends: name a directory")
	}
	if c.Mode == eventfold.ReadWriteCreate || mode == eventfold.ReadOnly {
		c.Mode = mode
	}
	return c, nil
}

// erasurePause is how long awaitErasures waits between two looks.
const erasurePause = 20 * time.Millisecond

// awaitErasures waits until the erasures from a position on are done: until this process, or the
// one that has the write lock, has written all of their segments anew.
func awaitErasures(ctx context.Context, db *sql.DB, from int64) error {
	for {
		var open int
		row := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM $erasures WHERE position >= ? AND done_at IS NULL", from)
		if err := row.Scan(&open); err != nil || open == 0 {
			return err
		}
		select {
		case <-time.After(erasurePause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
