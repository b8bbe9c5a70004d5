// Package eventfoldtest helps with tests of programs that keep events: a store in one line, a clock
// that stands still, ids that are the same every time, and decisions that are told as given, when
// and then.
//
//	eventfoldtest.Given(t,
//		eventfold.Draft{Stream: "account-7", Event: Opened{Owner: "Ada"}}).
//		When(func(ctx context.Context, db *sql.DB) error { return Withdraw(ctx, db, "account-7", 40) }).
//		ThenError(ErrTooLittle)
package eventfoldtest

import (
	"context"
	"database/sql"
	"testing"

	"github.com/eventfold/eventfold"
)

// Open returns a new store in memory, which is closed when the test ends.
func Open(t testing.TB) *sql.DB {
	t.Helper()
	return OpenConfig(t, eventfold.Config{Mode: eventfold.Memory})
}

// OpenAt returns a new store in memory whose clock is the one given: recorded_at and now() are its
// time.
func OpenAt(t testing.TB, clock *Clock) *sql.DB {
	t.Helper()
	return OpenConfig(t, eventfold.Config{Mode: eventfold.Memory, Now: clock.Now})
}

// OpenConfig opens a store that is closed when the test ends. A test that opens a store twice gives
// a Path in t.TempDir().
func OpenConfig(t testing.TB, c eventfold.Config) *sql.DB {
	t.Helper()
	db := eventfold.OpenDB(c)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatalf("open the store: %v", err)
	}
	return db
}

// Context returns the test's context, under which the helpers of package eventfold give events ids
// that are the same whenever the test runs.
func Context(t testing.TB) context.Context {
	return eventfold.WithRequest(t.Context(), t.Name())
}
