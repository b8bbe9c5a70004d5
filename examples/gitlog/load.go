package main

import (
	"context"
	"database/sql"
)

// batchSize is the number of commits that become durable together.
const batchSize = 500

// load appends every commit that the store does not have. It returns how many commits it read and
// how many events are new.
func load(ctx context.Context, db *sql.DB, repository string) (read, appended int64, err error) {
	known, err := db.PrepareContext(ctx, `SELECT COUNT(*) FROM $all WHERE id = ?`)
	if err != nil {
		return 0, 0, err
	}
	defer known.Close()

	var batch []*commit
	flush := func() error {
		n, err := appendBatch(ctx, db, batch)
		appended += n
		batch = batch[:0]
		return err
	}
	err = readCommits(ctx, repository, func(c *commit) error {
		read++
		var n int
		if err := known.QueryRowContext(ctx, c.id()).Scan(&n); err != nil || n > 0 {
			return err
		}
		if batch = append(batch, c); len(batch) < batchSize {
			return nil
		}
		return flush()
	})
	if err != nil {
		return read, appended, err
	}
	return read, appended, flush()
}

// appendBatch appends the commits in one transaction: all of them or none.
func appendBatch(ctx context.Context, db *sql.DB, batch []*commit) (appended int64, err error) {
	if len(batch) == 0 {
		return 0, nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() // does nothing after Commit
	insert, err := tx.PrepareContext(ctx, `INSERT INTO $all (stream, type, payload, id) VALUES (?, 'Committed', ?, ?)`)
	if err != nil {
		return 0, err
	}
	for _, c := range batch {
		payload, err := c.json()
		if err != nil {
			return 0, err
		}
		if _, err := insert.ExecContext(ctx, c.author, payload, c.id()); err != nil {
			return 0, err
		}
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	return int64(len(batch)), nil
}
