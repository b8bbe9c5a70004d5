package filestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/google/uuid"
)

// Erasures are those that the log tells of and that are not done: until all their files have been
// written anew, readers are kept from showing what they name. It is immutable; nil is none.
type erasures struct {
	open   []openErasure // in the order of the log
	hidden engine.Spans  // what they name
}

// An openErasure is one that is not done.
type openErasure struct {
	id       uuid.UUID
	position engine.Position // of the first event that tells of it
	events   engine.Spans
	foreign  bool // the file ERASED names the events and not the log; it has neither id nor position
}

// A toldErasure is an event of the store's own stream that tells of an erasure.
type toldErasure struct {
	position engine.Position
	erased   engine.Erased // if done is the zero value
	done     uuid.UUID     // the erasure that is done
	readers  []int         // see engine.ErasureDone
}

// erasure returns the id of the erasure that the event tells of.
func (t *toldErasure) erasure() uuid.UUID {
	if t.done != uuid.Nil {
		return t.done
	}
	return t.erased.Erasure
}

// tell reads an event of the store's own stream. ok is false if it does not tell of the erasure of
// events.
func tell(p engine.Position, typ string, payload []byte) (t toldErasure, ok bool, err error) {
	t.position = p
	switch typ {
	case engine.ErasedType:
		t.erased, err = engine.ParseErased(payload)
	case engine.ErasureDoneType:
		var done engine.ErasureDone
		done, err = engine.ParseErasureDone(payload)
		t.done, t.readers = done.Erasure, done.Readers
	default:
		return t, false, nil
	}
	if err != nil {
		err = fmt.Errorf("eventfold: position %d of stream %s: %w", p, engine.ErasuresStream, err)
	}
	return t, err == nil, err
}

// with returns the erasures as they are after these events.
func (e *erasures) with(told []toldErasure) *erasures {
	if len(told) == 0 {
		return e
	}
	var next erasures
	if e != nil {
		next.open, next.hidden = slices.Clone(e.open), e.hidden
	}
	over := map[uuid.UUID]bool{}
	for _, t := range told {
		if t.done != uuid.Nil {
			over[t.done] = true
			continue
		}
		next.add(t)
		next.hidden = next.hidden.Union(t.erased.Events)
	}
	if len(over) > 0 {
		next.open = slices.DeleteFunc(next.open, func(o openErasure) bool { return over[o.id] })
		next.hidden = allOf(next.open)
	}
	if len(next.open) == 0 {
		return nil
	}
	return &next
}

// settled returns e with what its erasures hide, nil if there are none.
func (e *erasures) settled() *erasures {
	if len(e.open) == 0 {
		return nil
	}
	e.hidden = allOf(e.open)
	return e
}

// all returns what the erasures name, also while it is not settled.
func (e *erasures) all() engine.Spans { return allOf(e.open) }

// add adds an erasure, or another part of the last one: all parts of one are told of together.
func (e *erasures) add(t toldErasure) {
	if n := len(e.open); n > 0 && e.open[n-1].id == t.erased.Erasure {
		e.open[n-1].events = e.open[n-1].events.Union(t.erased.Events)
		return
	}
	e.open = append(e.open, openErasure{id: t.erased.Erasure, position: t.position, events: t.erased.Events})
}

// allOf returns what all of the erasures name.
func allOf(open []openErasure) (all engine.Spans) {
	var spans []engine.Span
	for _, o := range open {
		spans = append(spans, o.events...)
	}
	slices.SortFunc(spans, func(a, b engine.Span) int { return cmp.Compare(a.From, b.From) })
	for _, x := range spans {
		all.Add(x)
	}
	return all
}

// within returns what is hidden of the events from a position up to another one. It may hold some
// beside them.
func (e *erasures) within(from, to engine.Position) engine.Spans {
	if e == nil {
		return nil
	}
	return reaching(e.hidden, from, to)
}

