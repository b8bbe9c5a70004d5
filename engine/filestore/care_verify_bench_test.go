package filestore

import (
	"context"
	"fmt"
	"testing"

	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/require"
)

// BenchmarkVerify measures how fast Verify reads a store in memory of 100,000 orders, appended in
// groups of 1,000 and of 10: 256 bytes of JSON with 64 bytes of metadata, in streams of ten.
//
// ns/event is the time, cpu-ns/event that of all processors. Bad news: more than 1,500.
func BenchmarkVerify(b *testing.B) {
	const events = 100_000
	for _, group := range []int{10, 1000} {
		b.Run(fmt.Sprintf("group=%d", group), func(b *testing.B) {
			s := openStore(b, "bench", Options{FS: vfs.NewMem()})
			batch := orders(group)
			for range events / group {
				renameStreams(batch)
				_, err := s.Append(context.Background(), batch...)
				require.NoError(b, err)
			}
			settleIndexes(b, s)
			began := cpuTime()
			for b.Loop() {
				report, err := s.Verify(context.Background())
				require.NoError(b, err)
				b.SetBytes(report.Bytes)
			}
			n := float64(b.N) * events
			b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/n, "cpu-ns/event")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/event")
		})
	}
}
