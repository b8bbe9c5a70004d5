package crashtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/crashtest"
	"github.com/eventfold/eventfold/internal/testenv"
)

// derivedNames are what the tests of files that are derived keep.
var derivedNames = []string{"view-1", "view-2"}

// contentOf is what is derived in these tests: the payloads of all events before a position.
func contentOf(ctx context.Context, index engine.ReadIndex, to engine.Position) ([]byte, error) {
	var b bytes.Buffer
	c := index.ReadAll(ctx, 0, engine.Forwards)
	defer c.Close()
	for c.Next() && c.Event().Position < to {
		fmt.Fprintf(&b, "%d:%s\n", c.Event().Position, c.Event().Payload)
	}
	return b.Bytes(), c.Err()
}

// derive keeps what is derived from everything that there is.
func derive(ctx context.Context, s engine.Store, name string) error {
	index := s.ReadIndex()
	d := engine.Derived{Position: index.Head()}
	erasures, some, err := index.StreamVersion(engine.ErasuresStream)
	if d.Erasures = erasures; !some {
		d.Erasures = engine.NoVersion
	}
	content, errRead := contentOf(ctx, index, d.Position)
	if err = errors.Join(err, errRead); err != nil {
		return err
	}
	return s.(engine.Deriver).WriteDerived(ctx, name, d, func(to io.Writer) error {
		_, err := to.Write(content)
		return err
	})
}

// checkDerived checks that what is kept is what would be made now, as far as it knows of all erasures.
// It returns how much there is.
func checkDerived(ctx context.Context, s engine.Store) (found int, err error) {
	index := s.ReadIndex()
	erasures, some, err := index.StreamVersion(engine.ErasuresStream)
	if err != nil {
		return 0, err
	}
	if !some {
		erasures = engine.NoVersion
	}
	for _, name := range derivedNames {
		var wrong error
		err := s.(engine.Deriver).ReadDerived(ctx, name, func(d engine.Derived, from io.Reader) error {
			got, err := io.ReadAll(from)
			if err != nil {
				return err // which is as good as no file
			}
			found++
			if d.Erasures != erasures {
				return nil
			}
			want, err := contentOf(ctx, index, d.Position)
			if err == nil && !bytes.Equal(want, got) {
				err = fmt.Errorf("%s is not what is derived from the events before %d", name, d.Position)
			}
			wrong = err
			return nil
		})
		if wrong != nil || err != nil && !errors.Is(err, engine.ErrNoDerived) {
			return found, fmt.Errorf("P12: %w", errors.Join(wrong, err))
		}
	}
	return found, nil
}

// removeFirst removes what is kept under the first of the names.
func removeFirst(ctx context.Context, s engine.Store) error {
	return s.(engine.Deriver).RemoveDerived(ctx, func(name string) bool { return name != derivedNames[0] })
}

// recordDeriving records a workload that keeps things that are derived, replaces and removes them,
// and erases what they were made of.
func recordDeriving(t *testing.T, seed uint64) []crashtest.Moment {
	ctx := t.Context()
	f, o := crashtest.New(), crashtest.NewOracle(true)
	g := crashtest.NewGenerator(^seed)
	s, err := openStrict(f, seed)
	require.NoError(t, err)
	_, err = o.Append(ctx, s, g.Append(70), g.Append(40), g.Append(30))
	require.NoError(t, err)
	recorder := crashtest.Record(f, o)
	recorder.Watch(s)
	keepBoth := func() {
		for _, name := range derivedNames {
			require.NoError(t, derive(ctx, s, name))
		}
	}
	keepBoth()
	_, err = o.Append(ctx, s, g.Append(90), g.Append(20))
	require.NoError(t, err)
	keepBoth()
	require.NoError(t, removeFirst(ctx, s))
	keepBoth()
	_, err = o.Append(ctx, s, g.Erase(engine.Span{From: 1, To: 3}))
	require.NoError(t, err)
	require.NoError(t, settleErasures(ctx, f, s, o))
	keepBoth()
	found, err := checkDerived(ctx, s)
	require.NoError(t, err)
	require.Equal(t, len(derivedNames), found)
	require.NoError(t, s.Close())
	return recorder.Moments()
}

