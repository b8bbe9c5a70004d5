package query

import (
	"context"
	"maps"
	"math"
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/sabotage"
)

// erasuresOf returns the version of the stream that tells of erasures.
func erasuresOf(index engine.ReadIndex) (engine.Version, error) {
	version, some, err := index.StreamVersion(engine.ErasuresStream)
	if !some {
		version = engine.NoVersion
	}
	return version, err
}

// forget drops what is kept of any view and derived from what is erased, or from what was erased
// before and it does not know of. The store calls it; see [engine.Deriver].
func (v *Views) forget(ctx context.Context, store engine.Store, erased engine.Spans) error {
	index := store.ReadIndex()
	erasures, err := erasuresOf(index)
	if err != nil {
		return err
	}
	if k := v.keeper.Load(); k != nil {
		k.due.Store(0) // what is beside the log is removed, too
	}
	v.mu.Lock()
	all := slices.Collect(maps.Values(v.kept))
	v.mu.Unlock()
	for _, k := range all {
		if err := k.forget(ctx, index, erasures, erased); err != nil {
			return err
		}
	}
	return nil
}

// forget drops the levels that know of events which are erased, all that the index tells of up to a
// version of their stream and those given.
func (k *keptView) forget(
	ctx context.Context, index engine.ReadIndex, erasures engine.Version, erased engine.Spans,
) error {
	k.mu.Lock()
	seen := k.erasures
	k.mu.Unlock()
	if seen >= erasures && len(erased) == 0 || sabotage.On(sabotage.ViewStale) {
		return nil
	}
	first := noneErased
	if seen < erasures {
		var err error
		if first, err = firstErased(ctx, index, seen); err != nil {
			return err
		}
	}
	if len(erased) > 0 {
		first = min(first, erased[0].From)
	}
	k.mu.Lock()
	defer k.unlock()
	k.resetLocked(first)
	k.erasures = max(k.erasures, erasures)
	return nil
}

// noneErased is the first position that is erased where none is.
const noneErased = engine.Position(math.MaxInt64)

// firstErased returns the first position that is named by what the store tells of erasures behind a
// version of its stream, noneErased if there is none.
func firstErased(ctx context.Context, index engine.ReadIndex, seen engine.Version) (engine.Position, error) {
	first := noneErased
	c := index.ReadStream(ctx, engine.ErasuresStream, seen+1, engine.Forwards)
	defer c.Close()
	for c.Next() {
		if e := c.Event(); e.Type == engine.ErasedType {
			told, err := engine.ParseErased(e.Payload)
			if err != nil {
				return 0, err
			}
			if len(told.Events) > 0 {
				first = min(first, told.Events[0].From)
			}
		}
	}
	return first, c.Err()
}
