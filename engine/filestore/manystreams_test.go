//go:build darwin || freebsd || linux

package filestore_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// TestDistinctStreamsTakeBoundedMemory has every event begin a stream: what is in memory is the
// index of the segment that grows, that of the one before until it has its file, and caches of
// bounded size, however many streams there are.
func TestDistinctStreamsTakeBoundedMemory(t *testing.T) {
	streams := testenv.Scale(400_000, 10_000_000)
	o, most := filestore.Options{SegmentSize: 4 << 20, Sync: filestore.SyncInterval}, uint64(40)
	if testenv.Long() {
		o.SegmentSize, most = 0, 100
	}
	dir, err := os.MkdirTemp(testenv.MemoryDir(), "eventfold-many-streams")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	s, err := filestore.Open(dir, o)
	require.NoError(t, err)
	defer s.Close()
	name := func(i int) string { return fmt.Sprintf("account-%012x", uint64(i)*0x9E3779B97F4A7C15>>16) }
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	ctx, payload, before := context.Background(), make([]byte, 60), heap()
	batch := make([]engine.Append, 1000)
	var live []uint64 // MB
	for n := 0; n < streams; n += len(batch) {
		for i := range batch {
			batch[i] = engine.Append{
				Stream: name(n + i),
				Expect: []engine.Expectation{engine.NoStream},
				Events: []engine.NewEvent{{Type: "Opened", Payload: payload}},
			}
		}
		_, err := s.Append(ctx, batch...)
		require.NoError(t, err)
		if n%(streams/20) == 0 {
			live = append(live, (max(heap(), before)-before)>>20)
		}
	}
	t.Logf("%d streams in %d segments, MB of live heap after each twentieth: %v", streams, s.Stats().Segments, live)
	for _, mb := range live {
		require.Less(t, mb, most)
	}
	for i := 0; i < streams; i += streams / 1000 { // and their versions are known, those in the cache of versions or not
		_, err := s.Append(ctx, engine.Append{
			Stream: name(i),
			Expect: []engine.Expectation{engine.Exact(0)},
			Events: []engine.NewEvent{{Type: "T"}},
		})
		require.NoError(t, err)
	}
	require.Less(t, (max(heap(), before)-before)>>20, most)
}
