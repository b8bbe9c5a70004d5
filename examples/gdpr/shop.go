package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"

	"github.com/eventfold/eventfold/shred"
)

// A customer is registered with sealed values; the label of a parcel is written in plain text.
type customer struct {
	Subject string `json:"subject"` // whose the values are: a number, never a name
	Name    string `json:"name" pii:"Subject"`
	Email   string `json:"email" pii:"Subject"`
	Street  string `json:"-"`
}

var customers = []customer{
	{"customer-42", "Ada Lovelace", "ada@example.com", "12 Analytical Street"},
	{"customer-7", "Bob Babbage", "bob@example.com", "7 Difference Road"},
}

// A shop writes what it knows of its customers.
type shop struct {
	db   *sql.DB
	keys shred.Keyring
}

// register appends an event whose values are sealed with the customer's key.
func (s *shop) register(ctx context.Context, c customer) error {
	at := shred.Place{Stream: c.Subject, Type: "Registered"}
	payload, err := shred.Marshal(ctx, s.keys, at, c)
	if err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, `INSERT INTO $all (stream, type, payload) VALUES (?, ?, ?)`,
		at.Stream, at.Type, payload)
	return err
}

// ship appends an event in plain text. A tag says who is in it.
func (s *shop) ship(ctx context.Context, c customer) error {
	payload, err := json.Marshal(map[string]any{"street": c.Street, "grams": 250})
	if err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, `INSERT INTO $all (stream, type, payload, tags) VALUES (?, ?, ?, ?)`,
		"parcel-for-"+c.Subject, "Shipped", payload, []string{c.Subject})
	return err
}

// erase does both, and waits until no file of the store has what was erased.
func (s *shop) erase(ctx context.Context, out io.Writer, c customer) error {
	const reason = "Art. 17, ticket 114"
	_, err := s.db.ExecContext(ctx, `ERASE FROM $all WHERE HAS(tags, ?) REASON ?`, c.Subject, reason)
	if err != nil {
		return err
	}
	if _, err := s.db.ExecContext(ctx, `FORGET SUBJECT ? REASON ?`, c.Subject, reason); err != nil {
		return err
	}
	var erasure string
	err = s.db.QueryRowContext(ctx, `SELECT payload->>'$.erasure' FROM $all WHERE type = '$erasure-done'
		LIMIT 1 FOLLOW`).Scan(&erasure) // which waits for the event
	if err != nil {
		return err
	}
	var events int
	var actor string
	var done bool
	err = s.db.QueryRowContext(ctx, `SELECT events, actor, done_at IS NOT NULL FROM $erasures WHERE erasure = ?`,
		erasure).Scan(&events, &actor, &done)
	fmt.Fprintf(out, "erased by %s: %d event, done: %v\n", actor, events, done)
	return err
}

// report shows what is left, and what tells of the destroyed key.
func (s *shop) report(ctx context.Context, out io.Writer) error {
	rows, err := s.db.QueryContext(ctx, `SELECT type, stream, coalesce(reveal(payload->'$.name'),
		payload->>'$.street', payload->>'$.reason', '?') FROM $all WHERE type <> '$erased'
		AND type <> '$erasure-done' ORDER BY position`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var typ, stream, what string
		if err := rows.Scan(&typ, &stream, &what); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s %s: %s\n", typ, stream, what)
	}
	return rows.Err()
}
