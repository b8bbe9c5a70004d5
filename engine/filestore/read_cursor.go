package filestore

import (
	"context"
	"errors"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// ReadAll implements ReadIndex.
func (r *readIndex) ReadAll(ctx context.Context, from engine.Position, dir engine.Direction) engine.Cursor {
	what := engine.Filter{From: max(from, 0), Direction: dir}
	if dir == engine.Backwards {
		what.From, what.To = 0, min(from, r.head-1)+1
	}
	c := new(allCursor)
	c.rows.begin(ctx, r, what, true)
	if dir == engine.Backwards && what.To <= 0 {
		c.rows.done = true
	}
	return c
}

// An allCursor reads every event.
type allCursor struct {
	rows rowCursor
	eventBuffer
}

func (c *allCursor) Next() bool {
	if !c.rows.next() {
		return false
	}
	c.set(c.rows.position(), &c.rows.row)
	return true
}

func (c *allCursor) Err() error { return c.rows.err }

func (c *allCursor) Close() error {
	c.rows.stop()
	return nil
}

// Reuse implements Reuser.
func (c *allCursor) Reuse() { c.rows.memory.reuse = true }

// An eventBuffer holds the current event of a cursor.
type eventBuffer struct {
	event engine.Event
	tags  tagMemory
}

func (b *eventBuffer) Event() *engine.Event { return &b.event }

// set makes a row the current event.
func (b *eventBuffer) set(pos engine.Position, r *row) {
	e := &b.event
	e.Position = pos
	e.Stream = format.TextOf(r.Stream)
	e.Version = r.Version
	e.ID = r.ID
	e.Type = format.TextOf(r.Type)
	e.Payload = r.Payload
	e.Metadata = r.MetadataOrEmpty()
	e.Tags = b.tags.decode(r.Tags)
	e.RecordedAt = time.UnixMicro(r.micros).UTC()
	e.JSON = r.JSON()
	e.Redacted = r.Redacted()
}

// A tagMemory makes the lists of tags: many lists share one piece of memory, which is never used
// again.
type tagMemory struct{ free []string }

// decode returns the tags encoded in b, nil for none. They share b's memory.
func (m *tagMemory) decode(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	const piece = 256
	if cap(m.free) < engine.MaxTags {
		m.free = make([]string, 0, piece)
	}
	tags := m.free[:0]
	format.EachTag(b, func(tag []byte) bool {
		tags = append(tags, format.TextOf(tag))
		return len(tags) < engine.MaxTags
	})
	n := len(tags)
	m.free = m.free[n:n:cap(m.free)]
	return tags[:n:n]
}

// errVersionOrder means that a stream's records contradict its index, or each other.
var errVersionOrder = errors.New("the record is not the stream's next version")
