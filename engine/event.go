package engine

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// A Position is the zero-based place of an event in the whole log.
// Positions are contiguous, assigned in commit order and never reused.
type Position int64

// NoPosition means "before everything": the position of no event.
const NoPosition Position = -1

// A Version is the zero-based place of an event in its stream. Versions of a stream are contiguous.
type Version int64

// NoVersion is the version of a stream that does not exist.
const NoVersion Version = -1

// A Direction says in which order events are read.
type Direction uint8

// The directions.
const (
	Forwards Direction = iota
	Backwards
)

// An Event is a committed event. Its byte slices and strings share memory with the block it was
// read from; nothing ever writes to that memory again, and the holder must not either.
type Event struct {
	Position   Position
	Stream     string
	Version    Version
	ID         uuid.UUID
	Type       string
	Payload    []byte    // nil for NULL
	Metadata   []byte    // never nil; {} if none was given
	Tags       []string  // sorted, without repeats; nil for none
	RecordedAt time.Time // UTC, whole microseconds, never decreasing along positions
	JSON       bool      // the payload is valid JSON
	Redacted   bool      // the payload and metadata have been erased
}

// A NewEvent is an event that has not been committed.
// The store keeps no reference to its slices after Append has returned.
type NewEvent struct {
	// the zero value lets the store assign a UUIDv7; an id given here is unique in the store for
	// ever
	ID       uuid.UUID
	Type     string   // 1 to 255 bytes of UTF-8
	Payload  []byte   // nil for NULL; anything else is stored byte for byte
	Metadata []byte   // nil means {}
	Tags     []string // at most 64, each 1 to 255 bytes, without repeats; stored sorted
}

// Unplaced returns the event as the store will keep it in the stream, without what only Append can
// tell: position, version and time, and the id unless it was given. Nor is JSON told, which costs
// a look at the payload. It shares the memory of e.
func (e *NewEvent) Unplaced(stream string) Event {
	u := Event{
		Position: NoPosition,
		Stream:   stream,
		Version:  NoVersion,
		ID:       e.ID,
		Type:     e.Type,
		Payload:  e.Payload,
		Metadata: e.Metadata,
		Tags:     e.Tags,
	}
	if len(u.Metadata) == 0 {
		u.Metadata = emptyMetadata
	}
	if len(u.Tags) == 0 {
		u.Tags = nil
	}
	if !slices.IsSorted(u.Tags) {
		u.Tags = slices.Sorted(slices.Values(u.Tags))
	}
	return u
}

var emptyMetadata = []byte("{}")

// An ExpectedVersion says at which version a stream must be for an append to happen. The zero value
// is Any.
type ExpectedVersion struct {
	kind    expectedKind
	version Version
}

type expectedKind uint8

const (
	expectAny expectedKind = iota
	expectNoStream
	expectStreamExists
	expectExact
)

// The expected versions that carry no number.
var (
	Any          = ExpectedVersion{}                         // whatever the stream's version is
	NoStream     = ExpectedVersion{kind: expectNoStream}     // the stream has no events
	StreamExists = ExpectedVersion{kind: expectStreamExists} // the stream has at least one event
)

// Exact expects the stream's last event to have version v. Exact(NoVersion) holds where NoStream
// does; it stands for what was read, so that a conflict with it can be resolved by reading again.
func Exact(v Version) ExpectedVersion {
	return ExpectedVersion{kind: expectExact, version: v}
}

// Holds reports whether a stream whose last version is actual (NoVersion if there is no such
// stream) is as expected.
func (e ExpectedVersion) Holds(actual Version) bool {
	switch e.kind {
	case expectNoStream:
		return actual == NoVersion
	case expectStreamExists:
		return actual != NoVersion
	case expectExact:
		return actual == e.version
	}
	return true
}

// Version returns the number of an Exact expectation, NoVersion included.
func (e ExpectedVersion) Version() (v Version, exact bool) { return e.version, e.kind == expectExact }

// Pins reports whether the expectation, where it holds, tells the stream's version: it is exact or
// NoStream.
func (e ExpectedVersion) Pins() bool { return e.kind == expectExact || e.kind == expectNoStream }

// Value implements [driver.Valuer], so that an expectation can be an argument of EXPECTING VERSION
// ? and of the column expected_version: the number of an Exact one, -1 for NoStream, otherwise a
// word.
func (e ExpectedVersion) Value() (driver.Value, error) {
	switch e.kind {
	case expectNoStream:
		return int64(NoVersion), nil
	case expectExact:
		return int64(e.version), nil
	}
	return e.String(), nil
}

// String returns any, no stream, stream exists, or version n.
func (e ExpectedVersion) String() string {
	switch e.kind {
	case expectNoStream:
		return "no stream"
	case expectStreamExists:
		return "stream exists"
	case expectExact:
		if e.version == NoVersion {
			return NoStream.String()
		}
		return fmt.Sprintf("version %d", e.version)
	}
	return "any"
}

// Scan lets an *Event be the destination of the pseudo-column event in database/sql.
// It copies the struct, not what it points to.
func (e *Event) Scan(src any) error {
	from, ok := src.(*Event)
	if !ok {
		return fmt.Errorf("eventfold: cannot scan %T into an Event, only the column event", src)
	}
	*e = *from
	return nil
}

// A Head is a receipt for everything before Position: kept outside the store, it proves later that
// nothing was rewritten.
type Head struct {
	Position Position // the number of events
	Chain    [32]byte // chained SHA-256 over the frames up to there
}
