package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// Syncs fail in all the ways that systems have been seen to fail, pages are written back and fail
// to be written back behind the store's back, and then the process dies or the power fails (T2).
func TestFailedSyncs(t *testing.T) {
	seed := testenv.Seed(t)
	histories := testenv.Scale(400, 100_000)
	var total historyCounts
	err := crashtest.Parallel(histories, func(i int) error {
		h := newHistory(seed, uint64(i))
		err := h.run(t.Context(), 6)
		total.add(&h.counts)
		return err
	})
	report(t, "T2", fmt.Sprintf("%d histories with %d failed syncs, %d failed write-backs, %d kills and %d "+
		"power cuts, %d appends acknowledged; appends accepted after a failed sync: 0, violations: %d",
		histories, total.syncs.Load(), total.writeBacks.Load(), total.kills.Load(), total.cuts.Load(),
		total.acked.Load(), violations(err)))
	require.NoError(t, err)
	require.Positive(t, total.syncs.Load())
	require.Positive(t, total.poisoned.Load())
}

// A sync says that all is well, has written nothing, and the error is told by the next sync of the
// file. What was acknowledged in between nobody can save; but the store must stop then, and what it
// has lost is missed, or was the very end.
func TestSyncErrorToldLate(t *testing.T) {
	seed := testenv.Seed(t)
	histories := testenv.Scale(200, 20_000)
	var noticed, lostEnd atomic.Int64
	err := crashtest.Parallel(histories, func(i int) error {
		outcome, err := lateError(t.Context(), rand.New(rand.NewPCG(seed, uint64(i))), seed^uint64(i))
		switch outcome {
		case detected:
			noticed.Add(1)
		case lost:
			lostEnd.Add(1)
		}
		return err
	})
	report(t, "T2, told late", fmt.Sprintf("%d histories; after the power cut the loss was noticed in %d, "+
		"and was that of the very end in %d; violations: %d",
		histories, noticed.Load(), lostEnd.Load(), violations(err)))
	require.NoError(t, err)
	require.Positive(t, noticed.Load())
}

func lateError(ctx context.Context, r *rand.Rand, seed uint64) (rotOutcome, error) {
	f, o, g := crashtest.New(), crashtest.NewOracle(true), crashtest.NewGenerator(seed)
	s, err := openStrict(f, seed)
	if err != nil {
		return harmless, err
	}
	for range 1 + r.IntN(6) {
		if _, err := o.Append(ctx, s, g.Append(r.IntN(4000))); err != nil {
			return harmless, err
		}
	}
	f.Faults(func(c crashtest.Call) crashtest.Fault {
		if c.Op == crashtest.OpFdatasync && strings.HasSuffix(c.Name, ".log") {
			return crashtest.Fault{Err: syscall.EIO, Sync: crashtest.ReportedLate}
		}
		return crashtest.Fault{}
	})
	promised := o.Clone() // what is acknowledged from here on is not on the disk
	if _, err := o.Append(ctx, s, g.Append(r.IntN(4000))); err != nil {
		return harmless, err
	}
	before, _ := f.List(crashtest.Dir)
	_, err = o.Append(ctx, s, g.Append(10))
	after, _ := f.List(crashtest.Dir)
	// The sync of a full segment's seal may tell, before anything of this append is written: the
	// next segment has just got its name.
	sealed := segments(after) == segments(before)+1
	if !errors.Is(err, engine.ErrPoisoned) || errors.Is(err, engine.ErrOutcomeUnknown) == sealed {
		return harmless, fmt.Errorf("the append whose sync told of the error: %w", err)
	}
	if _, err = o.Append(ctx, s, g.Append(10)); !errors.Is(err, engine.ErrPoisoned) ||
		errors.Is(err, engine.ErrOutcomeUnknown) {
		return harmless, fmt.Errorf("the append after it: %w", err)
	}
	next := f.Crashes(crashtest.Mode{Ordered: r.IntN(2) == 0}).Sample(r)
	f.Kill()
	s.Close()
	promised.Extend(o)
	s, err = openStrict(next, seed)
	if err != nil {
		if outcome, err := complains(err); outcome != detected {
			return harmless, err
		}
		return detected, nil
	}
	defer s.Close()
	return lost, promised.Check(ctx, s)
}

// segments counts the files of segments among names.
func segments(names []string) (n int) {
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			n++
		}
	}
	return n
}

type historyCounts struct {
	syncs, writeBacks, kills, cuts, acked, poisoned atomic.Int64
}

func (c *historyCounts) add(other *historyCounts) {
	c.syncs.Add(other.syncs.Load())
	c.writeBacks.Add(other.writeBacks.Load())
	c.kills.Add(other.kills.Load())
	c.cuts.Add(other.cuts.Load())
	c.acked.Add(other.acked.Load())
	c.poisoned.Add(other.poisoned.Load())
}

