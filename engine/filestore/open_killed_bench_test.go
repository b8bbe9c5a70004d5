package filestore

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/stretchr/testify/require"
)

// BenchmarkOpenKilled opens a store of a million orders (EVENTFOLD_EVENTS) whose process was killed, with
// more or less of its last segment filled: what is filled has no index file yet and is read, what
// is not is looked through. Beside it one goroutine reads the same bytes and makes their checksum.
// Bad news: median-ms above 80, or more than four times read-ms.
func BenchmarkOpenKilled(b *testing.B) {
	events := testenv.Number(b, "EVENTFOLD_EVENTS", 1_000_000)
	dir := filepath.Join(b.TempDir(), "store")
	s, err := Open(dir, Options{})
	require.NoError(b, err)
	fill := func(n int) {
		for ; n > 0; n -= 1000 {
			batch := orders(1000)
			renameStreams(batch)
			_, err := s.Append(bg, batch...)
			require.NoError(b, err)
		}
	}
	fill(events)
	for _, sixteenths := range []int64{1, 8, 14} {
		for last := s.view.Load().segments; ; last = s.view.Load().segments {
			off, err := last[len(last)-1].index().Offset(last[len(last)-1].index().(interface{ Count() uint32 }).Count() - 1)
			require.NoError(b, err)
			if capacity := last[len(last)-1].header.Capacity; off >= capacity*sixteenths/16 && off < capacity*(sixteenths+1)/16 {
				break
			}
			fill(5000)
		}
		settleIndexes(b, s) // no file gets its name while they are copied
		b.Run(fmt.Sprintf("filled=%d/16", sixteenths), func(b *testing.B) { benchmarkOpenKilled(b, dir) })
	}
	require.NoError(b, s.Close())
}

func benchmarkOpenKilled(b *testing.B, dir string) {
	killed := b.TempDir()
	require.NoError(b, os.CopyFS(killed, os.DirFS(dir)))
	tail, err := os.ReadFile(filepath.Join(killed, format.TailName))
	require.NoError(b, err)
	var all, reads []time.Duration
	cpu := time.Duration(0)
	for b.Loop() {
		require.NoError(b, os.WriteFile(filepath.Join(killed, format.TailName), tail, 0o600))
		began, spent := time.Now(), cpuTime()
		s, err := Open(killed, Options{})
		all, cpu = append(all, time.Since(began)), cpu+cpuTime()-spent
		require.NoError(b, err)
		last := s.view.Load().segments
		reads = append(reads, readSums(b, last[len(last)-1].name))
		require.NoError(b, s.Close())
	}
	slices.Sort(all)
	slices.Sort(reads)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1e3, "median-ms")
	b.ReportMetric(float64(cpu.Microseconds())/1e3/float64(len(all)), "cpu-ms")
	b.ReportMetric(float64(reads[len(reads)/2].Microseconds())/1e3, "read-ms")
}

// readSums reads a file and makes checksums, and returns the time that it takes.
func readSums(b *testing.B, name string) time.Duration {
	began := time.Now()
	f, err := os.Open(name)
	require.NoError(b, err)
	defer f.Close()
	block := make([]byte, scanBlock)
	for {
		n, _ := f.Read(block)
		if n == 0 {
			return time.Since(began)
		}
		_ = format.CRC(block[:n])
	}
}
