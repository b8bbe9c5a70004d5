// Projection keeps a table of account balances up to date in SQLite, by following the event store.
// The checkpoint lives in the same SQLite database and moves in the same transaction as the
// balances, so that every event counts exactly once however often the program is stopped. Run it
// twice to see it go on where it stopped.
//
//	go run -C examples/projection . [-store directory] [-database file]
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	_ "github.com/eventfold/eventfold"
	_ "modernc.org/sqlite"
)

func main() {
	store := flag.String("store", os.TempDir()+"/eventfold-projection", "the `directory` of the event store")
	database := flag.String("database", os.TempDir()+"/eventfold-projection.sqlite", "the SQLite `file`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *store, *database); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

func run(ctx context.Context, store, database string) error {
	events, err := sql.Open("eventfold", store)
	if err != nil {
		return err
	}
	defer events.Close()
	target, err := sql.Open("sqlite", database)
	if err != nil {
		return err
	}
	defer target.Close()

	for i := range 10 { // something to follow
		_, err := events.ExecContext(ctx, `INSERT INTO ? (type, payload) VALUES ('Deposited', ?)`,
			fmt.Sprintf("account-%d", i%3), fmt.Sprintf(`{"amount": %d}`, i))
		if err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return project(ctx, events, target, func(next int64) {
		fmt.Println("next position", next)
		if next%10 == 0 {
			cancel() // a service would go on until it is stopped
		}
	})
}

// project follows the store from the checkpoint until ctx ends, which is the error it then returns.
func project(ctx context.Context, events, target *sql.DB, moved func(next int64)) error {
	var next int64
	if _, err := target.ExecContext(ctx, schema); err != nil {
		return err
	}
	if err := target.QueryRowContext(ctx, `SELECT next FROM checkpoint`).Scan(&next); err != nil {
		return err
	}
	rows, err := events.QueryContext(ctx, `SELECT position, stream, payload->>'$.amount' FROM $all
		WHERE position >= ? AND type = 'Deposited' FOLLOW`, next)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var position, amount int64
		var account string
		if err := rows.Scan(&position, &account, &amount); err != nil {
			return err
		}
		if err := apply(ctx, target, account, amount, position+1); err != nil {
			return err
		}
		moved(position + 1)
	}
	return rows.Err()
}
