package filestore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/race"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// settleIndexes waits until every sealed segment has its file and nothing remains to be merged.
func settleIndexes(t testing.TB, s *FileStore) {
	t.Helper()
	require.Eventually(t, func() bool {
		s.indexer.mu.Lock()
		defer s.indexer.mu.Unlock()
		return !s.indexer.active
	}, time.Minute, time.Millisecond)
	st := s.Stats()
	require.Equal(t, st.Segments-1, st.IndexedTo)
}

// TestStoreOfManySegments has versions, ids and expectations decided by index files and merged
// ones, across restarts and when some of the files have gone.
func TestStoreOfManySegments(t *testing.T) {
	fsys := vfs.NewMem()
	r := rand.New(rand.NewPCG(81, 82))
	ctx := context.Background()
	versions := map[string]engine.Version{}
	type placed struct {
		stream string
		event  engine.NewEvent
		place  engine.Placed
	}
	var all []placed
	open := func() *FileStore {
		s, err := Open("store", Options{FS: fsys, SegmentSize: format.MinSegmentSize})
		require.NoError(t, err)
		return s
	}
	appendSome := func(s *FileStore, events int) {
		for range events {
			stream := fmt.Sprintf("s%d", min(r.IntN(3000), r.IntN(3000)))
			id := uuid.New()
			if r.IntN(2) == 0 {
				id = uuid.Must(uuid.NewV7())
			}
			v, known := versions[stream]
			if !known {
				v = engine.NoVersion
			}
			e := engine.NewEvent{ID: id, Type: "T", Payload: make([]byte, 400)}
			a, err := s.Append(ctx, engine.Append{
				Stream: stream,
				Expect: []engine.Expectation{engine.Exact(v)},
				Events: []engine.NewEvent{e},
			})
			require.NoError(t, err)
			require.Equal(t, v+1, a.Events[0].Version)
			versions[stream] = v + 1
			all = append(all, placed{stream, e, a.Events[0]})
		}
	}
	check := func(s *FileStore) {
		for range 200 { // a retry is known, whatever its age
			p := all[r.IntN(len(all))]
			a, err := s.Append(ctx, engine.Append{
				Stream: p.stream,
				Expect: []engine.Expectation{engine.NoStream},
				Events: []engine.NewEvent{p.event},
			})
			require.NoError(t, err)
			require.True(t, a.Duplicate)
			require.Equal(t, p.place, a.Events[0])
		}
		for stream, want := range versions {
			v, ok, err := s.ReadIndex().StreamVersion(stream)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, want, v)
		}
	}
	s := open()
	appendSome(s, 2500)
	settleIndexes(t, s)
	require.NotEmpty(t, s.indexer.runList(), "%d segments", s.Stats().Segments)
	check(s)
	require.NoError(t, s.Close())

	s = open()
	appendSome(s, 50)
	settleIndexes(t, s)
	require.NotEmpty(t, s.indexer.runList())
	check(s)
	report, err := s.Verify(ctx)
	require.NoError(t, err)
	require.Equal(t, s.Stats().IndexedTo+len(s.indexer.runList()), report.Indexes)
	require.Empty(t, report.BadIndexes)
	require.NoError(t, s.Close())

	names, err := fsys.List("store")
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, ".idx") && r.IntN(3) == 0 {
			require.NoError(t, fsys.Remove(vfs.Join("store", name)))
		}
	}
	s = open()
	check(s)
	appendSome(s, 50)
	settleIndexes(t, s)
	check(s)
	require.NoError(t, s.Close())
}

// TestOpenStoreIsInvisibleToTheCollector: a million events in an open store add fewer than a
// thousand objects.
func TestOpenStoreIsInvisibleToTheCollector(t *testing.T) {
	events := 1_000_000
	if race.Enabled {
		events /= 10
	}
	s, err := Open(t.TempDir(), Options{})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(83, 84))
	batch := make([]engine.Append, 1000)
	fill := func() {
		for i := range batch {
			batch[i] = engine.Append{
				Stream: fmt.Sprintf("account-%d", r.IntN(events/10)),
				Events: []engine.NewEvent{{Type: "Deposited", Payload: []byte(`{"amount":10}`)}},
			}
		}
		_, err := s.Append(context.Background(), batch...)
		require.NoError(t, err)
	}
	fill()
	objects := func() int64 {
		settleIndexes(t, s)
		clear(batch)
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools have kept
		runtime.ReadMemStats(&m)
		return int64(m.HeapObjects)
	}
	before := objects()
	for n := 0; n < events; n += len(batch) {
		fill()
	}
	added := objects() - before
	t.Logf("%d events in %d segments add %d objects", events, s.Stats().Segments, added)
	require.Less(t, added, int64(1000))
	require.NoError(t, s.Close())
}
