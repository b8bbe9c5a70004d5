package main

import "context"

// Unique username: of all who want a name, one gets it; once its account is closed, it can be had
// again.

func (d *decider) register(ctx context.Context, account, username string) error {
	tag := "username:" + username
	return d.decide(func() error {
		var last *int64
		var state *string
		err := d.db.QueryRowContext(ctx, `SELECT MAX(position), LAST(type) FROM $all WHERE HAS(tags, ?)`,
			tag).Scan(&last, &state)
		if err != nil {
			return err
		}
		if state != nil && *state == "AccountRegistered" {
			return refusal("the name is taken")
		}
		return d.account(ctx, account, "AccountRegistered", tag, last)
	})
}

func (d *decider) closeAccount(ctx context.Context, account, username string) error {
	tag := "username:" + username
	return d.decide(func() error {
		var last *int64
		err := d.db.QueryRowContext(ctx, `SELECT MAX(position) FROM $all WHERE HAS(tags, ?)`, tag).Scan(&last)
		if err != nil {
			return err
		}
		return d.account(ctx, account, "AccountClosed", tag, last)
	})
}

func (d *decider) account(ctx context.Context, account, typ, tag string, last *int64) error {
	_, err := d.db.ExecContext(ctx, `
		INSERT INTO ? (type, tags) VALUES (?, ?) EXPECTING NO EVENT FROM $all WHERE HAS(tags, ?) AFTER ?`,
		"account-"+account, typ, []string{tag}, tag, last)
	return err
}
