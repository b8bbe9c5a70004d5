package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Errors without facts. Ask for them with errors.Is.
var (
	// ErrClosed is returned by every call on a closed store.
	ErrClosed = errors.New("eventfold: the store is closed")
	// ErrReadOnly refuses an append to a store that was opened read-only.
	ErrReadOnly = errors.New("eventfold: the store is open for reading only")
	// ErrFull means that the disk has no room for the append. Nothing was written; appends succeed
	// again once there is room.
	ErrFull = errors.New("eventfold: the disk is full")
	// ErrPoisoned refuses appends after a failed sync, because the system may show bytes that are
	// not on the disk. Reading goes on. Only opening the store again recovers it.
	ErrPoisoned = errors.New("eventfold: a sync has failed, the store can only be read until it is opened again")
	// ErrOutcomeUnknown means that the append may or may not have been committed. Retry with the
	// same event ids to find out.
	ErrOutcomeUnknown = errors.New("eventfold: the outcome of the append is unknown")
)

// A ConflictError reports that expectations did not hold. Nothing was written.
// Read again, decide again, and append again, unless a check is Hopeless.
type ConflictError struct {
	Head   Position // of the log when the append was refused
	Checks []FailedCheck
}

// A FailedCheck is one expectation that did not hold.
type FailedCheck struct {
	Append int // which of the appends of the call
	Check  int // which of its expectations
	// the append's stream; of what a transaction has read, that of the events, "" if they are of
	// several
	Stream   string
	Expected ExpectedVersion // if the expectation was a version
	// the stream's version when the append was refused; NoVersion if there is no such stream
	Actual    Version
	Condition *Condition // if the expectation was a condition
	// the first ten events that break the condition; those of the append itself, without places, at
	// the end
	Conflicts []Event
}

// Hopeless reports that trying again cannot help, whatever has been read meanwhile: the expectation
// is one that names nothing read (NoStream, a Fixed condition), and events never vanish; or an
// event of the same batch is in its way.
func (c FailedCheck) Hopeless() bool {
	if c.Condition == nil {
		return c.Expected == NoStream
	}
	n := len(c.Conflicts)
	return c.Condition.Fixed || n > 0 && c.Conflicts[n-1].Position == NoPosition
}

// String implements fmt.Stringer.
func (c FailedCheck) String() string {
	if c.Condition == nil {
		if c.Actual == NoVersion {
			return fmt.Sprintf("stream %q does not exist, expected %s", c.Stream, c.Expected)
		}
		return fmt.Sprintf("stream %q is at version %d, expected %s", c.Stream, c.Actual, c.Expected)
	}
	if c.Condition.Read {
		return c.readText()
	}
	if len(c.Conflicts) == 0 {
		return fmt.Sprintf("an event after position %d matches the condition %s", c.Condition.After, c.Condition.Text)
	}
	e := &c.Conflicts[0]
	if e.Position == NoPosition {
		return fmt.Sprintf("an earlier event of the same transaction matches the condition %s: %s in stream %q",
			c.Condition.Text, e.Type, e.Stream)
	}
	return fmt.Sprintf("an event after position %d matches the condition %s: position %d, %s in stream %q",
		c.Condition.After, c.Condition.Text, e.Position, e.Type, e.Stream)
}

// readText is String for what a serializable transaction has read.
func (c FailedCheck) readText() string {
	text := fmt.Sprintf("an event after position %d changes what the transaction has read", c.Condition.After)
	if len(c.Conflicts) > 0 {
		e := &c.Conflicts[0]
		text += fmt.Sprintf(": position %d, %s in stream %q", e.Position, e.Type, e.Stream)
	}
	switch {
	case c.Condition.Text == "":
		return text
	case c.Condition.Line == 0:
		return text + ", read by " + c.Condition.Text
	}
	return text + fmt.Sprintf(", read at line %d, column %d of %s", c.Condition.Line, c.Condition.Column,
		c.Condition.Text)
}

// Error implements error.
func (e *ConflictError) Error() string {
	texts := make([]string, len(e.Checks))
	for i, c := range e.Checks {
		texts[i] = c.String()
	}
	return "eventfold: " + strings.Join(texts, "; ")
}

// A DuplicateEventError reports that an event id is taken by something else than a retry. Nothing
// was written.
type DuplicateEventError struct {
	ID       uuid.UUID
	Kind     DuplicateKind
	Stream   string   // where the id is stored
	Position Position // where the id is stored; NoPosition for RepeatedID
}

// A DuplicateKind tells in what an append differs from the stored events that have its ids.
type DuplicateKind uint8

// The kinds of duplicate.
const (
	DifferentContent DuplicateKind = iota // type, payload, metadata or tags differ
	DifferentStream                       // the id is stored in another stream
	Partial                               // only some of the append's ids are stored
	Reordered                             // all are stored, but not together in this order
	RepeatedID                            // the append has the id twice
)

// String implements fmt.Stringer.
func (k DuplicateKind) String() string {
	return [...]string{"with different content", "in another stream", "but other ids of the append are not",
		"but not in this order", "twice in one append"}[k]
}