// A history is the life of a store whose disk has bad days.
type history struct {
	r      *rand.Rand
	fs     *crashtest.FS
	oracle *crashtest.Oracle
	gen    *crashtest.Generator
	seed   uint64
	store  *filestore.FileStore // nil if it could not be opened
	// a sync or write-back has failed since the last power cut: somebody is still to be told,
	// perhaps
	failed atomic.Bool
	counts historyCounts
}

func newHistory(seed, number uint64) *history {
	return &history{
		r: rand.New(rand.NewPCG(seed, number)), fs: crashtest.New(), oracle: crashtest.NewOracle(true),
		gen: crashtest.NewGenerator(seed ^ number), seed: seed ^ number,
	}
}

// run lets the store live so many times.
func (h *history) run(ctx context.Context, lives int) error {
	for life := range lives {
		if err := h.live(ctx); err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
	}
	h.fs.Faults(nil)
	for try := 0; h.store == nil || try == 0; try++ { // each file may have one failure to tell of
		if err := h.open(ctx); err != nil || try > 20 {
			return fmt.Errorf("at the end: %w", err)
		}
	}
	if _, err := h.oracle.Append(ctx, h.store, h.gen.Append(10)); err != nil && !h.failed.Load() {
		return fmt.Errorf("at the end: %w", err)
	}
	return errors.Join(h.oracle.Check(ctx, h.store), h.store.Close())
}

// live opens the store, appends, and ends in some way.
func (h *history) live(ctx context.Context) error {
	h.plan()
	if err := h.open(ctx); err != nil {
		return err
	}
	if h.store != nil {
		if err := h.append(ctx); err != nil {
			return err
		}
	}
	return h.end(ctx)
}

// plan lets the n-th sync from now fail, or none.
func (h *history) plan() {
	kind := crashtest.SyncFailure(h.r.IntN(3))
	n, at := 0, h.r.IntN(20)
	h.fs.Faults(func(c crashtest.Call) crashtest.Fault {
		if !c.Op.Syncs() {
			return crashtest.Fault{}
		}
		if n++; n-1 != at {
			return crashtest.Fault{}
		}
		h.failed.Store(true)
		h.counts.syncs.Add(1)
		return crashtest.Fault{Err: syscall.EIO, Sync: kind}
	})
}

// open opens the store, which may fail only if the disk did.
func (h *history) open(ctx context.Context) error {
	s, err := filestore.Open(crashtest.Dir, strictOptions(h.fs, h.seed))
	if err != nil {
		h.store = nil
		if h.failed.Load() && errors.Is(err, syscall.EIO) {
			return nil
		}
		return fmt.Errorf("open: %w", err)
	}
	h.store = s
	if err := h.oracle.Check(ctx, s); err != nil {
		return fmt.Errorf("opened: %w", err)
	}
	return nil
}

// append appends a few times. After a failed sync nothing more may be accepted.
func (h *history) append(ctx context.Context) error {
	poisoned := false
	for range h.r.IntN(8) {
		switch h.r.IntN(6) {
		case 0:
			h.fs.WriteBack(h.r)
		case 1:
			h.fs.FailWriteBack(h.r)
			h.failed.Store(true)
			h.counts.writeBacks.Add(1)
		}
		_, err := h.oracle.Append(ctx, h.store, h.gen.Append([]int{5, 300, 3000, 14_000}[h.r.IntN(4)]))
		switch {
		case err == nil && poisoned:
			return errors.New("an append was accepted after a failed sync")
		case err == nil:
			h.counts.acked.Add(1)
		case !h.failed.Load():
			return fmt.Errorf("append: %w", err)
		case errors.Is(err, engine.ErrPoisoned) && !poisoned:
			poisoned = true
			h.counts.poisoned.Add(1)
		}
	}
	if err := h.seen(ctx); err != nil {
		return fmt.Errorf("poisoned %v: %w", poisoned, err)
	}
	return nil
}

// seen checks that readers still see what they have seen.
func (h *history) seen(ctx context.Context) error {
	index := h.store.ReadIndex()
	c := index.ReadAll(ctx, 0, engine.Forwards)
	defer c.Close()
	n := engine.Position(0)
	for c.Next() {
		n++
	}
	if c.Err() != nil || n != index.Head() {
		return fmt.Errorf("read %d of %d events: %w", n, index.Head(), c.Err())
	}
	h.oracle.See(n)
	return nil
}

// end closes the store, kills its process, or cuts the power.
func (h *history) end(ctx context.Context) error {
	f := h.fs
	switch h.r.IntN(5) {
	case 0:
		if h.store != nil {
			h.store.Close() // which may fail, but must not lose anything
		}
		return nil
	case 1, 2:
		h.counts.kills.Add(1)
		h.fs = f.Kill()
	default:
		h.counts.cuts.Add(1)
		h.failed.Store(false)
		h.fs = f.Crashes(crashtest.Mode{Ordered: h.r.IntN(2) == 0, Garbled: h.r.IntN(2) == 0}).Sample(h.r)
		f.Kill()
	}
	if h.store != nil {
		h.store.Close()
	}
	return nil
}
