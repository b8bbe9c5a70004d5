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
	"io"
	"log"
	"os"
	"os/signal"
	"sync"

	"github.com/eventfold/eventfold"
	_ "modernc.org/sqlite"
)

func main() {
	store := flag.String("store", os.TempDir()+"/eventfold-projection", "the `directory` of the event store")
	database := flag.String("database", os.TempDir()+"/eventfold-projection.sqlite", "the SQLite `file`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *store, *database, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// A deposited is the payload of the events that are appended here.
type deposited struct {
	Amount int `json:"amount"`
}

// EventType implements what eventfold.AppendEvents asks for the type of an event.
func (deposited) EventType() string { return "Deposited" }

func run(ctx context.Context, store, database string, out io.Writer) error {
	events, err := sql.Open("eventfold", store)
	if err != nil {
		return err
	}
	defer events.Close()
	target, err := sql.Open("sqlite", database+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer target.Close()

	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { // ends with stop; whoever waits for it under running is told when it ends by itself
		defer cancel()
		ended <- eventfold.Project(running, events, balances(target))
	}()
	stop := sync.OnceValue(func() error { cancel(); return <-ended })
	defer stop()

	last := eventfold.NoPosition
	for i := range 10 { // something to follow
		done, err := eventfold.AppendEvents(ctx, events, fmt.Sprintf("account-%d", i%3), eventfold.Any, deposited{i})
		if err != nil {
			return err
		}
		last = done.Events[0].Position
	}
	// A service would go on until it is stopped. This one waits until it can read what it has written.
	if err := eventfold.WaitFor(running, events, balances(target), last); err != nil {
		return errors.Join(stop(), err)
	}
	if err := show(ctx, target, out); err != nil {
		return err
	}
	if err := stop(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// show writes the balances and how far the projection is.
func show(ctx context.Context, target *sql.DB, out io.Writer) error {
	rows, err := target.QueryContext(ctx, `SELECT account, amount FROM balance ORDER BY account`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var account string
		var amount int
		if err := rows.Scan(&account, &amount); err != nil {
			return err
		}
		fmt.Fprintln(out, account, amount)
	}
	list, err := eventfold.Projections(ctx, target)
	for _, s := range list {
		fmt.Fprintln(out, s.Name, s.State(), "next position", s.Next)
	}
	return errors.Join(rows.Err(), err)
}
