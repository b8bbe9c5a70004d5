package filestore

import (
	"bytes"
	"context"
	"fmt"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// admit decides about a request in the order that Store.Append promises, and takes its events into
// the group if all is well. Otherwise the request's error or result is set; it is answered with the
// group.
func (w *writer) admit(r *request) {
	if r.offered {
		known, err := w.recognise(r)
		if known || err != nil {
			r.err = err
			return
		}
	}
	failed, err := w.check(r)
	switch {
	case err != nil:
		r.err = err
	case len(failed) > 0:
		r.err = &engine.ConflictError{Head: w.head(), Checks: failed}
	default:
		w.place(r)
		return
	}
	w.group.retract(r)
}

// head returns the position of the next event.
func (w *writer) head() engine.Position { return w.log.end.next + engine.Position(len(w.group.starts)) }

// stream returns a stream with its version, the group's events included. It is good until the next
// call.
func (w *writer) stream(name string) (*groupStream, error) {
	g := &w.group
	if n := len(g.streams); n > 0 && g.streams[n-1].name == name { // in a batch streams mostly come in runs
		return &g.streams[n-1], nil
	}
	if n, ok := g.numbers[name]; ok {
		return &g.streams[n], nil
	}
	v, err := w.versions.version(w.s.current(), name)
	if err != nil {
		return nil, err
	}
	g.numbers[name] = uint32(len(g.streams))
	g.streams = append(g.streams, groupStream{name, v})
	return &g.streams[len(g.streams)-1], nil
}

// check notes the version that each append finds its stream at, and returns the expectations that
// do not hold. They see the earlier appends of the same request. The group's streams are then at
// the versions that the request leads to: if it is not placed it must be retracted.
func (w *writer) check(r *request) (failed []engine.FailedCheck, err error) {
	for i := range r.batch {
		a := &r.batch[i]
		stream, err := w.stream(a.Stream)
		if err != nil {
			return nil, err
		}
		actual := stream.version
		stream.version += engine.Version(len(a.Events))
		r.before = append(r.before, actual)
		for k, expect := range a.Expect {
			switch e := expect.(type) {
			case engine.ExpectedVersion:
				if !e.Holds(actual) {
					failed = append(failed, engine.FailedCheck{
						Append:   i,
						Check:    k,
						Stream:   a.Stream,
						Expected: e,
						Actual:   actual,
					})
				}
			case *engine.Condition:
				f, err := w.recheck(r, i, k, e)
				if err != nil {
					return nil, err
				}
				if f != nil {
					failed = append(failed, *f)
				}
			}
		}
	}
	return failed, nil
}

// retract takes back what check has done to the streams for a request.
func (g *group) retract(r *request) {
	for i := range r.before {
		a := &r.batch[i]
		g.streams[g.numbers[a.Stream]].version -= engine.Version(len(a.Events))
	}
}

// place gives the request's events their places, behind the versions that check has noted, and
// takes them into the group.
func (w *writer) place(r *request) {
	g := &w.group
	at, k := len(g.buf), 0
	g.buf = append(g.buf, r.records...)
	g.seals = append(g.seals, r.seals...)
	for i := range r.batch {
		a, v := &r.batch[i], r.before[i]
		for j := range a.Events {
			v++
			e := &r.events[k]
			e.Position, e.Version = w.head(), v
			size := format.RecordSize(g.buf[at:])
			format.FinishRecord(g.buf[at:at+size], w.log.store, e.Position, v, 0)
			if r.offered && a.Events[j].ID == e.ID {
				g.ids[e.ID] = uint32(len(g.starts))
			}
			g.starts = append(g.starts, uint32(at))
			at, k = at+size, k+1
		}
	}
	r.result = engine.Appended{Events: r.events, RecordedAt: timeOf(g.micros)}
}

// checkConditions evaluates the request's conditions for the log as it is and for the request's own
// events, in the goroutine that appends. The writer looks only at what others have appended since.
func (s *FileStore) checkConditions(ctx context.Context, r *request) error {
	index := s.ReadIndex().(*readIndex)
	r.checked = index.Head()
	for i := range r.batch {
		for k, expect := range r.batch[i].Expect {
			c, ok := expect.(*engine.Condition)
			if !ok {
				continue
			}
			if c.After >= r.checked {
				return &engine.InvalidError{
					Append: i,
					Event:  -1,
					Field:  "condition",
					Reason: fmt.Sprintf("looks after position %d, but the log ends before position %d", c.After,
						r.checked),
				}
			}
			conflicts, err := index.conflicts(ctx, c, 0)
			if err == nil && !c.LogOnly && len(conflicts) < engine.MaxConflicts {
				conflicts, err = r.ownConflicts(ctx, c, i, conflicts)
			}
			if err != nil {
				return err
			}
			if len(conflicts) > 0 {
				r.failed = append(r.failed, engine.FailedCheck{
					Append:    i,
					Check:     k,
					Stream:    r.batch[i].Stream,
					Actual:    engine.NoVersion,
					Condition: c,
					Conflicts: conflicts,
				})
			}
		}
	}
	return nil
}

// recheck returns the failed check of a condition, nil if it holds: what checkConditions found, or
// what has come since.
func (w *writer) recheck(r *request, i, k int, c *engine.Condition) (*engine.FailedCheck, error) {
	for n := range r.failed {
		if f := &r.failed[n]; f.Append == i && f.Check == k {
			return f, nil
		}
	}
	var conflicts []engine.Event
	var err error
	if engine.Position(w.s.durable.Load()) > r.checked {
		conflicts, err = w.s.current().conflicts(context.Background(), c, r.checked)
	}
	if err == nil && len(conflicts) < engine.MaxConflicts {
		conflicts, err = w.stagedConflicts(c, conflicts)
	}
	if err != nil || len(conflicts) == 0 {
		return nil, err
	}
	return &engine.FailedCheck{
		Append:    i,
		Check:     k,
		Stream:    r.batch[i].Stream,
		Actual:    engine.NoVersion,
		Condition: c,
		Conflicts: conflicts,
	}, nil
}

// conflicts returns the first events at or after position from that break the condition.
func (r *readIndex) conflicts(ctx context.Context, c *engine.Condition, from engine.Position) ([]engine.Event, error) {
	guarded := *c
	if c.Match != nil {
		guarded.Match = func(b *engine.Batch, row int) (bool, error) { return matches(c, b, row) }
	}
	return engine.Conflicts(ctx, r.forAppend(), &guarded, from)
}

// matches calls Match of a condition. What it panics with becomes an error: the writer must not die
// of it.
func matches(c *engine.Condition, b *engine.Batch, row int) (broken bool, err error) {
	if c.Match == nil {
		return true, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("eventfold: the condition's Match panicked: %v", p)
		}
	}()
	return c.Match(b, row)
}

