package filestore

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/require"
)

// BenchmarkOpenAppendClose measures what a process pays that opens a store, appends one event and
// ends. In turns with it the bare syncs are measured that a promise needs: TAIL, the directory, the
// log, TAIL. besides-ms is the median of what an opening takes beyond them, p99-ms 99 % of openings
// in all, cpu-ms the processor time of one. Bad news: besides-ms above 2, however many events there are.
func BenchmarkOpenAppendClose(b *testing.B) {
	for _, events := range []int{0, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			dir := filepath.Join(b.TempDir(), "store")
			fillStore(b, dir, events)
			bare := newBareSyncs(b)
			var all, syncs []time.Duration
			cpu := time.Duration(0)
			b.ReportAllocs()
			for b.Loop() {
				began, spent := time.Now(), cpuTime()
				s, err := Open(dir, Options{})
				require.NoError(b, err)
				mustAppend(b, s, "brief", engine.Any, one("1")...)
				require.NoError(b, s.Close())
				all, cpu = append(all, time.Since(began)), cpu+cpuTime()-spent
				syncs = append(syncs, bare.run(b))
			}
			slices.Sort(all)
			slices.Sort(syncs)
			millis := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
			b.ReportMetric(millis(syncs[len(syncs)/2]), "syncs-ms")
			b.ReportMetric(millis(all[len(all)/2]-syncs[len(syncs)/2]), "besides-ms")
			b.ReportMetric(millis(all[len(all)*99/100]), "p99-ms")
			b.ReportMetric(millis(cpu)/float64(len(all)), "cpu-ms")
		})
	}
}

// fillStore appends orders to a store, and closes it.
func fillStore(b testing.TB, dir string, events int) {
	s, err := Open(dir, Options{})
	require.NoError(b, err)
	mustAppend(b, s, "first", engine.Any, one("1")...)
	for n := 0; n < events; n += 1000 {
		batch := orders(1000)
		renameStreams(batch)
		_, err := s.Append(bg, batch...)
		require.NoError(b, err)
	}
	require.NoError(b, s.Close())
}

// bareSyncs are files in a directory that are written and synced as TAIL and the log are.
type bareSyncs struct {
	dir       string
	log, tail vfs.File
	off       int64
}

func newBareSyncs(b *testing.B) *bareSyncs {
	s := &bareSyncs{dir: b.TempDir()}
	for _, f := range []struct {
		file *vfs.File
		name string
		size int64
	}{{&s.log, "log", 16 << 20}, {&s.tail, "tail", 8 << 10}} {
		file, err := vfs.OS().Open(filepath.Join(s.dir, f.name), os.O_RDWR|os.O_CREATE)
		require.NoError(b, err)
		b.Cleanup(func() { file.Close() })
		require.NoError(b, writeZeros(file, 0, f.size))
		require.NoError(b, file.Fsync())
		*f.file = file
	}
	return s
}

func (s *bareSyncs) run(b *testing.B) time.Duration {
	began := time.Now()
	write := func(f vfs.File, off int64) {
		_, err := f.WriteAt(make([]byte, 256), off)
		require.NoError(b, err)
		require.NoError(b, f.Fdatasync())
	}
	write(s.tail, 0)
	require.NoError(b, vfs.OS().SyncDir(s.dir))
	write(s.log, s.off)
	write(s.tail, 4096)
	s.off = (s.off + 256) % (16 << 20)
	return time.Since(began)
}
