package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// Random operations on the store and on the model give the same answers, across closings, kills,
// power cuts and the loss of everything that is derived (T9).
func TestModel(t *testing.T) {
	seed := testenv.Seed(t)
	const steps, lives = 50, 6
	stores := testenv.Scale(16, 17_000)
	err := crashtest.Parallel(stores, func(i int) error {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		return playLives(t.Context(), r, lives, steps)
	})
	report(t, "T9", fmt.Sprintf("%d stores, %d operations with as many comparisons, %d openings after a "+
		"close, a kill or a power cut; divergences: %d",
		stores, stores*lives*steps, stores*lives, violations(err)))
	require.NoError(t, err)
}

func playLives(ctx context.Context, r *rand.Rand, lives, steps int) error {
	f, m := crashtest.New(), enginetest.NewModel()
	for life := range lives {
		options := strictOptions(f, r.Uint64()) // ids that the store gives are never the same
		options.Prealloc = filestore.Prealloc(r.IntN(4))
		s, err := filestore.Open(crashtest.Dir, options)
		if err != nil {
			return fmt.Errorf("life %d: open: %w", life, err)
		}
		err = enginetest.Same(ctx, s, m)
		if err == nil {
			err = enginetest.Play(ctx, s, m, r, steps, 1)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("life %d: %w", life, err), s.Close())
		}
		if f, err = endLife(f, s, r); err != nil {
			return fmt.Errorf("life %d: %w", life, err)
		}
	}
	return nil
}

// endLife closes the store, kills its process, cuts the power, or loses files that can be made
// anew.
func endLife(f *crashtest.FS, s engine.Store, r *rand.Rand) (*crashtest.FS, error) {
	next := f
	switch r.IntN(5) {
	case 0:
		next = f.Kill()
	case 1:
		next = f.Crashes(crashtest.Mode{Ordered: r.IntN(2) == 0, Garbled: r.IntN(2) == 0}).Sample(r)
		f.Kill()
	}
	err := s.Close()
	if next != f {
		return next, nil
	}
	for _, name := range f.Files() {
		if err == nil &&
			(strings.HasSuffix(name, ".idx") || strings.HasSuffix(name, "MANIFEST") ||
				strings.HasSuffix(name, "TAIL")) && r.IntN(4) == 0 {
			err = f.RemoveFile(name)
		}
	}
	return next, err
}

// A segment whose only frames nothing promised is left without events when they move to the next
// one: whoever goes through the segments must go on behind it.
func TestSegmentLeftEmpty(t *testing.T) {
	ctx := t.Context()
	f, m, g := crashtest.New(), enginetest.NewModel(), crashtest.NewGenerator(1)
	s, err := openStrict(f, 1)
	require.NoError(t, err)
	for range 3 { // the third begins the second segment
		batch := g.Append(11_000)
		done, err := s.Append(ctx, batch)
		require.NoError(t, err)
		require.NoError(t, m.Copy(ctx, done, batch))
	}
	f = f.Kill()
	s.Close()
	require.NoError(t, f.RemoveFile(crashtest.Dir+"/TAIL"))
	require.NoError(t, f.RemoveFile(crashtest.Dir+"/MANIFEST"))
	s, err = openStrict(f, 2)
	require.NoError(t, err)
	defer s.Close()
	require.Equal(t, int64(1), s.(*filestore.FileStore).OpenReport().Superseded)
	require.Equal(t, 3, s.Stats().Segments)
	require.NoError(t, enginetest.Same(ctx, s, m))
	require.NoError(t, enginetest.SameByIndex(ctx, s, m))
}
