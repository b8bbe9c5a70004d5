package watermill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/eventfold/eventfold"
)

const (
	// UUIDKey is the key of the metadata in which an event keeps the UUID of its message if that is
	// not its id. Messages may not have it in their own metadata.
	UUIDKey = "eventfold_message_uuid"
	// NameKey is the key of a message's metadata that is the type of its event.
	NameKey = "name"
	// DefaultType is the type of an event whose message has no name.
	DefaultType = "message"
)

// space is where ids are made of texts that are no UUIDs.
var space = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/eventfold/eventfold/adapters/watermill"))

// IDOfUUID is a PublisherConfig.ID that takes the UUID of a message for the id of its event, if it is
// a UUID in its usual form of 36 characters in small letters, and otherwise makes the id of it. As an
// id is unique in the store, a message can be published to one topic only.
func IDOfUUID(_ string, m *message.Message) uuid.UUID {
	if m.UUID == "" {
		return uuid.Nil
	}
	if id, err := uuid.Parse(m.UUID); err == nil && id != uuid.Nil && id.String() == m.UUID {
		return id
	}
	return uuid.NewSHA1(space, []byte(m.UUID))
}

// IDPerTopic is the usual PublisherConfig.ID: it makes the id of topic and UUID, so that a message may
// be handed on to other topics under the UUID that it has, once to each. It is uuid.Nil, for which the
// store gives a new id each time, if the message has no UUID.
func IDPerTopic(topic string, m *message.Message) uuid.UUID {
	if m.UUID == "" {
		return uuid.Nil
	}
	return uuid.NewSHA1(space, []byte(topic+"\x00"+m.UUID))
}

// TypeOfName is the usual PublisherConfig.Type: the name in the message's metadata, or DefaultType.
func TypeOfName(m *message.Message) string {
	if name := m.Metadata.Get(NameKey); name != "" {
		return name
	}
	return DefaultType
}

// metadataOf returns the metadata of a message's event.
func metadataOf(m *message.Message, id uuid.UUID) ([]byte, error) {
	all := make(map[string]string, len(m.Metadata)+1)
	for key, value := range m.Metadata {
		if key == UUIDKey {
			return nil, fmt.Errorf("the metadata of message %s has the key %s, which is the publisher's", m.UUID, UUIDKey)
		}
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return nil, fmt.Errorf("the metadata of message %s is not UTF-8 under the key %q", m.UUID, key)
		}
		all[key] = value
	}
	if m.UUID != "" && m.UUID != id.String() {
		if !utf8.ValidString(m.UUID) {
			return nil, fmt.Errorf("the UUID %q is not UTF-8", m.UUID)
		}
		all[UUIDKey] = m.UUID
	}
	return json.Marshal(all)
}

// messageOf returns the message of an event.
func messageOf(ctx context.Context, e *eventfold.Event) *message.Message {
	metadata := message.Metadata{}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(e.Metadata, &all); err == nil {
		for key, value := range all {
			metadata[key] = textOf(value)
		}
	}
	id := e.ID.String()
	if given, ok := metadata[UUIDKey]; ok {
		id = given
		delete(metadata, UUIDKey)
	}
	if _, named := metadata[NameKey]; !named && e.Type != DefaultType {
		metadata[NameKey] = e.Type
	}
	m := message.NewMessage(id, bytes.Clone(e.Payload)) // what handlers write over is theirs
	m.Metadata = metadata
	m.SetContext(ctx)
	return m
}

// textOf is a text as it is, and any other value as JSON.
func textOf(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil && len(value) > 0 && value[0] == '"' {
		return text
	}
	return string(value)
}

// A delivery is what the context of a message knows of where it came from.
type delivery struct {
	event        eventfold.Event
	group, topic string
	from         int64 // the group's checkpoint before this message
}

type deliveryKey struct{}

// EventOf returns the event of a message that a Subscriber of this package has delivered: position,
// stream, version, type and the time at which it was recorded. It is told by the message's context.
func EventOf(m *message.Message) (eventfold.Event, bool) {
	d, ok := m.Context().Value(deliveryKey{}).(delivery)
	return d.event, ok
}
