package eventfold_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// BenchmarkFollowGroups measures what it costs to keep groups up to date, in a log of 100,000 events.
//
// "beside" is a client that appends one event after the other, each synced, beside n followers of
// groups that read as fast as they can: ns/op is an append, and appends-alone/s what the client does
// without them. Followers that take more than the processors' time for their own work would show as
// less appends than processors explain. "behind" is a follower that reads 100,000 events at once. "again" is what the
// query takes that computes all of it once more.
func BenchmarkFollowGroups(b *testing.B) {
	const groups = `SELECT type, COUNT(*), SUM(payload->>'$.total') FROM $all GROUP BY type`
	for _, n := range []int{0, 1, 4} {
		b.Run(fmt.Sprintf("beside/followers=%d", n), func(b *testing.B) {
			db := openDB(b, b.TempDir())
			fillBeside(b, db)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			told := make(chan int64, n)
			for range n {
				rows, err := db.QueryContext(ctx, groups+` FOLLOW`)
				require.NoError(b, err)
				require.True(b, rows.Next())
				go func() { // ends with ctx; waited for below
					n := int64(0)
					for rows.Next() {
						n++
					}
					rows.Close()
					told <- n
				}()
			}
			appendOne := appenders(b, db, 1)[0]
			b.ResetTimer()
			for range b.N {
				appendOne()
			}
			b.StopTimer()
			time.Sleep(10 * time.Millisecond) // the last rows come behind the last append
			cancel()
			rows := int64(0)
			for range n {
				rows += <-told
			}
			b.ReportMetric(float64(rows)/float64(b.N), "rows/append")
		})
	}
	b.Run("behind", func(b *testing.B) {
		db := openDB(b, b.TempDir()+"?sync=interval")
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		rows, err := db.QueryContext(ctx, groups+` FOLLOW`)
		require.NoError(b, err)
		defer rows.Close()
		mustExec(b, db, `INSERT INTO s (type) VALUES ('OrderPlaced')`)
		require.True(b, rows.Next())
		for range b.N {
			b.StopTimer()
			fillBeside(b, db)
			b.StartTimer()
			assert.True(b, rows.Next())
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*besideEvents), "ns/event")
	})
	b.Run("again", func(b *testing.B) {
		db := openDB(b, b.TempDir())
		fillBeside(b, db)
		b.ResetTimer()
		for range b.N {
			var kind string
			var n, total int64
			require.NoError(b, db.QueryRow(groups).Scan(&kind, &n, &total))
		}
	})
}
