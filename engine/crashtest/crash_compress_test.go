package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
		if compressing || i%testenv.Scale(5, 1) == 0 {
			moments = append(moments, m)
		}
	}
	require.Greater(t, swaps, 20)
	x := explorer(seed, testenv.Scale(3, 512), 2)
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

	stride := max(1, 5/testenv.Scale(1, 5))
	calls, failed, err := compressing.failEverywhere(ctx, base, o, seed, stride)
	require.NoError(t, err)
	assert.Greater(t, failed, int64(calls/stride))
	report(t, "T3 (compressing)", fmt.Sprintf("%d calls, %d faults, violations: 0", calls, failed))
}

// compressing is the job of a store that compresses what is complete.
var compressing = backgroundJob{
	open: func(f vfs.FS, seed uint64) (engine.Store, error) { return openCompressing(f, seed, nil) },
	begin: func(ctx context.Context, s engine.Store, o *crashtest.Oracle, g *crashtest.Generator) error {
		_, err := o.Append(ctx, s, g.Append(50))
		return err
	},
	ended: func(_ context.Context, s engine.Store) (bool, error) { return isSettled(s), nil },
	heal:  checkHealed,
}

// checkHealed opens a store on a disk that is well, lets it compress what is left to be compressed,
// and checks that all is there and nothing else.
func checkHealed(ctx context.Context, f *crashtest.FS, o *crashtest.Oracle, seed uint64) error {
	s, err := openCompressing(f, seed+2, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := o.Check(ctx, s); err != nil {
		return err
	}
	if _, err := o.Append(ctx, s, crashtest.NewGenerator(seed+3).Append(50)); err != nil {
		return fmt.Errorf("appending: %w", err)
	}
	for began := time.Now(); !isSettled(s); time.Sleep(time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			return errors.New("the segments are not compressed")
		}
	}
	if err := errors.Join(o.Check(ctx, s), verified(ctx, s), s.Close()); err != nil {
		return err
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
