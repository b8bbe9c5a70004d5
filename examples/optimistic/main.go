// Optimistic lets several goroutines withdraw from one account. Each reads the balance, decides,
// and appends with the version that it has seen; when somebody else was faster it reads and decides
// again. The balance never goes below zero.
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
	dir, err := os.MkdirTemp("", "optimistic")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := run(context.Background(), filepath.Join(dir, "store"), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

var errTooLittle = errors.New("the balance is too low")

// withdraw retries until it has decided on the newest state of the account.
func withdraw(ctx context.Context, db *sql.DB, amount int64) (retries int64, err error) {
	for {
		var version, balance int64
		err = db.QueryRowContext(ctx, `SELECT MAX(version), SUM(payload->>'$.amount') FROM "account-7"`).Scan(&version,
			&balance)
		if err != nil {
			return retries, err
		}
		if balance < amount {
			return retries, errTooLittle
		}
		_, err = db.ExecContext(ctx, `INSERT INTO "account-7" (type, payload) VALUES (?, ?) EXPECTING VERSION ?`,
			"Withdrawn", fmt.Sprintf(`{"amount": %d}`, -amount), version)
		if !errors.Is(err, eventfold.ErrVersionConflict) {
			return retries, err
		}
		retries++
	}
}

func run(ctx context.Context, dsn string, out io.Writer) error {
	db, err := sql.Open("eventfold", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx,
		`INSERT INTO "account-7" (type, payload) VALUES ('Deposited', '{"amount": 100}') EXPECTING NO STREAM`)
	if err != nil {
		return err
	}

	var done, refused, retried atomic.Int64
	var group sync.WaitGroup
	for range 16 { // sixteen people want 10 each from an account of 100
		group.Go(func() {
			retries, err := withdraw(ctx, db, 10)
			retried.Add(retries)
			switch {
			case err == nil:
				done.Add(1)
			case errors.Is(err, errTooLittle):
				refused.Add(1)
			default:
				log.Print(err)
			}
		})
	}
	group.Wait()

	var balance int64
	err = db.QueryRowContext(ctx, `SELECT SUM(payload->>'$.amount') FROM "account-7"`).Scan(&balance)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d withdrawn, %d refused, balance %d (%d retries)\n", done.Load(), refused.Load(), balance,
		retried.Load())
	return nil
}
