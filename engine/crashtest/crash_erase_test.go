package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
)

// settleErasures waits until all erasures of a store are done, and checks that no file holds a piece
// of what they name.
func settleErasures(ctx context.Context, f *crashtest.FS, s engine.Store, o *crashtest.Oracle) error {
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		list, err := s.(engine.Eraser).Erasures(ctx)
		if err != nil {
			return err
		}
		open := 0
		for _, e := range list {
			if e.DoneAt.IsZero() {
				open++
			}
		}
		if open == 0 {
			break
		}
		if time.Since(began) > 60*time.Second {
			return fmt.Errorf("P11: %d erasures do not come to their end: %+v", open, list)
		}
	}
	_, err := o.CheckErased(ctx, f, s)
	return errors.Join(err, o.Check(ctx, s))
}

// exploreErasing explores with stores whose erasures come to their end in every state.
func exploreErasing(seed uint64, limit, depth int) *crashtest.Explorer {
	x := explorer(seed, limit, depth)
	x.Deep = nil // which compares a store that nobody appends to meanwhile
	x.Left = func(ctx context.Context, f *crashtest.FS, o *crashtest.Oracle) error {
		options := strictOptions(f, seed)
		options.ReadOnly = true // so that nothing more is done
		s, err := filestore.Open(crashtest.Dir, options)
		if err != nil {
			return err
		}
		defer s.Close()
		_, err = o.CheckErased(ctx, f, s)
		return err
	}
	x.Settle = func(ctx context.Context, f *crashtest.FS, s engine.Store, o *crashtest.Oracle) error {
		if err := settleErasures(ctx, f, s, o); err != nil {
			return err
		}
		return verified(ctx, s)
	}
	return x
}

// recordErasing records a workload that erases: events of the last segment and of complete ones, and
// in a second process others, and some once more.
func recordErasing(t *testing.T, seed uint64, open func(vfs.FS) (engine.Store, error)) []crashtest.Moment {
	ctx := t.Context()
	f, o := crashtest.New(), crashtest.NewOracle(true)
	g := crashtest.NewGenerator(^seed) // whose bytes are not those of an Explorer with the seed
	recorder := crashtest.Record(f, o)
	from := 0
	for round := range 2 {
		s, err := open(f)
		require.NoError(t, err)
		recorder.Watch(s)
		require.NoError(t, crashtest.Script(ctx, o, s, g, nil))
		h, err := s.(*filestore.FileStore).Head()
		require.NoError(t, err)
		o.Receive(h)
		if round == 0 {
			from = len(recorder.Moments())
		}
		last := s.ReadIndex().Head()
		spans := engine.Spans{{From: 1, To: 4}, {From: 9, To: 10}, {From: last - 2, To: last}}
		_, err = o.Append(ctx, s, g.Append(70), g.Forget(), g.Erase(spans[:2+round%2]...), g.Append(80))
		require.NoError(t, err)
		require.NoError(t, settleErasures(ctx, f, s, o))
		n, err := o.CheckErased(ctx, f, s)
		require.NoError(t, err)
		require.Positive(t, n)
		require.NoError(t, s.Close())
	}
	return recorder.Moments()[from:]
}

// The power fails at any moment from an ERASE to its end, and again while the next process goes on:
// no state shows what was erased, none has a piece of it in a file once it is done, none loses or
// changes anything else, and every state comes to its end by itself.
func TestCrashWhileErasing(t *testing.T) {
	seed := testenv.Seed(t)
	moments := recordErasing(t, seed, func(f vfs.FS) (engine.Store, error) { return openStrict(f, seed) })
	var some []crashtest.Moment
	stride := max(1, 4/testenv.Scale(1, 4))
	for i := int(seed % uint64(stride)); i < len(moments); i += stride {
		some = append(some, moments[i])
	}
	x := exploreErasing(seed, testenv.Scale(2, 256), 3)
	err := x.Explore(t.Context(), some)
	states, whole, sampled := x.States()
	report(t, "T1 (erasing)", fmt.Sprintf("%d moments, %d crash states (%d moments exhaustively, %d sampled), "+
		"violations: %d", len(some), states, whole, sampled, violations(err)))
	require.NoError(t, err)
}

// The same for a store that compresses.
func TestCrashWhileErasingCompressed(t *testing.T) {
	seed := testenv.Seed(t)
	open := func(f vfs.FS) (engine.Store, error) { return openCompressing(f, seed, nil) }
	moments := recordErasing(t, seed, open)
	var some []crashtest.Moment
	stride := max(1, 8/testenv.Scale(1, 8))
	for i := int(seed % uint64(stride)); i < len(moments); i += stride {
		some = append(some, moments[i])
	}
	x := exploreErasing(seed, testenv.Scale(2, 64), 2)
	x.Open = func(f vfs.FS, expect *engine.Head) (engine.Store, error) { return openCompressing(f, seed, expect) }
	require.NoError(t, x.Explore(t.Context(), some))
}

