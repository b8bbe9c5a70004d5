package engine

import (
	"context"
	"errors"
	"fmt"
)

// admit decides about a request in the order that Store.Append promises, and takes its events into the group if all is well.
// Otherwise the request's error or result is set; it is answered with the group.
func (w *writer) admit(r *request) {
	if r.offered {
		known, err := w.recognise(r)
		if known || err != nil {
			r.err = err
			return
		}
	}
	failed, err := w.check(r)
	if err != nil {
		r.err = err
		return
	}
	if len(failed) > 0 {
		r.err = &ConflictError{Head: w.head(), Checks: failed}
		return
	}
	if err := w.place(r); err != nil {
		r.err = err
	}
}

// head returns the position of the next event.
func (w *writer) head() Position { return w.log.end.next + Position(len(w.group.starts)) }

// version returns the version of a stream's last event, the group's included, and NoVersion if there is none. The group remembers it.
func (w *writer) version(stream string) (Version, error) {
	if v, ok := w.group.versions[stream]; ok {
		return v, nil
	}
	v, err := w.heads.version(w.s.current(), stream)
	if err == nil {
		w.group.versions[stream] = v
	}
	return v, err
}

// check returns the expectations that do not hold. Versions see the earlier appends of the same request; conditions never do.
func (w *writer) check(r *request) ([]FailedCheck, error) {
	var failed []FailedCheck
	for i := range r.batch {
		a := &r.batch[i]
		for k, expect := range a.Expect {
			switch e := expect.(type) {
			case ExpectedVersion:
				actual, err := w.versionBefore(r, i)
				if err != nil {
					return nil, err
				}
				if !e.Holds(actual) {
					failed = append(failed, FailedCheck{Append: i, Check: k, Stream: a.Stream, Expected: e, Actual: actual})
				}
			case *Condition:
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

// versionBefore returns the version that the stream of append i has when the appends before it are done.
func (w *writer) versionBefore(r *request, i int) (Version, error) {
	v, err := w.version(r.batch[i].Stream)
	for j := range i {
		if r.batch[j].Stream == r.batch[i].Stream {
			v += Version(len(r.batch[j].Events))
		}
	}
	return v, err
}

// place gives the request's events their places and takes them into the group.
func (w *writer) place(r *request) error {
	g := &w.group
	for i := range r.batch {
		if len(r.batch[i].Events) == 0 {
			continue
		}
		if _, err := w.version(r.batch[i].Stream); err != nil {
			return err
		}
	}
	at, k := len(g.buf), 0
	g.buf = append(g.buf, r.records...)
	for i := range r.batch {
		a := &r.batch[i]
		if len(a.Events) == 0 {
			continue
		}
		v := g.versions[a.Stream]
		for j := range a.Events {
			v++
			e := &r.events[k]
			e.Position, e.Version = w.head(), v
			size := recordSize(g.buf[at:])
			finishRecord(g.buf[at:at+size], e.Position, v, 0)
			if r.offered && a.Events[j].ID == e.ID {
				g.ids[e.ID] = uint32(len(g.starts))
			}
			g.starts = append(g.starts, uint32(at))
			at, k = at+size, k+1
		}
		g.versions[a.Stream] = v
	}
	r.result = Appended{Events: r.events, RecordedAt: timeOf(g.micros)}
	return nil
}

// checkConditions evaluates the request's conditions for the log as it is, in the goroutine that appends. The writer looks
// only at what comes after.
func (s *FileStore) checkConditions(ctx context.Context, r *request) error {
	index := s.ReadIndex().(*readIndex)
	r.checked = index.Head()
	for i := range r.batch {
		for k, expect := range r.batch[i].Expect {
			c, ok := expect.(*Condition)
			if !ok {
				continue
			}
			if c.After >= r.checked {
				return &InvalidError{Append: i, Event: -1, Field: "condition",
					Reason: fmt.Sprintf("looks after position %d, but the log ends before position %d", c.After, r.checked)}
			}
			conflicts, err := index.conflicts(ctx, c, 0)
			if err != nil {
				return err
			}
			if len(conflicts) > 0 {
				r.failed = append(r.failed, FailedCheck{Append: i, Check: k, Stream: r.batch[i].Stream, Actual: NoVersion,
					Condition: c, Conflicts: conflicts})
			}
		}
	}
	return nil
}

// recheck returns the failed check of a condition, nil if it holds: what checkConditions found, or what has come since.
func (w *writer) recheck(r *request, i, k int, c *Condition) (*FailedCheck, error) {
	for n := range r.failed {
		if f := &r.failed[n]; f.Append == i && f.Check == k {
			return f, nil
		}
	}
	var conflicts []Event
	var err error
	if index := w.s.current(); index.Head() > r.checked {
		conflicts, err = index.conflicts(context.Background(), c, r.checked)
	}
	if err == nil && len(conflicts) < maxConflicts {
		conflicts, err = w.stagedConflicts(c, conflicts)
	}
	if err != nil || len(conflicts) == 0 {
		return nil, err
	}
	return &FailedCheck{Append: i, Check: k, Stream: r.batch[i].Stream, Actual: NoVersion, Condition: c, Conflicts: conflicts}, nil
}

// maxConflicts is how many events that break a condition are reported.
const maxConflicts = 10

// conflicts returns the first events at or after position from that break the condition.
func (r *readIndex) conflicts(ctx context.Context, c *Condition, from Position) ([]Event, error) {
	what := c.Where
	what.From = max(what.From, c.After+1, from)
	what.Direction, what.Limit = Forwards, 0
	if what.From >= r.head || what.To > 0 && what.From >= what.To {
		return nil, nil
	}
	cursor := r.Scan(ctx, what, c.Columns)
	defer cursor.Close()
	var found []Event
	for b := cursor.Next(); b != nil; b = cursor.Next() {
		for row := range b.Len {
			broken, err := c.matches(b, row)
			if err != nil {
				return nil, err
			}
			if !broken {
				continue
			}
			e, err := r.event(ctx, b.Positions[row])
			if err != nil {
				return nil, err
			}
			if found = append(found, e); len(found) == maxConflicts {
				return found, nil
			}
		}
	}
	return found, cursor.Err()
}

// event returns the event at a position.
func (r *readIndex) event(ctx context.Context, p Position) (Event, error) {
	c := r.ReadAll(ctx, p, Forwards)
	defer c.Close()
	if !c.Next() {
		return Event{}, errors.Join(c.Err(), ctx.Err())
	}
	return *c.Event(), nil
}

// matches calls Match. What it panics with becomes an error: the writer must not die of it.
func (c *Condition) matches(b *Batch, row int) (broken bool, err error) {
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
func (w *writer) stagedConflicts(c *Condition, found []Event) ([]Event, error) {
	g := &w.group
	m := newMatcher(&c.Where)
	for n, start := range g.starts {
		pos := w.log.end.next + Position(n)
		if pos <= c.After || pos < c.Where.From || c.Where.To > 0 && pos >= c.Where.To {
			continue
		}
		rec, err := decodeRecord(g.buf[start:])
		if err != nil {
			return nil, err
		}
		r := row{micros: g.micros, record: rec}
		if !m.passes(&r) {
			continue
		}
		broken, e, err := c.stagedMatch(pos, g.buf[start:int(start)+rec.size], g.micros)
		if err != nil {
			return nil, err
		}
		if broken {
			if found = append(found, e); len(found) == maxConflicts {
				break
			}
		}
	}
	return found, nil
}

// stagedMatch evaluates the condition for one event of the group, whose record is b. The group's memory is used again, so that it
// looks at a copy.
func (c *Condition) stagedMatch(pos Position, b []byte, micros int64) (bool, Event, error) {
	rec, err := decodeRecord(append([]byte(nil), b...))
	if err != nil {
		return false, Event{}, err
	}
	r := row{micros: micros, record: rec}
	builder := batchBuilder{columns: c.Columns}
	builder.add(pos, &r)
	broken, err := c.matches(&builder.batch, 0)
	if err != nil || !broken {
		return false, Event{}, err
	}
	var e eventBuffer
	e.set(pos, &r)
	return true, e.event, nil
}
