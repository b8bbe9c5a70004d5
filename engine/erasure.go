package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ErasuresStream is the stream in which a store tells what was erased. Nobody appends to it but
// the store: an event of the type ErasedType (several if it is long, in one commit) for each
// Append with an Erasure, and one of the type ErasureDoneType when nothing is left of what it names.
// An Erasure with a Subject is told by one event of the type ForgottenType. Its own events cannot be
// erased.
const (
	ErasuresStream  = "$erasures"
	ErasedType      = "$erased"
	ErasureDoneType = "$erasure-done"
	ForgottenType   = "$forgotten"
)

// Limits of an Erasure.
const (
	MaxReasonSize  = 1024 // bytes
	MaxActorSize   = 255  // bytes
	MaxSubjectSize = 255  // bytes

	// erasedPart bounds the text of the positions in one event, in bytes: it fits into the least
	// limit of events that a store may have, with a reason whose every byte is escaped.
	erasedPart = 48 << 10
)

// An Erasure destroys the content of events: payload and metadata. What else is known of them
// stays: position, stream, version, id, type, tags and time. It cannot be taken back.
//
// It is the Erase of an Append, so that it happens together with what else the batch does. When
// Store.Append has returned, every ReadIndex that is taken shows the events without content, at
// any head; those that were taken before may go on showing it. The bytes are destroyed in the
// background; Eraser tells when.
type Erasure struct {
	ID     uuid.UUID // of the first event that tells of it; the zero value lets the store assign one
	Events Spans     // below the head
	Reason string    // 1 to MaxReasonSize bytes of UTF-8; for ever readable, so nothing personal
	Actor  string    // who has asked for it; may be empty

	// Subject and Revision tell of a key that has been destroyed instead of events: Events is empty,
	// and there is nothing left to do, so that the store appends one event of the type ForgottenType
	// and Erasures does not list it. Subject is no name but what only the keyring can tell a name from,
	// of 1 to MaxSubjectSize bytes of UTF-8.
	Subject  string
	Revision int64 // of the key, from 1
}

// An Eraser is a Store that accepts an Erasure. The embedded store is one.
type Eraser interface {
	Store
	// Erasures lists the erasures of events, the oldest first, as of now.
	Erasures(ctx context.Context) ([]ErasureInfo, error)
}

// An ErasureInfo tells what has become of an erasure.
type ErasureInfo struct {
	ID        uuid.UUID
	Position  Position // of the event that tells of it, the first if they are several
	Events    Spans
	Reason    string
	Actor     string
	CreatedAt time.Time
	DoneAt    time.Time // zero as long as some file may hold what was erased
	// Pending are the files that may still hold it, by name, and why ("complete segment, to be
	// rewritten", "open in process 4711").
	Pending []PendingErasure
	// Readers are the processes that had a file open which held it when DoneAt was written: what
	// they have open is gone when they close it.
	Readers []int
}

// A PendingErasure is a file that may still hold what was erased.
type PendingErasure struct{ File, Why string }

// An Erased is what one event of the type ErasedType tells.
type Erased struct {
	Erasure uuid.UUID // the ID of its Erasure
	Part    int       // from 0
	Parts   int
	Total   int64 // events of all parts
	Events  Spans // of this part
	Reason  string
	Actor   string
}

// An ErasureDone is what an event of the type ErasureDoneType tells.
type ErasureDone struct {
	Erasure  uuid.UUID
	Segments []int64 // numbers of those that were rewritten; empty for other engines
	Readers  []int   // see ErasureInfo
}

// erasedText is the payload of an Erased. A position stands by itself or, with the last one, for
// all between.
type erasedText struct {
	Erasure   uuid.UUID         `json:"erasure"`
	Part      int               `json:"part"`
	Parts     int               `json:"parts"`
	Total     int64             `json:"events"`
	What      string            `json:"what"`
	Reason    string            `json:"reason"`
	Actor     string            `json:"actor,omitempty"`
	Positions []json.RawMessage `json:"positions"`
}

type doneText struct {
	Erasure  uuid.UUID `json:"erasure"`
	Segments []int64   `json:"segments"`
	Readers  []int     `json:"readers"`
}

type forgottenText struct {
	Subject  string `json:"subject"`
	Revision int64  `json:"revision"`
	Reason   string `json:"reason"`
	Actor    string `json:"actor,omitempty"`
}

// erasedContent is what is erased; that of later versions may be more.
const erasedContent = "payload and metadata"

// OwnStream is ErasuresStream.
func (*Erasure) OwnStream() string { return ErasuresStream }

// Check returns an *InvalidError if the erasure can never be appended to a store with the head. i
// is its place in the batch.
func (e *Erasure) Check(i int, head Position) error {
	invalid := func(field, reason string) error {
		return &InvalidError{Append: i, Event: -1, Field: field, Reason: reason}
	}
	switch {
	case e.Subject == "" && len(e.Events) == 0:
		return invalid("erasure", "names no events")
	case e.Subject != "" && len(e.Events) > 0:
		return invalid("erasure", "names events and a subject")
	case e.Subject != "" && e.Revision < 1:
		return invalid("revision", "must be 1 or more")
	case e.Subject == "" && e.Revision != 0:
		return invalid("revision", "must be 0 without a subject")
	case !e.Events.Valid(head):
		return invalid("erasure", "names events that are not there, or not in ascending order")
	}
	if fault := checkName(e.Subject, MaxSubjectSize); fault != NameOK && fault != NameEmpty {
		return invalid("subject", nameFaults[fault])
	}
	if fault := checkName(e.Reason, MaxReasonSize); fault != NameOK {
		return invalid("reason", nameFaults[fault])
	}
	if fault := checkName(e.Actor, MaxActorSize); fault != NameOK && fault != NameEmpty {
		return invalid("actor", nameFaults[fault])
	}
	return nil
}

