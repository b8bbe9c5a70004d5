package filestore

import (
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// What an event of the log is to readers stands in this file alone, in columns and by itself. The columns are
// filled here and not by Batch.Add of an event, which would make the event first: that costs a scan
// of payloads a tenth (BenchmarkScan).

// add adds an event.
func (b *batchBuilder) add(pos engine.Position, r *logEvent) {
	t, columns := &b.batch, b.columns
	t.Len++
	t.Positions = append(t.Positions, pos)
	if columns&engine.ColStream != 0 {
		t.Streams = append(t.Streams, format.TextOf(r.Stream))
	}
	if columns&engine.ColVersion != 0 {
		t.Versions = append(t.Versions, r.Version)
	}
	if columns&engine.ColID != 0 {
		t.IDs = append(t.IDs, r.ID)
	}
	if columns&engine.ColType != 0 {
		t.Types = append(t.Types, b.types.intern(r.Type))
	}
	if columns&engine.ColPayload != 0 {
		t.Payloads = append(t.Payloads, r.Payload)
		b.bytes += len(r.Payload)
		t.JSON = append(t.JSON, r.JSON())
	}
	if columns&engine.ColMetadata != 0 {
		t.Metadata = append(t.Metadata, r.MetadataOrEmpty())
		b.bytes += len(r.Metadata)
	}
	if columns&engine.ColTags != 0 {
		t.Tags = append(t.Tags, b.tags.decode(r.Tags))
		b.bytes += len(r.Tags)
	}
	if columns&engine.ColTime != 0 {
		t.Times = append(t.Times, r.micros)
	}
	if columns&engine.ColRedacted != 0 {
		t.Redacted = append(t.Redacted, r.Redacted())
	}
}

// An eventBuffer holds the current event of a cursor.
type eventBuffer struct {
	event engine.Event
	tags  tagMemory
}

func (b *eventBuffer) Event() *engine.Event { return &b.event }

// set makes r the current event.
func (b *eventBuffer) set(pos engine.Position, r *logEvent) {
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
