package engine

// A Note is what an [Append] tells of the store itself: an [*Erasure] or a [*Definition]. The store
// writes it as events of a stream of its own, whose name begins with $. Nobody appends to such a
// stream in another way, and its events cannot be erased.
type Note interface {
	// OwnStream is the stream that it is written to.
	OwnStream() string
	// Check returns an *InvalidError if it can never be appended to a store with the head. i is the
	// place of the append in its batch.
	Check(i int, head Position) error
	// NewEvents returns the events that tell of it. Equal notes give equal events.
	NewEvents() []NewEvent
}

// OwnStreams are the streams that only a store itself writes to. The slice must not be changed.
var OwnStreams = []string{ErasuresStream, ViewsStream}

// Note returns what the append tells of the store, nil if it is one of ordinary events.
func (a *Append) Note() Note {
	switch {
	case a.Erase != nil:
		return a.Erase
	case a.Define != nil:
		return a.Define
	}
	return nil
}

// CheckNote returns an *InvalidError if the append, whose Note is not nil, can never be appended to
// a store with the head. i is its place in the batch.
func (a *Append) CheckNote(i int, head Position) error {
	invalid := func(field, reason string) error {
		return &InvalidError{Append: i, Event: -1, Field: field, Reason: reason}
	}
	switch {
	case a.Erase != nil && a.Define != nil:
		return invalid("definition", "cannot be one with an erasure")
	case a.Stream != "":
		return invalid("stream", "must be empty: the store writes to a stream of its own")
	case len(a.Events) > 0:
		return invalid("events", "must be empty: the store makes them")
	}
	return a.Note().Check(i, head)
}
