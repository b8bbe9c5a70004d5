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
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
)

func openCompressing(f vfs.FS, seed uint64, expect *engine.Head) (engine.Store, error) {
	options := strictOptions(f, seed)
	options.Compress, options.Expect = filestore.CompressZstd, expect
	s, err := filestore.Open(crashtest.Dir, options)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// isSettled reports whether every complete segment of a store is compressed.
func isSettled(s engine.Store) bool {
	st := s.Stats()
	return st.Compressed == st.Segments-1
}

// The power fails at any moment of a workload that compresses, and of the recovery: before and
// after every sync, every new name, and every name that goes.
func TestCrashWhileCompressing(t *testing.T) {
	ctx, seed := context.Background(), testenv.Seed(t)
	f, o, g := crashtest.New(), crashtest.NewOracle(true), crashtest.NewGenerator(seed)
	recorder := crashtest.Record(f, o)
	for range 2 {
		s, err := openCompressing(f, seed, nil)
		require.NoError(t, err)
		recorder.Watch(s)
		require.NoError(t, crashtest.Script(ctx, o, s, g, func() error {
			h, err := s.(*filestore.FileStore).Head()
			o.Receive(h)
			return err
		}))
		require.Eventually(t, func() bool { return isSettled(s) }, time.Minute, time.Millisecond)
		require.NoError(t, o.Check(ctx, s))
		require.NoError(t, s.Close())
	}
	all := recorder.Moments()
	var moments []crashtest.Moment
	swaps := 0
	for i, m := range all {
		compressing := strings.Contains(m.Call.Name, "compress.tmp") || strings.Contains(m.Call.Name, ".1.log") ||
			strings.Contains(m.Call.Name, "MANIFEST")
		if compressing {
			swaps++
		}
		if compressing || i%crashtest.Scale(5, 1) == 0 {
			moments = append(moments, m)
		}
	}
	require.Greater(t, swaps, 20)
	x := explorer(seed, crashtest.Scale(3, 512), 2)
	x.Open = func(f vfs.FS, expect *engine.Head) (engine.Store, error) {
		return openCompressing(f, seed, expect)
	}
	err := x.Explore(t.Context(), moments)
	states, whole, sampled := x.States()
	report(t, "T1 (compressing)", fmt.Sprintf("%d moments, %d crash states (%d moments exhaustively, %d "+
		"sampled), violations: %d",
		len(moments), states, whole, sampled, violations(err)))
	require.NoError(t, err)
}

// The n-th call to the file system fails while a store compresses, for every n: the store goes on
// with the old file or the new one, loses nothing, leaves no file open, and the next process finds
// all of it.
func TestCallsFailWhileCompressing(t *testing.T) {
	ctx, seed := t.Context(), testenv.Seed(t)
	base, o, g := crashtest.New(), crashtest.NewOracle(false), crashtest.NewGenerator(seed)
	s, err := openStrict(base, seed)
	require.NoError(t, err)
	require.NoError(t, crashtest.Script(ctx, o, s, g, nil))
	require.Eventually(t, func() bool {
		return s.Stats().IndexedTo == s.Stats().Segments-1
	}, time.Minute, time.Millisecond)
	require.NoError(t, s.Close())

	whole := base.Clone()
	calls, err := failWhileCompressing(ctx, whole, o.Clone(), seed, nil)
	require.NoError(t, err)
	errs := []crashtest.Fault{{Err: syscall.EIO}, {Err: syscall.ENOSPC, Part: 100}, {Err: syscall.EIO, Sync: 1}}
	var failed atomic.Int64
	stride := crashtest.Scale(1, 5)
	stride = max(1, 5/stride)
	err = crashtest.Parallel((calls+stride-1)/stride*len(errs), func(i int) error {
		n, fault := i/len(errs)*stride, errs[i%len(errs)]
		var hit atomic.Bool
		_, err := failWhileCompressing(ctx, base.Clone(), o.Clone(), seed, func(c crashtest.Call) crashtest.Fault {
			if c.N < n || hit.Load() || fault.Err == syscall.ENOSPC && !grows(c.Op) {
				return crashtest.Fault{}
			}
			hit.Store(true)
			failed.Add(1)
			fault := fault
			fault.Part = min(fault.Part, c.Size/2)
			return fault
		})
		if err != nil {
			return fmt.Errorf("call %d of %d, %v: %w", n, calls, fault, err)
		}
		return nil
	})
	require.NoError(t, err)
	assert.Greater(t, failed.Load(), int64(calls/stride))
	report(t, "T3 (compressing)", fmt.Sprintf("%d calls, %d faults, violations: 0", calls, failed.Load()))
}

// failWhileCompressing opens a store, so that it compresses, on a disk with a fault, and then
// checks it on a disk that is well again, also after a power cut. It returns the number of calls.
func failWhileCompressing(
	ctx context.Context, f *crashtest.FS, o *crashtest.Oracle, seed uint64, fault func(crashtest.Call) crashtest.Fault,
) (int, error) {
	before, hit := f.Calls(), make(chan struct{}, 1)
	var decide func(c crashtest.Call) crashtest.Fault
	if fault != nil {
		decide = func(c crashtest.Call) crashtest.Fault {
			c.N -= before
			what := fault(c)
			if what.Err != nil {
				select {
				case hit <- struct{}{}:
				default:
				}
			}
			return what
		}
	}
	f.Faults(decide)
	s, err := openCompressing(f, seed, nil)
	if err == nil {
		_, err = o.Append(ctx, s, crashtest.NewGenerator(seed+1).Append(50))
		for waiting := err == nil; waiting && !isSettled(s); {
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
		if err := checkHealed(ctx, next, o.Clone(), seed); err != nil {
			return 0, err
		}
	}
	return calls, nil
}

// checkHealed opens a store on a disk that is well, lets it compress what is left to be compressed,
// and checks that all is there and nothing else.
func checkHealed(ctx context.Context, f *crashtest.FS, o *crashtest.Oracle, seed uint64) error {
	s, err := openCompressing(f, seed+2, nil)
	if err != nil {
		return fmt.Errorf("opening the healed disk: %w", err)
	}
	defer s.Close()
	if err := o.Check(ctx, s); err != nil {
		return fmt.Errorf("on the healed disk: %w", err)
	}
	if _, err := o.Append(ctx, s, crashtest.NewGenerator(seed+3).Append(50)); err != nil {
		return fmt.Errorf("appending on the healed disk: %w", err)
	}
	for began := time.Now(); !isSettled(s); time.Sleep(time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			return errors.New("the segments are not compressed on the healed disk")
		}
	}
	if err := errors.Join(o.Check(ctx, s), verified(ctx, s), s.Close()); err != nil {
		return fmt.Errorf("on the healed disk: %w", err)
	}
	logs := 0
	for _, name := range f.Files() {
		if strings.HasSuffix(name, ".log") {
			logs++
		}
		if strings.HasSuffix(name, "compress.tmp") {
			return fmt.Errorf("%s is left", name)
		}
	}
	if logs != s.Stats().Segments {
		return fmt.Errorf("%d segments in %d files: %v", s.Stats().Segments, logs, f.Files())
	}
	return nil
}
