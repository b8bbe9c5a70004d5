package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// standbyDir is where the standby is, and importDir what the events are imported into.
const (
	standbyDir = "/stores/standby"
	importDir  = "/stores/imported"
)

// catchUp opens the standby, brings it to the head of the source, and closes it.
func catchUp(ctx context.Context, f *crashtest.FS, seed uint64) (engine.Head, error) {
	o := strictOptions(f, seed)
	o.ReadOnly = true
	source, err := filestore.Open(crashtest.Dir, o)
	if err != nil {
		return engine.Head{}, err
	}
	defer source.Close()
	s, err := filestore.OpenStandby(ctx, source, standbyDir, strictOptions(f, seed+1))
	if err != nil {
		return engine.Head{}, err
	}
	report, err := s.Catch(ctx, nil)
	return report.Head, errors.Join(err, s.Close())
}

// importAll imports all events of the source.
func importAll(ctx context.Context, f *crashtest.FS, seed uint64) error {
	o := strictOptions(f, seed)
	o.ReadOnly = true
	source, err := filestore.Open(crashtest.Dir, o)
	if err != nil {
		return err
	}
	defer source.Close()
	m, err := filestore.OpenImport(importDir, strictOptions(f, seed+2))
	if err != nil {
		return err
	}
	c := source.ReadIndex().ReadAll(ctx, 0, engine.Forwards)
	defer c.Close()
	for c.Next() {
		if err := m.Add(ctx, *c.Event()); err != nil {
			return errors.Join(err, m.Close())
		}
	}
	_, err = m.Finish(ctx)
	return errors.Join(err, c.Err())
}

// The power fails while a standby catches up, or events are imported: both are stores that hold a
// beginning of the source, and the next run brings them to its end, whatever the disk has lost.
func TestCrashDuringStandbyAndImport(t *testing.T) {
	seed, ctx := testenv.Seed(t), t.Context()
	f := crashtest.New()
	require.NoError(t, errors.Join(f.MkdirAll("/stores"), f.SyncDir("/")))
	o, g := crashtest.NewOracle(true), crashtest.NewGenerator(seed)
	s, err := filestore.Open(crashtest.Dir, strictOptions(f, seed))
	require.NoError(t, err)
	defer s.Close()
	recorder := crashtest.Record(f, o)
	var moments []crashtest.Moment
	for round := range 3 {
		require.NoError(t, crashtest.Script(ctx, o, s, g, nil))
		from := len(recorder.Moments())
		_, err := catchUp(ctx, f, seed+uint64(round)*10)
		require.NoError(t, err)
		require.NoError(t, importAll(ctx, f, seed+uint64(round)*10))
		moments = append(moments, recorder.Moments()[from:]...)
	}
	var states atomic.Int64
	stride := max(1, len(moments)/testenv.Scale(24, 2000))
	err = crashtest.Parallel(len(moments)/stride, func(n int) error {
		i := n * stride
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		for range testenv.Scale(2, 20) {
			mode := crashtest.Mode{Ordered: r.IntN(2) == 0, Garbled: r.IntN(2) == 0}
			states.Add(1)
			if err := checkCopies(ctx, moments[i].FS.Crashes(mode).Sample(r), &moments[i], seed+uint64(i)+100); err != nil {
				return fmt.Errorf("%s: %w", &moments[i], err)
			}
		}
		return nil
	})
	report(t, "T1, standby and import", fmt.Sprintf("%d crash states, violations: %d", states.Load(), violations(err)))
	require.NoError(t, err)
}

// checkCopies checks what a power cut has left of the copies, and goes on with them.
func checkCopies(ctx context.Context, f *crashtest.FS, m *crashtest.Moment, seed uint64) error {
	s, err := filestore.Open(crashtest.Dir, strictOptions(f, seed))
	if err != nil {
		return err
	}
	defer s.Close()
	if err := m.Oracle.Clone().Check(ctx, s); err != nil {
		return err
	}
	for _, dir := range []string{standbyDir, importDir} {
		if err := checkBeginning(ctx, f, s, dir, seed); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	head, err := catchUp(ctx, f, seed+50)
	if err != nil {
		return fmt.Errorf("the next catching up: %w", err)
	}
	if want, err := s.Head(); err != nil || want != head {
		return fmt.Errorf("the standby is at %v, the source at %v: %w", head, want, err)
	}
	if err := importAll(ctx, f, seed+60); err != nil {
		return fmt.Errorf("the next import: %w", err)
	}
	for _, dir := range []string{standbyDir, importDir} {
		if err := checkWhole(ctx, f, s, dir, seed); err != nil {
			return fmt.Errorf("%s, gone on with: %w", dir, err)
		}
	}
	return nil
}

// checkBeginning checks that a copy, if it is there, begins as the source does.
func checkBeginning(ctx context.Context, f *crashtest.FS, s engine.Store, dir string, seed uint64) error {
	o := strictOptions(f, seed)
	o.ReadOnly = true
	b, err := filestore.Open(dir, o)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(samePrefix(ctx, s, b), b.Close())
}

// checkWhole checks that a copy is whole, and as long as the source.
func checkWhole(ctx context.Context, f *crashtest.FS, s engine.Store, dir string, seed uint64) error {
	b, err := filestore.Open(dir, strictOptions(f, seed))
	if err != nil {
		return err
	}
	defer b.Close()
	if got, want := b.ReadIndex().Head(), s.ReadIndex().Head(); got != want {
		return fmt.Errorf("it has %d events, the source %d", got, want)
	}
	return errors.Join(verified(ctx, b), samePrefix(ctx, s, b))
}
