package query

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// fillSpread appends n events of 12 types whose streams have ten each, spread over a tenth of the log.
func fillSpread(t testing.TB, store engine.Store, n int) {
	const together = 3000 // streams that grow at a time
	for i := 0; i < n; {
		var batch []engine.Append
		for len(batch) < 500 && i < n {
			batch = append(batch, engine.Append{
				Stream: fmt.Sprintf("order-%06d", i/(10*together)*together+i%together),
				Events: []engine.NewEvent{{Type: fmt.Sprintf("OrderEvent%02d", i/7%12),
					Payload:  fmt.Appendf(nil, `{"customer": {"id": %d}, "total": %d.5, "note": "some text that takes room", "n": %d}`, i%97, i%1000, i),
					Metadata: []byte(`{"user": "u1"}`)}},
			})
			i++
		}
		_, err := store.Append(context.Background(), batch...)
		require.NoError(t, err)
	}
}

// BenchmarkPerStream measures statements over 300,000 events in memory that are about what happens in a
// stream, or read no more than the indexes know. Figures per event are the time divided by 300,000. Bad
// news: more than 300 ns for a join, a sub-query or a list of streams.
func BenchmarkPerStream(b *testing.B) {
	store := openStore(b, filestore.Options{SegmentSize: 24 << 20, Prealloc: filestore.PreallocNone})
	fillSpread(b, store, 300_000)
	s := &Session{Store: store}
	for _, bench := range []struct{ name, text string }{
		{"nextEvent", "SELECT COUNT(*) FROM $all a JOIN $all b ON b.stream = a.stream AND b.version = a.version + 1"},
		{"nextEventHashed", "SELECT COUNT(*) FROM (SELECT * FROM $all) a JOIN (SELECT * FROM $all) b ON b.stream = a.stream AND b.version = a.version + 1"},
		{"nextEventLeft", "SELECT a.type, COUNT(b.type) FROM $all a LEFT JOIN $all b ON b.stream = a.stream AND b.version = a.version + 1 GROUP BY a.type"},
		{"nextEventTypes", "SELECT COUNT(*) FROM $all a JOIN $all b ON b.stream = a.stream AND b.version > a.version WHERE a.type = 'OrderEvent07' AND b.type = 'OrderEvent03'"},
		{"nextEventPayload", "SELECT SUM(b.payload->>'$.n') FROM $all a JOIN $all b ON b.stream = a.stream AND b.version = a.version + 1"},
		{"exists", "SELECT COUNT(*) FROM $all o WHERE EXISTS (SELECT 1 FROM $all i WHERE i.stream = o.stream AND i.version = o.version + 1)"},
		{"notExists", "SELECT COUNT(*) FROM $all o WHERE o.type = 'OrderEvent07' AND NOT EXISTS (SELECT 1 FROM $all i WHERE i.stream = o.stream AND i.type = 'OrderEvent03')"},
		{"notExistsHashed", "SELECT COUNT(*) FROM (SELECT * FROM $all) o WHERE o.type = 'OrderEvent07' AND NOT EXISTS (SELECT 1 FROM (SELECT * FROM $all) i WHERE i.stream = o.stream AND i.type = 'OrderEvent03')"},
		{"modulo", "SELECT COUNT(*) FROM $all WHERE position % 1000 = 7"},
		{"moduloScan", "SELECT COUNT(*) FROM $all WHERE (position + 0) % 1000 = 7"},
		{"versions", "SELECT COUNT(*) FROM $all WHERE version % 2 = 1"},
		{"types", "SELECT COUNT(*) FROM $all WHERE type LIKE '%07'"},
		{"times", "SELECT MAX(date_part('second', recorded_at)) FROM $all"},
		{"countStreams", "SELECT COUNT(DISTINCT stream) FROM $all"},
		{"groupStreams", "SELECT stream, COUNT(*), MAX(version) FROM $all GROUP BY stream"},
		{"runningSum", "SELECT SUM(n) FROM (SELECT SUM(payload->>'$.n') OVER (PARTITION BY stream ORDER BY version) AS n FROM $all) t"},
		{"rowNumber", "SELECT SUM(n) FROM (SELECT ROW_NUMBER() OVER (PARTITION BY stream ORDER BY version) AS n FROM $all) t"},
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
