package query

import (
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An ownEvent is a buffered event of a transaction.
type ownEvent struct {
	stream  string
	version engine.Version // that it will have if nobody else appends to the stream; see ownStream
	event   *engine.NewEvent
}

// An ownStream is a stream that a transaction appends to, or expects to be at a version.
type ownStream struct {
	last engine.Version // of its last event, the buffered ones included
	// pinned tells that an exact expectation of the transaction holds: COMMIT either fails or gives
	// the events these versions. Without it they depend on what others append meanwhile, so that they
	// are not known.
	pinned bool
}

// ownStreams are the streams of a transaction by their names.
type ownStreams map[string]ownStream

// version returns the version of a buffered event, NoVersion as long as it is not known.
func (s ownStreams) version(e *ownEvent) engine.Version {
	if !s[e.stream].pinned {
		return engine.NoVersion
	}
	return e.version
}

// add adds a buffered event to a batch. Its position and time are not known yet.
func (s ownStreams) add(b *engine.Batch, e *ownEvent) {
	b.Len++
	b.Positions = append(b.Positions, engine.NoPosition)
	b.Streams = append(b.Streams, e.stream)
	b.Versions = append(b.Versions, s.version(e))
	b.IDs = append(b.IDs, e.event.ID)
	b.Types = append(b.Types, e.event.Type)
	b.Payloads = append(b.Payloads, e.event.Payload)
	b.JSON = append(b.JSON, validJSON(e.event.Payload))
	b.Metadata = append(b.Metadata, value.BytesOf(metadataText(e.event.Metadata)))
	b.Tags = append(b.Tags, e.event.Tags)
	b.Times = append(b.Times, 0)
	b.Redacted = append(b.Redacted, false)
}

func validJSON(p []byte) bool { return p != nil && engine.ValidJSON(p) }
