package query

import "github.com/eventfold/eventfold/engine"

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

// event returns a buffered event, whose position and time are not known yet. Whether its payload is
// JSON is not looked at.
func (s ownStreams) event(e *ownEvent) engine.Event {
	u := e.event.Unplaced(e.stream)
	u.Version = s.version(e)
	return u
}

// add adds a buffered event to a batch.
func (s ownStreams) add(b *engine.Batch, e *ownEvent) {
	u := s.event(e)
	u.JSON = validJSON(u.Payload)
	b.Add(&u, engine.ColAll)
}

func validJSON(p []byte) bool { return p != nil && engine.ValidJSON(p) }