// Error implements error.
func (e *DuplicateEventError) Error() string {
	if e.Kind == RepeatedID {
		return fmt.Sprintf("eventfold: event id %s is given twice in one append", e.ID)
	}
	return fmt.Sprintf("eventfold: event id %s is stored at position %d of stream %q, %s", e.ID, e.Position, e.Stream,
		e.Kind)
}

// A StreamNotFoundError reports that a stream has no events.
type StreamNotFoundError struct{ Stream string }

// Error implements error.
func (e *StreamNotFoundError) Error() string {
	return fmt.Sprintf("eventfold: there is no stream %q", e.Stream)
}

// An InvalidError reports input that can never be appended.
type InvalidError struct {
	Append int    // which of the appends of the call
	Event  int    // which of its events; -1 for the append itself
	Field  string // "stream", "type", "tags", ...
	Reason string
}

// Error implements error.
func (e *InvalidError) Error() string { return "eventfold: " + e.Field + " " + e.Reason }

// A TooLargeError reports an event or an append above its limit, in bytes.
type TooLargeError struct {
	What   string // "event" or "append"
	Size   int64
	Limit  int64
	Append int // of an event: which of the appends of the call
	Event  int // and which of its events
}

// Error implements error.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("eventfold: the %s has %d bytes, the limit is %d", e.What, e.Size, e.Limit)
}

// A CorruptError reports that bytes which were promised to be durable are missing or damaged.
// Nothing repairs itself; Salvage saves what can be read.
type CorruptError struct {
	File      string
	Segment   int64
	Offset    int64    // of the first byte that does not check
	FirstLost Position // the first position that cannot be read
	NextGood  Position // the first position after the damage that can; NoPosition if none is known
	Reason    string
}

// Error implements error.
func (e *CorruptError) Error() string {
	next := "nothing after it is known to be good"
	if e.NextGood != NoPosition {
		next = fmt.Sprintf("position %d is the next that is good", e.NextGood)
	}
	return fmt.Sprintf("eventfold: %s is damaged at offset %d: %s; position %d is the first that is lost, %s",
		e.File, e.Offset, e.Reason, e.FirstLost, next)
}

// A FormatError reports a file that is not eventfold's, or of a format that this version does not
// know.
type FormatError struct {
	File   string
	Reason string
}

// Error implements error.
func (e *FormatError) Error() string { return fmt.Sprintf("eventfold: %s: %s", e.File, e.Reason) }

// A NoStoreError reports that there is no store to open, and that none may be made. It matches
// fs.ErrNotExist.
type NoStoreError struct{ Path string }

// Error implements error.
func (e *NoStoreError) Error() string { return "eventfold: there is no store at " + e.Path }

// Unwrap returns fs.ErrNotExist.
func (e *NoStoreError) Unwrap() error { return fs.ErrNotExist }

// A NetworkError reports that a store is on a file system of another machine, which Options.Network
// would allow. Nothing was read or written.
type NetworkError struct {
	Path string
	Kind string // what the system calls the file system; "" if unknown
}

// Error implements error.
func (e *NetworkError) Error() string {
	kind := ""
	if e.Kind != "" {
		kind = " (" + e.Kind + ")"
	}
	return fmt.Sprintf("eventfold: %s is on a network file system%s, whose locks and syncs cannot be trusted; "+
		"network=allow opens it all the same", e.Path, kind)
}

// A LockedError reports that another process (or another engine of this process) holds the write
// lock, or makes a backup to the same directory.
type LockedError struct {
	Path   string
	PID    int       // 0 if unknown
	Host   string    // "" if unknown
	Since  time.Time // zero if unknown
	Backup bool      // a backup to Path is being made
}

// Error implements error.
func (e *LockedError) Error() string {
	what := e.Path + " is locked"
	if e.Backup {
		what = "a backup to " + e.Path + " is being made"
	}
	if e.PID == 0 {
		return fmt.Sprintf("eventfold: %s by another process", what)
	}
	return fmt.Sprintf("eventfold: %s by process %d on %s since %s", what, e.PID, e.Host, e.Since.Format(time.RFC3339))
}

// A MovedError reports that a name of an open store does not lead to its file any more: the
// directory, or a file in it, has been removed, renamed or replaced, perhaps by a backup that was
// restored. Nothing more is written, and readers and followers end. What is at the path now is
// another store: opening it again reads that one.
type MovedError struct {
	Path     string // of the directory, or of the file in it
	Replaced bool   // something else has the name now; otherwise nothing has
}

// Error implements error.
func (e *MovedError) Error() string {
	what := "is not there any more"
	if e.Replaced {
		what = "is another file than it was"
	}
	return fmt.Sprintf("eventfold: %s %s: the store has been moved, removed or replaced while it was open, "+
		"and must be opened again", e.Path, what)
}

// A HeadError reports that the store's head is not the one its opener knows from elsewhere
// (Options.Expect).
type HeadError struct {
	Expected Head
	Actual   Head // at the expected position, or at the end of the log if that comes first
}

// Error implements error.
func (e *HeadError) Error() string {
	return fmt.Sprintf("eventfold: expected chain %x at position %d, found %x at position %d",
		e.Expected.Chain[:8], e.Expected.Position, e.Actual.Chain[:8], e.Actual.Position)
}
