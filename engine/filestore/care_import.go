package filestore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// An Import appends events that another store has recorded, with their ids and times. One goroutine
// uses it.
//
// Events whose ids are stored already are left out, so that an import that was cut short is run
// again from its beginning, and does nothing twice; an id that is taken by another event is a
// [*engine.DuplicateEventError], and one that is all zeros an [*engine.InvalidError]. Streams go on
// where they end. Times never decrease along positions: an event that is older than the last one of
// the store gets the time of that.
//
// An import is exact as long as every event comes to the position that it had: into an empty store
// that is so for whatever begins at position 0 and has no gaps. Only then the events of the source's
// own streams (its erasures and views) are taken over, because they name positions. Otherwise they
// are left out.
//
// Events that are erased stay so, and of them nothing but that is kept; how long they were is lost.
// At the end of an import that has left out what told of their erasure, Finish tells of one. Verify
// of a store whose import was cut short between an erased event and what tells of its erasure says
// so, until the import is run to its end.
type Import struct {
	dest   *FileStore
	micros atomic.Int64 // recorded_at of what is appended, which the writer reads
	report ImportReport

	collected []engine.Event // that are not appended yet
	size      int            // of them, bytes
	since     time.Time      // when the first of them came
	most      int            // how many are collected
	started   bool           // the write lock is held
	exact     bool
	redacts   engine.Spans // erased events that this import has met in the store
}

// An ImportReport tells what an Import has done.
type ImportReport struct {
	Read     int64           // events that came
	Appended int64           // of them
	Present  int64           // were stored already
	LeftOut  int64           // events of the source's own streams, in an import that is not exact
	Redacted int64           // appended events that are erased
	Retimed  int64           // appended events whose time is that of the event before, because theirs is older
	Exact    bool            // every event has the position that it had
	Head     engine.Position // of the store
}

// Bounds of what is collected, and of times. First little is collected and then more and more, so that
// a store has most of what a short import was given, or one that is cut short.
const (
	importFirst  = 16
	importEvents = 1024
	importBytes  = 8 << 20
	importPause  = 100 * time.Millisecond // longer nothing waits for others to come
	// importSync is how often what was appended is made durable: seldom, because what a power cut takes
	// comes again when the import is run again.
	importSync = time.Second
	// ImportAhead is how far in the future an imported time may be: the times of a store never
	// decrease, so that one wrong time would be that of every later event.
	ImportAhead = 24 * time.Hour
)

// OpenImport opens the store in directory dir, which need not be there, for an import. From the
// first event that is appended to Finish or Close it holds the write lock. The options are those of
// the store, but for the clock, the way to sync and the limit of events.
func OpenImport(dir string, o Options) (*Import, error) {
	m := &Import{exact: true, most: importFirst}
	m.micros.Store(time.Now().UnixMicro())
	o.ReadOnly, o.MaxEventSize = false, engine.MaxEventLimit
	o.Sync, o.SyncInterval = SyncInterval, importSync
	o.Now = func() time.Time { return timeOf(m.micros.Load()) }
	o.applying = true // or the eraser would append between the events that come
	dest, err := Open(dir, o)
	if err != nil {
		return nil, err
	}
	m.dest = dest
	return m, nil
}

// Report tells what has been done. What was added last may not be durable yet.
func (m *Import) Report() ImportReport {
	r := m.report
	r.Exact, r.Head = m.exact, engine.Position(m.dest.durable.Load())
	return r
}

// Add adds an event. Its Version is not looked at, its RecordedAt is now if it is zero, and its
// Position is that in the source, NoPosition if that is not known. Events are collected, up to 1024 of
// them, and those of one time that follow each other are one append, so that Add returns before its
// event is stored. What can never be imported is refused at once, and does not count as read: the
// Event of an [*engine.InvalidError], and of an [*engine.TooLargeError], is how many were before it.
func (m *Import) Add(ctx context.Context, e engine.Event) error {
	if e.RecordedAt.IsZero() {
		e.RecordedAt = timeOf(time.Now().UnixMicro())
	}
	if err := m.check(&e); err != nil {
		return err
	}
	e.RecordedAt = timeOf(e.RecordedAt.UnixMicro()) // as it is stored
	now := time.Now()
	if n := len(m.collected); n >= m.most || m.size > importBytes || n > 0 && now.Sub(m.since) > importPause {
		if err := m.flush(ctx); err != nil {
			return err
		}
	}
	if len(m.collected) == 0 {
		m.since = now
	}
	m.report.Read++
	m.collected = append(m.collected, e)
	m.size += len(e.Payload) + len(e.Metadata)
	return nil
}

