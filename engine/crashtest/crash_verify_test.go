package crashtest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/internal/testenv"
)

// The power fails, or the process is killed, at any moment, and somebody who may only read verifies
// what is there before a writer has recovered it: what recovery will mend by itself is no damage.
func TestReadersVerifyWhatACrashHasLeft(t *testing.T) {
	seed := testenv.Seed(t)
	moments := recordScript(t, seed, filestore.PreallocZero)
	x := explorer(seed, testenv.Scale(1, 16), 1)
	x.Left = func(ctx context.Context, f *crashtest.FS, _ *crashtest.Oracle) error {
		options := strictOptions(f, seed)
		options.ReadOnly = true
		s, err := filestore.Open(crashtest.Dir, options)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it had not been made yet
		}
		if err != nil {
			return fmt.Errorf("for reading: %w", err)
		}
		defer s.Close()
		_, err = s.Verify(ctx)
		return err
	}
	err := x.Explore(t.Context(), moments)
	states, _, _ := x.States()
	report(t, "T1 (verified by readers)", fmt.Sprintf("%d moments, %d crash states, violations: %d",
		len(moments), states, violations(err)))
	require.NoError(t, err)
}
