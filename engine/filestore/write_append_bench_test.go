package filestore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// BenchmarkAppend measures durable appends: each one waits for its sync. Beside it, in alternating
// rounds of the same run, it measures a loop that writes as many bytes to a zero-filled file and
// calls fdatasync, which is the best that one writer can do.
//
// of-raw is the rate divided by that loop's. It should be 0.8 or more with one writer, and grow
// with the writers; if it does not, group commit is broken. sync-us is the store's mean sync,
// cpu-us/op the time per append that the writer spends outside writes and syncs: with many writers
// it bounds the rate, and should be about 2.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) { benchmarkAppend(b, writers) })
	}
}

const benchmarkPayload = 256

func benchmarkAppend(b *testing.B, writers int) {
	dir := b.TempDir()
	s, err := Open(filepath.Join(dir, "store"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	appendMany(b, s, writers, writers) // takes the lock, makes the first segment
	raw := newRawLog(b, dir)
	before := s.Stats()
	var spent, rawSpent time.Duration
	rawDone := 0
	b.SetBytes(benchmarkPayload) // the payload only, without record headers
	b.ReportAllocs()
	b.ResetTimer()
	const rounds = 20
	for round := range rounds {
		n := b.N*(round+1)/rounds - b.N*round/rounds
		began := time.Now()
		appendMany(b, s, writers, n)
		spent += time.Since(began)
		b.StopTimer()
		n = max(1, min(n, 500))
		rawSpent += raw.run(b, n)
		rawDone += n
		b.StartTimer()
	}
	b.StopTimer()
	after := s.Stats()
	rate := float64(b.N) / spent.Seconds()
	rawRate := float64(rawDone) / rawSpent.Seconds()
	b.ReportMetric(rate, "events/s")
	b.ReportMetric(rate/rawRate, "of-raw")
	b.ReportMetric(rawRate, "raw/s")
	if syncs := after.Syncs - before.Syncs; syncs > 0 {
		b.ReportMetric(float64((after.SyncTime-before.SyncTime).Microseconds())/float64(syncs), "sync-us")
		b.ReportMetric(float64(after.Appends-before.Appends)/float64(syncs), "events/sync")
	}
	b.ReportMetric(float64((after.WriterCPU-before.WriterCPU).Nanoseconds())/1e3/float64(b.N), "cpu-us/op")
}

// appendMany appends n events from as many goroutines as there are writers, each to a stream of its
// own.
func appendMany(b *testing.B, s engine.Store, writers, n int) {
	ctx := context.Background()
	events := []engine.NewEvent{{Type: "Deposited", Payload: make([]byte, benchmarkPayload)}}
	var todo atomic.Int64
	todo.Store(int64(n))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			stream := fmt.Sprintf("account-%d", w)
			for todo.Add(-1) >= 0 {
				if _, err := s.Append(ctx, engine.Append{Stream: stream, Events: events}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// A rawLog is a zero-filled file that is written from its beginning to its end, over and over.
type rawLog struct {
	file vfs.File
	off  int64
}

const rawLogSize = 16 << 20

func newRawLog(b *testing.B, dir string) *rawLog {
	f, err := vfs.OS().Open(filepath.Join(dir, "raw"), os.O_RDWR|os.O_CREATE)
	if err == nil {
		err = writeZeros(f, 0, rawLogSize)
	}
	if err == nil {
		err = f.Fsync()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return &rawLog{file: f}
}

// run writes and syncs n times, as many bytes as the store writes for one event, and returns the
// time it took.
func (r *rawLog) run(b *testing.B, n int) time.Duration {
	size := format.EventHeadSize + len("account-0") + len("Deposited") + format.ContentSize(0, benchmarkPayload)
	buf := make([]byte, format.FrameSize(size))
	began := time.Now()
	for range n {
		if r.off+int64(len(buf)) > rawLogSize {
			r.off = 0
		}
		_, err := r.file.WriteAt(buf, r.off)
		if err == nil {
			err = r.file.Fdatasync()
		}
		if err != nil {
			b.Fatal(err)
		}
		r.off += int64(len(buf))
	}
	return time.Since(began)
}
