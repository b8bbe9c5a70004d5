package filestore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
)

// BenchmarkErase measures how long it takes until one event in a hundred, spread over the whole store,
// is erased: until the append returns (ns/op), and until nothing is left of it (done-ms). Every
// segment is written anew, so that the second is a matter of the store's size; the first is not.
func BenchmarkErase(b *testing.B) {
	for _, compress := range []Compression{CompressNone, CompressZstd} {
		for _, events := range []int{10_000, 300_000} {
			b.Run(fmt.Sprintf("%s/events=%d", []string{"plain", "zstd"}[compress], events), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					s := openStore(b, b.TempDir(), Options{Compress: compress, Sync: SyncInterval})
					fillOrders(b, s, events)
					var spread engine.Spans
					for p := engine.Position(7); p < engine.Position(events); p += 100 {
						spread.Add(engine.Span{From: p, To: p + 1})
					}
					b.StartTimer()
					began := time.Now()
					_, err := s.Append(context.Background(), erasing(spread...))
					require.NoError(b, err)
					b.StopTimer()
					for s.view.Load().erasures != nil {
						time.Sleep(time.Millisecond)
					}
					b.ReportMetric(float64(time.Since(began).Milliseconds()), "done-ms")
					require.NoError(b, s.Close())
					b.StartTimer()
				}
			})
		}
	}
}

// fillOrders appends orders in groups of a thousand.
func fillOrders(b *testing.B, s *FileStore, n int) {
	r := rand.New(rand.NewPCG(1, 1))
	for i := 0; i < n; i += 1000 {
		var events []engine.NewEvent
		for j := range min(1000, n-i) {
			events = append(events, orderEvent(r, i+j))
		}
		_, err := s.Append(context.Background(), engine.Append{Stream: fmt.Sprintf("o-%d", i/1000%50), Events: events})
		require.NoError(b, err)
	}
}
