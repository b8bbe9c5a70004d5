package projection

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// The examples of the package eventfold that need SQLite, with what they print.

// A table of balances in a database of yours, here SQLite, is kept up to date.
func Example_project() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	target, _ := sql.Open("sqlite", ":memory:") // the database of the read model
	defer target.Close()
	target.SetMaxOpenConns(1) // one in memory is that of its connection

	balances := eventfold.Projection{
		Name: "balances", Version: 1, Target: target,
		Query: `SELECT event FROM $all WHERE type = 'Deposited'`,
		Setup: func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `DROP TABLE IF EXISTS balance;
				CREATE TABLE balance (account TEXT PRIMARY KEY, amount INTEGER NOT NULL)`)
			return err
		},
		Handle: func(ctx context.Context, tx *sql.Tx, d eventfold.Delivery) error {
			var e struct{ Amount int }
			if d.Redacted {
				return nil // what it said was erased
			}
			if err := json.Unmarshal(d.Payload, &e); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO balance VALUES ($1, $2)
				ON CONFLICT (account) DO UPDATE SET amount = amount + excluded.amount`, d.Stream, e.Amount)
			return err
		},
	}
	ended := make(chan error, 1)
	go func() { // ends with stop; whoever waits under ctx is told when it ends by itself
		defer stop()
		ended <- eventfold.Project(ctx, db, balances)
	}()

	done, err := eventfold.AppendEvents(ctx, db, "account-7", eventfold.Any,
		eventfold.NewEvent{Type: "Deposited", Payload: []byte(`{"amount": 40}`)},
		eventfold.NewEvent{Type: "Deposited", Payload: []byte(`{"amount": 2}`)})
	if err != nil {
		log.Fatal(err)
	}
	if err := eventfold.WaitFor(ctx, db, balances, done.Events[1].Position); err != nil {
		log.Fatal(err)
	}
	var amount int
	err = target.QueryRow(`SELECT amount FROM balance WHERE account = 'account-7'`).Scan(&amount)
	fmt.Println(amount, err)
	stop()
	fmt.Println(<-ended)
	// Output:
	// 42 <nil>
	// context canceled
}

// Snapshots in a database of yours, here SQLite, spare folding a long stream from its beginning.
func Example_loader() {
	ctx := context.Background()
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	ours, _ := sql.Open("sqlite", ":memory:") // the database of the snapshots
	defer ours.Close()
	ours.SetMaxOpenConns(1) // one in memory is that of its connection

	snapshots, err := eventfold.OpenSnapshots(ctx, ours)
	if err != nil {
		log.Fatal(err)
	}
	folded := 0
	counts := eventfold.Loader[map[string]int]{
		Name: "counts", Code: 1, Snapshots: snapshots, Every: 10,
		Fold: func(n map[string]int, e eventfold.Event) (map[string]int, error) {
			if n == nil {
				n = map[string]int{}
			}
			n[e.Type]++
			folded++
			return n, nil
		},
	}
	for range 12 {
		_, err := eventfold.AppendEvents(ctx, db, "sensor-1", eventfold.Any, eventfold.NewEvent{Type: "Measured"})
		if err != nil {
			log.Fatal(err)
		}
	}
	for range 2 { // the second time the snapshot of the first is all there is to do
		folded = 0
		state, version, err := counts.Load(ctx, db, "sensor-1")
		fmt.Println(state, "at version", version, "with", folded, "events folded", err)
	}
	// Output:
	// map[Measured:12] at version 11 with 12 events folded <nil>
	// map[Measured:12] at version 11 with 0 events folded <nil>
}

// TestTheExamplesOfThePackageAreThoseThatRunHere, line for line, but for what they print.
func TestTheExamplesOfThePackageAreThoseThatRunHere(t *testing.T) {
	here, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	there, err := os.ReadFile("../../project_example_test.go")
	require.NoError(t, err)
	body := regexp.MustCompile(`(?ms)^func Example\w+\(\) \{\n(.*?)(?:^\t// Output:$.*?)?^\}$`)
	ours, theirs := body.FindAllSubmatch(here, -1), body.FindAllSubmatch(there, -1)
	require.Len(t, ours, 2)
	require.Len(t, theirs, 2)
	for i := range ours {
		assert.Equal(t, string(ours[i][1]), string(theirs[i][1]))
	}
}
