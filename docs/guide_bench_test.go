package docs

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// BenchmarkWaysToAppend measures what guide.md says of experience: a thousand events on the disk, in
// one INSERT, in one transaction of INSERTs, by 64 clients, and one after the other. It would be bad
// news if the first were not the fastest and the last not the slowest.
func BenchmarkWaysToAppend(b *testing.B) {
	const events = 1000
	for _, way := range []struct {
		name   string
		append func(b *testing.B, db *sql.DB)
	}{
		{"one INSERT", func(b *testing.B, db *sql.DB) { execOn(b, db, manyRows(events)) }},
		{"one transaction", func(b *testing.B, db *sql.DB) {
			tx, err := db.Begin()
			if err != nil {
				b.Fatal(err)
			}
			for range events {
				execOn(b, tx, oneRow)
			}
			if err := tx.Commit(); err != nil {
				b.Fatal(err)
			}
		}},
		{"64 clients", func(b *testing.B, db *sql.DB) { byClients(b, db, 64, events) }},
		{"1 client", func(b *testing.B, db *sql.DB) { byClients(b, db, 1, events) }},
	} {
		b.Run(strings.ReplaceAll(way.name, " ", "_"), func(b *testing.B) {
			db, err := sql.Open("eventfold", filepath.Join(b.TempDir(), "store"))
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			execOn(b, db, oneRow)
			b.ResetTimer()
			for range b.N {
				way.append(b, db)
			}
			b.ReportMetric(events*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

const oneRow = `INSERT INTO "order-7" (type, payload) VALUES ('Noted', '{"text": "as short as a note is"}')`

// manyRows is one INSERT of n rows.
func manyRows(n int) string {
	first, row, _ := strings.Cut(oneRow, "VALUES ")
	return fmt.Sprint(first, "VALUES ", row, strings.Repeat(", "+row, n-1))
}

// byClients appends n events, each by itself, from several goroutines.
func byClients(b *testing.B, db *sql.DB, clients, n int) {
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for range n / clients {
				if _, err := db.Exec(oneRow); err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// execOn runs a statement on a database or a transaction.
func execOn(b *testing.B, on interface {
	Exec(string, ...any) (sql.Result, error)
}, statement string) {
	b.Helper()
	if _, err := on.Exec(statement); err != nil {
		b.Fatal(err)
	}
}
