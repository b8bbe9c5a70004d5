package eventfoldtest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/eventfold/eventfold"
	"github.com/eventfold/eventfold/eventfoldtest"
)

// A Lent says that a copy of a book is with a member.
type Lent struct{ Copy, Member string }

var errLent = errors.New("the copy is lent")

// lend is a decision of a program: a copy is lent once.
func lend(ctx context.Context, db *sql.DB, copyNumber, member string) error {
	stream := "copy-" + copyNumber
	lent := func(bool, eventfold.Event) (bool, error) { return true, nil }
	_, err := eventfold.Decide(ctx, db, eventfold.Where("stream = ?", stream), lent,
		func(lent bool) ([]eventfold.Draft, error) {
			if lent {
				return nil, errLent
			}
			return []eventfold.Draft{{Stream: stream, Event: Lent{copyNumber, member}}}, nil
		})
	return err
}

// A decision is told in a test as given, when and then. What is not so fails the test, which here is
// one that prints.
func ExampleGiven() {
	t, end := newExampleTest()
	defer end()

	eventfoldtest.Given(t, eventfold.Draft{Stream: "copy-12", Event: Lent{"12", "7"}}).
		When(func(ctx context.Context, db *sql.DB) error { return lend(ctx, db, "12", "8") }).
		ThenError(errLent).
		When(func(ctx context.Context, db *sql.DB) error { return lend(ctx, db, "13", "8") }).
		Then(eventfold.Draft{Stream: "copy-13", Event: Lent{"13", "8"}})

	eventfoldtest.Given(t).
		When(func(ctx context.Context, db *sql.DB) error { return lend(ctx, db, "13", "8") }).
		Then(eventfold.Draft{Stream: "copy-13", Event: Lent{"13", "9"}})
	// Output:
	// the decision has appended
	// 	copy-13: Lent {"Copy":"13","Member":"8"} []
	// want
	// 	copy-13: Lent {"Copy":"13","Member":"9"} []
}

// A store whose clock is set: what recorded_at and now() are is the test's to say.
func ExampleOpenAt() {
	t, end := newExampleTest()
	defer end()

	clock := eventfoldtest.NewClock(time.Date(2026, time.March, 1, 9, 0, 0, 0, time.UTC))
	db := eventfoldtest.OpenAt(t, clock)
	if _, err := db.Exec(`INSERT INTO "copy-12" (type) VALUES ('Lent')`); err != nil {
		t.Fatal(err)
	}
	clock.Advance(31 * 24 * time.Hour)
	var days float64
	if err := db.QueryRow(`SELECT (now() - recorded_at) / 86400 FROM "copy-12"`).Scan(&days); err != nil {
		t.Fatal(err)
	}
	fmt.Println("lent for", days, "days")
	// Output: lent for 31 days
}

// Events that the helpers append under the test's Context have the same ids whenever it runs.
func ExampleContext() {
	t, end := newExampleTest()
	defer end()

	done, err := eventfold.AppendEvents(eventfoldtest.Context(t), eventfoldtest.Open(t), "copy-12", eventfold.NoStream,
		Lent{"12", "7"})
	fmt.Println(done.Events[0].ID, err)
	// Output: 8dc89613-7935-5a84-91e3-852a461e83fa <nil>
}

// An exampleTest is what an example has in the place of a *testing.T: it prints what fails.
type exampleTest struct {
	testing.TB
	cleanups []func()
}

// newExampleTest returns a test, and what ends it.
func newExampleTest() (t testing.TB, end func()) {
	x := &exampleTest{}
	return x, func() {
		for i := len(x.cleanups) - 1; i >= 0; i-- {
			x.cleanups[i]()
		}
	}
}

func (x *exampleTest) Helper()                           {}
func (x *exampleTest) Name() string                      { return "TestACopyIsLentOnce" }
func (x *exampleTest) Context() context.Context          { return context.Background() }
func (x *exampleTest) Cleanup(f func())                  { x.cleanups = append(x.cleanups, f) }
func (x *exampleTest) Errorf(format string, args ...any) { fmt.Printf(format, args...) }
func (x *exampleTest) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (x *exampleTest) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
