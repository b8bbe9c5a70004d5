package filestore

import (
	"bytes"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/google/uuid"
)

// A storedEvent is an event of the log, or of the group, that has an id which a request offers.
type storedEvent struct {
	position engine.Position
	micros   int64
	format.Record
}

// recognise looks up every id that the request offers. If exactly its events are stored already it
// is a retry: known is true and the result is theirs. If an id is taken by anything else the error
// is a *DuplicateEventError.
func (w *writer) recognise(r *request) (known bool, err error) {
	var first *storedEvent
	stored, ordered := 0, true
	rest, k := r.records, 0
	result := make([]engine.Placed, len(r.events))
	for i := range r.batch {
		for j := range r.batch[i].Events {
			offered, err := format.DecodeRecord(rest)
			if err != nil {
				return false, err
			}
			rest = rest[offered.Size:]
			k++
			if r.batch[i].Events[j].ID == uuid.Nil {
				continue
			}
			found, err := w.find(offered.ID)
			if err != nil {
				return false, err
			}
			if found == nil {
				continue
			}
			if err := found.compare(&offered); err != nil {
				return false, err
			}
			if first == nil {
				first = found
			}
			ordered = ordered && found.position == first.position+engine.Position(stored)
			stored++
			result[k-1] = engine.Placed{Position: found.position, Version: found.Version, ID: found.ID}
		}
	}
	switch {
	case stored == 0:
		return false, nil
	case stored < len(r.events):
		return false, first.duplicate(engine.Partial)
	case !ordered:
		return false, first.duplicate(engine.Reordered)
	}
	r.result = engine.Appended{Events: result, RecordedAt: timeOf(first.micros), Duplicate: true}
	return true, nil
}

// compare returns an error if the stored event is not the one offered.
func (e *storedEvent) compare(offered *format.Record) error {
	switch {
	case !bytes.Equal(e.Stream, offered.Stream):
		return e.duplicate(engine.DifferentStream)
	case !e.SameContent(offered):
		return e.duplicate(engine.DifferentContent)
	}
	return nil
}

func (e *storedEvent) duplicate(kind engine.DuplicateKind) error {
	return &engine.DuplicateEventError{ID: e.ID, Kind: kind, Stream: string(e.Stream), Position: e.position}
}

// find returns the event with the id, nil if there is none.
func (w *writer) find(id uuid.UUID) (*storedEvent, error) {
	g := &w.group
	if n, ok := g.ids[id]; ok {
		rec, err := format.DecodeRecord(g.buf[g.starts[n]:])
		return &storedEvent{position: w.log.end.next + engine.Position(n), micros: g.micros, Record: rec}, err
	}
	var found *storedEvent
	err := w.s.current().eachCandidate(id, func(s *segmentReader, ord uint32) (more bool, err error) {
		e, err := s.stored(ord)
		if err == nil && e.ID == id {
			found = e
		}
		return found == nil, err
	})
	return found, err
}

// stored reads one event.
func (s *segmentReader) stored(ord uint32) (*storedEvent, error) {
	r := logEvent{ord: ord}
	off, err := s.Offset(ord)
	if err == nil {
		r.micros, err = s.RecordedAt(ord)
	}
	if err == nil {
		err = s.record(&r, off)
	}
	if err != nil {
		return nil, err
	}
	return &storedEvent{position: s.position(ord), micros: r.micros, Record: r.Record}, nil
}
