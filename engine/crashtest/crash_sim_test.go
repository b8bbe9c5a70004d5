package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// Several clients use the store in simulated time, on a disk that is slow and now and then fails or
// writes to the wrong place; pauses let the store do what it does when it is idle; the power fails
// at any time (T10).
//
// It runs in a process of its own: what the store keeps for later use, it keeps beyond the end of
// simulated time.
func TestSimulation(t *testing.T) {
	const variable = "EVENTFOLD_TEST_SIMULATE"
	if testenv.Get(variable) == "" {
		child := exec.Command(os.Args[0], "-test.run=^TestSimulation$", "-test.v", "-test.timeout=2h")
		child.Env = append(os.Environ(), variable+"=1")
		out, err := child.CombinedOutput()
		t.Logf("%s", out)
		require.NoError(t, err)
		return
	}
	seed := testenv.Seed(t)
	runs := testenv.Scale(60, 20_000)
	var total simCounts
	var failed error
	synctest.Test(t, func(t *testing.T) {
		for i := 0; i < runs && failed == nil; i++ {
			if failed = newSimulation(seed, uint64(i), &total).run(t.Context()); failed != nil {
				failed = fmt.Errorf("run %d: %w", i, failed)
			}
		}
	})
	report(t, "T10", fmt.Sprintf("%d runs of %s of simulated time, %d appends acknowledged, %d power cuts, "+
		"%d failed syncs, %d misdirected writes of which %d were noticed and %d did no harm; violations: %d",
		runs, time.Duration(total.time.Load()).Round(time.Second), total.acked.Load(), total.cuts.Load(),
		total.syncs.Load(),
		total.misdirected.Load(), total.noticed.Load(), total.misdirected.Load()-total.noticed.Load(),
		violations(failed)))
	require.NoError(t, failed)
	require.Positive(t, total.acked.Load())
}

type simCounts struct {
	time, acked, cuts, syncs, misdirected, noticed atomic.Int64
}

// A simulation is one store's life in a bubble of its own time.
type simulation struct {
	r         *rand.Rand // of the goroutine that runs; the disk has its own
	seed      uint64
	fs        *crashtest.FS
	oracle    *crashtest.Oracle
	gen       *crashtest.Generator
	counts    *simCounts
	misplaced atomic.Bool // a write went to the wrong place

	mu   sync.Mutex // protects disk
	disk *rand.Rand
}

func newSimulation(seed, number uint64, counts *simCounts) *simulation {
	return &simulation{
		r: rand.New(rand.NewPCG(seed, number)), seed: seed ^ number, fs: crashtest.New(),
		oracle: crashtest.NewOracle(false),
		gen:    crashtest.NewGenerator(seed ^ number), counts: counts, disk: rand.New(rand.NewPCG(number, seed)),
	}
}

func (s *simulation) run(ctx context.Context) error {
	began := time.Now()
	defer func() { s.counts.time.Add(int64(time.Since(began))) }()
	for life := range 5 {
		if err := s.live(ctx); err != nil {
			if s.misplaced.Load() && isDamage(err) {
				s.counts.noticed.Add(1)
				return nil
			}
			return fmt.Errorf("life %d: %w", life, err)
		}
	}
	return nil
}

func isDamage(err error) bool {
	return errors.As(err, new(*engine.CorruptError)) || errors.As(err, new(*engine.FormatError))
}

// chance is true once in n times, as the disk's random numbers say.
func (s *simulation) chance(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disk.IntN(n) == 0
}

func (s *simulation) number(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disk.IntN(n)
}

// attach makes the disk slow and unreliable. Syncs of the log take no time: the writer measures
// them, and waits for its clients a part of it without sleeping, which in simulated time would be
// for ever.
func (s *simulation) attach(misdirect bool) {
	s.fs.Before(func(c crashtest.Call) {
		switch {
		case c.Op == crashtest.OpFdatasync:
		case c.Op.Syncs(), c.Op == crashtest.OpWriteAt && s.chance(3):
			time.Sleep(time.Duration(50+s.number(2000)) * time.Microsecond)
		}
	})
	s.fs.Faults(func(c crashtest.Call) crashtest.Fault {
		switch {
		case c.Op.Syncs() && s.chance(400):
			s.counts.syncs.Add(1)
			return crashtest.Fault{Err: syscall.EIO, Sync: crashtest.SyncFailure(s.number(3))}
		case misdirect && c.Op == crashtest.OpWriteAt && s.chance(60) && s.misplaced.CompareAndSwap(false, true):
			s.counts.misdirected.Add(1)
			return crashtest.Fault{Misdirect: int64(s.number(32)-16) * 512}
		}
		return crashtest.Fault{}
	})
}

// live opens the store, lets clients append and readers read for a while, and cuts the power or
// closes it.
func (s *simulation) live(ctx context.Context) error {
	s.fs.Faults(nil)
	o := strictOptions(s.fs, s.seed)
	o.Now = time.Now
	if s.r.IntN(3) == 0 {
		o.Prealloc = filestore.PreallocNone
	}
	store, err := filestore.Open(crashtest.Dir, o)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if err := s.oracle.Check(ctx, store); err != nil {
		return errors.Join(fmt.Errorf("opened: %w", err), store.Close())
	}
	s.attach(s.r.IntN(6) == 0)
	stopped, stop := context.WithCancel(ctx)
	var clients sync.WaitGroup
	for range 1 + s.r.IntN(4) {
		pauses := time.Duration(s.r.IntN(3)) * 700 * time.Millisecond
		clients.Go(func() { s.client(stopped, store, pauses) })
	}
	clients.Go(func() { s.follow(stopped, store) })
	time.Sleep(time.Duration(s.r.IntN(3000)) * time.Millisecond)
	return s.end(store, stop, &clients)
}

func (s *simulation) client(ctx context.Context, store engine.Store, pauses time.Duration) {
	for n := 0; ctx.Err() == nil && n < 40; n++ {
		if _, err := s.oracle.Append(ctx, store, s.gen.Append(s.gen.IntN(1500))); err == nil {
			s.counts.acked.Add(1)
		}
		time.Sleep(time.Duration(s.gen.IntN(1+int(pauses))) + time.Millisecond)
	}
}

// follow tells the oracle what a waiting reader has seen.
func (s *simulation) follow(ctx context.Context, store engine.Store) {
	for next := engine.Position(0); store.Wait(ctx, next) == nil; {
		next = store.ReadIndex().Head()
		s.oracle.See(next)
	}
}

// end cuts the power at once, or closes the store. If a write went to the wrong place, the process
// dies instead: the last second's promises are not durable yet, so that two faults at once may lose
// the last commit without a trace.
func (s *simulation) end(store *filestore.FileStore, stop func(), clients *sync.WaitGroup) error {
	next, promised := s.fs, s.oracle.Clone() // what is promised from here on, nobody hears any more
	switch {
	case s.misplaced.Load():
		next = s.fs.Kill()
	case s.r.IntN(3) > 0:
		s.counts.cuts.Add(1)
		next = s.fs.Crashes(crashtest.Mode{Ordered: s.r.IntN(2) == 0, Garbled: s.r.IntN(2) == 0}).Sample(s.r)
		s.fs.Kill()
	}
	promised.Extend(s.oracle)
	stop()
	clients.Wait()
	s.fs.Before(nil)
	store.Close()
	if next != s.fs {
		s.fs, s.oracle = next, promised
	}
	return nil
}
