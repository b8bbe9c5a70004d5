package filestore

import (
	"context"
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/google/uuid"
)

var _ engine.Eraser = (*FileStore)(nil)

// resolve checks the streams of a batch, and gives each note in it the stream and the events that
// tell of it. The caller's batch stays as it is. own tells that there is one.
func (s *FileStore) resolve(
	ctx context.Context, batch []engine.Append,
) (resolved []engine.Append, own bool, err error) {
	for i := range batch {
		note := batch[i].Note()
		if note == nil {
			if err := checkStream(batch[i].Stream, i); err != nil {
				return nil, false, err
			}
			continue
		}
		if !own {
			batch, own = slices.Clone(batch), true
		}
		if err := batch[i].CheckNote(i, s.ReadIndex().Head()); err != nil {
			return nil, false, err
		}
		if e := batch[i].Erase; e != nil {
			if note, err = s.identify(ctx, e, i); err != nil {
				return nil, false, err
			}
		}
		batch[i].Stream, batch[i].Events = note.OwnStream(), note.NewEvents()
	}
	return batch, own, nil
}

// identify returns the erasure of append i with an ID, or refuses one of events that cannot be
// erased.
func (s *FileStore) identify(ctx context.Context, e *engine.Erasure, i int) (*engine.Erasure, error) {
	own, err := s.ReadIndex().(*readIndex).hasOwn(ctx, e.Events)
	if err != nil {
		return nil, err
	}
	if own != "" {
		return nil, &engine.InvalidError{Append: i, Event: -1, Field: "erasure", Reason: cannotErase(own)}
	}
	erasure := *e
	if erasure.ID == uuid.Nil {
		if erasure.ID, err = s.ids.next(s.ids.stamp()); err != nil {
			return nil, wrap("make the id of an erasure", err)
		}
	}
	return &erasure, nil
}

// cannotErase is the reason why an erasure of events of one of the store's own streams is refused.
func cannotErase(stream string) string {
	return "names events of " + stream + ", which cannot be erased"
}

// hasOwn returns one of the store's own streams that some of the events are of, "" if none is. It
// asks the indexes.
func (r *readIndex) hasOwn(ctx context.Context, events engine.Spans) (string, error) {
	var memory blockMemory
	for i := range r.view.segments {
		s := r.reader(ctx, i, &memory)
		if reaching(events, s.seg.base, s.position(s.limit)) == nil {
			continue
		}
		if err := s.usable(); err != nil {
			return "", err
		}
		for _, stream := range engine.OwnStreams {
			ords, err := s.eventsOf(stream)
			if err != nil {
				return "", err
			}
			if slices.ContainsFunc(ords, func(ord uint32) bool { return events.Has(s.position(ord)) }) {
				return stream, nil
			}
		}
	}
	return "", nil
}

// eventsOf returns the segment's events of a stream.
func (s *segmentReader) eventsOf(stream string) ([]uint32, error) {
	_, some, err := s.Lookup(index.ByStream, stream, s.limit)
	if err != nil || !some {
		return nil, err
	}
	return s.Postings(index.ByStream, stream, 0, s.limit, nil)
}
