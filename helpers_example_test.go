package eventfold_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"

	"github.com/eventfold/eventfold"
)

// The events of an account, and its state.
type (
	Opened    struct{ Owner string }
	Deposited struct{ Amount int }
	Withdrawn struct{ Amount int }

	Account struct {
		Owner   string
		Balance int
	}
)

func init() {
	eventfold.Register[Opened](eventfold.DefaultRegistry, "Opened")
	eventfold.Register[Deposited](eventfold.DefaultRegistry, "Deposited")
	eventfold.Register[Withdrawn](eventfold.DefaultRegistry, "Withdrawn")
}

// foldAccount makes the state of an account of its events.
var foldAccount = eventfold.Typed(func(a Account, event any) Account {
	switch e := event.(type) {
	case Opened:
		a.Owner = e.Owner
	case Deposited:
		a.Balance += e.Amount
	case Withdrawn:
		a.Balance -= e.Amount
	}
	return a
})

// Typed events are appended and folded to the state of a stream.
func ExampleAppendEvents() {
	ctx := context.Background()
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()

	done, err := eventfold.AppendEvents(ctx, db, "account-7", eventfold.NoStream,
		Opened{Owner: "Ada"},
		eventfold.Draft{Event: Deposited{Amount: 40}, Tags: []string{"branch:1"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the deposit is at position", done.Events[1].Position)

	account, version, err := eventfold.Load(ctx, db, "account-7", foldAccount)
	fmt.Printf("%+v at version %d, %v\n", account, version, err)
	// Output:
	// the deposit is at position 1
	// {Owner:Ada Balance:40} at version 1, <nil>
}

// The state of a stream is folded of its events, and comes with the version that the next append
// expects.
func ExampleLoad() {
	ctx := context.Background()
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	_, version, err := eventfold.Load(ctx, db, "account-7", foldAccount)
	fmt.Println(version == eventfold.NoVersion, err)
	_, err = eventfold.AppendEvents(ctx, db, "account-7", eventfold.Exact(version), Opened{"Ada"}, Deposited{40})
	if err != nil {
		log.Fatal(err)
	}
	account, version, err := eventfold.Load(ctx, db, "account-7", foldAccount)
	fmt.Println(account.Owner, account.Balance, version, err)
	// Output:
	// true <nil>
	// Ada 40 1 <nil>
}

// Who decided on what is not so any more is told, and decides again, by hand or with Retry.
func ExampleIsConflict() {
	ctx := context.Background()
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	for range 2 {
		_, err := eventfold.AppendEvents(ctx, db, "account-7", eventfold.NoStream, Opened{"Ada"})
		fmt.Println(eventfold.IsConflict(err), err)
	}
	// Output:
	// false <nil>
	// true eventfold: stream "account-7" is at version 0, expected no stream
}

// A decision is made again when somebody else was faster.
func ExampleRetry() {
	ctx := context.Background()
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	_, err := eventfold.AppendEvents(ctx, db, "account-7", eventfold.NoStream, Opened{"Ada"}, Deposited{40})
	if err != nil {
		log.Fatal(err)
	}

	errTooLittle := errors.New("there is too little on the account")
	withdraw := func(amount int) error {
		return eventfold.Retry(ctx, func(ctx context.Context) error {
			account, version, err := eventfold.Load(ctx, db, "account-7", foldAccount)
			if err != nil {
				return err
			}
			if account.Balance < amount {
				return errTooLittle
			}
			_, err = eventfold.AppendEvents(ctx, db, "account-7", eventfold.Exact(version), Withdrawn{amount})
			return err
		})
	}
	fmt.Println(withdraw(30))
	fmt.Println(withdraw(30))
	// Output:
	// <nil>
	// there is too little on the account
}

// A name that may be taken once, whatever stream takes it: what is read and what guards the append
// is one filter.
func ExampleDecide() {
	type NameTaken struct{ Name string }
	ctx := context.Background()
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()

	take := func(user, name string) error {
		tag := "name:" + name
		taken := func(bool, eventfold.Event) (bool, error) { return true, nil }
		_, err := eventfold.Decide(ctx, db, eventfold.WithTags(tag), taken,
			func(taken bool) ([]eventfold.Draft, error) {
				if taken {
					return nil, fmt.Errorf("%s is taken", name)
				}
				return []eventfold.Draft{{Stream: user, Event: NameTaken{name}, Tags: []string{tag}}}, nil
			})
		return err
	}
	fmt.Println(take("user-1", "ada"))
	fmt.Println(take("user-2", "ada"))
	// Output:
	// <nil>
	// ada is taken
}

// Payloads of earlier days become those of today when they are read.
func ExampleRegister() {
	type placedV1 struct{ Total int } // in cents
	type OrderPlaced struct {
		Total    float64
		Currency string
	} // since the shop sells abroad
	events := eventfold.NewRegistry()
	eventfold.Register[OrderPlaced](events, "OrderPlaced", eventfold.Upcast(func(old placedV1) OrderPlaced {
		return OrderPlaced{Total: float64(old.Total) / 100, Currency: "EUR"}
	}))

	old := eventfold.Event{Type: "OrderPlaced", Payload: []byte(`{"Total": 1250}`), Metadata: []byte(`{}`)}
	fmt.Println(events.Decode(old))
	today, err := events.Encode(eventfold.Draft{Event: OrderPlaced{Total: 9.5, Currency: "NOK"}})
	fmt.Printf("%s %s %v\n", today.Payload, today.Metadata, err)
	// Output:
	// {12.5 EUR} <nil>
	// {"Total":9.5,"Currency":"NOK"} {"schema":2} <nil>
}

// A request that comes again with its key appends nothing twice.
func ExampleWithRequest() {
	db, _ := sql.Open("eventfold", ":memory:")
	defer db.Close()
	deposit := func(key string) {
		ctx := eventfold.WithRequest(context.Background(), key) // as of the header Idempotency-Key
		done, err := eventfold.AppendEvents(ctx, db, "account-7", eventfold.Any, Deposited{40})
		fmt.Println(done.Events[0].Position, done.Duplicate, err)
	}
	deposit("a1")
	deposit("a2")
	deposit("a1")
	// Output:
	// 0 false <nil>
	// 1 false <nil>
	// 0 true <nil>
}