// A crash in the middle of an append leaves its bytes in a file of their own, behind the end of a
// segment that was superseded, or in the place where they were. When the append has been tried again
// and its events are erased, they are in none of these.
func TestErasedBytesThatACrashHasLeft(t *testing.T) {
	ctx, seed := t.Context(), testenv.Seed(t)
	f, g := crashtest.New(), crashtest.NewGenerator(seed)
	o := crashtest.NewOracle(true)
	s, err := openStrict(f, seed)
	require.NoError(t, err)
	_, err = o.Append(ctx, s, g.Append(100, 5000))
	require.NoError(t, err)
	recorder := crashtest.Record(f, o)
	secret := crashtest.NewGenerator(seed+1).Append(9000, 700, 30)
	_, err = s.Append(ctx, secret)
	require.NoError(t, err)
	moments := recorder.Moments()
	require.NotEmpty(t, moments)
	var torn, superseded atomic.Int64
	err = crashtest.Parallel(len(moments)*testenv.Scale(40, 2000), func(i int) error {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		m := moments[i%len(moments)]
		state := m.FS.Crashes(crashtest.Mode{Garbled: i%3 == 0}).Sample(r)
		o := m.Oracle.Clone()
		s, err := openStrict(state, seed+2)
		if err != nil {
			return err
		}
		defer s.Close()
		report := s.(*filestore.FileStore).OpenReport()
		torn.Add(int64(len(report.Torn)))
		superseded.Add(report.Superseded)
		// It is there already, or now: the Oracle need not know which.
		done, err := s.Append(ctx, secret)
		if err != nil {
			return err
		}
		o.Acked(o.Try([]engine.Append{secret}), done)
		first, n := done.Events[0].Position, engine.Position(len(done.Events))
		if _, err := o.Append(ctx, s, g.Erase(engine.Span{From: first, To: first + n})); err != nil {
			return err
		}
		return errors.Join(settleErasures(ctx, state, s, o), verified(ctx, s))
	})
	require.NoError(t, err)
	assert.Positive(t, torn.Load(), "torn tails")
	assert.Positive(t, superseded.Load(), "events in superseded ends")
}

// The n-th call to the file system fails while a store erases, for every n, or the disk is full: the
// erasure is effective all the same, nothing else is lost, and it comes to its end when the disk is
// well again, in this process or the next.
func TestCallsFailWhileErasing(t *testing.T) {
	ctx, seed := t.Context(), testenv.Seed(t)
	base, o, g := crashtest.New(), crashtest.NewOracle(false), crashtest.NewGenerator(seed)
	s, err := openStrict(base, seed)
	require.NoError(t, err)
	require.NoError(t, crashtest.Script(ctx, o, s, g, nil))
	require.NoError(t, s.Close())

	calls, failed, err := erasing.failEverywhere(ctx, base, o, seed, max(1, 6/testenv.Scale(1, 6)))
	report(t, "T3 (erasing)", fmt.Sprintf("%d calls, %d faults, violations: %d", calls, failed, violations(err)))
	require.NoError(t, err)
	assert.Positive(t, failed)
}

// erasing is the job of a store in which an erasure begins.
var erasing = backgroundJob{
	open: openStrict,
	begin: func(ctx context.Context, s engine.Store, o *crashtest.Oracle, g *crashtest.Generator) error {
		_, err := o.Append(ctx, s, g.Erase(engine.Span{From: 1, To: 9}, engine.Span{From: 14, To: 16}))
		return err
	},
	ended: func(ctx context.Context, s engine.Store) (bool, error) {
		list, err := s.(engine.Eraser).Erasures(ctx)
		return err == nil && !list[0].DoneAt.IsZero(), err
	},
	heal: func(ctx context.Context, f *crashtest.FS, o *crashtest.Oracle, seed uint64) error {
		s, err := openStrict(f, seed+2)
		if err != nil {
			return err
		}
		if err = o.Check(ctx, s); err == nil {
			err = settleErasures(ctx, f, s, o)
		}
		return errors.Join(err, verified(ctx, s), s.Close())
	},
}

// While the disk is full nothing can be written anew: appends that fit and reads go on, the erasure is
// effective, and says what it waits for. It comes to its end by itself once there is room.
func TestErasingOnAFullDisk(t *testing.T) {
	ctx, seed := t.Context(), testenv.Seed(t)
	f, o, g := crashtest.New(), crashtest.NewOracle(true), crashtest.NewGenerator(seed)
	s, err := openStrict(f, seed)
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, crashtest.Script(ctx, o, s, g, nil))
	f.Limit(f.Used() + 1000)
	_, err = o.Append(ctx, s, g.Erase(engine.Span{From: 1, To: 12}))
	require.NoError(t, err)
	eraser := s.(engine.Eraser)
	require.Eventually(t, func() bool {
		list, err := eraser.Erasures(ctx)
		require.NoError(t, err)
		require.True(t, list[0].DoneAt.IsZero())
		require.NotEmpty(t, list[0].Pending)
		return strings.Contains(list[0].Pending[0].Why, "the disk is full")
	}, time.Minute, time.Millisecond)
	_, err = o.Append(ctx, s, g.Append(10))
	require.NoError(t, err)
	require.NoError(t, o.Check(ctx, s))
	f.Limit(0)
	require.NoError(t, settleErasures(ctx, f, s, o))
	require.NoError(t, verified(ctx, s))
}
