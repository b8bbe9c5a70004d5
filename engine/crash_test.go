package engine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
)

// strictOptions are the options of a store in the crash tests: small segments, so that there are many, and nothing that
// makes two runs differ.
func strictOptions(f engine.FS, seed uint64) engine.Options {
	return engine.Options{FS: f, SegmentSize: 32 << 10, Now: crashtest.Clock(), Rand: crashtest.Random(seed), BusyTimeout: -1}
}

func openStrict(f engine.FS, seed uint64) (engine.Store, error) {
	s, err := engine.Open(crashtest.Dir, strictOptions(f, seed))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// explorer returns an Explorer of the embedded store.
func explorer(seed uint64, limit, depth int) *crashtest.Explorer {
	return &crashtest.Explorer{
		Open:     func(f engine.FS) (engine.Store, error) { return openStrict(f, seed) },
		Repaired: func(s engine.Store) string { report := s.(*engine.FileStore).OpenReport(); return report.String() },
		Seed:     seed, Limit: limit, Depth: depth,
	}
}

// recordScript runs the script twice, closing the store in between, and returns every moment at which the power may fail.
func recordScript(t *testing.T, seed uint64) []crashtest.Moment {
	ctx := context.Background()
	f, o, g := crashtest.New(), crashtest.NewOracle(true), crashtest.NewGenerator(seed)
	recorder := crashtest.Record(f, o)
	for range 2 {
		s, err := openStrict(f, seed)
		require.NoError(t, err)
		recorder.Watch(s)
		require.NoError(t, crashtest.Script(ctx, o, s, g))
		require.NoError(t, o.Check(ctx, s))
		require.NoError(t, s.Close())
	}
	return recorder.Moments()
}

// The power fails at any moment of a workload, and of the recovery, and of the recovery from that (T1).
func TestCrashAnywhere(t *testing.T) {
	seed := crashtest.Seed(t)
	moments := recordScript(t, seed)
	x := explorer(seed, crashtest.Scale(6, 4096), 3)
	err := x.Explore(t.Context(), moments)
	states, whole, sampled := x.States()
	crashtest.Report(t, "T1", fmt.Sprintf("%d moments, %d crash states (%d moments exhaustively, %d sampled), violations: %d",
		len(moments), states, whole, sampled, violations(err)))
	require.NoError(t, err)
}

func violations(err error) int {
	if err != nil {
		return 1
	}
	return 0
}
