package query

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/testenv"
)

// randomFilter returns a filter of few names, so that filters meet.
func randomFilter(r *rand.Rand) (f engine.Filter) {
	names := func(kind string) (list []string) {
		for range r.IntN(3) {
			list = append(list, fmt.Sprint(kind, r.IntN(3)))
		}
		return list
	}
	if f.Streams = names("s"); r.IntN(4) == 0 {
		f.Prefix = []string{"s", "s1", "t"}[r.IntN(3)]
	}
	f.Types, f.Tags = names("t"), names("g")
	if r.IntN(4) == 0 {
		f.From = engine.Position(r.IntN(20))
	}
	if r.IntN(4) == 0 {
		f.To = engine.Position(10 + r.IntN(20))
	}
	if r.IntN(4) == 0 {
		f.MinVersion = engine.Version(r.IntN(3))
	}
	if f.HasMaxVersion = r.IntN(4) == 0; f.HasMaxVersion {
		f.MaxVersion = engine.Version(r.IntN(4))
	}
	if r.IntN(4) == 0 {
		f.Since = time.UnixMicro(int64(r.IntN(4)))
	}
	if r.IntN(4) == 0 {
		f.Before = time.UnixMicro(int64(r.IntN(5)))
	}
	if r.IntN(6) == 0 {
		f.IDs = []uuid.UUID{{byte(r.IntN(3))}}
	}
	if r.IntN(4) == 0 {
		f.Any = []engine.Alternative{{Types: []string{fmt.Sprint("t", r.IntN(3))}}, {Tags: names("g")}}
	}
	return f
}

func randomEvent(r *rand.Rand) engine.Event {
	return engine.Event{
		Position: engine.Position(10 + r.IntN(20)), Version: engine.Version(r.IntN(4)),
		Stream: fmt.Sprint("s", r.IntN(3)), Type: fmt.Sprint("t", r.IntN(3)), ID: uuid.UUID{byte(r.IntN(3))},
		Tags: []string{fmt.Sprint("g", r.IntN(3)), fmt.Sprint("g", r.IntN(3))}, RecordedAt: time.UnixMicro(int64(r.IntN(5))).UTC(),
	}
}

// TestUniteLetsPassWhatOneOfThemDoes: never less, and no more where alike says so; and what is
// looked up in indexes leaves nothing out.
func TestUniteLetsPassWhatOneOfThemDoes(t *testing.T) {
	testenv.WithoutRace(t)
	r := rand.New(rand.NewPCG(testenv.Seed(t), 0))
	met := 0
	for range 20_000 {
		a, b := randomFilter(r), randomFilter(r)
		if r.IntN(2) == 0 { // mostly the same
			b = a
			b.Streams = randomFilter(r).Streams
		}
		own, _ := comingEvents(a, 10)
		own = ownFilter(own)
		coming, some := comingEvents(b, 10)
		exact := alike(&own, &coming)
		both := ownFilter(own)
		unite(&both, &coming)
		found := alternatives([]*readSet{{filters: []engine.Filter{own}}, {filters: []engine.Filter{ownFilter(coming)}}})
		for range 20 {
			e := randomEvent(r)
			one := a.Passes(&e) || b.Passes(&e)
			if !some {
				require.False(t, b.Passes(&e))
			}
			if one {
				met++
				require.True(t, both.Passes(&e), "%+v\n%+v\n%+v", a, b, e)
				any := engine.Filter{Any: found}
				require.True(t, any.Passes(&e))
			}
			if exact {
				require.Equal(t, one, both.Passes(&e), "%+v\n%+v\n%+v", a, b, e)
			}
		}
		require.True(t, slices.IsSorted(both.Streams))
	}
	require.Greater(t, met, 1000, "events pass the filters")
}
