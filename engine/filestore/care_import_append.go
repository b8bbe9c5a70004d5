package filestore

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// An importRun is events of one time, and the request that appends them.
type importRun struct {
	events  []engine.Event
	request *request
}

// flush appends the events that have been collected, in their order.
func (m *Import) flush(ctx context.Context) (err error) {
	done := 0
	for done < len(m.collected) && err == nil {
		var n int
		n, err = m.append(ctx, m.collected[done:])
		done += n
	}
	left := copy(m.collected, m.collected[done:]) // the next flush tries them again
	clear(m.collected[left:])
	if m.collected = m.collected[:left]; left == 0 {
		m.size, m.most = 0, min(2*m.most, importEvents)
	}
	return err
}

// append appends the first of the events, or more of them, and returns how many.
func (m *Import) append(ctx context.Context, events []engine.Event) (n int, err error) {
	if !m.started {
		if err := m.dest.startWriting(ctx); err != nil {
			return 0, err
		}
		m.started = true
	}
	own := func(e engine.Event) bool { return e.Stream[0] == '$' }
	if own(events[0]) {
		return m.appendOwn(ctx, events[:1])
	}
	n = slices.IndexFunc(events, own)
	if n < 0 {
		n = len(events)
	}
	return m.appendAll(ctx, events[:n], false)
}

// appendOwn appends an event of one of the store's own streams, if it means the same here. It comes
// alone, because where it comes to decides that.
func (m *Import) appendOwn(ctx context.Context, event []engine.Event) (n int, err error) {
	there, err := m.isThere(ctx, &event[0])
	switch {
	case err != nil:
		return 0, err
	case there:
		m.report.Present++
		return 1, nil
	case !m.fits(&event[0]):
		m.exact = false
		m.report.LeftOut++
		return 1, nil
	}
	return m.appendAll(ctx, event, true)
}

// appendAll appends events, those of one time that follow each other at once, and returns how many of
// them are there. own says of which streams they are.
func (m *Import) appendAll(ctx context.Context, events []engine.Event, own bool) (n int, err error) {
	runs, err := m.runs(ctx, events, own)
	defer func() {
		for i := range runs {
			runs[i].request.release()
		}
	}()
	if err != nil {
		return 0, err
	}
	for rest := runs; len(rest) > 0; {
		done, err := m.commit(ctx, rest)
		for i := range rest[:done] {
			if err := m.note(ctx, rest[i].events, &rest[i].request.result); err != nil {
				return n, err
			}
			n += len(rest[i].events)
		}
		if rest = rest[done:]; err == nil {
			continue
		}
		if !knowsSome(err) || len(rest[0].events) == 1 {
			return n, err
		}
		for i := range rest[0].events {
			one, err := m.appendAll(ctx, rest[0].events[i:i+1], own)
			n += one
			if err != nil {
				return n, err
			}
		}
		rest = rest[1:]
	}
	return n, nil
}

// knowsSome reports whether an append was refused because some of its events, but not exactly they,
// are stored: one after the other they are.
func knowsSome(err error) bool {
	var d *engine.DuplicateEventError
	return errors.As(err, &d) &&
		(d.Kind == engine.Partial || d.Kind == engine.Reordered || d.Kind == engine.RepeatedID)
}

// runs returns the requests for events. They are to be released, after an error, too.
func (m *Import) runs(ctx context.Context, events []engine.Event, own bool) (runs []importRun, err error) {
	alone := 0 // so many come alone, because one of them comes twice
	for len(events) > 0 {
		n := 1
		for alone == 0 && n < len(events) && events[n].RecordedAt.Equal(events[0].RecordedAt) {
			n++
		}
		r, err := m.dest.request(ctx, importBatch(events[:n]), own)
		if n > 1 && knowsSome(err) {
			r.release()
			alone = n
			continue
		}
		runs = append(runs, importRun{events[:n], r})
		if err != nil {
			return runs, err
		}
		if r.eraseRecords(events[:n]) {
			r.seal()
		}
		events, alone = events[n:], max(alone-1, 0)
	}
	return runs, nil
}

// commit appends each of the runs, all in one visit to the writer, until one is refused, and returns
// how many were not.
func (m *Import) commit(ctx context.Context, runs []importRun) (done int, err error) {
	err = m.dest.order(ctx, func(w *writer) error {
		for ; done < len(runs); done++ {
			micros := runs[done].events[0].RecordedAt.UnixMicro()
			m.micros.Store(micros)
			if err := w.commitAt(runs[done].request, micros); err != nil {
				return err
			}
		}
		return nil
	})
	return done, err
}

// commitAt commits a request as events of a time, or of that of the event before, if that is later.
func (w *writer) commitAt(r *request, micros int64) error {
	if err := w.ready(); err != nil {
		return err
	}
	w.served = time.Now()
	w.group.begin(max(micros, w.log.end.micros))
	w.claim(r)
	w.commit()
	<-r.done
	return r.err
}

// importBatch returns the appends of events: one for those of one stream that follow each other.
func importBatch(run []engine.Event) (batch []engine.Append) {
	for i := range run {
		e := &run[i]
		if n := len(batch); n == 0 || batch[n-1].Stream != e.Stream {
			batch = append(batch, engine.Append{Stream: e.Stream})
		}
		last := &batch[len(batch)-1]
		event := engine.NewEvent{ID: e.ID, Type: e.Type, Payload: e.Payload, Metadata: e.Metadata, Tags: e.Tags}
		if e.Redacted {
			event.Payload, event.Metadata = nil, nil
		}
		last.Events = append(last.Events, event)
	}
	return batch
}

// eraseRecords erases those of the request's records whose events are erased, and reports whether
// there are any. Of their salts nothing is left, so that their seals tell nothing.
func (r *request) eraseRecords(run []engine.Event) bool {
	if !slices.ContainsFunc(run, func(e engine.Event) bool { return e.Redacted }) {
		return false
	}
	var records []byte
	rest := r.records
	for i := range run {
		size := format.RecordSize(rest)
		records = format.CopyRecord(records, rest[:size], i == 0, run[i].Redacted)
		rest = rest[size:]
	}
	r.records = records
	return true
}
