package filestore

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/race"

	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asked returns how many indexes must be asked to prove that a stream or an id is new, the last
// segment's aside.
func asked(r *readIndex) (n int) {
	for w := r.walkBack(); w.next(); {
		n++
	}
	return n
}

// manySegments makes a store of so many segments, with about 60 streams each that are in no other.
func manySegments(tb testing.TB, segments int) *FileStore {
	s := openStore(tb, imageDir, Options{FS: vfs.NewMem(), SegmentSize: format.MinSegmentSize, Sync: SyncInterval})
	fillSegments(tb, s, segments)
	return s
}

func fillSegments(tb testing.TB, s *FileStore, segments int) {
	for s.Stats().Segments < segments {
		var batch []engine.Append
		for range 60 {
			batch = append(batch, engine.Append{
				Stream: "s-" + uuid.NewString(),
				Events: []engine.NewEvent{{Type: "T", Payload: make([]byte, 250)}},
			})
		}
		_, err := s.Append(context.Background(), batch...)
		require.NoError(tb, err)
	}
	require.Eventually(tb, func() bool {
		s.indexer.mu.Lock()
		defer s.indexer.mu.Unlock()
		return !s.indexer.active
	}, time.Minute, time.Millisecond)
}

// However many segments there are, few indexes are asked: those of segments are merged, and the
// merged ones again.
func TestNewStreamsAskFewIndexes(t *testing.T) {
	testenv.WithoutRace(t)
	s := manySegments(t, 2)
	for _, segments := range []int{20, 40, 100, 300, 700} {
		fillSegments(t, s, segments)
		index := s.ReadIndex().(*readIndex)
		n := asked(index)
		t.Logf("%d segments: %d indexes are asked", len(index.view.segments), n)
		assert.LessOrEqual(t, n, maxUnmerged)
		_, known, err := index.StreamVersion("s-" + uuid.NewString())
		require.NoError(t, err)
		assert.False(t, known)
	}
	require.Greater(t, s.Stats().Segments, 10*maxUnmerged)
}

