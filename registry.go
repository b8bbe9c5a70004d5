package eventfold

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"sync"
)

// A Registry knows which Go types stand for which types of events, and how the payloads of earlier
// days become those of today. Any number of goroutines may use it. A program has one, which
// [Register] fills before the first event is read; [DefaultRegistry] is there for those with one.
type Registry struct {
	mu     sync.RWMutex
	names  map[string]*eventType
	values map[reflect.Type]*eventType // the type under which values are written
}

// NewRegistry returns a Registry that knows nothing.
func NewRegistry() *Registry {
	return &Registry{names: map[string]*eventType{}, values: map[reflect.Type]*eventType{}}
}

// DefaultRegistry is what [AppendEvents], [Decide] and [Typed] use.
var DefaultRegistry = NewRegistry()

// An eventType is what a Registry knows of one type of events.
type eventType struct {
	name   string
	value  reflect.Type
	upcast []Upcaster // from schema 1 to 2, from 2 to 3 and so on
}

// schema is the number of the payloads that are written today, from 1.
func (t *eventType) schema() int { return len(t.upcast) + 1 }

// An Upcaster makes a payload of one schema that of the next.
type Upcaster func(payload []byte) ([]byte, error)

// Upcast makes an Upcaster of a function from the Go type of one schema to that of the next, both
// as encoding/json has them.
func Upcast[From, To any](f func(From) To) Upcaster {
	return func(payload []byte) ([]byte, error) {
		var from From
		if err := json.Unmarshal(payload, &from); err != nil {
			return nil, err
		}
		return json.Marshal(f(from))
	}
}

// schemaKey is the member of an event's metadata that tells the schema of its payload. It is not
// written for the first.
const schemaKey = "schema"

// Register lets a Go type stand for events of the type name. With upcasters the payloads of today
// have a schema whose number is one more than there are upcasters; each of them takes payloads one
// number further, so that an old event passes all that stand behind its own. The number stands in
// the event's metadata as "schema", if it is not 1, and nothing else may stand there: appending
// refuses metadata that has such a member. Of a type without upcasters, what other writers have
// there and is no number from 1 is passed over.
//
// A Go type that is registered again under another name is written under the first, and read under
// both. Registered with T = [Event], a name is read as the Event that it is. It panics where the
// program contradicts itself: without a name, for T that is no type of its own, or where the name
// stands for another type already.
func Register[T any](r *Registry, name string, upcasters ...Upcaster) {
	t := &eventType{name: name, value: reflect.TypeFor[T](), upcast: upcasters}
	if name == "" || t.value.Kind() == reflect.Interface || t.value.Kind() == reflect.Pointer {
		panic(fmt.Sprintf("eventfold: Register[%v] with the name %q: it takes a name, and no pointer or interface",
			t.value, name))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if other := r.names[name]; other != nil {
		panic(fmt.Sprintf("eventfold: events of the type %s stand for %v already, and not for %v",
			name, other.value, t.value))
	}
	r.names[name] = t
	if r.values[t.value] == nil && t.value != reflect.TypeFor[Event]() {
		r.values[t.value] = t
	}
}

// Names returns the types of events that the Registry knows, each with the number of its schema.
func (r *Registry) Names() map[string]int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	schemas := maps.Clone(map[string]int{})
	for name, t := range r.names {
		schemas[name] = t.schema()
	}
	return schemas
}

// An UnknownTypeError tells of an event that a Registry cannot read: its type is not registered, or
// its payload is of a later schema than this program knows.
type UnknownTypeError struct {
	Type     string
	Stream   string
	Position Position
	Schema   int // of the payload; 0 if the type is not registered
	Known    int // the schema that the program knows; 0 if the type is not registered
}

// Error tells what is not known.
func (e *UnknownTypeError) Error() string {
	where := fmt.Sprintf("event at position %d in stream %q", e.Position, e.Stream)
	if e.Known == 0 {
		return fmt.Sprintf("eventfold: %s: the type %s is not registered", where, e.Type)
	}
	return fmt.Sprintf("eventfold: %s: a payload of the type %s has schema %d, and this program knows up to %d",
		where, e.Type, e.Schema, e.Known)
}

// Decode returns an event as a value of the Go type that is registered for it, not a pointer. An
// event whose content was erased is returned as the [Event] that it is, because there is nothing to
// decode; so is one whose type is registered as Event. An event that cannot be read is an
// [*UnknownTypeError], or an [*Error] with the code ErrValue that tells what json says.
func (r *Registry) Decode(e Event) (any, error) {
	r.mu.RLock()
	t := r.names[e.Type]
	r.mu.RUnlock()
	switch {
	case e.Redacted, t != nil && t.value == reflect.TypeFor[Event]():
		return e, nil
	case t == nil:
		return nil, &UnknownTypeError{Type: e.Type, Stream: e.Stream, Position: e.Position}
	}
	payload, err := t.upToDate(e)
	if err != nil {
		return nil, err
	}
	value := reflect.New(t.value)
	if err := json.Unmarshal(payload, value.Interface()); err != nil {
		return nil, unreadable(e, t, err)
	}
	return value.Elem().Interface(), nil
}

// upToDate returns the event's payload in today's schema.
func (t *eventType) upToDate(e Event) ([]byte, error) {
	schema, err := schemaOf(e.Metadata)
	if err != nil && len(t.upcast) > 0 {
		return nil, unreadable(e, t, err)
	}
	if err != nil { // of a type that has one schema, the member is another writer's and says nothing
		schema = 1
	}
	if schema > t.schema() {
		return nil, &UnknownTypeError{Type: e.Type, Stream: e.Stream, Position: e.Position,
			Schema: schema, Known: t.schema()}
	}
	payload := e.Payload
	if payload == nil {
		payload = []byte("null")
	}
	for i, upcast := range t.upcast[schema-1:] {
		if payload, err = upcast(payload); err != nil {
			return nil, unreadable(e, t, fmt.Errorf("from schema %d to %d: %w", schema+i, schema+i+1, err))
		}
	}
	return payload, nil
}

func unreadable(e Event, t *eventType, err error) error {
	return fault(ErrValue, "decode", "event at position %d in stream %q: the payload is no %v: %w",
		e.Position, e.Stream, t.value, err)
}

// schemaOf returns which schema a payload with such metadata has. JSON's names have upper and lower
// case, so that "Schema" is another member.
func schemaOf(metadata []byte) (int, error) {
	if !bytes.Contains(metadata, []byte(schemaKey)) { // as most have none
		return 1, nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(metadata, &members) != nil { // no object, which has no members
		return 1, nil
	}
	value, there := members[schemaKey]
	if !there || string(value) == "null" {
		return 1, nil
	}
	var schema int
	if err := json.Unmarshal(value, &schema); err != nil {
		return 0, fmt.Errorf("metadata: schema %s is no number of a schema", value)
	}
	if schema < 1 {
		return 0, fmt.Errorf("metadata: schema %d, which begins with 1", schema)
	}
	return schema, nil
}