// reaching returns the spans that have a position of [from, to), whole. It shares memory.
func reaching(s engine.Spans, from, to engine.Position) engine.Spans {
	i := sort.Search(len(s), func(i int) bool { return s[i].To > from })
	j := i + sort.Search(len(s)-i, func(j int) bool { return s[i+j].From >= to })
	if i == j {
		return nil
	}
	return s[i:j]
}

// An erasureLog is what the owner of the log knows of the store's own stream.
type erasureLog struct {
	now  *erasures
	seen engine.Position // the events before it have been read
	news bool            // there may be such events at or behind seen
}

// since returns a position such that all erasures that are told of before it are done. MANIFEST
// keeps it, so that who opens the store need not read what is over.
func (l *erasureLog) since() engine.Position {
	p := l.seen
	if l.now != nil {
		for _, o := range l.now.open {
			if !o.foreign {
				p = min(p, o.position)
			}
		}
	}
	return p
}

// isOwn reports whether a stream is one that only the store appends to.
func isOwn(stream []byte) bool { return stream[0] == '$' }

// toldBy are the types of events that tell of erasures.
var toldBy = []string{engine.ErasedType, engine.ErasureDoneType}

// told reads the events at or behind a position that tell of erasures.
func (r *readIndex) told(ctx context.Context, from engine.Position) (told []toldErasure, err error) {
	what := engine.Filter{From: from, Streams: []string{engine.ErasuresStream}, Types: toldBy}
	c := r.Scan(ctx, what, engine.ColType|engine.ColPayload)
	defer c.Close()
	for b := c.Next(); b != nil; b = c.Next() {
		for i := range b.Len {
			t, ok, err := tell(b.Positions[i], b.Types[i], b.Payloads[i])
			if err != nil {
				return nil, err
			}
			if ok {
				told = append(told, t)
			}
		}
	}
	return told, c.Err()
}

// erasedBefore returns a position such that all erasures that are told of before it are done, as far
// as the index can see.
func (r *readIndex) erasedBefore(ctx context.Context) (engine.Position, error) {
	if _, some, err := r.StreamVersion(engine.ErasuresStream); err != nil || !some {
		return r.head, err
	}
	told, err := r.told(ctx, 0)
	log := erasureLog{now: (*erasures)(nil).with(told), seen: r.head}
	return log.since(), err
}

// readErasures learns from the log which erasures there are. After an error it knows what it did
// before, and nothing that comes later may be shown: nobody could tell what must not be. The caller
// owns l.
func (s *FileStore) readErasures(l *logState) error {
	e := &l.erasures
	if !e.news || len(l.segments) == 0 {
		e.seen = l.end.next
		return nil
	}
	r := newReadIndex(&s.shared, &view{store: l.store, segments: l.segments}, l.end.next)
	told, err := r.told(context.Background(), e.seen)
	if err != nil {
		return err
	}
	over := func(t toldErasure) bool { return t.done != uuid.Nil }
	if slices.ContainsFunc(told, over) {
		// What is done was carried out in files that MANIFEST has named before.
		m, err := readManifest(l.fs, l.dir)
		if err != nil && !errors.Is(err, format.ErrManifest) {
			return err
		}
		if m != nil && m.Store == l.store {
			l.manifest = m
		}
		if err := l.adopt(); err != nil {
			return err
		}
	}
	e.now, e.seen, e.news = e.now.with(told), l.end.next, false
	return nil
}

// tellGroup takes over what the group tells of erasures, which has been written and whose last event
// is the log's.
func (w *writer) tellGroup() error {
	g, e := &w.group, &w.log.erasures
	first := w.log.end.next - engine.Position(len(g.starts))
	if !g.own {
		e.seen = w.log.end.next
		return nil
	}
	var told []toldErasure
	for n, start := range g.starts {
		r, err := format.DecodeRecord(g.buf[start:])
		if err != nil {
			return err
		}
		if string(r.Stream) != engine.ErasuresStream {
			continue
		}
		t, ok, err := tell(first+engine.Position(n), string(r.Type), r.Payload)
		if err != nil {
			return err
		}
		if ok {
			told = append(told, t)
		}
	}
	e.now, e.seen = e.now.with(told), w.log.end.next
	return nil
}
