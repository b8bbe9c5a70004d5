package eventfold_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	liveSums  = `SELECT type, COUNT(*), SUM(payload->>'$.total') FROM $all GROUP BY type`
	liveSlots = `SELECT stream, COUNT(*), LAST(type) FROM $all GROUP BY stream`
)

// BenchmarkFollowGroups measures what it costs to keep groups up to date, in a log that begins with
// 100,000 events, in processor time, so that other programs do not show.
//
// "each" is a client that appends an event in memory and has every follower read the row that it
// changes: what a follower adds to cpu-µs/op is what an event costs it when it is told alone. The
// groups are one, or those of 10,000 streams; both should cost the same. "behind" is a follower that
// reads 100,000 events at once, and "again" a plain query that reads all of them, as it would have
// to be asked for every row of "each".
func BenchmarkFollowGroups(b *testing.B) {
	for _, c := range []struct {
		name, text string
		followers  int
	}{{"none", "", 0}, {"sums", liveSums, 1}, {"sums", liveSums, 4}, {"streams", liveSlots, 1}} {
		b.Run(fmt.Sprintf("each/%s=%d", c.name, c.followers), func(b *testing.B) {
			benchmarkEach(b, c.text, c.followers)
		})
	}
	b.Run("behind", func(b *testing.B) {
		db := openDB(b, ":memory:")
		rows := followBench(b, db, liveSums)
		cpu := time.Duration(0)
		for range b.N {
			b.StopTimer()
			fillBeside(b, db)
			before := cpuTime()
			b.StartTimer()
			assert.True(b, rows.Next())
			cpu += cpuTime() - before
		}
		b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N*besideEvents), "cpu-ns/event")
	})
	b.Run("again", func(b *testing.B) {
		db := openDB(b, ":memory:")
		fillBeside(b, db)
		b.ResetTimer()
		before := cpuTime()
		for range b.N {
			var kind string
			var n int64
			var total float64
			require.NoError(b, db.QueryRow(liveSums).Scan(&kind, &n, &total))
		}
		b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu-µs/op")
	})
}

// followBench follows a query until the benchmark ends.
func followBench(b *testing.B, db *sql.DB, text string) *sql.Rows {
	ctx, cancel := context.WithCancel(context.Background())
	rows, err := db.QueryContext(ctx, text+` FOLLOW`)
	require.NoError(b, err)
	b.Cleanup(func() {
		cancel()
		rows.Close()
	})
	return rows
}

func benchmarkEach(b *testing.B, text string, followers int) {
	db := openDB(b, ":memory:")
	fillBeside(b, db)
	var list []*sql.Rows
	for range followers {
		rows := followBench(b, db, text+` HAVING MAX(position) >= 100000`) // nothing of what is there
		list = append(list, rows)
	}
	insert, err := db.Prepare(`INSERT INTO ? (type, payload) VALUES ('OrderPlaced', ?)`)
	require.NoError(b, err)
	defer insert.Close()
	one := func(i int) {
		_, err := insert.Exec(fmt.Sprintf("filled-%d", i%10_000), order256)
		assert.NoError(b, err)
		for _, rows := range list {
			assert.True(b, rows.Next())
		}
	}
	one(0)
	b.ResetTimer()
	before := cpuTime()
	for i := range b.N {
		one(i)
	}
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
}
