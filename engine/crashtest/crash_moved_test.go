package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

const asideDir = crashtest.Dir + ".aside"

// takeaways are what somebody does to the names while a store writes. The store's files are then
// where they return.
var takeaways = []struct {
	name string
	do   func(f *crashtest.FS) (where string, err error)
}{
	{"LOCK is removed", func(f *crashtest.FS) (string, error) {
		return crashtest.Dir, f.Remove(path.Join(crashtest.Dir, "LOCK"))
	}},
	{"TAIL is removed", func(f *crashtest.FS) (string, error) {
		return crashtest.Dir, f.Remove(path.Join(crashtest.Dir, "TAIL"))
	}},
	{"the directory is renamed", func(f *crashtest.FS) (string, error) {
		return asideDir, f.Rename(crashtest.Dir, asideDir)
	}},
	{"another store takes the place", func(f *crashtest.FS) (string, error) {
		return asideDir, errors.Join(f.Rename(crashtest.Dir, asideDir), neighbourStore(f))
	}},
}

// neighbourStore makes a store where the other one was.
func neighbourStore(f *crashtest.FS) error {
	s, err := filestore.Open(crashtest.Dir, strictOptions(f, 99))
	if err != nil {
		return err
	}
	_, err = s.Append(context.Background(), crashtest.NewGenerator(99).Append(20_000, 20_000, 20_000))
	return errors.Join(err, s.Close())
}

// Before the n-th call to the file system the store's names are taken away, for every n. What was
// acknowledged is in the store's files, wherever these are; what has taken their place is left
// alone; nobody else can write to the store's files meanwhile.
func TestNamesAreTakenAwayBeforeEveryCall(t *testing.T) {
	seed := testenv.Seed(t)
	calls, _, err := takenAway(t.Context(), seed, -1, 0)
	require.NoError(t, err)
	stride := max(1, 240/testenv.Scale(60, 240))
	var jobs [][2]int
	for n := int(seed % uint64(stride)); n < calls; n += stride {
		for kind := range takeaways {
			jobs = append(jobs, [2]int{n, kind})
		}
	}
	var refused atomic.Int64
	err = crashtest.Parallel(len(jobs), func(i int) error {
		n, kind := jobs[i][0], jobs[i][1]
		_, r, err := takenAway(t.Context(), seed, n, kind)
		refused.Add(int64(r))
		if err != nil {
			return fmt.Errorf("call %d, %s: %w", n, takeaways[kind].name, err)
		}
		return nil
	})
	report(t, "T3, names", fmt.Sprintf("%d calls, names taken away before %d of them, %d appends refused, "+
		"acknowledged and lost, or written to another store: %d",
		calls, len(jobs), refused.Load(), violations(err)))
	require.NoError(t, err)
	require.Positive(t, refused.Load())
}

func takenAway(ctx context.Context, seed uint64, n, kind int) (calls, refused int, err error) {
	f, o, g := crashtest.New(), crashtest.NewOracle(false), crashtest.NewGenerator(seed)
	where, done := crashtest.Dir, false
	var took error
	var count, busy atomic.Int64
	f.Before(func(crashtest.Call) {
		if busy.Load() > 0 || count.Add(1)-1 != int64(n) || done {
			return
		}
		busy.Add(1) // what happens here is not counted
		defer busy.Add(-1)
		if _, err := f.Stat(path.Join(crashtest.Dir, "TAIL")); err == nil {
			done = true
			where, took = takeaways[kind].do(f)
		}
	})
	s, err := openStrict(f, seed)
	if err != nil {
		return 0, 0, err
	}
	refused = crashtest.Insist(ctx, o, s, g)
	second, err := openStrict(f, seed+1)
	if err == nil && where == crashtest.Dir && refused == 0 && n >= 0 { // the first still writes, or has let go
		if _, err := second.Append(ctx, crashtest.NewGenerator(7).Append(1)); err == nil {
			return 0, 0, errors.New("there are two writers")
		}
	}
	if err == nil {
		second.Close()
	}
	if err := s.Close(); err != nil {
		return 0, 0, fmt.Errorf("close: %w", err)
	}
	f.Before(nil)
	if took != nil {
		return 0, 0, fmt.Errorf("taking away: %w", took)
	}
	return int(count.Load()), refused, afterwards(ctx, f, o, where, seed)
}

// afterwards checks the store where it is now, and the other one, if there is one.
func afterwards(ctx context.Context, f *crashtest.FS, o *crashtest.Oracle, where string, seed uint64) error {
	s, err := filestore.Open(where, strictOptions(f, seed))
	if err != nil {
		return err
	}
	defer s.Close()
	if err := o.Check(ctx, s); err != nil {
		return err
	}
	if _, err := s.Verify(ctx); err != nil || where == crashtest.Dir {
		return err
	}
	if _, err := f.Stat(crashtest.Dir); err != nil {
		return nil
	}
	other, err := filestore.Open(crashtest.Dir, strictOptions(f, 99))
	if err != nil {
		return fmt.Errorf("the other store: %w", err)
	}
	defer other.Close()
	report, err := other.Verify(ctx)
	if err == nil && (report.Events != 3 || len(report.BadIndexes) > 0) {
		err = fmt.Errorf("the other store has %d events, bad indexes %v", report.Events, report.BadIndexes)
	}
	return err
}
