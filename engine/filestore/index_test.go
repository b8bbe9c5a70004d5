package filestore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// A naiveIndex is the model of a Index: it keeps the events and looks at all of them for every
// question.
type naiveIndex struct{ events []index.Event }

func (n *naiveIndex) has(ord uint32, d index.Dictionary, key string) bool {
	e := &n.events[ord]
	switch d {
	case index.ByStream:
		return string(e.Stream) == key
	case index.ByType:
		return string(e.Type) == key
	}
	return slices.ContainsFunc(e.Tags, func(t []byte) bool { return string(t) == key })
}

func (n *naiveIndex) keysOf(ord uint32, d index.Dictionary) [][]byte {
	e := &n.events[ord]
	switch d {
	case index.ByStream:
		return [][]byte{e.Stream}
	case index.ByType:
		return [][]byte{e.Type}
	}
	return e.Tags
}

func (n *naiveIndex) Offset(ord uint32) (int64, error) { return n.events[ord].Offset, nil }

func (n *naiveIndex) Frame(ord uint32) (int64, uint32, error) {
	first := ord
	for first > 0 && n.events[first-1].Frame == n.events[ord].Frame {
		first--
	}
	return n.events[ord].Frame, first, nil
}

func (n *naiveIndex) Since(micros int64, limit uint32) (uint32, error) {
	for ord := range limit {
		if n.events[ord].Micros >= micros {
			return ord, nil
		}
	}
	return limit, nil
}

func (n *naiveIndex) RecordedAt(ord uint32) (int64, error) { return n.events[ord].Micros, nil }

func (n *naiveIndex) Postings(d index.Dictionary, key string, lo, hi uint32, dst []uint32) ([]uint32, error) {
	for ord := lo; ord < min(hi, uint32(len(n.events))); ord++ {
		if n.has(ord, d, key) {
			dst = append(dst, ord)
		}
	}
	return dst, nil
}

func (n *naiveIndex) Lookup(d index.Dictionary, key string, limit uint32) (index.Entry, bool, error) {
	ords, _ := n.Postings(d, key, 0, limit, nil)
	if len(ords) == 0 {
		return index.Entry{}, false, nil
	}
	e := index.Entry{Key: key, Count: uint32(len(ords)), First: ords[0], Last: ords[len(ords)-1]}
	if d == index.ByStream {
		e.FirstVersion = n.events[ords[0]].Version
	}
	return e, true, nil
}

func (n *naiveIndex) Keys(d index.Dictionary, prefix string, limit uint32, yield func(index.Entry) bool) error {
	seen := map[string]bool{}
	for ord := range limit {
		for _, k := range n.keysOf(ord, d) {
			if strings.HasPrefix(string(k), prefix) {
				seen[string(k)] = true
			}
		}
	}
	sorted := make([]string, 0, len(seen))
	for k := range seen {
		sorted = append(sorted, k)
	}
	sort.Strings(sorted)
	for _, k := range sorted {
		if e, _, _ := n.Lookup(d, k, limit); !yield(e) {
			return nil
		}
	}
	return nil
}

func (n *naiveIndex) Candidates(id uuid.UUID, limit uint32, dst []uint32) ([]uint32, error) {
	for ord := range limit {
		if n.events[ord].ID == id {
			dst = append(dst, ord)
		}
	}
	return dst, nil
}

// indexKeysOf returns the keys with the prefix, all or the first few.
func indexKeysOf(t *testing.T, x index.Index, d index.Dictionary, prefix string, limit uint32, few int) []index.Entry {
	var all []index.Entry
	require.NoError(t, x.Keys(d, prefix, limit, func(e index.Entry) bool {
		all = append(all, e)
		return len(all) != few
	}))
	return all
}

// A corpus says what random events look like.
type corpus struct {
	events, streams, types, tags int
	perFrame                     int // events of a frame, at most
	v4                           int // one in so many ids is random; 0 for none
}

// testStore is the store whose hashes the tests use.
var testStore = uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8")

// make returns events as a log would have them.
func (c corpus) make(r *rand.Rand) []index.Event {
	events := make([]index.Event, c.events)
	versions := map[string]engine.Version{}
	offset, micros := int64(4096), int64(1_700_000_000_000_000)
	for i := 0; i < c.events; {
		frame := offset
		offset += 64
		for n := 1 + r.IntN(c.perFrame); n > 0 && i < c.events; n-- {
			e := &events[i]
			stream := fmt.Sprintf("order-%d", r.IntN(c.streams))
			if r.IntN(50) == 0 {
				stream = strings.Repeat("long", 63) + fmt.Sprint(r.IntN(3)) // up to the greatest size
			}
			if _, known := versions[stream]; !known {
				versions[stream] = engine.Version(r.IntN(3)) * 1_000_000 // as if it had begun in an earlier segment
			}
			*e = index.Event{Offset: offset, Frame: frame, Stream: []byte(stream), Version: versions[stream],
				Type: fmt.Appendf(nil, "Type%d", min(r.IntN(c.types), r.IntN(c.types))), ID: c.id(r, micros)}
			versions[stream]++
			for _, tag := range r.Perm(max(c.tags, 1))[:r.IntN(min(c.tags, 3)+1)] {
				e.Tags = append(e.Tags, fmt.Appendf(nil, "tag:%d", tag))
			}
			slices.SortFunc(e.Tags, func(a, b []byte) int { return strings.Compare(string(a), string(b)) })
			if r.IntN(3) == 0 {
				micros += r.Int64N(5000)
			}
			e.Micros = micros
			offset += int64(8 * (8 + r.IntN(60)))
			i++
		}
		offset += 40
	}
	return events
}