// check refuses what can never be imported. In the errors Event counts what came, from 0 on, also if it
// is the stream's name that is wrong: who imports knows no appends.
func (m *Import) check(e *engine.Event) error {
	nth := int(m.report.Read)
	invalid := func(field, reason string) error {
		return &engine.InvalidError{Event: nth, Field: field, Reason: reason}
	}
	event := engine.NewEvent{Type: e.Type, Payload: e.Payload, Metadata: e.Metadata, Tags: e.Tags}
	switch {
	case e.ID == uuid.Nil:
		return invalid("id", "is all zeros, so that the event would come again with each import")
	case time.Until(e.RecordedAt) > ImportAhead:
		return invalid("time", "is in the future, and times never decrease: "+e.RecordedAt.Format(time.RFC3339))
	case e.RecordedAt.UnixMicro() <= 0:
		return invalid("time", "is before 1970: "+e.RecordedAt.Format(time.RFC3339))
	case strings.HasPrefix(e.Stream, "$") && !slices.Contains(engine.OwnStreams, e.Stream):
		return invalid("stream", "is none that a store has of its own: "+e.Stream)
	}
	fault := engine.CheckStream(e.Stream)
	if fault != engine.NameOK && fault != engine.NameReserved {
		return invalid("stream", nameReason(fault, e.Stream, engine.MaxStreamSize))
	}
	if size := format.EventSize(&event); size > engine.MaxEventLimit {
		return &engine.TooLargeError{What: "event", Size: size, Limit: engine.MaxEventLimit, Event: nth}
	}
	_, err := checkEvent(&event, 0, nth)
	return err
}

// Finish appends what has been collected, tells of erasures that nothing else tells of, and closes
// the store. What was added is durable then.
func (m *Import) Finish(ctx context.Context) (ImportReport, error) {
	err := m.flush(ctx)
	if err == nil {
		err = m.tellErasures(ctx)
	}
	report := m.Report()
	return report, errors.Join(err, m.dest.Close())
}

// Close ends an import half way. What was appended is durable.
func (m *Import) Close() error { return m.dest.Close() }

// isThere reports whether an event of one of the store's own streams is at its position already.
func (m *Import) isThere(ctx context.Context, e *engine.Event) (bool, error) {
	if !m.exact || e.Position < 0 || e.Position >= m.head() {
		return false, nil
	}
	there, err := m.at(ctx, e.Position)
	return err == nil && there.ID == e.ID && there.Stream == e.Stream, err
}

// fits reports whether an event of one of the store's own streams would mean the same here: all
// before it have the positions that they had, and it tells of them alone. What it says is erased
// must have come so.
func (m *Import) fits(e *engine.Event) bool {
	if !m.exact || e.Redacted || e.Position != m.head() {
		return false
	}
	switch e.Type {
	case engine.ErasedType:
		erased, err := engine.ParseErased(e.Payload)
		return e.Stream == engine.ErasuresStream && err == nil && len(missing(erased.Events, m.redacts)) == 0
	case engine.ErasureDoneType:
		_, err := engine.ParseErasureDone(e.Payload)
		return e.Stream == engine.ErasuresStream && err == nil
	case engine.ForgottenType:
		_, err := engine.ParseForgotten(e.Payload)
		return e.Stream == engine.ErasuresStream && err == nil
	}
	_, ok, err := engine.ParseDefinition(e.Type, e.Payload)
	return e.Stream == engine.ViewsStream && ok && err == nil
}

// head returns the position of the next event.
func (m *Import) head() engine.Position { return m.dest.current().head }

// note counts what has become of events.
func (m *Import) note(ctx context.Context, run []engine.Event, done *engine.Appended) error {
	for i := range run {
		at := done.Events[i].Position
		m.exact = m.exact && at == run[i].Position
		if done.Duplicate {
			m.report.Present++
		} else {
			m.report.Appended++
			if !done.RecordedAt.Equal(run[i].RecordedAt) {
				m.report.Retimed++
			}
		}
		if !run[i].Redacted {
			continue
		}
		if done.Duplicate { // it may have its content here, which nobody has asked to erase
			there, err := m.at(ctx, at)
			if err != nil {
				return err
			}
			if !there.Redacted {
				continue
			}
		} else {
			m.report.Redacted++
		}
		m.redact(at)
	}
	return nil
}

// redact notes that the event at a position is erased. Mostly they come in order.
func (m *Import) redact(at engine.Position) {
	one := engine.Span{From: at, To: at + 1}
	if n := len(m.redacts); n == 0 || m.redacts[n-1].To <= at {
		m.redacts.Add(one)
	} else if !m.redacts.Has(at) {
		m.redacts = m.redacts.Union(engine.Spans{one})
	}
}

// at returns the event at a position.
func (m *Import) at(ctx context.Context, p engine.Position) (engine.Event, error) {
	c := m.dest.current().ReadAll(ctx, p, engine.Forwards)
	defer c.Close()
	if !c.Next() {
		return engine.Event{}, c.Err()
	}
	return *c.Event(), nil
}

// tellErasures tells of what is erased although no erasure of this store names it.
func (m *Import) tellErasures(ctx context.Context) error {
	if len(m.redacts) == 0 {
		return nil
	}
	index := m.dest.current()
	list, err := index.erasures(ctx)
	if err != nil {
		return err
	}
	var named engine.Spans
	for i := range list {
		named = named.Union(list[i].Events)
	}
	unnamed := missing(m.redacts, named)
	if f := index.view.erased; f != nil {
		unnamed = missing(unnamed, f.Events)
	}
	if len(unnamed) == 0 {
		return nil
	}
	erasure := &engine.Erasure{Events: unnamed, Reason: "imported: erased where the events come from"}
	_, err = m.dest.Append(ctx, engine.Append{Erase: erasure})
	return err
}
