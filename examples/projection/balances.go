package main

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/eventfold/eventfold"
)

// balances is the projection. A program that computes balances in another way gives it Version 2,
// and a table of its own: the two run side by side until the new one has caught up.
func balances(target *sql.DB) eventfold.Projection {
	return eventfold.Projection{
		Name:    "balances",
		Version: 1,
		Target:  target,
		Query:   `SELECT event FROM $all WHERE type = 'Deposited'`,
		Setup: eventfold.Statements(`DROP TABLE IF EXISTS balance`,
			`CREATE TABLE balance (account TEXT PRIMARY KEY, amount INTEGER NOT NULL)`),
		Handle: deposit,
	}
}

// deposit adds an event to the balance of its account. An event whose content was erased has no
// amount any more.
func deposit(ctx context.Context, tx *sql.Tx, d eventfold.Delivery) error {
	if d.Redacted {
		return nil
	}
	var e deposited
	if err := json.Unmarshal(d.Payload, &e); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx,
		`INSERT INTO balance VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET amount = amount + excluded.amount`,
		d.Stream, e.Amount)
	return err
}
