package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// faultKinds are what the n-th call does. Reads and writes that are cut short transfer a part.
var faultKinds = []struct {
	name  string
	fault crashtest.Fault
	ops   func(crashtest.Op) bool // nil: any
	ever  bool                    // also from the n-th call on
}{
	{"EIO", crashtest.Fault{Err: syscall.EIO}, nil, true},
	{"ENOSPC", crashtest.Fault{Err: syscall.ENOSPC, Part: 100}, grows, true},
	{"EINTR", crashtest.Fault{Err: syscall.EINTR}, interruptible, false}, // an FS repeats interrupted calls itself
	{"EMFILE", crashtest.Fault{Err: syscall.EMFILE}, opens, true},
	{"short read", crashtest.Fault{Err: io.EOF, Part: 40}, reads, false},
	{"short write", crashtest.Fault{Err: io.ErrShortWrite, Part: 40}, writes, false},
}

func grows(o crashtest.Op) bool {
	return o == crashtest.OpWriteAt || o == crashtest.OpPreallocate || o == crashtest.OpOpen ||
		o == crashtest.OpFsync || o == crashtest.OpFdatasync || o == crashtest.OpRename || o == crashtest.OpMkdirAll ||
		o == crashtest.OpMkdir || o == crashtest.OpLink
}
func interruptible(o crashtest.Op) bool { return o == crashtest.OpWriteAt || o.Syncs() }
func opens(o crashtest.Op) bool {
	return o == crashtest.OpOpen || o == crashtest.OpLock || o == crashtest.OpList || o == crashtest.OpSyncDir
}
func reads(o crashtest.Op) bool  { return o == crashtest.OpReadAt }
func writes(o crashtest.Op) bool { return o == crashtest.OpWriteAt }

// The n-th call to the file system fails, for every n (T3). Nothing panics, nothing is acknowledged
// that is not there, no file stays open, and the store opens again once the disk is well.
func TestEveryCallFails(t *testing.T) {
	seed := testenv.Seed(t)
	calls := faultyRun(t.Context(), seed, nil).calls
	goroutines := runtime.NumGoroutine()
	stride := max(1, 240/testenv.Scale(64, 240)) // with few calls it could be that none of them is of an append
	type job struct{ n, kind, ever int }
	var jobs []job
	for n := int(seed % uint64(stride)); n < calls; n += stride {
		for kind := range faultKinds {
			jobs = append(jobs, job{n, kind, 0})
			if faultKinds[kind].ever {
				jobs = append(jobs, job{n, kind, 1})
			}
		}
	}
	var refused atomic.Int64
	err := crashtest.Parallel(len(jobs), func(i int) error {
		j := jobs[i]
		k := faultKinds[j.kind]
		at := -1
		result := faultyRun(t.Context(), seed, func(c crashtest.Call) crashtest.Fault {
			if c.N < j.n || k.ops != nil && !k.ops(c.Op) || at >= 0 && j.ever == 0 {
				return crashtest.Fault{}
			}
			at = c.N
			fault := k.fault
			if fault.Err != syscall.EINTR { // which is before anything has begun
				fault.Sync = crashtest.SyncFailure(j.n % 3)
			}
			if fault.Err == io.EOF || fault.Err == io.ErrShortWrite || fault.Err == syscall.ENOSPC {
				fault.Part = min(fault.Part, c.Size/2)
			}
			return fault
		})
		refused.Add(int64(result.refused))
		if result.err != nil {
			return fmt.Errorf("call %d, %s, from then on %v: %w", j.n, k.name, j.ever == 1, result.err)
		}
		return nil
	})
	report(t, "T3", fmt.Sprintf("%d calls, %d faults of %d kinds tried, %d appends refused, panics: 0, "+
		"wrong acknowledgements, leaks and stores that do not recover: %d",
		calls, len(jobs), len(faultKinds), refused.Load(), violations(err)))
	require.NoError(t, err)
	assert.Positive(t, refused.Load())
	assert.Eventually(t, func() bool {
		return runtime.NumGoroutine() <= goroutines+1
	}, time.Minute, time.Millisecond, "goroutines are left")
}

type faultyResult struct {
	calls   int
	refused int
	err     error // a violation
}

// faultyRun runs the script on a disk with faults, and then checks the store on a disk that is well
// again.
func faultyRun(ctx context.Context, seed uint64, fault func(crashtest.Call) crashtest.Fault) (result faultyResult) {
	f, o, g := crashtest.New(), crashtest.NewOracle(false), crashtest.NewGenerator(seed)
	f.Faults(fault)
	fail := func(what string, err error) bool {
		if err != nil && result.err == nil {
			result.err = fmt.Errorf("%s: %w", what, err)
		}
		return err != nil
	}
	for range 2 {
		s, err := openStrict(f, seed)
		if err != nil {
			if fail("opening", onlyFault(err)) {
				return result
			}
			continue
		}
		result.refused += crashtest.Insist(ctx, o, s, g)
		fail("reading", onlyFault(o.Peek(ctx, s)))
		s.Close()
		if n := f.OpenFiles(); n > 0 {
			fail("closed", fmt.Errorf("%d files are still open", n))
		}
	}
	result.calls = f.Calls()
	for _, next := range []*crashtest.FS{f.Clone(),
		f.Crashes(crashtest.Mode{Garbled: true}).Sample(rand.New(rand.NewPCG(seed, 1)))} {
		next.Faults(nil)
		s, err := openStrict(next, seed)
		if fail("opening the healed disk", err) {
			continue
		}
		healed := o.Clone()
		fail("on the healed disk", healed.Check(ctx, s))
		_, err = healed.Append(ctx, s, crashtest.NewGenerator(seed+1).Append(50))
		fail("appending on the healed disk", err)
		fail("on the healed disk", healed.Check(ctx, s))
		fail("closing on the healed disk", s.Close())
	}
	return result
}

