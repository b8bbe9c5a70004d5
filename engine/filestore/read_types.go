package filestore

import (
	"context"
	"maps"
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
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
		err := s.Keys(index.ByType, "", s.limit, func(e index.Entry) bool {
			t := types[e.Key]
			if t == nil {
				t = &engine.TypeInfo{Type: e.Key, FirstPosition: seg.base + engine.Position(e.First)}
				types[e.Key] = t
			}
			t.Events += int64(e.Count)
			t.LastPosition = seg.base + engine.Position(e.Last)
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