// nameFaults says what is wrong with a subject, a reason or an actor.
var nameFaults = [...]string{
	NameEmpty:   "must not be empty",
	NameTooLong: "is too long",
	NameNotUTF8: "is not valid UTF-8",
	NameHasNUL:  "holds a NUL byte",
}

// NewEvents returns the events that tell of the erasure, whose ID must be set. Equal erasures give
// equal events, so that an append that is tried again is found to be the same.
func (e *Erasure) NewEvents() []NewEvent {
	if e.Subject != "" {
		text := forgottenText{e.Subject, e.Revision, e.Reason, e.Actor}
		return []NewEvent{{ID: e.ID, Type: ForgottenType, Payload: mustJSON(text)}}
	}
	parts := e.parts()
	events := make([]NewEvent, len(parts))
	for i, positions := range parts {
		text := erasedText{
			Erasure: e.ID, Part: i, Parts: len(parts), Total: e.Events.Count(),
			What: erasedContent, Reason: e.Reason, Actor: e.Actor, Positions: positions,
		}
		events[i] = NewEvent{ID: partID(e.ID, i), Type: ErasedType, Payload: mustJSON(text)}
	}
	return events
}

// Payload returns the payload of the event that tells what e does. ParseErased undoes it.
func (e *Erased) Payload() []byte {
	text := erasedText{
		Erasure: e.Erasure, Part: e.Part, Parts: e.Parts, Total: e.Total,
		What: erasedContent, Reason: e.Reason, Actor: e.Actor, Positions: []json.RawMessage{},
	}
	for _, x := range e.Events {
		text.Positions = append(text.Positions, x.text())
	}
	return mustJSON(text)
}

// text writes a span: a position, or an array of the first and the last.
func (x Span) text() json.RawMessage {
	if x.To > x.From+1 {
		return fmt.Appendf(nil, "[%d,%d]", x.From, x.To-1)
	}
	return fmt.Appendf(nil, "%d", x.From)
}

// parts writes the positions, divided so that each part fits into an event.
func (e *Erasure) parts() (parts [][]json.RawMessage) {
	var part []json.RawMessage
	size := 0
	for _, x := range e.Events {
		text := x.text()
		if size += len(text) + 1; size > erasedPart {
			parts, part, size = append(parts, part), nil, len(text)+1
		}
		part = append(part, text)
	}
	return append(parts, part)
}

// partID returns the id of the event that tells of part i of an erasure.
func partID(id uuid.UUID, i int) uuid.UUID {
	if i == 0 {
		return id
	}
	return uuid.NewSHA1(id, fmt.Appendf(nil, "part %d", i))
}

// NewEvent returns the event that tells that an erasure is done.
func (d *ErasureDone) NewEvent() NewEvent {
	text := doneText{d.Erasure, append([]int64{}, d.Segments...), append([]int{}, d.Readers...)}
	return NewEvent{ID: uuid.NewSHA1(d.Erasure, []byte("done")), Type: ErasureDoneType, Payload: mustJSON(text)}
}

// mustJSON encodes what can always be encoded.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a struct of numbers and texts
	}
	return b
}

// A Forgotten is what an event of the type ForgottenType tells: see the fields of Erasure.
type Forgotten struct {
	Subject  string
	Revision int64
	Reason   string
	Actor    string
}

var errErased = errors.New("eventfold: the event does not tell of an erasure")

// ParseErased reads the payload of an event of the type ErasedType.
func ParseErased(payload []byte) (Erased, error) {
	var text erasedText
	if err := json.Unmarshal(payload, &text); err != nil {
		return Erased{}, fmt.Errorf("%w: %w", errErased, err)
	}
	e := Erased{
		Erasure: text.Erasure, Part: text.Part, Parts: text.Parts, Total: text.Total,
		Reason: text.Reason, Actor: text.Actor,
	}
	for _, p := range text.Positions {
		x, err := parseSpan(p)
		if err != nil {
			return Erased{}, err
		}
		e.Events = append(e.Events, x)
	}
	if e.Part < 0 || e.Part >= e.Parts || !e.Events.Valid(1<<62) || text.What != erasedContent {
		return Erased{}, errErased
	}
	return e, nil
}

// ParseForgotten reads the payload of an event of the type ForgottenType.
func ParseForgotten(payload []byte) (Forgotten, error) {
	var text forgottenText
	if err := json.Unmarshal(payload, &text); err != nil {
		return Forgotten{}, fmt.Errorf("%w: %w", errErased, err)
	}
	if text.Subject == "" || text.Revision < 1 {
		return Forgotten{}, errErased
	}
	return Forgotten(text), nil
}

// parseSpan reads a position, or an array of the first and the last of several.
func parseSpan(text json.RawMessage) (Span, error) {
	var one Position
	if json.Unmarshal(text, &one) == nil {
		return Span{one, one + 1}, nil
	}
	var two [2]Position
	if err := json.Unmarshal(text, &two); err != nil {
		return Span{}, fmt.Errorf("%w: %w", errErased, err)
	}
	return Span{two[0], two[1] + 1}, nil
}

// ParseErasureDone reads the payload of an event of the type ErasureDoneType.
func ParseErasureDone(payload []byte) (ErasureDone, error) {
	var text doneText
	if err := json.Unmarshal(payload, &text); err != nil {
		return ErasureDone{}, fmt.Errorf("%w: %w", errErased, err)
	}
	return ErasureDone(text), nil
}