// The power fails at any moment while files that are derived are written, replaced, removed and erased
// with what they were made of, and again in the process after: whatever can be read of them is what
// would be made anew, nothing of what is erased is left in any when that is done, and no state of them
// keeps a store from opening or from keeping others.
func TestCrashWhileDeriving(t *testing.T) {
	seed := testenv.Seed(t)
	moments := recordDeriving(t, seed)
	var some []crashtest.Moment
	stride := max(1, 4/testenv.Scale(1, 4))
	for i := int(seed % uint64(stride)); i < len(moments); i += stride {
		some = append(some, moments[i])
	}
	x := exploreErasing(seed, testenv.Scale(2, 64), 2)
	settle := x.Settle
	x.Settle = func(ctx context.Context, f *crashtest.FS, s engine.Store, o *crashtest.Oracle) error {
		if _, err := checkDerived(ctx, s); err != nil {
			return err
		}
		if err := settle(ctx, f, s, o); err != nil {
			return err
		}
		_, err := checkDerived(ctx, s)
		return err
	}
	err := x.Explore(t.Context(), some)
	states, whole, sampled := x.States()
	report(t, "T1 (deriving)", fmt.Sprintf("%d moments, %d crash states (%d moments exhaustively, %d sampled), "+
		"violations: %d", len(some), states, whole, sampled, violations(err)))
	require.NoError(t, err)
}

// The n-th call to the file system fails while something that is derived is written, or the disk is
// full: the store goes on, and what can be read is right.
func TestCallsFailWhileDeriving(t *testing.T) {
	ctx, seed := t.Context(), testenv.Seed(t)
	base, o, g := crashtest.New(), crashtest.NewOracle(false), crashtest.NewGenerator(seed)
	s, err := openStrict(base, seed)
	require.NoError(t, err)
	_, err = o.Append(ctx, s, g.Append(70), g.Append(40))
	require.NoError(t, err)
	require.NoError(t, derive(ctx, s, derivedNames[0]))
	require.NoError(t, s.Close())
	calls, failed, err := deriving.failEverywhere(ctx, base, o, seed, max(1, 2/testenv.Scale(1, 2)))
	report(t, "T3 (deriving)", fmt.Sprintf("%d calls, %d faults, violations: %d", calls, failed, violations(err)))
	require.NoError(t, err)
}

// deriving is the job of a store that keeps something.
var deriving = backgroundJob{
	open: openStrict,
	begin: func(ctx context.Context, s engine.Store, o *crashtest.Oracle, g *crashtest.Generator) error {
		if _, err := o.Append(ctx, s, g.Append(50)); err != nil {
			return err
		}
		for _, name := range derivedNames {
			if err := derive(ctx, s, name); err != nil {
				return err
			}
		}
		return removeFirst(ctx, s)
	},
	ended: func(ctx context.Context, s engine.Store) (bool, error) { return true, nil },
	heal: func(ctx context.Context, f *crashtest.FS, o *crashtest.Oracle, seed uint64) error {
		s, err := openStrict(f, seed+2)
		if err != nil {
			return err
		}
		_, errDerived := checkDerived(ctx, s)
		err = errors.Join(o.Check(ctx, s), errDerived)
		if err == nil {
			_, err = o.Append(ctx, s, crashtest.NewGenerator(seed+7).Append(9))
		}
		for _, name := range derivedNames {
			err = errors.Join(err, derive(ctx, s, name))
		}
		if found, errDerived := checkDerived(ctx, s); errDerived != nil || found != len(derivedNames) {
			err = errors.Join(err, errDerived, fmt.Errorf("P12: %d of %d are kept", found, len(derivedNames)))
		}
		return errors.Join(err, s.Close())
	},
}
