package query

import (
	"context"
	"errors"
	"io"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/sabotage"
	"github.com/eventfold/eventfold/query/internal/viewstate"
)

// load takes over the groups that are kept beside the log, the first time that this process wants any
// of the view. One goroutine does that, and others wait for it. It is no error if there are none.
func (r *keptRead) load() error {
	k, ctx := r.kept, r.g.ex.ctx
	if k.loaded.Load() {
		return nil
	}
	select {
	case k.loading <- struct{}{}:
		defer func() { <-k.loading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if k.loaded.Load() {
		return nil
	}
	if store, ok := Offers[engine.Deriver](r.g.ex.session.Store); ok {
		if err := r.loadFrom(store); err != nil {
			return err
		}
	}
	k.loaded.Store(true)
	return nil
}

// loadFrom takes over the groups that a store keeps.
func (r *keptRead) loadFrom(store engine.Deriver) error {
	k, ctx, g := r.kept, r.g.ex.ctx, r.g.plan
	var levels []*keptLevel
	first := noneErased
	err := store.ReadDerived(ctx, g.view.stateName(), func(d engine.Derived, from io.Reader) (err error) {
		if d.Position > r.now.Head() || d.Erasures > r.erasures {
			return engine.ErrNoDerived // of later than this statement: computing it is right as well
		}
		if d.Erasures < r.erasures && !sabotage.On(sabotage.ViewStale) {
			if first, err = firstErased(ctx, r.now, d.Erasures); err != nil || first == 0 {
				return errors.Join(err, viewstate.ErrState)
			}
		}
		levels, err = g.readLevels(ctx, from, d.Position, &k.budget)
		return err
	})
	if err != nil || len(levels) == 0 {
		k.mu.Lock()
		k.unlock() // gives back what reading has taken
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var spent *MemoryError
	if errors.As(err, &spent) && spent.Store {
		return err
	}
	if err != nil || len(levels) == 0 {
		return nil // which is to be made from the log then, if there is room for it
	}
	k.takeLevels(levels, first, r.erasures)
	return nil
}

// takeLevels takes over levels that were read, but for those that know of events at or behind the
// first that is erased. Others may have kept something meanwhile, or know of more erasures: that stays.
func (k *keptView) takeLevels(levels []*keptLevel, first engine.Position, erasures engine.Version) {
	k.mu.Lock()
	defer k.unlock()
	if k.gone || len(k.levels) > 0 || k.erasures > erasures {
		for _, l := range levels {
			k.letGo(l.table)
		}
		return
	}
	k.saved = levels[len(levels)-1].to
	k.levels, k.erasures = levels, erasures
	k.resetLocked(first)
}

// stateEnd returns where the groups end that a store keeps of a view beside the log, 0 if there are
// none that can be used as of an index.
func (g *groupPlan) stateEnd(ctx context.Context, s *Session, index engine.ReadIndex) (end engine.Position) {
	store, ok := Offers[engine.Deriver](s.Store)
	if !ok {
		return 0
	}
	erasures, err := erasuresOf(index)
	if err != nil {
		return 0
	}
	_ = store.ReadDerived(ctx, g.view.stateName(), func(d engine.Derived, from io.Reader) error {
		_, err := viewstate.NewDecoder(from, g.stateShape())
		if err == nil && d.Erasures < erasures {
			var first engine.Position
			if first, err = firstErased(ctx, index, d.Erasures); first < d.Position {
				return viewstate.ErrState
			}
		}
		if err == nil {
			end = d.Position
		}
		return err
	})
	return end
}
