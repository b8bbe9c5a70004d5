package eventfold

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/google/uuid"
)

// A Draft is a typed event that is to be appended, with what has no place in its payload.
type Draft struct {
	// Stream is where the event goes; "" is the stream that AppendEvents was given.
	Stream string
	// Event is the payload, as encoding/json writes it. Its type is the one that it is registered
	// under, otherwise what a method EventType() string says, otherwise the name of its Go type.
	Event any
	// ID makes it safe to append the event again. The zero value leaves it to the context (see
	// WithRequest and Retry), or else to the store.
	ID uuid.UUID
	// Tags are added to those that a method EventTags() []string of Event gives.
	Tags []string
	// Metadata is written as JSON and must be an object; nil is {}. It has no member "schema", which
	// Register writes.
	Metadata any
}

// An untyped event names its own type.
type typeNamer interface{ EventType() string }

// A tagger tells the tags of an event.
type tagger interface{ EventTags() []string }

// Encode returns a draft as the store takes it. A Draft whose Event is a [NewEvent] is that, with
// the draft's id, tags and metadata where they are given.
func (r *Registry) Encode(d Draft) (NewEvent, error) {
	e, done := d.Event.(NewEvent)
	schema := 1
	if !done {
		var err error
		if e.Type, schema, err = r.typeOf(d.Event); err != nil {
			return NewEvent{}, err
		}
		if e.Payload, err = json.Marshal(d.Event); err != nil {
			return NewEvent{}, fault(ErrArgument, "append", "the event %s: %w", e.Type, err)
		}
		if t, ok := d.Event.(tagger); ok {
			e.Tags = t.EventTags()
		}
	}
	if d.ID != uuid.Nil {
		e.ID = d.ID
	}
	e.Tags = union(e.Tags, d.Tags)
	var err error
	switch {
	case done && d.Metadata != nil:
		e.Metadata, err = objectOf(d.Metadata)
	case d.Metadata != nil || schema > 1:
		e.Metadata, err = metadataOf(d.Metadata, schema)
	}
	if err != nil {
		return NewEvent{}, fault(ErrArgument, "append", "the metadata of event %s: %w", e.Type, err)
	}
	return e, nil
}

// union returns both lists without repeats.
func union(a, b []string) (all []string) {
	seen := map[string]bool{}
	for _, list := range [][]string{a, b} {
		for _, tag := range list {
			if !seen[tag] {
				seen[tag] = true
				all = append(all, tag)
			}
		}
	}
	return all
}

// typeOf returns the type and schema under which a value is written.
func (r *Registry) typeOf(event any) (name string, schema int, err error) {
	value := reflect.TypeOf(event)
	for value != nil && value.Kind() == reflect.Pointer {
		if reflect.ValueOf(event).IsNil() {
			return "", 0, fault(ErrArgument, "append", "a nil %T is no event", event)
		}
		value = value.Elem()
	}
	if value == nil {
		return "", 0, fault(ErrArgument, "append", "nil is no event")
	}
	r.mu.RLock()
	t := r.values[value]
	r.mu.RUnlock()
	if t != nil {
		return t.name, t.schema(), nil
	}
	if named, ok := event.(typeNamer); ok {
		return named.EventType(), 1, nil
	}
	if name := value.Name(); name != "" && value.PkgPath() != "" && !bytes.ContainsRune([]byte(name), '[') {
		return name, 1, nil
	}
	return "", 0, fault(ErrArgument, "append", "a %v has no name of its own that could be the type of an event; "+
		"register it, or give it a method EventType() string", value)
}

// objectOf returns metadata as JSON; nil, and what is null in JSON, is {}.
func objectOf(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if string(text) == "null" {
		text = []byte("{}")
	}
	return text, err
}

// metadataOf returns metadata as JSON, with the schema of the payload if it is not 1. A member of that
// name is refused whatever the schema is: it would be read as one.
func metadataOf(v any, schema int) ([]byte, error) {
	text, err := objectOf(v)
	if err != nil || schema == 1 && !bytes.Contains(text, []byte(schemaKey)) {
		return text, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, fmt.Errorf("it is no JSON object: %w", err)
	}
	if _, taken := members[schemaKey]; taken {
		return nil, fmt.Errorf("the member %q is the number of the payload's schema, which is written by itself; "+
			"give yours another name", schemaKey)
	}
	if schema == 1 {
		return text, nil
	}
	members[schemaKey] = json.RawMessage(fmt.Sprint(schema))
	return json.Marshal(members)
}
