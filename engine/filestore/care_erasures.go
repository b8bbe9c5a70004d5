package filestore

import (
	"context"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
)

// Erasures implements engine.Eraser. Of those that are not done it looks what is left on the disk.
func (s *FileStore) Erasures(ctx context.Context) ([]engine.ErasureInfo, error) {
	if s.closed.Load() {
		return nil, engine.ErrClosed
	}
	index := s.ReadIndex().(*readIndex)
	list, err := index.erasures(ctx)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].DoneAt.IsZero() {
			if list[i].Pending, err = s.pendingOf(ctx, index, list[i].Events); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// erasures lists what the log tells of erasures.
func (r *readIndex) erasures(ctx context.Context) (list []engine.ErasureInfo, err error) {
	places := map[uuid.UUID]int{}
	what := engine.Filter{Streams: []string{engine.ErasuresStream}, Types: toldBy}
	c := r.Scan(ctx, what, engine.ColType|engine.ColPayload|engine.ColTime)
	defer c.Close()
	for b := c.Next(); b != nil; b = c.Next() {
		for i := range b.Len {
			t, ok, err := tell(b.Positions[i], b.Types[i], b.Payloads[i])
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			n, known := places[t.erasure()]
			switch {
			case known && t.done != uuid.Nil:
				list[n].DoneAt, list[n].Readers = timeOf(b.Times[i]), t.readers
			case known:
				list[n].Events = list[n].Events.Union(t.erased.Events)
			case t.done == uuid.Nil:
				places[t.erasure()] = len(list)
				list = append(list, engine.ErasureInfo{
					ID: t.erasure(), Position: t.position, Events: t.erased.Events, Reason: t.erased.Reason,
					Actor: t.erased.Actor, CreatedAt: timeOf(b.Times[i]),
				})
			}
		}
	}
	return list, c.Err()
}

// pendingOf returns the files that may still hold what an erasure names, and why.
func (s *FileStore) pendingOf(
	ctx context.Context, index *readIndex, events engine.Spans,
) (pending []engine.PendingErasure, err error) {
	add := func(file, why string) {
		pending = append(pending, engine.PendingErasure{File: file, Why: why})
	}
	for i, seg := range index.view.segments {
		if reaching(events, seg.base, seg.base+engine.Position(index.limit(i))) == nil {
			continue
		}
		erased, err := index.isErased(ctx, i, events)
		if err != nil {
			return nil, err
		}
		switch name := filepath.Base(seg.name); {
		case erased:
		case i+1 == len(index.view.segments):
			add(name, "last segment, to be completed and written anew"+s.eraser.saying(seg))
		default:
			add(name, "complete segment, to be written anew"+s.eraser.saying(seg))
		}
	}
	files, err := s.fs.List(s.dir)
	if err != nil {
		return nil, wrap("list "+s.dir, err)
	}
	for _, file := range files {
		if s.isLeft(file) {
			add(file, "left behind, to be removed")
		} else if s.holdsDerived(file, events) {
			add(file, "derived from events, to be removed")
		}
	}
	return pending, nil
}
