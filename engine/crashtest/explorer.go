package crashtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
)

// An Explorer opens the store in every state that a power cut may leave, and asks the Oracle.
type Explorer struct {
	// Open opens the store in Dir. It fails if the store does not continue the receipt expect,
	// unless that is nil.
	Open func(f vfs.FS, expect *engine.Head) (engine.Store, error)
	// Deep, if not nil, checks once in a while more than the Oracle can: that indexes agree with
	// the log, that checksums are right.
	Deep func(ctx context.Context, s engine.Store) error
	// Repaired tells what Open had to repair, "" for nothing. If it is nil nobody asks.
	Repaired func(s engine.Store) string
	Seed     uint64
	// Limit is the greatest number of states of one moment and mode that are all tried. Of more,
	// Limit are sampled.
	Limit int
	// Depth is how often the power fails: 1 during the workload only, 2 also during the recovery
	// from that, and so on.
	Depth int

	states  atomic.Int64 // tried
	whole   atomic.Int64 // moments of which every state was tried
	sampled atomic.Int64 // other moments
}

// States returns how many states were tried so far, and of how many moments all states or a sample.
func (x *Explorer) States() (states, whole, sampled int64) {
	return x.states.Load(), x.whole.Load(), x.sampled.Load()
}

var modes = []Mode{{}, {Ordered: true}, {Garbled: true}}

// Explore tries the states of every moment, on all processors, and returns the first violation.
func (x *Explorer) Explore(ctx context.Context, moments []Moment) error {
	return parallel(len(moments), func(i int) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r := rand.New(rand.NewPCG(x.Seed, uint64(i)))
		if err := x.moment(ctx, &moments[i], r, x.Limit, x.Depth); err != nil {
			return fmt.Errorf("of %d moments, %s: %w", len(moments), &moments[i], err)
		}
		return nil
	})
}

// moment tries the states of one moment.
func (x *Explorer) moment(ctx context.Context, m *Moment, r *rand.Rand, limit, depth int) error {
	for _, mode := range modes {
		c := m.FS.Crashes(mode)
		if !mode.Garbled && c.Count() <= uint64(limit) {
			x.whole.Add(1)
			for f := range c.All() {
				if err := x.state(ctx, f, m, r, depth); err != nil {
					return fmt.Errorf("mode %+v: %w", mode, err)
				}
			}
			continue
		}
		x.sampled.Add(1)
		for range min(uint64(limit), c.Count()) {
			if err := x.state(ctx, c.Sample(r), m, r, depth); err != nil {
				return fmt.Errorf("mode %+v: %w", mode, err)
			}
		}
	}
	return nil
}

// state tries one state.
func (x *Explorer) state(ctx context.Context, f *FS, m *Moment, r *rand.Rand, depth int) error {
	n := x.states.Add(1)
	before := f.Clone() // to show, and to leave f to the store
	o := m.Oracle.Clone()
	var recorder *Recorder
	if depth > 1 && r.IntN(8) == 0 {
		recorder = Record(f, o)
		recorder.yields = 1
	}
	err := x.recovers(ctx, f, o, recorder, r, n)
	if err != nil {
		return fmt.Errorf("depth %d: %w%s", x.Depth-depth+1, err, dump(before))
	}
	if recorder == nil {
		return nil
	}
	f.Before(nil)
	f.After(nil)
	moments := recorder.Moments()
	for range min(2, len(moments)) {
		next := &moments[r.IntN(len(moments))]
		if err := x.moment(ctx, next, r, 1, depth-1); err != nil {
			return fmt.Errorf("then %s: %w", next, err)
		}
	}
	return nil
}

// recovers opens the store, checks it, and appends to it. For some states, by their number, it does
// more.
func (x *Explorer) recovers(ctx context.Context, f *FS, o *Oracle, recorder *Recorder, r *rand.Rand, n int64) error {
	deep := n%32 == 0
	s, err := x.Open(f, o.Receipt())
	if err != nil {
		return fmt.Errorf("P8: the store does not open: %w", err)
	}
	if recorder != nil {
		recorder.Watch(s)
	}
	if err := x.check(ctx, s, o, deep); err != nil {
		return errors.Join(err, s.Close())
	}
	g := NewGenerator(r.Uint64())
	if _, err := o.Append(ctx, s, g.Append(r.IntN(3000))); err != nil {
		return errors.Join(fmt.Errorf("P8: the recovered store does not append: %w", err), s.Close())
	}
	if err := x.check(ctx, s, o, deep); err != nil {
		return errors.Join(fmt.Errorf("after an append: %w", err), s.Close())
	}
	killed := f.Clone()
	if err := s.Close(); err != nil {
		return fmt.Errorf("P8: the recovered store does not close: %w", err)
	}
	if n%8 > 0 {
		return nil
	}
	return errors.Join(x.again(ctx, f, o, true), x.again(ctx, killed, o.Clone(), false))
}

func (x *Explorer) check(ctx context.Context, s engine.Store, o *Oracle, deep bool) error {
	if err := o.Check(ctx, s); err != nil || !deep || x.Deep == nil {
		return err
	}
	return x.Deep(ctx, s)
}

// again holds P10: a store that was closed, or whose process died while it did nothing, has nothing
// to repair. Opening a closed one changes nothing.
func (x *Explorer) again(ctx context.Context, f *FS, o *Oracle, closed bool) error {
	old := f.Clone()
	s, err := x.Open(f, o.Receipt())
	if err != nil {
		return fmt.Errorf("P10: the store does not open again (closed: %v): %w", closed, err)
	}
	if x.Repaired != nil {
		if what := x.Repaired(s); what != "" {
			err = fmt.Errorf("P10: something is repaired again (closed: %v): %s", closed, what)
		}
	}
	if err := errors.Join(err, o.Check(ctx, s), s.Close()); err != nil {
		return fmt.Errorf("opened again: %w", err)
	}
	if files := changed(old, f); closed && len(files) > 0 {
		return fmt.Errorf("P10: opening again changed %v", files)
	}
	return nil
}

// changed lists the files that are not in both file systems with the same content.
func changed(a, b *FS) []string {
	var changed []string
	names := append(a.Files(), b.Files()...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		one, errOne := a.ReadFile(name)
		two, errTwo := b.ReadFile(name)
		if !bytes.Equal(one, two) || (errOne == nil) != (errTwo == nil) {
			changed = append(changed, name)
		}
	}
	return changed
}

// dump writes the files of a state to a new directory in the one that EVENTFOLD_DUMP names, and
// says where.
func dump(f *FS) string {
	where := testenv.Get("EVENTFOLD_DUMP")
	if where == "" {
		return " (EVENTFOLD_DUMP=dir keeps the files)"
	}
	dir, err := os.MkdirTemp(where, "crash-")
	for _, name := range f.Files() {
		if err == nil {
			err = os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755)
		}
		if err == nil {
			content, _ := f.ReadFile(name)
			err = os.WriteFile(filepath.Join(dir, name), content, 0o644)
		}
	}
	if err != nil {
		return fmt.Sprintf(" (EVENTFOLD_DUMP: %v)", err)
	}
	return " (files in " + dir + ")"
}