// BenchmarkNewStream proves that a stream is new, and that an id is, in stores whose indexes are
// merged.
func BenchmarkNewStream(b *testing.B) {
	for _, segments := range []int{16, 160, 640} {
		s := manySegments(b, segments)
		index := s.ReadIndex().(*readIndex)
		h := newStreamVersions(1) // so that nothing is cached
		b.Run(fmt.Sprintf("segments=%d/stream", segments), func(b *testing.B) {
			names := make([]string, b.N)
			for i := range names {
				names[i] = fmt.Sprintf("new-stream-%d", i)
			}
			b.ResetTimer()
			for i := range b.N {
				if v, err := h.version(index, names[i]); err != nil || v != engine.NoVersion {
					b.Fatal(v, err)
				}
			}
			b.ReportMetric(float64(asked(index)), "indexes")
		})
		b.Run(fmt.Sprintf("segments=%d/id", segments), func(b *testing.B) {
			ids := make([]uuid.UUID, b.N)
			for i := range ids {
				ids[i] = uuid.New() // of version 4, for which no segment is excluded by time
			}
			b.ResetTimer()
			for i := range b.N {
				if err := index.eachCandidate(ids[i], func(*segmentReader, uint32) (bool, error) {
					return true, nil
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(asked(index)), "indexes")
		})
	}
}

// TestIdsNeverExpire offers ids of every kind again after a million events and three restarts. What
// knows them takes bounded memory.
func TestIdsNeverExpire(t *testing.T) {
	events := 1_000_000
	if race.Enabled || testing.Short() {
		events /= 20
	}
	ctx := context.Background()
	dir := t.TempDir()
	o := Options{SegmentSize: 8 << 20, Sync: SyncInterval}
	s, err := Open(dir, o)
	require.NoError(t, err)
	defer func() { s.Close() }()
	ids := map[string]uuid.UUID{
		"random":           uuid.New(),
		"of its time":      uuid.Must(uuid.NewV7()),
		"of another time":  uuid.MustParse("00000000-0000-7000-8000-000000000001"),
		"of the far end":   uuid.MustParse("ffffffff-ffff-7fff-bfff-ffffffffffff"),
		"of version 1":     uuid.MustParse("c232ab00-9414-11ec-b3c8-9f6bdeced846"),
		"all ones":         uuid.Max,
		"no version":       uuid.MustParse("00000000-0000-0000-0000-000000000001"),
		"version 7, badly": uuid.MustParse("01890a5d-ac96-774b-0cce-b302099a8057"), // another variant
	}
	appendOf := func(kind string) engine.Append {
		return engine.Append{
			Stream: "of " + kind,
			Events: []engine.NewEvent{{
				ID:       ids[kind],
				Type:     "T",
				Payload:  []byte(`{"n":1}`),
				Metadata: []byte(`{"m":2}`),
				Tags:     []string{"a"},
			}},
		}
	}
	places := map[string]engine.Appended{}
	for kind := range ids {
		p, err := s.Append(ctx, appendOf(kind))
		require.NoError(t, err)
		places[kind] = p
	}
	pair := engine.Append{
		Stream: "pair",
		Events: []engine.NewEvent{{ID: uuid.New(), Type: "T"}, {ID: uuid.New(), Type: "T"}},
	}
	paired, err := s.Append(ctx, pair)
	require.NoError(t, err)

	refused := func(a engine.Append, kind engine.DuplicateKind, p engine.Position) {
		t.Helper()
		_, err := s.Append(ctx, a)
		var duplicate *engine.DuplicateEventError
		require.ErrorAs(t, err, &duplicate)
		assert.Equal(t, kind, duplicate.Kind)
		assert.Equal(t, p, duplicate.Position)
	}
	check := func() {
		t.Helper()
		head := s.ReadIndex().Head()
		for kind := range ids {
			a, want := appendOf(kind), places[kind]
			// a retry is recognised before what it expects is looked at
			for _, expect := range [][]engine.Expectation{nil, {engine.NoStream}, {engine.Exact(17)}} {
				a.Expect = expect
				got, err := s.Append(ctx, a)
				require.NoError(t, err, kind)
				want.Duplicate = true
				require.Equal(t, want, got, kind)
			}
			at := want.Events[0].Position
			for _, change := range []func(e *engine.NewEvent){
				func(e *engine.NewEvent) {
					e.Type = "U"
				}, func(e *engine.NewEvent) { e.Payload = []byte(`{"n": 1}`) },
				func(e *engine.NewEvent) { e.Payload = nil },
				func(e *engine.NewEvent) {
					e.Metadata = []byte(`{"m":3}`)
				}, func(e *engine.NewEvent) { e.Tags = nil }, func(e *engine.NewEvent) { e.Tags = []string{"a", "b"} },
			} {
				other := appendOf(kind)
				change(&other.Events[0])
				refused(other, engine.DifferentContent, at)
			}
			elsewhere := appendOf(kind)
			elsewhere.Stream = "elsewhere"
			refused(elsewhere, engine.DifferentStream, at)
			more := appendOf(kind)
			more.Events = append(more.Events, engine.NewEvent{ID: uuid.New(), Type: "T"})
			refused(more, engine.Partial, at)
		}
		got, err := s.Append(ctx, pair)
		require.NoError(t, err)
		require.True(t, got.Duplicate)
		require.Equal(t, paired.Events, got.Events)
		refused(engine.Append{Stream: "pair", Events: []engine.NewEvent{pair.Events[1], pair.Events[0]}},
			engine.Reordered, paired.Events[1].Position)
		refused(engine.Append{Stream: "pair", Events: []engine.NewEvent{pair.Events[0], {Type: "T"}}}, engine.Partial,
			paired.Events[0].Position)
		require.Equal(t, head, s.ReadIndex().Head(), "nothing was written")
	}
	check()
	batch := make([]engine.Append, 1000)
	var resident []uint64
	for life := range 4 {
		for n := 0; n < events/4; n += len(batch) {
			for i := range batch {
				batch[i] = engine.Append{
					Stream: fmt.Sprintf("s-%d", (n+i)%5000),
					Events: []engine.NewEvent{{ID: uuid.New(), Type: "T", Payload: []byte(`{}`)}},
				}
			}
			_, err := s.Append(ctx, batch...)
			require.NoError(t, err)
		}
		settleIndexes(t, s)
		check()
		if life == 3 {
			break
		}
		require.NoError(t, s.Close())
		s, err = Open(dir, o)
		require.NoError(t, err)
		check()
		clear(batch)
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		resident = append(resident, m.HeapAlloc>>20)
	}
	t.Logf("%d events in %d segments; heap after reopening and asking, MB: %v", s.ReadIndex().Head(),
		s.Stats().Segments, resident)
	assert.Less(t, resident[2], uint64(indexCacheSize+indexFilterSize)>>20+20)
}