func (c corpus) id(r *rand.Rand, micros int64) (id uuid.UUID) {
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	id[6], id[8] = 0x40|id[6]&15, 0x80|id[8]&63
	if c.v4 != 0 && r.IntN(c.v4) == 0 {
		return id
	}
	for i, ms := 0, micros/1000; i < 6; i++ {
		id[5-i] = byte(ms >> (8 * i))
	}
	id[6] = 0x70 | id[6]&15
	return id
}

// corpora are the shapes that the comparisons run over.
var corpora = map[string]corpus{
	"one event":   {events: 1, streams: 1, types: 1, perFrame: 1},
	"few":         {events: 37, streams: 5, types: 2, tags: 4, perFrame: 5, v4: 3},
	"one stream":  {events: 700, streams: 1, types: 1, tags: 1, perFrame: 20},
	"all streams": {events: 900, streams: 1 << 30, types: 40, perFrame: 1, v4: 1},
	"mixed":       {events: 1500, streams: 200, types: 12, tags: 30, perFrame: 9, v4: 10},
}

// compareIndexes asks both indexes everything and requires equal answers. candidates may be more
// than are asked for.
func compareIndexes(t *testing.T, r *rand.Rand, want *naiveIndex, got index.Index, limit uint32) {
	t.Helper()
	for _, ord := range []uint32{0, limit / 3, limit / 2, limit - 1, r.Uint32N(limit), r.Uint32N(limit)} {
		wantOff, _ := want.Offset(ord)
		off, err := got.Offset(ord)
		require.NoError(t, err)
		require.Equal(t, wantOff, off, "offset of %d", ord)
		frame, first, err := got.Frame(ord)
		require.NoError(t, err)
		require.LessOrEqual(t, first, ord)
		wantFrame, wantFirst, _ := want.Frame(first)
		require.Equal(t, wantFrame, frame, "frame of %d", ord)
		require.Equal(t, wantFirst, first, "first event of the frame of %d", ord)
		_, near, _ := want.Frame(ord / index.Group * index.Group)
		require.GreaterOrEqual(t, first, near, "a nearer frame than that of %d", first)
		micros, err := got.RecordedAt(ord)
		require.NoError(t, err)
		require.Equal(t, want.events[ord].Micros, micros, "time of %d", ord)
		compareTimes(t, want, got, want.events[ord].Micros, limit)
		compareCandidates(t, want, got, want.events[ord].ID, limit)
		compareKey(t, r, want, got, index.ByStream, string(want.events[ord].Stream), limit)
		compareKey(t, r, want, got, index.ByType, string(want.events[ord].Type), limit)
		for _, tag := range want.events[ord].Tags {
			compareKey(t, r, want, got, index.ByTag, string(tag), limit)
		}
	}
	compareCandidates(t, want, got, uuid.New(), limit)
	compareCandidates(t, want, got, uuid.Must(uuid.NewV7()), limit)
	for d := range index.Dictionaries {
		compareKey(t, r, want, got, d, "absent", limit)
		compareKey(t, r, want, got, d, "", limit)
		for _, prefix := range []string{"", "order-", "order-1", "long", "Type", "tag:2", "zzz", "\xff"} {
			require.Equal(t, indexKeysOf(t, want, d, prefix, limit, -1), indexKeysOf(t, got, d, prefix, limit, -1),
				"keys %d %q", d, prefix)
		}
		require.Equal(t, indexKeysOf(t, want, d, "", limit, 2), indexKeysOf(t, got, d, "", limit, 2))
	}
}

func compareTimes(t *testing.T, want *naiveIndex, got index.Index, micros int64, limit uint32) {
	t.Helper()
	for _, at := range []int64{micros - 1, micros, micros + 1, 0, 1 << 62, -1 << 62} {
		w, _ := want.Since(at, limit)
		g, err := got.Since(at, limit)
		require.NoError(t, err)
		require.Equal(t, w, g, "since %d", at)
	}
}

func compareCandidates(t *testing.T, want *naiveIndex, got index.Index, id uuid.UUID, limit uint32) {
	t.Helper()
	w, _ := want.Candidates(id, limit, nil)
	g, err := got.Candidates(id, limit, []uint32{7})
	require.NoError(t, err)
	require.Subset(t, g, w)
	require.LessOrEqual(t, len(g), len(w)+2, "more candidates than chance allows")
	for _, ord := range g[1:] {
		require.Less(t, ord, limit)
	}
}

func compareKey(
	t *testing.T, r *rand.Rand, want *naiveIndex, got index.Index, d index.Dictionary, key string, limit uint32,
) {
	t.Helper()
	w, wok, _ := want.Lookup(d, key, limit)
	g, gok, err := got.Lookup(d, key, limit)
	require.NoError(t, err)
	require.Equal(t, wok, gok, "lookup %d %q", d, key)
	require.Equal(t, w, g, "lookup %d %q", d, key)
	lo := r.Uint32N(limit)
	for _, span := range [][2]uint32{{0, limit}, {lo, limit}, {lo, lo + r.Uint32N(limit-lo)}, {lo, lo},
		{limit, limit}} {
		wp, _ := want.Postings(d, key, span[0], span[1], []uint32{5})
		gp, err := got.Postings(d, key, span[0], span[1], []uint32{5})
		require.NoError(t, err)
		require.Equal(t, wp, gp, "postings %d %q %v", d, key, span)
	}
}
