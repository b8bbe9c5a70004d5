package projection

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold"
)

// The examples of the package eventfold that need SQLite, with what they print, and its events of an
// account.

type (
	Deposited struct{ Amount int }
	Withdrawn struct{ Amount int }
)

func init() {
	eventfold.Register[Deposited](eventfold.DefaultRegistry, "Deposited")
	eventfold.Register[Withdrawn](eventfold.DefaultRegistry, "Withdrawn")
}

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
		Setup: eventfold.Statements(`DROP TABLE IF EXISTS balance`,
			`CREATE TABLE balance (account TEXT PRIMARY KEY, amount INTEGER NOT NULL)`),
		Handle: eventfold.HandleTyped(func(ctx context.Context, tx *sql.Tx, e Deposited, d eventfold.Delivery) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO balance VALUES ($1, $2)
				ON CONFLICT (account) DO UPDATE SET amount = amount + excluded.amount`, d.Stream, e.Amount)
			return err
		}),
	}
	ended := make(chan error, 1)
	go func() { // ends with stop; whoever waits under ctx is told when it ends by itself
		defer stop()
		ended <- eventfold.Project(ctx, db, balances)
	}()

	done, err := eventfold.AppendEvents(ctx, db, "account-7", eventfold.Any, Deposited{Amount: 40}, Deposited{Amount: 2})
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

// One's own write is read from a read model, which may be a moment behind the store.
func Example_waitFor() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	target, _ := sql.Open("sqlite", ":memory:") // the database of the read model
	defer target.Close()
	target.SetMaxOpenConns(1) // one in memory is that of its connection

	counts := eventfold.Projection{
		Name: "counts", Version: 1, Target: target,
		Setup: eventfold.Statements(`DROP TABLE IF EXISTS counts`, `CREATE TABLE counts (stream TEXT PRIMARY KEY, n INTEGER)`),
		Handle: func(ctx context.Context, tx *sql.Tx, d eventfold.Delivery) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO counts VALUES ($1, 1)
				ON CONFLICT (stream) DO UPDATE SET n = n + 1`, d.Stream)
			return err
		},
	}
	ended := make(chan error, 1)
	go func() { defer stop(); ended <- eventfold.Project(ctx, db, counts) }() // ends with stop
	for range 3 {
		done, err := eventfold.AppendEvents(ctx, db, "sensor-1", eventfold.Any, eventfold.NewEvent{Type: "Measured"})
		if err != nil {
			log.Fatal(err)
		}
		if err := eventfold.WaitFor(ctx, db, counts, done.Events[0].Position); err != nil {
			log.Fatal(err)
		}
		var n int
		err = target.QueryRow(`SELECT n FROM counts WHERE stream = 'sensor-1'`).Scan(&n)
		fmt.Println(n, err)
	}
	stop()
	<-ended
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
}

// An event that Handle refuses is parked, looked at, and tried again when what it needs is there.
func Example_retryParked() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	target, _ := sql.Open("sqlite", ":memory:") // the database of the read model
	defer target.Close()
	target.SetMaxOpenConns(1) // one in memory is that of its connection

	var rates atomic.Bool // whether what Handle needs is there
	prices := eventfold.Projection{
		Name: "prices", Version: 1, Target: target, Attempts: 1, OnFailure: eventfold.Park,
		Handle: func(context.Context, *sql.Tx, eventfold.Delivery) error {
			if !rates.Load() {
				return errors.New("there is no rate for NOK")
			}
			return nil
		},
	}
	ended := make(chan error, 1)
	go func() { defer stop(); ended <- eventfold.Project(ctx, db, prices) }() // ends with stop
	done, err := eventfold.AppendEvents(ctx, db, "order-1", eventfold.Any, eventfold.NewEvent{Type: "Placed"})
	if err != nil {
		log.Fatal(err)
	}
	if err := eventfold.WaitFor(ctx, db, prices, done.Events[0].Position); err != nil {
		log.Fatal(err)
	}
	parked, err := eventfold.ParkedEvents(ctx, target, "prices")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(parked[0].Stream, parked[0].Type, parked[0].Error)

	rates.Store(true)
	fmt.Println(eventfold.RetryParked(ctx, target, "prices", 1)) // the runner does it within a second
	for len(parked) > 0 {
		time.Sleep(10 * time.Millisecond)
		if parked, err = eventfold.ParkedEvents(ctx, target, "prices"); err != nil {
			log.Fatal(err)
		}
	}
	list, err := eventfold.Projections(ctx, target)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(list[0].Name, list[0].State(), "parked", list[0].Parked, "behind", list[0].Lag(1))
	stop()
	<-ended
	// Output:
	// order-1 Placed there is no rate for NOK
	// 1 <nil>
	// prices live parked 0 behind 0
}

// Of several types of events the Go values are told apart.
func Example_handleTyped() {
	handle := eventfold.HandleTyped(func(ctx context.Context, tx *sql.Tx, event any, d eventfold.Delivery) error {
		switch e := event.(type) {
		case Deposited:
			_, err := tx.ExecContext(ctx, `UPDATE balance SET amount = amount + $1`, e.Amount)
			return err
		case Withdrawn:
			_, err := tx.ExecContext(ctx, `UPDATE balance SET amount = amount - $1`, e.Amount)
			return err
		case eventfold.Event: // its content was erased
			return nil
		}
		return fmt.Errorf("a %T concerns no balance", event)
	})
	ctx := context.Background()
	target, _ := sql.Open("sqlite", ":memory:") // the database of the read model
	defer target.Close()
	target.SetMaxOpenConns(1) // one in memory is that of its connection
	tx, err := target.BeginTx(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer tx.Rollback()
	setup := eventfold.Statements(`CREATE TABLE balance (amount INTEGER)`, `INSERT INTO balance VALUES (0)`)
	if err := setup(ctx, tx); err != nil {
		log.Fatal(err)
	}

	// Project does this for every event.
	for _, e := range []eventfold.Event{
		{Type: "Deposited", Payload: []byte(`{"Amount": 40}`)},
		{Type: "Withdrawn", Payload: []byte(`{"Amount": 15}`)},
		{Type: "Deposited", Redacted: true},
	} {
		if err := handle(ctx, tx, eventfold.Delivery{Event: e}); err != nil {
			log.Fatal(err)
		}
	}
	var amount int
	err = tx.QueryRow(`SELECT amount FROM balance`).Scan(&amount)
	fmt.Println(amount, err)
	// Output: 25 <nil>
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
	body := regexp.MustCompile(`(?ms)^func Example\w+\(\) \{\n(.*?)(?:^\t// Output:.*?)?^\}$`)
	ours, theirs := body.FindAllSubmatch(here, -1), body.FindAllSubmatch(there, -1)
	require.Len(t, ours, 5)
	require.Len(t, theirs, 5)
	for i := range ours {
		assert.Equal(t, string(ours[i][1]), string(theirs[i][1]))
	}
}
