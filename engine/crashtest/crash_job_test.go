package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/vfs"
)

// A backgroundJob is what a store does beside its appends, such as compressing, and how it is known
// to have ended.
type backgroundJob struct {
	open func(f vfs.FS, seed uint64) (engine.Store, error)
	// begin begins the job, unless it begins by itself, with a generator of appends.
	begin func(ctx context.Context, s engine.Store, o *crashtest.Oracle, g *crashtest.Generator) error
	ended func(ctx context.Context, s engine.Store) (bool, error)
	// heal opens the store on a disk that is well again, lets the job come to its end, and checks that
	// all is there and nothing else.
	heal func(ctx context.Context, f *crashtest.FS, o *crashtest.Oracle, seed uint64) error
}

// failEverywhere lets the n-th call to the file system fail while the job is done on clones of base,
// in several ways, for every stride-th n. It returns how many calls the job makes, and how many
// have failed.
func (j *backgroundJob) failEverywhere(
	ctx context.Context, base *crashtest.FS, o *crashtest.Oracle, seed uint64, stride int,
) (calls int, failed int64, err error) {
	if calls, err = j.fail(ctx, base.Clone(), o.Clone(), seed, nil); err != nil {
		return calls, 0, err
	}
	errs := []crashtest.Fault{{Err: syscall.EIO}, {Err: syscall.ENOSPC, Part: 100}, {Err: syscall.EIO, Sync: 1}}
	var count atomic.Int64
	first := int(seed % uint64(stride))
	err = crashtest.Parallel((calls+stride-1-first)/stride*len(errs), func(i int) error {
		n, fault := i/len(errs)*stride+first, errs[i%len(errs)]
		var hit atomic.Bool
		_, err := j.fail(ctx, base.Clone(), o.Clone(), seed, func(c crashtest.Call) crashtest.Fault {
			if c.N < n || hit.Load() || fault.Err == syscall.ENOSPC && !grows(c.Op) {
				return crashtest.Fault{}
			}
			hit.Store(true)
			count.Add(1)
			fault := fault
			fault.Part = min(fault.Part, c.Size/2)
			return fault
		})
		if err != nil {
			return fmt.Errorf("call %d of %d, %v: %w", n, calls, fault, err)
		}
		return nil
	})
	return calls, count.Load(), err
}

// fail does the job on a disk with a fault, and then checks the store on a disk that is well again,
// also after a power cut. It returns the number of calls.
func (j *backgroundJob) fail(
	ctx context.Context, f *crashtest.FS, o *crashtest.Oracle, seed uint64, fault func(crashtest.Call) crashtest.Fault,
) (int, error) {
	before, hit := f.Calls(), make(chan struct{}, 1)
	if fault != nil {
		f.Faults(func(c crashtest.Call) crashtest.Fault {
			c.N -= before
			what := fault(c)
			if what.Err != nil {
				select {
				case hit <- struct{}{}:
				default:
				}
			}
			return what
		})
	}
	s, err := j.open(f, seed)
	if err == nil {
		err = j.begin(ctx, s, o, crashtest.NewGenerator(seed+1))
		for waiting := err == nil; waiting; {
			var ended bool
			ended, err = j.ended(ctx, s)
			waiting = err == nil && !ended
			select {
			case <-hit:
				waiting = false
			case <-time.After(time.Millisecond):
			}
		}
		err = errors.Join(onlyFault(err), onlyFault(o.Peek(ctx, s)))
		s.Close()
	}
	if err = onlyFault(err); err != nil {
		return 0, err
	}
	if n := f.OpenFiles(); n > 0 {
		return 0, fmt.Errorf("%d files are still open", n)
	}
	calls := f.Calls() - before
	cut := f.Crashes(crashtest.Mode{Garbled: true}).Sample(rand.New(rand.NewPCG(seed, uint64(calls))))
	for _, next := range []*crashtest.FS{f, cut} {
		next.Faults(nil)
		if err := j.heal(ctx, next, o.Clone(), seed); err != nil {
			return 0, fmt.Errorf("on the healed disk: %w", err)
		}
	}
	return calls, nil
}
