package enginetest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
)

// A Model is a store that is obviously right: a slice of events under a lock, and every question
// answered by looking at all of them. It is what other engines are compared with, and what the
// contract is tried on first.
type Model struct {
	maxEventSize int
	now          func() time.Time

	mu      sync.Mutex     // protects all below
	events  []engine.Event // a longer or another slice, but never other events in the same places
	changed chan struct{}  // closed and replaced by every append that adds events, and by Close
	closed  bool
	waits   bool // erasures are done when FinishErasures says so
}

// NewModel returns an empty Model with the default limits.
func NewModel() *Model {
	return &Model{maxEventSize: engine.DefaultMaxEventSize, now: time.Now, changed: make(chan struct{})}
}

// NewModelWith returns an empty Model with a clock of its own.
func NewModelWith(now func() time.Time) *Model {
	m := NewModel()
	m.now = now
	return m
}

// ModelOf returns a Model that holds these events, which nobody may change any more.
func ModelOf(events []engine.Event) *Model {
	m := NewModel()
	m.events = events
	return m
}

// Append implements [engine.Store].
func (m *Model) Append(ctx context.Context, batch ...engine.Append) (engine.Appended, error) {
	return m.append(ctx, batch, engine.Appended{})
}

// Copy appends what another store has appended, with the ids and the time that it has given.
func (m *Model) Copy(ctx context.Context, done engine.Appended, batch ...engine.Append) error {
	_, err := m.append(ctx, batch, done)
	return err
}

// append appends. Ids and the time that the store has to assign are taken from assigned, as far as
// it has them.
func (m *Model) append(ctx context.Context, batch []engine.Append, assigned engine.Appended) (engine.Appended, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return engine.Appended{}, engine.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return engine.Appended{}, err
	}
	if err := m.validate(batch); err != nil {
		return engine.Appended{}, err
	}
	if err := m.validateConditions(batch); err != nil {
		return engine.Appended{}, err
	}
	batch = tellNotes(batch, assigned)
	if done, known, err := m.stored(batch); known || err != nil {
		return done, err
	}
	if failed, err := m.failedChecks(batch); err != nil || len(failed) > 0 {
		if err == nil {
			err = &engine.ConflictError{Head: engine.Position(len(m.events)), Checks: failed}
		}
		return engine.Appended{}, err
	}
	done := m.add(batch, assigned)
	m.erase(batch)
	return done, nil
}

// validate checks shape and size.
func (m *Model) validate(batch []engine.Append) error {
	if err := m.validateStreams(batch); err != nil {
		return err
	}
	total := 0
	for a, ap := range batch {
		invalid := func(event int, field string) error {
			return &engine.InvalidError{Append: a, Event: event, Field: field, Reason: "is not as it must be"}
		}
		for i, e := range ap.Events {
			size := len(e.Type) + len(e.Payload) + len(e.Metadata)
			tags := map[string]bool{}
			for _, tag := range e.Tags {
				if !validName(tag, engine.MaxTagSize) || tags[tag] {
					return invalid(i, "tags")
				}
				tags[tag] = true
				size += len(tag)
			}
			if len(e.Tags) > engine.MaxTags {
				return invalid(i, "tags")
			}
			if !validName(e.Type, engine.MaxTypeSize) {
				return invalid(i, "type")
			}
			if size > m.maxEventSize {
				return &engine.TooLargeError{What: "event", Size: int64(size), Limit: int64(m.maxEventSize), Append: a, Event: i}
			}
			total += size
		}
	}
	if total > engine.MaxAppendSize {
		return &engine.TooLargeError{What: "append", Size: int64(total), Limit: engine.MaxAppendSize}
	}
	return nil
}

// validateConditions refuses conditions that look at what comes after an event that does not exist.
func (m *Model) validateConditions(batch []engine.Append) error {
	for a, ap := range batch {
		for _, x := range ap.Expect {
			if c, ok := x.(*engine.Condition); ok && c.After >= engine.Position(len(m.events)) {
				return &engine.InvalidError{
					Append: a,
					Event:  -1,
					Field:  "condition",
					Reason: "looks after the end of the log",
				}
			}
		}
	}
	return nil
}

func validName(s string, limit int) bool {
	return s != "" && len(s) <= limit && utf8.ValidString(s) && !strings.Contains(s, "\x00")
}

// stored decides by the ids. known is true if exactly these events are stored already.
func (m *Model) stored(batch []engine.Append) (done engine.Appended, known bool, err error) {
	seen := map[uuid.UUID]bool{}
	places := map[uuid.UUID]int{}
	for i, e := range m.events {
		places[e.ID] = i
	}
	missing, ordered := false, true
	eachNew(batch, func(stream string, e *engine.NewEvent) {
		place, found := places[e.ID]
		if e.ID == uuid.Nil || !found || err != nil {
			missing = true
			return
		}
		switch old := &m.events[place]; {
		case old.Stream != stream:
			err = m.duplicate(place, engine.DifferentStream)
		case Difference(old, old.Stream, e) != "":
			err = m.duplicate(place, engine.DifferentContent)
		default:
			if n := len(done.Events); n > 0 {
				ordered = ordered && done.Events[n-1].Position+1 == old.Position
			} else {
				done.RecordedAt, done.Duplicate = old.RecordedAt, true
			}
			done.Events = append(done.Events, engine.Placed{Position: old.Position, Version: old.Version, ID: old.ID})
		}
	})
	eachNew(batch, func(stream string, e *engine.NewEvent) {
		if e.ID != uuid.Nil && seen[e.ID] {
			err = &engine.DuplicateEventError{ID: e.ID, Kind: engine.RepeatedID, Position: engine.NoPosition}
		}
		seen[e.ID] = true
	})
	switch {
	case err != nil || len(done.Events) == 0:
		return engine.Appended{}, false, err
	case missing:
		return engine.Appended{}, false, m.duplicate(int(done.Events[0].Position), engine.Partial)
	case !ordered:
		return engine.Appended{}, false, m.duplicate(int(done.Events[0].Position), engine.Reordered)
	}
	return done, true, nil
}

