package main

import (
	"context"
	"fmt"
	"time"
)

// Opt-in token: whoever signs up gets a token by mail, and it confirms the address once, for a
// while.

func (d *decider) signUp(ctx context.Context, email, token string) error {
	_, err := d.db.ExecContext(ctx, `INSERT INTO ? (type, payload, tags) VALUES ('SignUpInitiated', ?, ?)`,
		"signup-"+email, fmt.Sprintf(`{"token": %q}`, token), []string{"email:" + email, "token:" + token})
	return err
}

func (d *decider) confirm(ctx context.Context, email, token string, validFor time.Duration) error {
	tags := []string{"email:" + email, "token:" + token}
	return d.decide(func() error {
		var last *int64
		var initiated *time.Time
		var confirmed int64
		err := d.db.QueryRowContext(ctx, `
			SELECT MAX(position), MAX(recorded_at) FILTER (WHERE type = 'SignUpInitiated'),
			       COUNT(*) FILTER (WHERE type = 'SignUpConfirmed')
			FROM $all WHERE HAS(tags, ?) AND HAS(tags, ?)`, tags[0], tags[1]).Scan(&last, &initiated, &confirmed)
		switch {
		case err != nil:
			return err
		case initiated == nil:
			return refusal("there is no such token")
		case confirmed > 0:
			return refusal("the token has been used")
		case time.Since(*initiated) >= validFor:
			return refusal("the token has expired")
		}
		_, err = d.db.ExecContext(ctx, `
			INSERT INTO ? (type, tags) VALUES ('SignUpConfirmed', ?)
			EXPECTING NO EVENT FROM $all WHERE HAS(tags, ?) AND HAS(tags, ?) AFTER ?`,
			"signup-"+email, tags, tags[0], tags[1], last)
		return err
	})
}
