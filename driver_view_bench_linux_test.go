package eventfold_test

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkAppendsBesideViews measures durable appends of 64 clients to a store with ten materialized
// views, which the process keeps beside the log, and to one without, in turns. of-without is the rate
// with views divided by that without; us/append is processor time of the whole process for an append.
// If the rate falls by more than that time explains, appends wait for views. Let it run for some rounds
// (-benchtime 40x): nothing is kept before there are 65,536 events.
func BenchmarkAppendsBesideViews(b *testing.B) {
	var list [2][]func() bool
	for i, views := range []int{0, 10} {
		db := openDB(b, b.TempDir())
		db.SetMaxOpenConns(64)
		db.SetMaxIdleConns(64)
		for v := range views {
			mustExec(b, db, fmt.Sprintf(`CREATE MATERIALIZED VIEW m%d AS SELECT stream AS s, type AS t, COUNT(*) AS n, `+
				`SUM(payload->>'$.total') AS total, LAST(payload->>'$.customer') AS c FROM $all WHERE position >= %d GROUP BY stream, type`, v, v))
		}
		list[i] = appenders(b, db, 64)
	}
	var rates, appends [2]float64
	var used [2]time.Duration
	for b.Loop() {
		for i := range list {
			before := cpuTime()
			rate, _, took := together(list[i], nil)
			rates[i], appends[i] = rates[i]+rate, appends[i]+float64(len(took))
			used[i] += cpuTime() - before
		}
	}
	for i, unit := range []string{"without", "with-10"} {
		b.ReportMetric(rates[i]/float64(b.N), unit+"/s")
		b.ReportMetric(float64(used[i].Microseconds())/appends[i], unit+"-us/append")
	}
	b.ReportMetric(rates[1]/rates[0], "of-without")
}
