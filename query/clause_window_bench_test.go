package query

import (
	"testing"

	"github.com/eventfold/eventfold/engine/filestore"
)

// BenchmarkWindows measures window functions over 100,000 events in memory. Bad news: a frame that
// slides and takes several times as long as the one that only grows, or one whose time depends on
// how long it is.
func BenchmarkWindows(b *testing.B) {
	store := openStore(b, filestore.Options{})
	fill(b, store, 100_000)
	s := &Session{Store: store}
	for _, bench := range []struct{ name, text string }{
		{"grows", "SELECT SUM(version) OVER (ORDER BY position) FROM $all"},
		{"slides/7", "SELECT SUM(version) OVER (ORDER BY position ROWS 6 PRECEDING) FROM $all"},
		{"slides/50000", "SELECT SUM(version) OVER (ORDER BY position ROWS 49999 PRECEDING) FROM $all"},
		{"max/7", "SELECT MAX(type) OVER (ORDER BY position ROWS 6 PRECEDING) FROM $all"},
		{"max/50000", "SELECT MAX(type) OVER (ORDER BY position ROWS 49999 PRECEDING) FROM $all"},
		{"range", "SELECT SUM(version) OVER (ORDER BY position RANGE BETWEEN 1000 PRECEDING AND 1000 FOLLOWING) FROM $all"},
		{"others", "SELECT SUM(version) OVER (ORDER BY position ROWS BETWEEN 1000 PRECEDING AND 1000 FOLLOWING EXCLUDE CURRENT ROW) FROM $all"},
		{"equals", "SELECT SUM(version) OVER (ORDER BY version RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM $all"},
		{"months", "SELECT COUNT(*) OVER (ORDER BY from_unixtime(position * 3600) RANGE INTERVAL 1 MONTH PRECEDING) FROM $all"},
		{"one order", "SELECT RANK() OVER w, LAG(version) OVER w, SUM(version) OVER w, FIRST_VALUE(type) OVER w FROM $all WINDOW w AS (ORDER BY position)"},
		{"qualify", "SELECT type FROM $all QUALIFY ROW_NUMBER() OVER (PARTITION BY stream ORDER BY version DESC) = 1"},
	} {
		plan := mustCompile(b, bench.text)
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				readAll(b, s, plan)
			}
		})
	}
}
