package filestore

import (
	"context"
	"github.com/eventfold/eventfold/engine"
	"maps"
	"slices"
)

// Types implements ReadIndex.
func (r *readIndex) Types(ctx context.Context) ([]engine.TypeInfo, error) {
	types := make(map[string]*engine.TypeInfo)
	var memory blockMemory
	for i, seg := range r.view.segments {
		if err := r.usable(ctx); err != nil {
			return nil, err
		}
		s := r.reader(ctx, i, &memory)
		if s.limit == 0 {
			continue // behind the head; or its only frames were moved to the next segment
		}
		err := s.keys(byType, "", s.limit, func(e indexEntry) bool {
			t := types[e.key]
			if t == nil {
				t = &engine.TypeInfo{Type: e.key, FirstPosition: seg.base + engine.Position(e.first)}
				types[e.key] = t
			}
			t.Events += int64(e.count)
			t.LastPosition = seg.base + engine.Position(e.last)
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	list := make([]engine.TypeInfo, 0, len(types))
	for _, name := range slices.Sorted(maps.Keys(types)) {
		list = append(list, *types[name])
	}
	return list, r.usable(ctx)
}
