package enginetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/eventfold/eventfold/engine"
)

// What an event is made of stands in this file alone: a field more is a line more in each of its
// functions.

// unplaced is an event that is appended, as it is stored, but for what its place gives it. It
// shares no memory with what was given.
func unplaced(stream string, e *engine.NewEvent) engine.Event {
	u := e.Unplaced(stream)
	u.Payload, u.Metadata, u.Tags = bytes.Clone(u.Payload), bytes.Clone(u.Metadata), slices.Clone(u.Tags)
	u.JSON = u.Payload != nil && json.Valid(u.Payload)
	return u
}

// again is a stored event as it would be appended once more.
func again(e *engine.Event) engine.NewEvent {
	return engine.NewEvent{
		ID:       e.ID,
		Type:     e.Type,
		Payload:  e.Payload,
		Metadata: e.Metadata,
		Tags:     e.Tags,
	}
}

// Difference names the first thing in which a stored event is not what was given, "" if it is that.
// What was erased cannot be compared any more.
func Difference(e *engine.Event, stream string, given *engine.NewEvent) string {
	want := given.Unplaced(stream)
	switch {
	case e.Stream != want.Stream:
		return "stream"
	case e.Type != want.Type:
		return "type"
	case !e.Redacted && ((e.Payload == nil) != (want.Payload == nil) || !bytes.Equal(e.Payload, want.Payload)):
		return "payload"
	case !e.Redacted && !bytes.Equal(e.Metadata, want.Metadata):
		return "metadata"
	case !slices.Equal(e.Tags, want.Tags):
		return "tags"
	}
	return ""
}

func eventText(e *engine.Event) string {
	payload := fmt.Sprintf("%q", e.Payload)
	if e.Payload == nil {
		payload = "NULL"
	}
	return fmt.Sprintf("%d %s %d %s %s %s %q %q %d %v %v", e.Position, e.Stream, e.Version, e.ID,
		e.Type, payload, e.Metadata, e.Tags,
		e.RecordedAt.UnixMicro(), e.JSON, e.Redacted)
}

// sameEvent compares two events, in a way that is quick if they are equal, as they mostly are.
func sameEvent(want, got *engine.Event) string {
	if want.Position == got.Position && want.Version == got.Version && want.ID == got.ID &&
		want.Stream == got.Stream && want.Type == got.Type &&
		(want.Payload == nil) == (got.Payload == nil) && bytes.Equal(want.Payload, got.Payload) &&
		bytes.Equal(want.Metadata, got.Metadata) &&
		slices.Equal(want.Tags, got.Tags) && want.RecordedAt.Equal(got.RecordedAt) &&
		want.JSON == got.JSON && want.Redacted == got.Redacted {
		return ""
	}
	return differ(eventText(want), eventText(got))
}

// batchOf puts events into columns.
func batchOf(events []engine.Event, columns engine.ColumnSet) *engine.Batch {
	b := new(engine.Batch)
	for i := range events {
		b.Add(&events[i], columns)
	}
	return b
}
