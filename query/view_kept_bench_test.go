package query

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/race"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/eventfold/eventfold/parser"
)

// BenchmarkMaterializedView measures a view of 200,000 events (10 million with EVENTFOLD_TORTURE=1): all
// of its 12 groups, the same as its definition computes them, a look-up among 100,000 (a million), and
// how long it takes to begin with what is beside the log. The look-up should not grow with the number
// of groups; if all groups take as long as computing them, nothing is kept.
func BenchmarkMaterializedView(b *testing.B) {
	events, streams := testenv.Scale(200_000, 10_000_000), testenv.Scale(100_000, 1_000_000)
	store, err := filestore.Open(b.TempDir(), filestore.Options{})
	require.NoError(b, err)
	b.Cleanup(func() { store.Close() })
	s := &Session{Store: store, Settings: Settings{Views: &Views{}, ViewMemory: 1 << 30}}
	for at := 0; at < events; at += 1000 {
		batch := make([]engine.Append, 1000)
		for i := range batch {
			n := at + i
			batch[i] = engine.Append{Stream: fmt.Sprintf("s-%d", n%streams), Events: []engine.NewEvent{
				{Type: fmt.Sprintf("T%d", n%12), Payload: fmt.Appendf(nil, `{"n": %d}`, n)},
			}}
		}
		_, err := s.Store.Append(context.Background(), batch...)
		require.NoError(b, err)
	}
	const sums = "SELECT type, COUNT(*) AS n, SUM(payload->>'$.n') AS total FROM $all GROUP BY type"
	run := func(text string) {
		_, err := runText(context.Background(), s, text, nil)
		require.NoError(b, err)
	}
	run("CREATE MATERIALIZED VIEW sums AS " + sums)
	run("CREATE MATERIALIZED VIEW states AS SELECT stream, COUNT(*) AS n, LAST(type) AS state FROM $all GROUP BY stream")
	run("SELECT COUNT(*) FROM views.states")
	for _, tt := range []struct{ name, text string }{
		{"computed", sums}, {"kept", "SELECT * FROM views.sums"},
		{"look-up", "SELECT n, state FROM views.states WHERE stream = 's-4711'"},
	} {
		b.Run(tt.name, func(b *testing.B) {
			parsed, err := parser.Parse(tt.text)
			require.NoError(b, err)
			plan, err := Compile(parsed)
			require.NoError(b, err)
			_, err = plan.Exec(context.Background(), s, nil)
			require.NoError(b, err)
			for b.Loop() {
				_, err := plan.Exec(context.Background(), s, nil)
				require.NoError(b, err)
			}
		})
	}
	s.Settings.Views.Keep(s.Store, s.Settings)
	b.Run("write", func(b *testing.B) {
		k := s.Settings.Views.keeper.Load()
		set, err := s.Settings.Views.at(b.Context(), s.Store.ReadIndex())
		require.NoError(b, err)
		r, err := s.keptReading(b.Context(), set, set.find("states"), s.Store.ReadIndex())
		require.NoError(b, err)
		for b.Loop() {
			end, err := k.write(b.Context(), r.kept, r.g.plan)
			require.NoError(b, err)
			b.ReportMetric(float64(end.groups), "groups")
		}
	})
	b.Run("begin", func(b *testing.B) {
		for b.Loop() {
			own := &Session{Store: s.Store, Settings: Settings{Views: &Views{}, ViewMemory: 1 << 30}}
			_, err := runText(context.Background(), own, "SELECT n FROM views.states WHERE stream = 's-4711'", nil)
			require.NoError(b, err)
			own.Settings.Views.Close()
		}
	})
	for _, k := range s.Settings.Views.kept {
		groups, _ := k.unsaved()
		b.Logf("%d groups in %d bytes", groups, k.budget.held.Load())
	}
}

// TestALookUpInAViewAllocatesLittle holds what reading one group takes, which does not grow with the
// number of groups.
func TestALookUpInAViewAllocatesLittle(t *testing.T) {
	if race.Enabled {
		t.Skip("counts allocations, of which the race detector adds some at random; .ci/run counts without it")
	}
	s := countedStore(t, vfs.NewMem(), 50)
	parsed, err := parser.Parse("SELECT n, m FROM views.m WHERE s = 's-3'")
	require.NoError(t, err)
	plan, err := Compile(parsed)
	require.NoError(t, err)
	const runs = 100
	read := func() { _, err = plan.Exec(context.Background(), s, nil) }
	read()
	allocations, bytes := uint64(math.MaxUint64), uint64(math.MaxUint64)
	var before, after runtime.MemStats
	for range 10 { // the least counts: a garbage collection between takes from the pools
		runtime.ReadMemStats(&before)
		for range runs {
			read()
		}
		runtime.ReadMemStats(&after)
		allocations = min(allocations, (after.Mallocs-before.Mallocs)/runs)
		bytes = min(bytes, (after.TotalAlloc-before.TotalAlloc)/runs)
	}
	require.NoError(t, err)
	t.Logf("%d allocations of %d bytes", allocations, bytes)
	assert.LessOrEqual(t, allocations, uint64(27))
	assert.LessOrEqual(t, bytes, uint64(3500))
}
