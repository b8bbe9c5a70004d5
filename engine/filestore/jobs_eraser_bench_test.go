package filestore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/internal/testenv"
)

// BenchmarkErase measures how long it takes until one event in a hundred, spread over the whole store,
// is erased, while one client goes on appending durably: until the append that erases returns
// (accepted-ms), and until nothing is left of it (done-ms). Every segment is written anew
// (written-MiB), so that the second is a matter of the store's size; the first is not. The client's
// appends take p50-ms and p99-ms in the five seconds before, meanwhile-p50-ms and meanwhile-p99-ms until
// it is done. again-ms is the same erasure once more, which writes nothing.
//
// EVENTFOLD_EVENTS is the number of events, if there are to be more than a sample.
func BenchmarkErase(b *testing.B) {
	events := testenv.Number(b, "EVENTFOLD_EVENTS", 100_000)
	for _, compress := range []Compression{CompressNone, CompressZstd} {
		name := []string{"plain", "zstd"}[compress]
		b.Run(fmt.Sprintf("%s/events=%d", name, events), func(b *testing.B) {
			for b.Loop() {
				benchmarkErase(b, compress, events)
			}
		})
	}
}

func benchmarkErase(b *testing.B, compress Compression, events int) {
	dir := b.TempDir()
	s := openStore(b, dir, Options{Compress: compress, Sync: SyncInterval})
	fillOrders(b, s, events)
	require.NoError(b, s.Close())
	s = openStore(b, dir, Options{Compress: compress})
	spread := oneInAHundred(events)
	client := beginAppending(b, s)
	time.Sleep(5 * time.Second)
	before := client.soFar()
	files, cpu, began := sizesOfSegments(b, dir), cpuTime(), time.Now()
	_, err := s.Append(context.Background(), erasing(spread...))
	require.NoError(b, err)
	b.ReportMetric(milliseconds(time.Since(began)), "accepted-ms")
	for s.view.Load().erasures != nil {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(milliseconds(time.Since(began)), "done-ms")
	b.ReportMetric((cpuTime() - cpu).Seconds(), "cpu-s")
	meanwhile := client.end()[len(before):]
	b.ReportMetric(newMiB(sizesOfSegments(b, dir), files), "written-MiB")
	reportTimes(b, before, "")
	reportTimes(b, meanwhile, "meanwhile-")
	began = time.Now()
	_, err = s.Append(context.Background(), erasing(spread...))
	require.NoError(b, err)
	b.ReportMetric(milliseconds(time.Since(began)), "again-ms")
	require.NoError(b, s.Close())
}

// oneInAHundred are the positions of one event in a hundred.
func oneInAHundred(events int) (spread engine.Spans) {
	for p := engine.Position(7); p < engine.Position(events); p += 100 {
		spread.Add(engine.Span{From: p, To: p + 1})
	}
	return spread
}

// sizesOfSegments are the sizes of the segments' files, by name.
func sizesOfSegments(b *testing.B, dir string) map[string]int64 {
	entries, err := os.ReadDir(dir)
	require.NoError(b, err)
	sizes := map[string]int64{}
	for _, e := range entries {
		if _, _, ok := format.ParseSegmentFileName(e.Name()); !ok {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil {
			sizes[e.Name()] = info.Size()
		}
	}
	return sizes
}

// newMiB is the size of the files that were not there before.
func newMiB(now, before map[string]int64) float64 {
	var n int64
	for name, size := range now {
		if _, ok := before[name]; !ok {
			n += size
		}
	}
	return float64(n) / (1 << 20)
}

// An appendingClient appends one event after the other.
type appendingClient struct {
	asked chan struct{}        // how much there is so far
	told  chan []time.Duration // the answer
	stop  context.CancelFunc
}

// beginAppending begins a client, which appends until its end.
func beginAppending(b *testing.B, s *FileStore) *appendingClient {
	ctx, stop := context.WithCancel(context.Background())
	c := &appendingClient{make(chan struct{}, 1), make(chan []time.Duration), stop}
	go func() {
		defer close(c.told)
		var times []time.Duration
		r := rand.New(rand.NewPCG(2, 2))
		for i := 0; ctx.Err() == nil; i++ {
			began := time.Now()
			_, err := s.Append(context.Background(), engine.Append{
				Stream: "client", Events: []engine.NewEvent{orderEvent(r, i)},
			})
			if err != nil {
				b.Error(err)
				return
			}
			times = append(times, time.Since(began))
			select {
			case <-c.asked:
				c.told <- slices.Clone(times)
			default:
			}
		}
		c.told <- times
	}()
	return c
}

// soFar returns how long the appends have taken.
func (c *appendingClient) soFar() []time.Duration {
	c.asked <- struct{}{}
	return <-c.told
}

// end ends the client and returns how long its appends have taken.
func (c *appendingClient) end() []time.Duration {
	c.stop()
	return <-c.told
}

// reportTimes reports the median and the greatest of 99 of 100.
func reportTimes(b *testing.B, times []time.Duration, prefix string) {
	if len(times) == 0 {
		return
	}
	times = slices.Clone(times)
	slices.Sort(times)
	b.ReportMetric(milliseconds(times[len(times)/2]), prefix+"p50-ms")
	b.ReportMetric(milliseconds(times[len(times)*99/100]), prefix+"p99-ms")
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

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
