package format

import (
	"bytes"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
)

// AppendEvent encodes an event as AppendRecord does. tags are its tags, sorted; first is set for
// the first event of an append.
func AppendEvent(
	dst []byte, id uuid.UUID, stream string, e *engine.NewEvent, tags []string, salt *Salt, first bool,
) []byte {
	metadata := e.Metadata
	if string(metadata) == emptyObject {
		metadata = nil
	}
	return AppendRecord(dst, eventFlags(e, first), id, stream, e.Type, tags, salt, metadata, e.Payload)
}

// eventFlags are the flags of an event that is appended.
func eventFlags(e *engine.NewEvent, first bool) (flags uint8) {
	switch {
	case e.Payload == nil:
		flags = FlagNull
	case engine.ValidJSON(e.Payload):
		flags = FlagJSON
	}
	if first {
		flags |= FlagFirstOfAppend
	}
	return flags
}

// EventSize returns how many bytes of an event its limit counts: what it holds, without the
// lengths.
func EventSize(e *engine.NewEvent) int64 {
	size := int64(len(e.Type)) + int64(len(e.Payload)) + int64(len(e.Metadata))
	for _, t := range e.Tags {
		size += int64(len(t))
	}
	return size
}

// emptyObject is the metadata of an event that came without, which its record leaves out.
const emptyObject = "{}"

var emptyMetadata = []byte(emptyObject)

// MetadataOrEmpty returns the metadata as readers see it.
func (r *Record) MetadataOrEmpty() []byte {
	if len(r.Metadata) == 0 {
		return emptyMetadata
	}
	return r.Metadata
}

// NewEvent returns the event as it would be appended again. It shares the memory of payload and
// metadata with the record.
func (r *Record) NewEvent() engine.NewEvent {
	return engine.NewEvent{
		ID:       r.ID,
		Type:     string(r.Type),
		Payload:  r.Payload,
		Metadata: r.Metadata,
		Tags:     DecodeTags(r.Tags),
	}
}

// SameContent reports whether two records hold the same event but for its id and place. Of what has
// been erased nobody can tell: then it is the same if everything else is.
func (r *Record) SameContent(other *Record) bool {
	return bytes.Equal(r.Type, other.Type) &&
		bytes.Equal(r.Tags, other.Tags) &&
		(r.Flags^other.Flags)&FlagNull == 0 &&
		(r.Redacted() || other.Redacted() ||
			bytes.Equal(r.Metadata, other.Metadata) && bytes.Equal(r.Payload, other.Payload))
}
