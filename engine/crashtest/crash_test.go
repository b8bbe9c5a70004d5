package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
)

// strictOptions are the options of a store in the crash tests: small segments, so that there are
// many, and nothing that makes two runs differ.
func strictOptions(f vfs.FS, seed uint64) filestore.Options {
	return filestore.Options{
		FS:          f,
		SegmentSize: 32 << 10,
		Now:         clock(),
		Rand:        random(seed),
		BusyTimeout: -1,
	}
}

func openStrict(f vfs.FS, seed uint64) (engine.Store, error) {
	s, err := filestore.Open(crashtest.Dir, strictOptions(f, seed))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// explorer returns an Explorer of the embedded store.
func explorer(seed uint64, limit, depth int) *crashtest.Explorer {
	return &crashtest.Explorer{
		Open: func(f vfs.FS, expect *engine.Head) (engine.Store, error) {
			o := strictOptions(f, seed)
			o.Expect = expect
			s, err := filestore.Open(crashtest.Dir, o)
			if err != nil {
				return nil, err
			}
			return s, nil
		},
		Deep:     verified,
		Repaired: func(s engine.Store) string { report := s.(*filestore.FileStore).OpenReport(); return report.String() },
		Seed:     seed, Limit: limit, Depth: depth,
	}
}

// verified checks that Verify finds nothing, and that indexes answer as the whole log does (P6).
func verified(ctx context.Context, s engine.Store) error {
	report, err := s.(*filestore.FileStore).Verify(ctx)
	if err != nil || len(report.BadIndexes) > 0 {
		return fmt.Errorf("Verify: bad indexes %v: %w", report.BadIndexes, err)
	}
	c := s.ReadIndex().ReadAll(ctx, 0, engine.Forwards)
	defer c.Close()
	var events []engine.Event
	for c.Next() {
		events = append(events, *c.Event())
	}
	if c.Err() != nil {
		return c.Err()
	}
	m := enginetest.ModelOf(events)
	if err := errors.Join(enginetest.Same(ctx, s, m), enginetest.SameByIndex(ctx, s, m)); err != nil {
		return fmt.Errorf("P6: %w", err)
	}
	return nil
}

// recordScript runs the script twice, closing the store in between, and returns every moment at
// which the power may fail.
func recordScript(t *testing.T, seed uint64, prealloc filestore.Prealloc) []crashtest.Moment {
	ctx := context.Background()
	f, o, g := crashtest.New(), crashtest.NewOracle(true), crashtest.NewGenerator(seed)
	recorder := crashtest.Record(f, o)
	for range 2 {
		options := strictOptions(f, seed)
		options.Prealloc = prealloc
		s, err := filestore.Open(crashtest.Dir, options)
		require.NoError(t, err)
		recorder.Watch(s)
		require.NoError(t, crashtest.Script(ctx, o, s, g, func() error {
			h, err := s.Head()
			o.Receive(h)
			return err
		}))
		require.NoError(t, o.Check(ctx, s))
		require.NoError(t, s.Close())
	}
	return recorder.Moments()
}

// The power fails at any moment of a workload, and of the recovery, and of the recovery from that
// (T1).
func TestCrashAnywhere(t *testing.T) {
	seed := testenv.Seed(t)
	moments := recordScript(t, seed, filestore.PreallocZero)
	moments = append(moments, recordScript(t, seed, filestore.PreallocNone)...)
	moments = everyNth(moments, 8/testenv.Scale(8, 8), seed)
	x := explorer(seed, testenv.Scale(3, 2048), 3)
	err := x.Explore(t.Context(), moments)
	states, whole, sampled := x.States()
	report(t, "T1", fmt.Sprintf("%d moments, %d crash states (of %d moments all, of %d a sample), "+
		"violations: %d",
		len(moments), states, whole, sampled, violations(err)))
	require.NoError(t, err)
}

// everyNth returns every n-th moment, beginning somewhere.
func everyNth(moments []crashtest.Moment, n int, seed uint64) []crashtest.Moment {
	var some []crashtest.Moment
	for i := int(seed % uint64(n)); i < len(moments); i += n {
		some = append(some, moments[i])
	}
	return some
}

func violations(err error) int {
	if err != nil {
		return 1
	}
	return 0
}

// With SyncInterval a power cut may lose what was appended since the last sync, from some append
// on, but no more; the death of the process nothing.
func TestCrashWithLateSyncs(t *testing.T) {
	seed := testenv.Seed(t)
	stores := testenv.Scale(200, 10_000)
	var cuts, whole atomic.Int64
	err := crashtest.Parallel(stores, func(i int) error {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		kept, err := lateSyncs(t.Context(), r, seed^uint64(i))
		cuts.Add(1)
		if kept {
			whole.Add(1)
		}
		return err
	})
	report(t, "T1, SyncInterval", fmt.Sprintf("%d kills, of which nothing was lost, and %d power cuts, of "+
		"which %d lost nothing; violations: %d",
		stores, cuts.Load(), whole.Load(), violations(err)))
	require.NoError(t, err)
	require.Less(t, whole.Load(), cuts.Load(), "some must lose something")
}

func lateSyncs(ctx context.Context, r *rand.Rand, seed uint64) (kept bool, err error) {
	f, o, g := crashtest.New(), crashtest.NewOracle(true), crashtest.NewGenerator(seed)
	options := strictOptions(f, seed)
	options.Sync, options.SyncInterval = filestore.SyncInterval, time.Hour
	var promised *crashtest.Oracle
	var s engine.Store
	for life := range 2 { // what was there when the store was closed is durable
		if s, err = filestore.Open(crashtest.Dir, options); err != nil {
			return false, err
		}
		promised = o.Clone()
		for range 2 + r.IntN(8) {
			if _, err := o.Append(ctx, s, g.Append(r.IntN(6000))); err != nil {
				return false, errors.Join(err, s.Close())
			}
		}
		if life == 0 {
			if err := s.Close(); err != nil {
				return false, err
			}
		}
	}
	next := f.Crashes(crashtest.Mode{Ordered: r.IntN(2) == 0, Garbled: r.IntN(2) == 0}).Sample(r)
	killed := f.Kill()
	s.Close()
	promised.Extend(o)
	if _, err := openAndCheck(ctx, killed, options, o.Clone()); err != nil {
		return false, fmt.Errorf("killed: %w", err)
	}
	head, err := openAndCheck(ctx, next, options, promised)
	all, _ := o.Counts()
	return int(head) == all, err
}

// openAndCheck opens the store, checks it, and returns its head.
func openAndCheck(
	ctx context.Context, f *crashtest.FS, options filestore.Options, o *crashtest.Oracle,
) (engine.Position, error) {
	options.FS = f
	s, err := filestore.Open(crashtest.Dir, options)
	if err != nil {
		return 0, err
	}
	head := s.ReadIndex().Head()
	return head, errors.Join(o.Check(ctx, s), s.Close())
}
