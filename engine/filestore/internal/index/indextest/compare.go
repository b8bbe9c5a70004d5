package indextest

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// Compare asks both indexes everything and requires equal answers. candidates may be more
// than are asked for.
func Compare(t *testing.T, r *rand.Rand, want *Model, got index.Index, limit uint32) {
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
		require.Equal(t, want.Events[ord].Micros, micros, "time of %d", ord)
		compareTimes(t, want, got, want.Events[ord].Micros, limit)
		compareCandidates(t, want, got, want.Events[ord].ID, limit)
		compareKey(t, r, want, got, index.ByStream, string(want.Events[ord].Stream), limit)
		compareKey(t, r, want, got, index.ByType, string(want.Events[ord].Type), limit)
		for _, tag := range want.Events[ord].Tags {
			compareKey(t, r, want, got, index.ByTag, string(tag), limit)
		}
	}
	compareCandidates(t, want, got, uuid.New(), limit)
	compareCandidates(t, want, got, uuid.Must(uuid.NewV7()), limit)
	for d := range index.Dictionaries {
		compareKey(t, r, want, got, d, "absent", limit)
		compareKey(t, r, want, got, d, "", limit)
		for _, prefix := range []string{"", "order-", "order-1", "long", "Type", "tag:2", "zzz", "\xff"} {
			require.Equal(t, KeysOf(t, want, d, prefix, limit, -1), KeysOf(t, got, d, prefix, limit, -1),
				"keys %d %q", d, prefix)
		}
		require.Equal(t, KeysOf(t, want, d, "", limit, 2), KeysOf(t, got, d, "", limit, 2))
		compareLists(t, want, got, d, limit)
	}
}

// compareLists compares what an index gives in one go, if it does, with what the other gives key by
// key.
func compareLists(t *testing.T, want *Model, got index.Index, d index.Dictionary, limit uint32) {
	t.Helper()
	lister, ok := got.(index.Lister)
	if !ok {
		return
	}
	type list struct {
		entry index.Entry
		ords  []uint32
	}
	collect := func(into *[]list) func(index.Entry, []uint32) bool {
		return func(e index.Entry, ords []uint32) bool {
			*into = append(*into, list{e, slices.Clone(ords)})
			return true
		}
	}
	for _, prefix := range []string{"", "order-1", "zzz"} {
		var w, g []list
		require.NoError(t, index.ListsOneByOne(want, d, prefix, limit, collect(&w)))
		require.NoError(t, lister.Lists(d, prefix, limit, collect(&g)))
		require.Equal(t, w, g, "lists %d %q", d, prefix)
	}
}

func compareTimes(t *testing.T, want *Model, got index.Index, micros int64, limit uint32) {
	t.Helper()
	for _, at := range []int64{micros - 1, micros, micros + 1, 0, 1 << 62, -1 << 62} {
		w, _ := want.Since(at, limit)
		g, err := got.Since(at, limit)
		require.NoError(t, err)
		require.Equal(t, w, g, "since %d", at)
	}
}

func compareCandidates(t *testing.T, want *Model, got index.Index, id uuid.UUID, limit uint32) {
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
	t *testing.T, r *rand.Rand, want *Model, got index.Index, d index.Dictionary, key string, limit uint32,
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

// KeysOf returns the keys with the prefix, all or the first few.
func KeysOf(t *testing.T, x index.Index, d index.Dictionary, prefix string, limit uint32, few int) []index.Entry {
	var all []index.Entry
	require.NoError(t, x.Keys(d, prefix, limit, func(e index.Entry) bool {
		all = append(all, e)
		return len(all) != few
	}))
	return all
}
