package drivertest

import (
	"context"
	"database/sql"
	"runtime"
	"strings"
	"time"
)

// goroutines returns the stack of every goroutine of the process, by its number.
func goroutines() map[string]string {
	buffer := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buffer, true)
		if n < len(buffer) {
			buffer = buffer[:n]
			break
		}
		buffer = make([]byte, 2*len(buffer))
	}
	all := map[string]string{}
	for stack := range strings.SplitSeq(string(buffer), "\n\n") {
		number, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		all[number] = stack
	}
	return all
}

// expected are what the runtime starts when it likes, and nobody's leak.
var expected = []string{"runtime.runCleanups", "runtime.runFinalizers", "runtime.runfinq", "runtime.bgsweep"}

// strangers returns the stacks of the goroutines that were not there before.
func strangers(before map[string]string) string {
	var left []string
next:
	for number, stack := range goroutines() {
		if _, known := before[number]; known {
			continue
		}
		for _, e := range expected {
			if strings.Contains(stack, e) {
				continue next
			}
		}
		left = append(left, stack)
	}
	return strings.Join(left, "\n\n")
}

// tired waits a little, and tells whether that was long enough.
func (s *suite) tired(n int) bool {
	time.Sleep(time.Millisecond)
	return time.Duration(n)*time.Millisecond > s.o.Patience
}

// use does with a database what makes drivers start goroutines: statements, transactions and rows
// under contexts that can end, and end.
func (s *suite) use(db *sql.DB) {
	s.Helper()
	for range 3 {
		ctx, cancel := context.WithCancel(s.ctx())
		_, err := db.ExecContext(ctx, s.o.Insert, "a", []byte("1"))
		s.must(err, "Insert")
		rows, err := db.QueryContext(ctx, s.o.All)
		s.must(err, "All")
		rows.Next()
		s.must(rows.Close(), "closing rows")
		tx, err := db.BeginTx(ctx, nil)
		s.must(err, "BeginTx")
		s.insert(tx, "b", nil)
		s.must(tx.Commit(), "Commit")
		cancel()
		if s.o.Endless == "" {
			continue
		}
		ctx, cancel = context.WithCancel(s.ctx())
		done := s.endless(db, ctx)
		time.Sleep(5 * time.Millisecond) // it runs by then, or finds the context ended: both have to end
		cancel()
		s.returns("a query that was cancelled", func() error { return <-done })
	}
}
