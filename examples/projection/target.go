package main

import (
	"context"
	"database/sql"
)

const schema = `CREATE TABLE IF NOT EXISTS balance (account TEXT PRIMARY KEY, amount INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS checkpoint (only INTEGER PRIMARY KEY CHECK (only = 1), next INTEGER NOT NULL);
INSERT OR IGNORE INTO checkpoint VALUES (1, 0);`

// apply moves the balance and the checkpoint together.
func apply(ctx context.Context, target *sql.DB, account string, amount, next int64) error {
	tx, err := target.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	_, err = tx.ExecContext(ctx,
		`INSERT INTO balance VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET amount = amount + excluded.amount`,
		account, amount)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE checkpoint SET next = ?`, next); err != nil {
		return err
	}
	return tx.Commit()
}
