package filestore

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/stretchr/testify/require"
)

// BenchmarkGrowth measures appends, a thousand events at a time, to a store in which a million streams
// (EVENTFOLD_EVENTS) have an event each: in turns to a hundred of the streams, and to all of them, one
// after the other, so that each append asks for a stream that was not asked for since a million
// others were. Both are on the disk, with what is made in the background.
//
// few-ns and all-ns are the processor time for each event, all/few their ratio, which should be 1.1
// at most.
func BenchmarkGrowth(b *testing.B) {
	streams := testenv.Number(b, "EVENTFOLD_EVENTS", 1_000_000)
	s, err := Open(filepath.Join(b.TempDir(), "store"), Options{Sync: SyncInterval})
	require.NoError(b, err)
	defer s.Close()
	batch := make([]engine.Append, 1000)
	payload := orders(1)[0].Events[0].Payload
	next := 0 // of all streams
	grow := func(name func(i int) string) {
		for i := range batch {
			batch[i] = engine.Append{Stream: name(i), Events: []engine.NewEvent{{Type: "Grown", Payload: payload}}}
		}
		_, err := s.Append(bg, batch...)
		require.NoError(b, err)
	}
	all := func(int) string {
		next++
		return fmt.Sprintf("account-%012x", uint64(next%streams)*0x9E3779B97F4A7C15>>16)
	}
	few := func(i int) string { return fmt.Sprintf("few-%d", i%100) }
	for next < streams {
		grow(all)
	}
	const round = 200 // batches
	var spent [2]time.Duration
	rounds := 0
	for b.Loop() {
		rounds++
		for i, name := range []func(int) string{few, all} {
			settleIndexes(b, s)
			began := cpuTime()
			for range round {
				grow(name)
			}
			settleIndexes(b, s)
			spent[i] += cpuTime() - began
		}
	}
	perEvent := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(rounds*round*len(batch)) }
	b.ReportMetric(perEvent(spent[0]), "few-ns")
	b.ReportMetric(perEvent(spent[1]), "all-ns")
	b.ReportMetric(float64(spent[1])/float64(spent[0]), "all/few")
}
