package filestore

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/filestore/internal/index/indextest"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A headLog is a view made by hand: sealed segments with index files or in memory, and an active
// one.
type headLog struct {
	t        *testing.T
	view     view
	head     engine.Position
	versions map[string]engine.Version
	cache    *index.BlockCache
	r        *rand.Rand
	ids      []uuid.UUID // by position
}

func newHeadLog(t *testing.T) *headLog {
	l := &headLog{
		t:        t,
		view:     view{store: indextest.Store},
		versions: map[string]engine.Version{},
		cache:    index.NewBlockCache(1<<20, 1<<20),
		r:        rand.New(rand.NewPCG(41, 42)),
	}
	l.begin()
	return l
}

func (l *headLog) begin() {
	seg := &segment{number: int64(len(l.view.segments) + 1), base: l.head}
	seg.setIndex(index.NewMemory(l.head, indextest.Store))
	l.view.segments = append(l.view.segments, seg)
}

func (l *headLog) active() *segment { return l.view.segments[len(l.view.segments)-1] }

// append adds an event to a stream and returns its version.
func (l *headLog) append(stream string) engine.Version {
	if _, known := l.versions[stream]; !known {
		l.versions[stream] = engine.NoVersion
	}
	l.versions[stream]++
	id := indextest.Corpus{V4: 5}.ID(l.r, int64(l.head)*1000)
	l.ids = append(l.ids, id)
	l.active().index().(*index.Memory).Add(&index.Event{Offset: int64(l.head), Frame: int64(l.head),
		Stream: []byte(stream), Type: []byte("T"), Version: l.versions[stream], ID: id, Micros: int64(l.head) * 1000})
	l.head++
	return l.versions[stream]
}

// rotate seals the active segment. If file is true its index goes to a file.
func (l *headLog) rotate(file bool) {
	seg := l.active()
	m := seg.index().(*index.Memory)
	seg.sealed.Store(&sealedInfo{count: m.Count()})
	if file {
		x, _ := indextest.FileOf(l.t, m, l.cache)
		seg.setIndex(x)
	}
	l.begin()
}

func (l *headLog) index() *readIndex {
	v := view{store: l.view.store, segments: append([]*segment(nil), l.view.segments...)}
	return newReadIndex(&readShared{ended: func() error { return nil }}, &v, l.head)
}

func TestStreamVersionsAreLikeTheModel(t *testing.T) {
	for _, size := range []int{1, 64, 10_000} {
		t.Run(fmt.Sprintf("cache of %d", size), func(t *testing.T) {
			l := newHeadLog(t)
			h := newStreamVersions(size)
			for i := range 6000 {
				stream := fmt.Sprintf("s%d", min(l.r.IntN(2000), l.r.IntN(2000)))
				want, known := l.versions[stream]
				if !known {
					want = engine.NoVersion
				}
				v, err := h.version(l.index(), stream)
				require.NoError(t, err)
				require.Equal(t, want, v, "%s before event %d", stream, i)
				if l.r.IntN(3) > 0 {
					h.committed(stream, l.append(stream))
				}
				if l.r.IntN(500) == 0 {
					l.rotate(l.r.IntN(3) > 0)
				}
			}
			require.LessOrEqual(t, len(h.cache.sets), max(1, size/versionWays))
		})
	}
}

func TestStreamVersionsOfNothing(t *testing.T) {
	r := newReadIndex(&readShared{ended: func() error { return nil }}, &view{}, 0)
	v, err := newStreamVersions(1).version(r, "s")
	require.NoError(t, err)
	require.Equal(t, engine.NoVersion, v)
}

func TestVersionCacheKeepsWhatIsUsed(t *testing.T) {
	c := newStreamVersions(1024).cache
	for i := range 200_000 {
		if i%50 == 0 {
			c.put("hot", engine.Version(i))
		}
		c.put(fmt.Sprintf("cold-%d", i), engine.Version(i))
	}
	v, ok := c.get("hot")
	assert.True(t, ok)
	assert.Equal(t, engine.Version(199_950), v)
	_, ok = c.get("cold-0")
	assert.False(t, ok)
	assert.LessOrEqual(t, c.count, 1024)
	assert.Len(t, c.sets, 1024/versionWays)
}

