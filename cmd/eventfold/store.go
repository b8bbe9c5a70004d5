package main

import (
	"context"
	"database/sql"
	"time"

	"github.com/urfave/cli/v3"

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
// that is ReadOnly. A bucket is opened as a node, whose copy is in the directory that it names.
func storeConfig(dsn string, mode eventfold.Mode) (eventfold.Config, error) {
	c, err := eventfold.ParseDSN(dsn)
	if err != nil {
		return c, err
	}
	if isCluster(dsn) {
		c.Mode = nodeMode(c.Mode, mode)
		return c, nil
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
// one that has the write lock, has written all of their segments anew. It tells how many files are.
func awaitErasures(ctx context.Context, c *cli.Command, db *sql.DB, from int64) error {
	progress := newProgress(c, "erase", "files", 0)
	defer progress.end()
	most := int64(0) // files that were to be written anew or removed
	for {
		var open, files int64
		row := db.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(pending), 0) FROM $erasures
			WHERE position >= ? AND done_at IS NULL`, from)
		if err := row.Scan(&open, &files); err != nil || open == 0 {
			return err
		}
		most = max(most, files)
		progress.total(most)
		progress.set(most - files)
		select {
		case <-time.After(erasurePause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
