package filestore

import (
	"context"
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/google/uuid"
)

var _ engine.Eraser = (*FileStore)(nil)

// resolve checks the streams of a batch, and gives each erasure in it the events that tell of it.
// The caller's batch stays as it is. own tells that there is one.
func (s *FileStore) resolve(ctx context.Context, batch []engine.Append) (resolved []engine.Append, own bool, err error) {
	for i := range batch {
		if batch[i].Erase == nil {
			if err := checkStream(batch[i].Stream, i); err != nil {
				return nil, false, err
			}
			continue
		}
		if !own {
			batch, own = slices.Clone(batch), true
		}
		if batch[i].Events, err = s.tellErasure(ctx, &batch[i], i); err != nil {
			return nil, false, err
		}
		batch[i].Stream = engine.ErasuresStream
	}
	return batch, own, nil
}

// tellErasure returns the events that tell of the erasure of append i.
func (s *FileStore) tellErasure(ctx context.Context, a *engine.Append, i int) ([]engine.NewEvent, error) {
	invalid := func(field, reason string) error {
		return &engine.InvalidError{Append: i, Event: -1, Field: field, Reason: reason}
	}
	switch {
	case a.Stream != "":
		return nil, invalid("stream", "must be empty in an erasure")
	case len(a.Events) > 0:
		return nil, invalid("events", "must be empty in an erasure")
	}
	now := s.ReadIndex().(*readIndex)
	if err := a.Erase.Check(i, now.head); err != nil {
		return nil, err
	}
	own, err := now.hasOwn(ctx, a.Erase.Events)
	if err != nil {
		return nil, err
	}
	if own {
		return nil, invalid("erasure", "names events of "+engine.ErasuresStream+", which cannot be erased")
	}
	erasure := *a.Erase
	if erasure.ID == uuid.Nil {
		if erasure.ID, err = s.ids.next(s.ids.stamp()); err != nil {
			return nil, wrap("make the id of an erasure", err)
		}
	}
	return erasure.NewEvents(), nil
}

// hasOwn reports whether some of the events tell of erasures themselves. It asks the indexes.
func (r *readIndex) hasOwn(ctx context.Context, events engine.Spans) (bool, error) {
	var memory blockMemory
	for i := range r.view.segments {
		s := r.reader(ctx, i, &memory)
		if reaching(events, s.seg.base, s.position(s.limit)) == nil {
			continue
		}
		if err := s.usable(); err != nil {
			return false, err
		}
		ords, err := s.ownEvents()
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(ords, func(ord uint32) bool { return events.Has(s.position(ord)) }) {
			return true, nil
		}
	}
	return false, nil
}

// ownEvents returns the events of the segment that are of the stream of erasures.
func (s *segmentReader) ownEvents() ([]uint32, error) {
	_, some, err := s.Lookup(index.ByStream, engine.ErasuresStream, s.limit)
	if err != nil || !some {
		return nil, err
	}
	return s.Postings(index.ByStream, engine.ErasuresStream, 0, s.limit, nil)
}
