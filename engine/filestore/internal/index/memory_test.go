package index_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/filestore/internal/index/indextest"
	"github.com/eventfold/eventfold/internal/race"

	"github.com/stretchr/testify/require"
)

func TestMemIndexIsLikeTheModel(t *testing.T) {
	for name, c := range indextest.Corpora {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			model := &indextest.Model{Events: c.Make(r)}
			m := indextest.MemoryOf(model.Events)
			for _, limit := range []uint32{m.Count(), m.Count()/2 + 1, 1} {
				indextest.Compare(t, r, model, m, limit)
			}
		})
	}
}

func TestMemIndexRefusesUnknownOrdinals(t *testing.T) {
	m := index.NewMemory(0, indextest.Store)
	_, err := m.Offset(0)
	require.Error(t, err)
	_, _, err = m.Frame(0)
	require.Error(t, err)
}

// TestMemIndexLongLists has keys whose postings fill many blocks.
func TestMemIndexLongLists(t *testing.T) {
	const events = 60_000
	m := index.NewMemory(0, indextest.Store)
	var odd []uint32
	e := index.Event{Type: []byte("T")}
	for i := range uint32(events) {
		binary.LittleEndian.PutUint32(e.ID[:], i)
		e.Offset, e.Frame, e.Stream = int64(i), int64(i), fmt.Appendf(nil, "s%d", i%2)
		if i%2 == 1 {
			odd = append(odd, i)
		}
		m.Add(&e)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		lo, hi := r.Uint32N(events), r.Uint32N(events+1)
		got, err := m.Postings(index.ByStream, "s1", lo, hi, nil)
		require.NoError(t, err)
		want := []uint32(nil)
		if from, to := lo/2, hi/2; from < to {
			want = odd[from:to]
		}
		require.True(t, slices.Equal(want, got), "from %d to %d", lo, hi)
		entry, ok, err := m.Lookup(index.ByStream, "s1", hi)
		require.NoError(t, err)
		require.Equal(t, hi >= 2, ok)
		require.Equal(t, hi/2, entry.Count)
	}
	all, err := m.Postings(index.ByType, "T", 0, events, nil)
	require.NoError(t, err)
	require.Len(t, all, events)
	for i, ord := range all {
		if ord != uint32(i) {
			t.Fatalf("ordinal %d: got %d", i, ord)
		}
	}
}

// TestMemIndexReadersNeverDisagree has readers compare prefixes with the model while a writer adds.
func TestMemIndexReadersNeverDisagree(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	c := indextest.Corpora["mixed"]
	c.Events = 600
	model := &indextest.Model{Events: c.Make(r)}
	m := index.NewMemory(0, indextest.Store)
	var durable, checks atomic.Uint32
	var readers sync.WaitGroup
	for reader := range 4 {
		readers.Go(func() { // ends when all is durable
			r := rand.New(rand.NewPCG(7, uint64(reader)))
			for done := false; !done; {
				limit := durable.Load()
				done = limit == uint32(len(model.Events))
				if limit == 0 {
					runtime.Gosched()
					continue
				}
				comparePrefix(t, r, model, m, limit)
				checks.Add(1)
			}
		})
	}
	for i := range model.Events {
		m.Add(&model.Events[i])
		if r.IntN(4) == 0 {
			durable.Store(uint32(i + 1))
			for checks.Load() < uint32(i) { // the readers keep up
				runtime.Gosched()
			}
		}
	}
	durable.Store(uint32(len(model.Events)))
	readers.Wait()
}

// comparePrefix asks about one event below limit. It is called from several goroutines, so it does
// not use require.
func comparePrefix(t *testing.T, r *rand.Rand, model *indextest.Model, m *index.Memory, limit uint32) {
	e := &model.Events[r.Uint32N(limit)]
	for d, key := range map[index.Dictionary]string{index.ByStream: string(e.Stream), index.ByType: string(e.Type)} {
		want, _, _ := model.Lookup(d, key, limit)
		got, ok, err := m.Lookup(d, key, limit)
		if !ok || err != nil || got != want {
			t.Errorf("lookup %q below %d: got %+v %v %v, want %+v", key, limit, got, ok, err, want)
		}
		ords, _ := m.Postings(d, key, 0, limit, nil)
		wantOrds, _ := model.Postings(d, key, 0, limit, nil)
		if fmt.Sprint(ords) != fmt.Sprint(wantOrds) {
			t.Errorf("postings %q below %d: got %v, want %v", key, limit, ords, wantOrds)
		}
	}
	ids, _ := m.Candidates(e.ID, limit, nil)
	want, _ := model.Candidates(e.ID, limit, nil)
	if len(ids) == 0 || ids[0] != want[0] {
		t.Errorf("id %s below %d: got %v, want %v", e.ID, limit, ids, want)
	}
	at, _ := m.Since(e.Micros, limit)
	wantAt, _ := model.Since(e.Micros, limit)
	if at != wantAt {
		t.Errorf("since %d below %d: got %d, want %d", e.Micros, limit, at, wantAt)
	}
	keys := 0
	_ = m.Keys(index.ByType, "", limit, func(index.Entry) bool { keys++; return true })
	if keys == 0 {
		t.Errorf("no types below %d", limit)
	}
}

// TestMemIndexIsInvisibleToTheCollector: a million events in a hundred thousand streams add fewer
// than a thousand objects.
func TestMemIndexIsInvisibleToTheCollector(t *testing.T) {
	events := 1_000_000
	if race.Enabled {
		events /= 4 // everything takes twenty times as long
	}
	g := indextest.NewGenerator(events/10, 1) // a frame for every event: the worst case
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m := index.NewMemory(0, indextest.Store)
	for range events {
		m.Add(g.Next())
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	objects := int64(after.HeapObjects) - int64(before.HeapObjects)
	bytes := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d events: %d objects, %.1f bytes per event", events, objects, float64(bytes)/float64(events))
	require.Less(t, objects, int64(events/1000))
	runtime.KeepAlive(m)
}

func BenchmarkMemIndexAdd(b *testing.B) {
	for _, streams := range []int{1000, 100_000, 1 << 30} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			g := indextest.NewGenerator(streams, 10)
			const batch = 1024
			m := index.NewMemory(0, indextest.Store)
			events := make([]index.Event, batch)
			for i := 0; i < b.N; i += batch {
				b.StopTimer()
				if i%(1<<19) == 0 {
					m = index.NewMemory(0, indextest.Store) // a segment's worth
				}
				for j := range events {
					e := g.Next()
					events[j] = *e
					events[j].Stream, events[j].Type = append([]byte(nil), e.Stream...), append([]byte(nil), e.Type...)
				}
				b.StartTimer()
				for j := range min(batch, b.N-i) {
					m.Add(&events[j])
				}
			}
		})
	}
}
