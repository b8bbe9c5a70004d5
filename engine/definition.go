package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ViewsStream is the stream in which a store keeps the definitions of its views. Nobody appends to
// it but the store: an event of the type ViewCreatedType or ViewDroppedType for each Append with a
// Definition. The last event of a name holds.
const (
	ViewsStream     = "$views"
	ViewCreatedType = "$view-created"
	ViewDroppedType = "$view-dropped"
)

// A Definition creates, replaces or drops a view, which is a query under a name. The store keeps
// the text and makes nothing of it.
//
// It is the Define of an Append, whose expectations of a version are of ViewsStream. That is how
// whoever has read the definitions makes sure that nobody has changed them since.
type Definition struct {
	Name  string // 1 to MaxStreamSize bytes of UTF-8, not beginning with $
	Kind  string // what kind of view it is, for those who read the definition; 1 to 255 bytes
	Text  string // of the query, UTF-8; "" drops the view
	Actor string // who has asked for it; may be empty
}

// OwnStream is ViewsStream.
func (*Definition) OwnStream() string { return ViewsStream }

// definitionText is the payload of the events that tell of definitions.
type definitionText struct {
	View  string `json:"view"`
	Kind  string `json:"kind"`
	Text  string `json:"definition,omitempty"`
	Actor string `json:"actor,omitempty"`
}

// Check returns an *InvalidError if the definition can never be appended. i is its place in the
// batch; the head does not matter.
func (d *Definition) Check(i int, _ Position) error {
	invalid := func(field, reason string) error {
		return &InvalidError{Append: i, Event: -1, Field: field, Reason: reason}
	}
	if fault := CheckStream(d.Name); fault == NameReserved {
		return invalid("view", "must not begin with $")
	} else if fault != NameOK {
		return invalid("view", nameFaults[fault])
	}
	if fault := CheckType(d.Kind); fault != NameOK {
		return invalid("kind", nameFaults[fault])
	}
	if fault := checkName(d.Text, MaxAppendSize); fault != NameOK && fault != NameEmpty {
		return invalid("definition", nameFaults[fault])
	}
	if fault := checkName(d.Actor, MaxActorSize); fault != NameOK && fault != NameEmpty {
		return invalid("actor", nameFaults[fault])
	}
	return nil
}

// NewEvents returns the event that tells of the definition.
func (d *Definition) NewEvents() []NewEvent {
	e := NewEvent{Type: ViewCreatedType}
	if d.Text == "" {
		e.Type = ViewDroppedType
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // people read it
	if err := enc.Encode(definitionText{d.Name, d.Kind, d.Text, d.Actor}); err != nil {
		panic(err) // a struct of texts
	}
	e.Payload = bytes.TrimSuffix(text.Bytes(), []byte("\n"))
	return []NewEvent{e}
}

var errNoDefinition = errors.New("eventfold: the event does not tell of a view")

// ParseDefinition reads an event of ViewsStream. ok is false for types that later versions may have.
func ParseDefinition(typ string, payload []byte) (d Definition, ok bool, err error) {
	if typ != ViewCreatedType && typ != ViewDroppedType {
		return Definition{}, false, nil
	}
	var text definitionText
	if err := json.Unmarshal(payload, &text); err != nil {
		return Definition{}, false, fmt.Errorf("%w: %w", errNoDefinition, err)
	}
	if text.View == "" || strings.HasPrefix(text.View, "$") || (text.Text == "") != (typ == ViewDroppedType) {
		return Definition{}, false, errNoDefinition
	}
	return Definition{Name: text.View, Kind: text.Kind, Text: text.Text, Actor: text.Actor}, true, nil
}
