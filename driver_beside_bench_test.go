package eventfold_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// BenchmarkBesideReaders measures durable appends of 1 and 64 writers beside nobody, beside four
// clients that sum over 100,000 events and beside a hundred that read single events, as fast as
// they can, and what these read then and while nobody writes. Each b.N is a round of 300 ms of
// writers alone, of both, and of readers alone. of-alone is the rate of appends beside readers
// divided by that without, the median of the rounds. Far below the writers' share of the processors
// it means that appends wait for readers that keep a processor for 10 ms.
func BenchmarkBesideReaders(b *testing.B) {
	for _, writers := range []int{1, 64} {
		for _, readers := range []struct {
			name    string
			clients int
			text    string
			args    func(n int64) []any
		}{
			{"4 sums", 4, `SELECT SUM(payload->>'$.total') FROM $all WHERE position < ?`, func(int64) []any {
				return []any{besideEvents}
			}},
			{"100 points", 100, `SELECT payload FROM $all WHERE position = ?`, func(n int64) []any {
				return []any{n * 7919 % besideEvents}
			}},
		} {
			b.Run(fmt.Sprintf("writers=%d/%s", writers, readers.name), func(b *testing.B) {
				db := openDB(b, b.TempDir())
				db.SetMaxOpenConns(writers + readers.clients)
				db.SetMaxIdleConns(writers + readers.clients)
				fillBeside(b, db)
				benchmarkBeside(b, appenders(b, db, writers),
					queriers(b, db, readers.clients, readers.text, readers.args))
			})
		}
	}
}

const besideEvents = 100_000

func fillBeside(b *testing.B, db *sql.DB) {
	tx, err := db.Begin()
	require.NoError(b, err)
	insert, err := tx.Prepare(`INSERT INTO ? (type, payload) VALUES ('OrderPlaced', ?)`)
	require.NoError(b, err)
	for i := range besideEvents {
		_, err := insert.Exec(fmt.Sprintf("filled-%d", i/10), order256)
		require.NoError(b, err)
	}
	require.NoError(b, tx.Commit())
}

// appenders returns functions that append an event each.
func appenders(b *testing.B, db *sql.DB, n int) []func() bool {
	insert, err := db.Prepare(`INSERT INTO ? (type, payload) VALUES ('OrderPlaced', ?) EXPECTING VERSION ?`)
	require.NoError(b, err)
	b.Cleanup(func() { insert.Close() })
	list := make([]func() bool, n)
	for w := range list {
		stream, version := fmt.Sprintf("order-%d", w), int64(-1)
		mustExec(b, db, `INSERT INTO ? (type) VALUES ('Opened') EXPECTING NO STREAM`, stream)
		list[w] = func() bool {
			version++
			_, err := insert.Exec(stream, order256, version)
			return assert.NoError(b, err)
		}
	}
	return list
}

// queriers returns functions that run a query each.
func queriers(b *testing.B, db *sql.DB, n int, text string, args func(int64) []any) []func() bool {
	query, err := db.Prepare(text)
	require.NoError(b, err)
	b.Cleanup(func() { query.Close() })
	var asked atomic.Int64
	list := make([]func() bool, n)
	for i := range list {
		list[i] = func() bool {
			var got any
			return assert.NoError(b, query.QueryRowContext(context.Background(), args(asked.Add(1))...).Scan(&got))
		}
	}
	return list
}

func benchmarkBeside(b *testing.B, writers, readers []func() bool) {
	var alone, beside, reads, readsAlone, ratios, latencies []float64
	for range b.N {
		a, _, _ := together(writers, nil)
		w, r, took := together(writers, readers)
		_, ra, _ := together(nil, readers)
		alone, beside, reads, readsAlone = append(alone, a), append(beside, w), append(reads, r), append(readsAlone, ra)
		ratios, latencies = append(ratios, w/a), append(latencies, took...)
	}
	for _, m := range []struct {
		values []float64
		at     float64
		unit   string
	}{
		{alone, 0.5, "appends-alone/s"}, {beside, 0.5, "appends/s"}, {ratios, 0.5, "of-alone"}, {
			latencies, 0.5, "p50-ms",
		}, {latencies, 0.99, "p99-ms"},
		{reads, 0.5, "reads/s"}, {readsAlone, 0.5, "reads-alone/s"},
	} {
		slices.Sort(m.values)
		b.ReportMetric(m.values[int(float64(len(m.values)-1)*m.at)], m.unit)
	}
}

// together calls the functions over and over for a while, and returns how often a second each kind
// was called, and how many milliseconds each call of a writer took. A call that has begun counts,
// and is waited for.
func together(writers, readers []func() bool) (writes, reads float64, took []float64) {
	var wrote, read atomic.Int64
	var mu sync.Mutex // protects took
	var group sync.WaitGroup
	began := time.Now()
	for _, f := range writers {
		group.Go(func() {
			var mine []float64
			for ok := true; ok && time.Since(began) < 300*time.Millisecond; wrote.Add(1) {
				call := time.Now()
				ok = f()
				mine = append(mine, time.Since(call).Seconds()*1e3)
			}
			mu.Lock()
			took = append(took, mine...)
			mu.Unlock()
		})
	}
	for _, f := range readers {
		group.Go(func() {
			for ok := true; ok && time.Since(began) < 300*time.Millisecond; read.Add(1) {
				ok = f()
			}
		})
	}
	group.Wait()
	spent := time.Since(began).Seconds()
	return float64(wrote.Load()) / spent, float64(read.Load()) / spent, took
}