// TestVersionCacheForgetsWhatItCannotHold: a version that has no room in it is asked for in the
// indexes, and the one before it is not told for it.
func TestVersionCacheForgetsWhatItCannotHold(t *testing.T) {
	c := newStreamVersions(1024).cache
	for _, v := range []engine.Version{engine.NoVersion, 0, 7, maxKnownVersion} {
		c.put("s", v)
		got, ok := c.get("s")
		assert.True(t, ok)
		assert.Equal(t, v, got)
	}
	c.put("s", maxKnownVersion+1)
	_, ok := c.get("s")
	assert.False(t, ok)
	c.put("s", maxKnownVersion+2)
	assert.Zero(t, c.count)
	c.put("s", 3)
	got, ok := c.get("s")
	assert.True(t, ok)
	assert.EqualValues(t, 3, got)
}

// TestVersionCacheRemembersHalfAsManyStreamsAsItHasPlaces, which are appended to in turn: each is asked
// for again after all others. A store's has places for twice a million.
func TestVersionCacheRemembersHalfAsManyStreamsAsItHasPlaces(t *testing.T) {
	require.GreaterOrEqual(t, knownVersions, 2_000_000)
	const streams = knownVersions / 64
	c := newStreamVersions(2 * streams).cache
	name := func(i int) string { return fmt.Sprintf("account-%012x", uint64(i)*0x9E3779B97F4A7C15>>16) }
	forgotten := 0
	for round := range 3 {
		for i := range streams {
			if v, ok := c.get(name(i)); ok {
				require.EqualValues(t, round-1, v)
			} else if round == 2 { // it grows during the first round, and forgets some before
				forgotten++
			}
			c.put(name(i), engine.Version(round))
		}
	}
	t.Logf("%d of %d", forgotten, streams)
	assert.Less(t, forgotten, streams/10) // about a twentieth, by the seed of the hash
	assert.LessOrEqual(t, len(c.sets), 2*streams/versionWays)
}

// TestVersionCacheIsBounded: many streams take no more memory than the bound of a cache for forty
// thousand.
func TestVersionCacheIsBounded(t *testing.T) {
	c := newStreamVersions(40_000).cache
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var name [32]byte
	for i := range 300_000 {
		c.put(string(fmt.Appendf(name[:0], "stream-%d", i)), 0)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(1<<20))
	require.Less(t, int64(after.HeapObjects)-int64(before.HeapObjects), int64(100))
	runtime.KeepAlive(c)
}

func TestEachCandidateFindsEveryID(t *testing.T) {
	l := newHeadLog(t)
	for range 8 {
		for range 200 {
			l.append(fmt.Sprintf("s%d", l.r.IntN(50)))
		}
		l.rotate(l.r.IntN(4) > 0)
	}
	l.append("s1")
	r := l.index()
	for p, id := range l.ids {
		found := false
		require.NoError(t, r.eachCandidate(id, func(s *segmentReader, ord uint32) (bool, error) {
			found = found || s.seg.base+engine.Position(ord) == engine.Position(p)
			return true, nil
		}))
		require.True(t, found, "id of position %d", p)
	}
	others := 0
	for range 1000 {
		require.NoError(t,
			r.eachCandidate(uuid.New(), func(*segmentReader, uint32) (bool, error) { others++; return true, nil }))
	}
	require.Less(t, others, 10, "ids that are not there have candidates")
}

// BenchmarkStreamVersions proves that a stream is new, against a number of runs.
func BenchmarkStreamVersions(b *testing.B) {
	for _, runs := range []int{1, 16, 160} {
		b.Run(fmt.Sprintf("absent/runs=%d", runs), func(b *testing.B) {
			g := indextest.NewGenerator(1<<30, 10)
			cache := index.NewBlockCache(indexCacheSize, 64<<20)
			v := &view{store: indextest.Store}
			base := engine.Position(0)
			const events = 20_000
			for n := range runs + 1 {
				m := index.NewMemory(base, indextest.Store)
				seg := &segment{number: int64(n), base: base}
				for range events {
					m.Add(g.Next())
				}
				base += events
				seg.setIndex(m)
				if n < runs {
					x, _ := indextest.FileOf(b, m, cache)
					seg.setIndex(x)
				}
				v.segments = append(v.segments, seg)
			}
			r := newReadIndex(&readShared{ended: func() error { return nil }}, v, base)
			names := make([]string, b.N)
			for i := range names {
				names[i] = fmt.Sprintf("new-stream-%d", i)
			}
			h := newStreamVersions(1) // so that nothing is cached
			b.ResetTimer()
			for i := range b.N {
				if _, err := h.version(r, names[i]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