// onlyFault returns nil if err comes from an injected fault, and otherwise err. A short read can
// look like damage.
func onlyFault(err error) error {
	if err == nil {
		return nil
	}
	for _, k := range faultKinds {
		if errors.Is(err, k.fault.Err) {
			return nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) { // what could not be looked at was not there
		return nil
	}
	if errors.As(err, new(*engine.CorruptError)) || errors.As(err, new(*engine.FormatError)) ||
		errors.Is(err, engine.ErrFull) {
		return nil
	}
	return err
}

// The disk fills up and gets room again (T6). Full is an error like any other: nothing is lost,
// nothing is poisoned, and appends succeed by themselves once there is room.
func TestDiskFull(t *testing.T) {
	seed := testenv.Seed(t)
	cycles := testenv.Scale(60, 5000)
	var full, acked atomic.Int64
	err := crashtest.Parallel(cycles, func(i int) error {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		return fillAndFree(t.Context(), r, seed+uint64(i), &full, &acked)
	})
	report(t, "T6", fmt.Sprintf("%d stores on a disk that fills up, %d appends refused with ErrFull, %d "+
		"acknowledged, acknowledged and lost: %d, recovers without opening again: yes",
		cycles, full.Load(), acked.Load(), violations(err)))
	require.NoError(t, err)
	require.Positive(t, full.Load())
}

func fillAndFree(ctx context.Context, r *rand.Rand, seed uint64, full, acked *atomic.Int64) error {
	f, o, g := crashtest.New(), crashtest.NewOracle(true), crashtest.NewGenerator(seed)
	options := strictOptions(f, seed)
	options.Prealloc = []filestore.Prealloc{filestore.PreallocZero, filestore.PreallocReserve,
		filestore.PreallocNone}[r.IntN(3)]
	f.Limit(20<<10 + r.Int64N(300<<10))
	s, err := filestore.Open(crashtest.Dir, options)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer func() {
		if s != nil {
			s.Close()
		}
	}()
	for range 3 {
		for refused := 0; refused < 5; {
			_, err := o.Append(ctx, s, g.Append([]int{3, 200, 5000, 12_000}[r.IntN(4)]))
			switch {
			case err == nil:
				acked.Add(1)
			case errors.Is(err, engine.ErrFull):
				full.Add(1)
				refused++
			default:
				return fmt.Errorf("append on a full disk: %w", err)
			}
		}
		if err := o.Check(ctx, s); err != nil {
			return fmt.Errorf("while full: %w", err)
		}
		// the process dies while the disk is full; the next one can read, and appends once there is
		// room
		if r.IntN(3) == 0 {
			f = f.Kill()
			s.Close()
			options.FS = f
			if s, err = filestore.Open(crashtest.Dir, options); err != nil {
				return fmt.Errorf("open on a full disk: %w", err)
			}
			if err := o.Check(ctx, s); err != nil {
				return fmt.Errorf("opened on a full disk: %w", err)
			}
		}
		f.Limit(f.Used() + 4<<20) // index files that there was no room for take some of it
		for range 3 {
			if _, err := o.Append(ctx, s, g.Append(r.IntN(5000))); err != nil {
				return fmt.Errorf("append with room again: %w", err)
			}
		}
		f.Limit(f.Used() + r.Int64N(200<<10))
		if err := o.Check(ctx, s); err != nil {
			return fmt.Errorf("with room again: %w", err)
		}
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = filestore.Open(crashtest.Dir, options); err != nil {
		return err
	}
	if report := s.OpenReport(); report.String() != "" {
		return fmt.Errorf("a store that was closed was repaired: %s", report.String())
	}
	return o.Check(ctx, s)
}

// A full disk is told of before anything fails: the next segment cannot be prepared.
func TestLowSpaceIsToldEarly(t *testing.T) {
	ctx := t.Context()
	f, g := crashtest.New(), crashtest.NewGenerator(1)
	s, err := openStrict(f, 1)
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Append(ctx, g.Append(10))
	require.NoError(t, err)
	f.Limit(f.Used() + 8<<10)
	for low := false; !low; low = s.Stats().LowSpace {
		_, err = s.Append(ctx, g.Append(500))
		require.NoError(t, err, "LowSpace comes before the first error")
	}
	require.Less(t, strings.Count(strings.Join(f.Files(), " "), ".log"), 2)
}
