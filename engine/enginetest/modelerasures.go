package enginetest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
)

var _ engine.Eraser = (*Model)(nil)

// HoldErasures makes the Model an engine that takes its time: erasures take effect at once, but are
// done only when FinishErasures is called.
func (m *Model) HoldErasures() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waits = true
}

// FinishErasures does all that is not done yet.
func (m *Model) FinishErasures() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.finishErasures()
}

// CopyErasureDone tells, as another store has told it at that time, that an erasure is done.
func (m *Model) CopyErasureDone(done engine.ErasureDone, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.addOwn(done.NewEvent(), at)
}

// copyErasuresDone waits until the store has told that everything is done, and lets the Model tell
// the same.
func copyErasuresDone(ctx context.Context, s engine.Eraser, m *Model) error {
	for range 100_000 {
		list, err := s.Erasures(ctx)
		if err != nil {
			return err
		}
		pending := slices.ContainsFunc(list, func(e engine.ErasureInfo) bool { return e.DoneAt.IsZero() })
		if pending {
			time.Sleep(time.Millisecond)
			continue
		}
		told, err := drain(s.ReadIndex().ReadAll(ctx, m.ReadIndex().Head(), engine.Forwards))
		for _, e := range told {
			done, err := engine.ParseErasureDone(e.Payload)
			if err != nil {
				return err
			}
			m.CopyErasureDone(done, e.RecordedAt)
		}
		return err
	}
	return errors.New("an erasure does not come to its end")
}

func (m *Model) addOwn(e engine.NewEvent, at time.Time) {
	told := engine.Append{Stream: engine.ErasuresStream, Events: []engine.NewEvent{e}}
	m.add([]engine.Append{told}, engine.Appended{RecordedAt: at})
}

func (m *Model) finishErasures() {
	for _, e := range m.erasures() {
		if e.DoneAt.IsZero() {
			m.addOwn((&engine.ErasureDone{Erasure: e.ID}).NewEvent(), time.Time{})
		}
	}
}

// validateStreams checks which streams the appends are for, and refuses what can never be erased.
// That comes before a look at the events.
func (m *Model) validateStreams(batch []engine.Append) error {
	for a, ap := range batch {
		invalid := func(field string) error {
			return &engine.InvalidError{Append: a, Event: -1, Field: field, Reason: "is not as it must be"}
		}
		switch {
		case ap.Note() == nil && (!validName(ap.Stream, engine.MaxStreamSize) || ap.Stream[0] == '$'):
			return invalid("stream")
		case ap.Note() == nil:
			continue
		}
		if err := ap.CheckNote(a, engine.Position(len(m.events))); err != nil {
			return err
		}
		for _, e := range m.events {
			if ap.Erase != nil && e.Stream[0] == '$' && ap.Erase.Events.Has(e.Position) {
				return invalid("erasure")
			}
		}
	}
	return nil
}

// tellNotes puts the events that tell of erasures and definitions in their places. Ids of erasures
// that the store has to assign are taken from assigned, as far as it has them.
func tellNotes(batch []engine.Append, assigned engine.Appended) []engine.Append {
	batch = slices.Clone(batch)
	n := 0
	for i := range batch {
		a := &batch[i]
		if a.Erase != nil {
			e := *a.Erase
			if e.ID == uuid.Nil && n < len(assigned.Events) {
				e.ID = assigned.Events[n].ID
			}
			if e.ID == uuid.Nil {
				e.ID = uuid.Must(uuid.NewV7())
			}
			a.Stream, a.Events = engine.ErasuresStream, e.NewEvents()
		} else if a.Define != nil {
			a.Stream, a.Events = engine.ViewsStream, a.Define.NewEvents()
		}
		n += len(a.Events)
	}
	return batch
}

// erase takes their content from the events that the batch erases. Views that were taken before
// keep theirs.
func (m *Model) erase(batch []engine.Append) {
	for _, a := range batch {
		if a.Erase == nil {
			continue
		}
		m.events = slices.Clone(m.events)
		for i := range m.events {
			if e := &m.events[i]; a.Erase.Events.Has(e.Position) {
				e.Payload, e.Metadata, e.JSON, e.Redacted = nil, []byte("{}"), false, true
			}
		}
		if !m.waits {
			m.finishErasures()
		}
	}
}

// Erasures implements [engine.Eraser].
func (m *Model) Erasures(ctx context.Context) ([]engine.ErasureInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, engine.ErrClosed
	}
	return m.erasures(), ctx.Err()
}

// erasures reads what the log tells of erasures.
func (m *Model) erasures() []engine.ErasureInfo {
	var list []engine.ErasureInfo
	find := func(id uuid.UUID) int {
		return slices.IndexFunc(list, func(e engine.ErasureInfo) bool { return e.ID == id })
	}
	for _, e := range m.events {
		if e.Stream != engine.ErasuresStream {
			continue
		}
		switch e.Type {
		case engine.ErasedType:
			told, err := engine.ParseErased(e.Payload)
			if err != nil {
				panic(err) // the Model has written it itself
			}
			i := find(told.Erasure)
			if i < 0 {
				i, list = len(list), append(list, engine.ErasureInfo{
					ID: told.Erasure, Position: e.Position, Reason: told.Reason, Actor: told.Actor,
					CreatedAt: e.RecordedAt, Pending: []engine.PendingErasure{{File: "memory", Why: "held"}},
				})
			}
			list[i].Events = list[i].Events.Union(told.Events)
		case engine.ErasureDoneType:
			told, err := engine.ParseErasureDone(e.Payload)
			if err != nil {
				panic(err)
			}
			if i := find(told.Erasure); i >= 0 {
				list[i].DoneAt, list[i].Pending, list[i].Readers = e.RecordedAt, nil, told.Readers
			}
		}
	}
	return list
}
