package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// compareReads asks a ReadIndex everything and compares with the list of its events.
func compareReads(t testing.TB, r *rand.Rand, index ReadIndex, events []Event, filters int) {
	require.Equal(t, Position(len(events)), index.Head())
	compareAll(t, r, index, events)
	compareStreams(t, r, index, events)
	compareLists(t, index, events)
	if len(events) == 0 {
		return
	}
	for range filters {
		f := randomFilter(r, events)
		want := selected(events, &f)
		c := index.Scan(bg, f, ColAll)
		got := readBatches(t, c)
		sameEvents(t, want, got, f)
		n, err := index.Count(bg, f)
		require.NoError(t, err)
		require.Equal(t, len(want), int(n), "%+v", f)
		var parts []Event
		for _, part := range index.(Parter).Parts(f, 1+r.IntN(5)) {
			part := readBatches(t, index.Scan(bg, part, ColAll))
			if f.Direction == Backwards {
				part = append(part, parts...)
				parts = nil
			}
			parts = append(parts, part...)
		}
		sameEvents(t, want, parts, f)
	}
}

func compareAll(t testing.TB, r *rand.Rand, index ReadIndex, events []Event) {
	n := len(events)
	for _, from := range []Position{-5, -1, 0, Position(r.IntN(n + 1)), Position(n - 1), Position(n), Position(n + 7)} {
		for _, dir := range []Direction{Forwards, Backwards} {
			f := Filter{From: from, Direction: dir}
			if dir == Backwards {
				f = Filter{To: from + 1, Direction: dir}
				if from < 0 {
					f.Types = []string{}
				}
			}
			sameEvents(t, selected(events, &f), readCursor(t, index.ReadAll(bg, from, dir)), fmt.Sprint(from, dir))
		}
	}
}

func compareStreams(t testing.TB, r *rand.Rand, index ReadIndex, events []Event) {
	byName := map[string][]Event{}
	for _, e := range events {
		byName[e.Stream] = append(byName[e.Stream], e)
	}
	for _, name := range append(testStreams, "one-0001", "one-0002", "nobody", "") {
		of := byName[name]
		v, ok, err := index.StreamVersion(name)
		require.NoError(t, err)
		require.Equal(t, len(of) > 0, ok)
		require.Equal(t, Version(len(of)-1), v)
		if len(of) == 0 {
			c := index.ReadStream(bg, name, 0, Forwards)
			require.False(t, c.Next())
			require.Equal(t, &StreamNotFoundError{Stream: name}, c.Err())
			continue
		}
		n := Version(len(of))
		for _, from := range []Version{-1, 0, Version(r.IntN(len(of))), n - 1, n, n + 3} {
			sameEvents(t, of[min(max(from, 0), n):], readCursor(t, index.ReadStream(bg, name, from, Forwards)), from)
			f := Filter{Direction: Backwards}
			back := selected(of[:min(from+1, n)], &f)
			sameEvents(t, back, readCursor(t, index.ReadStream(bg, name, from, Backwards)), from)
		}
	}
}

func compareLists(t testing.TB, index ReadIndex, events []Event) {
	for _, prefix := range []string{"", "account-", "one-00", "nobody"} {
		require.Equal(t, streamsOf(events, prefix), listStreams(t, index.Streams(bg, prefix)))
	}
	types, err := index.Types(bg)
	require.NoError(t, err)
	require.Equal(t, typesOf(events), types)
}

func TestReadsAgreeWithModel(t *testing.T) {
	seed := uint64(rand.Int64())
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 25 {
		l := randomLog(t, r, 1+r.IntN(2500), r.IntN(9))
		compareReads(t, r, l.index(), l.events, 150)
		for range 4 {
			h := r.IntN(len(l.events) + 1)
			compareReads(t, r, l.index().At(Position(h)), l.events[:h], 20)
		}
	}
}