// stagedConflicts adds the events of the group that break the condition.
func (w *writer) stagedConflicts(c *engine.Condition, found []engine.Event) ([]engine.Event, error) {
	g := &w.group
	m := newMatcher(&c.Where)
	for n, start := range g.starts {
		pos := w.log.end.next + engine.Position(n)
		if pos <= c.After || pos < c.Where.From || c.Where.To > 0 && pos >= c.Where.To {
			continue
		}
		rec, err := format.DecodeRecord(g.buf[start:])
		if err != nil {
			return nil, err
		}
		r := logEvent{micros: g.micros, Record: rec}
		if !m.passes(&r) {
			continue
		}
		if r.Record, err = format.DecodeRecord(bytes.Clone(g.buf[start : int(start)+rec.Size])); err != nil {
			return nil, err
		}
		broken, e, err := matchEvent(c, pos, &r)
		if err != nil {
			return nil, err
		}
		if broken {
			if found = append(found, e); len(found) == engine.MaxConflicts {
				break
			}
		}
	}
	return found, nil
}

// matchEvent evaluates the condition for an event that has no batch yet. It and the event it returns
// keep pointing where r points: the memory of groups and requests is used again, so that r must be a
// copy.
func matchEvent(c *engine.Condition, pos engine.Position, r *logEvent) (bool, engine.Event, error) {
	builder := batchBuilder{columns: c.Columns}
	builder.add(pos, r)
	broken, err := matches(c, &builder.batch, 0)
	if err != nil || !broken {
		return false, engine.Event{}, err
	}
	var e eventBuffer
	e.set(pos, r)
	return true, e.event, nil
}
