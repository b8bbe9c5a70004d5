package docs

import (
	"database/sql"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// BenchmarkWaysToAppend measures what guide.md says of experience: a thousand events on the disk, in
// INSERTs of many rows, in one transaction of INSERTs, by 64 clients, and one after the other. It
// would be bad news if the first were not the fastest and the last not the slowest.
func BenchmarkWaysToAppend(b *testing.B) {
	const events = 1000
	for _, way := range []struct {
		name   string
		append func(b *testing.B, db *sql.DB)
	}{
		{"rows with arguments", func(b *testing.B, db *sql.DB) { execOn(b, db, manyRows(events), payloads(events)...) }},
		{"rows in the text", func(b *testing.B, db *sql.DB) { execOn(b, db, manyLiterals(events)) }},
		{"one transaction", func(b *testing.B, db *sql.DB) {
			tx, err := db.Begin()
			if err != nil {
				b.Fatal(err)
			}
			for range events {
				execOn(b, tx, oneRow, note)
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
			execOn(b, db, oneRow, note)
			b.ResetTimer()
			for range b.N {
				way.append(b, db)
			}
			b.ReportMetric(events*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

const note = `{"text": "as short as a note is"}`

const oneRow = `INSERT INTO "order-7" (type, payload) VALUES ('Noted', ?)`

// manyRows is one INSERT of n rows.
func manyRows(n int) string { return oneRow + strings.Repeat(", ('Noted', ?)", n-1) }

// manyLiterals is the same with the values in its text.
func manyLiterals(n int) string { return strings.ReplaceAll(manyRows(n), "?", "'"+note+"'") }

// payloads are the arguments of manyRows.
func payloads(n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = note
	}
	return list
}

// byClients appends n events, each by itself, from several goroutines.
func byClients(b *testing.B, db *sql.DB, clients, n int) {
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for range n / clients {
				if _, err := db.Exec(oneRow, note); err != nil {
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
}, statement string, args ...any) {
	b.Helper()
	if _, err := on.Exec(statement, args...); err != nil {
		b.Fatal(err)
	}
}