func (m *Model) duplicate(place int, kind engine.DuplicateKind) error {
	old := &m.events[place]
	return &engine.DuplicateEventError{ID: old.ID, Kind: kind, Stream: old.Stream, Position: old.Position}
}

func eachNew(batch []engine.Append, do func(stream string, e *engine.NewEvent)) {
	for _, a := range batch {
		for i := range a.Events {
			do(a.Stream, &a.Events[i])
		}
	}
}

// failedChecks checks every expectation. All of them see the events of the appends before theirs.
func (m *Model) failedChecks(batch []engine.Append) ([]engine.FailedCheck, error) {
	log := &modelView{m, m.events}
	var failed []engine.FailedCheck
	earlier := map[string]engine.Version{}
	var own []engine.Event
	for a, ap := range batch {
		actual, _, _ := log.version(ap.Stream)
		actual += earlier[ap.Stream]
		for i, x := range ap.Expect {
			check := engine.FailedCheck{Append: a, Check: i, Stream: ap.Stream, Actual: actual}
			switch x := x.(type) {
			case engine.ExpectedVersion:
				if !x.Holds(actual) {
					check.Expected = x
					failed = append(failed, check)
				}
			case *engine.Condition:
				check.Condition, check.Actual = x, engine.NoVersion
				conflicts, err := log.conflicts(x, own)
				if err != nil {
					return nil, err
				}
				if check.Conflicts = conflicts; len(conflicts) > 0 {
					failed = append(failed, check)
				}
			}
		}
		earlier[ap.Stream] += engine.Version(len(ap.Events))
		for _, e := range ap.Events {
			own = append(own, unplaced(ap.Stream, &e))
		}
	}
	return failed, nil
}

// conflicts returns the first ten events of the log, and then of the batch, that break a condition.
func (v *modelView) conflicts(c *engine.Condition, own []engine.Event) ([]engine.Event, error) {
	where := c.Where
	where.From = max(where.From, c.After+1)
	where.Direction = engine.Forwards
	candidates := slices.Clone(v.selected(where))
	for i := range own {
		if !c.LogOnly && where.Passes(&own[i]) {
			candidates = append(candidates, own[i])
		}
	}
	var found []engine.Event
	for _, e := range candidates {
		hit := true
		if c.Match != nil {
			var err error
			if hit, err = c.Match(batchOf([]engine.Event{e}, c.Columns), 0); err != nil {
				return nil, err
			}
		}
		if hit && len(found) < 10 {
			found = append(found, e)
		}
	}
	return found, nil
}

func (m *Model) add(batch []engine.Append, assigned engine.Appended) engine.Appended {
	at := assigned.RecordedAt
	if at.IsZero() {
		at = m.now().UTC().Truncate(time.Microsecond)
	}
	if n := len(m.events); n > 0 && at.Before(m.events[n-1].RecordedAt) {
		at = m.events[n-1].RecordedAt
	}
	done := engine.Appended{RecordedAt: at}
	eachNew(batch, func(stream string, e *engine.NewEvent) {
		last, _, _ := (&modelView{m, m.events}).version(stream)
		id := e.ID
		if id == uuid.Nil && len(done.Events) < len(assigned.Events) {
			id = assigned.Events[len(done.Events)].ID
		}
		if id == uuid.Nil {
			id = uuid.Must(uuid.NewV7())
		}
		p := engine.Placed{Position: engine.Position(len(m.events)), Version: last + 1, ID: id}
		done.Events = append(done.Events, p)
		stored := unplaced(strings.Clone(stream), e)
		stored.Position, stored.Version, stored.ID, stored.RecordedAt = p.Position, p.Version, id, at
		m.events = append(m.events, stored)
	})
	if len(done.Events) > 0 {
		close(m.changed)
		m.changed = make(chan struct{})
	}
	return done
}

// ReadIndex implements [engine.Store].
func (m *Model) ReadIndex() engine.ReadIndex {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &modelView{m, m.events[:len(m.events):len(m.events)]}
}

// Wait implements [engine.Store].
func (m *Model) Wait(ctx context.Context, p engine.Position) error {
	for {
		m.mu.Lock()
		head, changed, closed := engine.Position(len(m.events)), m.changed, m.closed
		m.mu.Unlock()
		switch {
		case closed:
			return engine.ErrClosed
		case head > p:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Stats implements [engine.Store]. It counts events only.
func (m *Model) Stats() engine.Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return engine.Stats{Events: int64(len(m.events))}
}

// Close implements [engine.Store].
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.closed = true
		close(m.changed)
	}
	return nil
}
