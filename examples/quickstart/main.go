// Quickstart appends a few events, reads them back and asks a question about them.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	_ "github.com/eventfold/eventfold"
)

func main() {
	dir, err := os.MkdirTemp("", "quickstart")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := run(context.Background(), filepath.Join(dir, "store"), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dsn string, out io.Writer) error {
	db, err := sql.Open("eventfold", dsn)
	if err != nil {
		return err
	}
	defer db.Close()

	// A stream begins with its first event. NO STREAM makes sure that nobody else has begun it.
	_, err = db.ExecContext(ctx, `INSERT INTO "account-7" (type, payload) VALUES (?, ?) EXPECTING NO STREAM`,
		"Opened", `{"owner": "Ada"}`)
	if err != nil {
		return err
	}
	for _, amount := range []int{40, 250, 10} {
		_, err = db.ExecContext(ctx, `INSERT INTO "account-7" (type, payload) VALUES (?, ?)`,
			"Deposited", fmt.Sprintf(`{"amount": %d}`, amount))
		if err != nil {
			return err
		}
	}

	rows, err := db.QueryContext(ctx, `SELECT version, type, payload FROM "account-7" ORDER BY version`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var version int64
		var typ, payload string
		if err := rows.Scan(&version, &typ, &payload); err != nil {
			return err
		}
		fmt.Fprintln(out, version, typ, payload)
	}
	if err := rows.Err(); err != nil {
		return err
	}

	var count, sum int64
	err = db.QueryRowContext(ctx,
		`SELECT COUNT(*), SUM(payload->>'$.amount') FROM $all WHERE type = 'Deposited'`).Scan(&count, &sum)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d deposits, %d in all\n", count, sum)
	return nil
}
