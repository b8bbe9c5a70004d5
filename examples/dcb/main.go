// Dcb shows the five worked examples of dcb.events on eventfold: decisions that are consistent
// across streams, because the append is refused when an event that would have changed the decision
// has come in since it was read.
//
//	go run ./examples/dcb
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/eventfold/eventfold"
)

func main() {
	dir, err := os.MkdirTemp("", "dcb")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := run(context.Background(), filepath.Join(dir, "store"), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// writers is the number of goroutines that compete in each example.
const writers = 16

// A decider reads what a decision depends on, decides, and appends; it counts the appends that had
// to be decided again.
type decider struct {
	db        *sql.DB
	conflicts atomic.Int64
}

// decide calls attempt until its append was not overtaken by an event that matters to it.
func (d *decider) decide(attempt func() error) error {
	for {
		err := attempt()
		if !errors.Is(err, eventfold.ErrConditionFailed) {
			return err
		}
		d.conflicts.Add(1)
	}
}

// A refusal is a decision against what was asked, not a failure.
type refusal string

func (r refusal) Error() string { return string(r) }

// compete runs ask in as many goroutines as there are writers and counts what was granted and what
// was refused.
func compete(ask func(writer int) error) (granted, refused int, err error) {
	var mu sync.Mutex // protects the results
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			e := ask(w)
			mu.Lock()
			defer mu.Unlock()
			var no refusal
			switch {
			case e == nil:
				granted++
			case errors.As(e, &no):
				refused++
			default:
				err = errors.Join(err, e)
			}
		})
	}
	group.Wait()
	return granted, refused, err
}

func run(ctx context.Context, dsn string, out io.Writer) error {
	db, err := sql.Open("eventfold", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, example := range examples {
		granted, refused, err := example.run(ctx, &decider{db: db})
		if err != nil {
			return fmt.Errorf("%s: %w", example.name, err)
		}
		fmt.Fprintf(out, "%s: %d granted, %d refused\n", example.name, granted, refused)
	}
	return nil
}
