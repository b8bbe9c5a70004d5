// Package engine keeps events in append-only streams with one gap-free global order.
//
// The package is the contract: a [Store] appends, a [ReadIndex] reads. Package filestore has the
// embedded store, which keeps its log in a directory; other engines implement the same interfaces
// and pass the same tests (package enginetest).
package engine

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// A Store is an event store. All methods may be called from any number of goroutines.
type Store interface {
	// Append commits one or more appends, to one or more streams, all or none of them, and returns
	// when they are durable and visible to ReadIndex.
	//
	// The order of decisions is: shape and size ([*InvalidError], [*TooLargeError]); event ids
	// ([*DuplicateEventError], or success with Appended.Duplicate if exactly these events are
	// stored already); expectations ([*ConflictError] with every check that failed); write. After
	// an error nothing was written, except when it matches [ErrOutcomeUnknown].
	//
	// The appends of a batch are decided one after the other: the expectations of each see the log
	// and the events of the appends before it, never its own. What an append to several streams
	// expects as one decision stands in the first.
	//
	// A request waits in a bounded queue. If ctx ends while it waits, Append returns ctx.Err() and
	// nothing was written. Once the writer has claimed it, Append waits for the outcome.
	//
	// When Append has returned, the store keeps nothing of the batch: its slices and bytes may be
	// used again.
	Append(ctx context.Context, batch ...Append) (Appended, error)

	// ReadIndex returns the store as it is now. It costs nothing to take and needs no closing.
	ReadIndex() ReadIndex

	// Wait returns nil when the head is beyond p, ctx.Err() when ctx ends first, [ErrClosed] when
	// the store is closed. A store that follows another process's log returns the error for which
	// that cannot be read, if it stays.
	Wait(ctx context.Context, p Position) error

	// Stats returns counters and sizes.
	Stats() Stats

	// Close waits for the appends that are queued, stops every goroutine of the store and releases
	// its files. Later calls return [ErrClosed]; a second Close returns nil.
	Close() error
}

// An Append is what one Store.Append does to one stream.
// Without Events it is a guard: only its expectations are checked.
type Append struct {
	Stream string // 1 to 255 bytes of UTF-8, not beginning with $
	Expect []Expectation
	Events []NewEvent

	// Erase, if it is not nil, makes the Append an erasure: its stream is ErasuresStream and its
	// events are those that tell of it, so that Stream and Events are empty. Only an Eraser takes it.
	Erase *Erasure

	// Define, if it is not nil, makes the Append the definition of a view: its stream is ViewsStream
	// and its event is the one that tells of it, so that Stream and Events are empty.
	Define *Definition
}

// An Expectation is an [ExpectedVersion] of the Append's stream or a [*Condition] on the whole log.
type Expectation interface{ expectation() }

func (ExpectedVersion) expectation() {}
func (*Condition) expectation()      {}

// A Condition holds if no event after position After passes Where and Match. It sees the log, and
// behind it the events of the earlier appends of the same batch, never those of its own append.
// This is the append condition of the DCB specification (dcb.events).
//
// The events of a batch have no places yet. They come after every position, so that After and From
// let them pass; To, the bounds of version and time, and ids that the store will assign do not.
// Match sees them with NoPosition, NoVersion, the time 0, and the nil UUID unless the id was given;
// so do the Conflicts of a [FailedCheck]. What is found of them depends on nothing that others
// append.
//
// The store calls Match from the goroutine that called Append and from its writer, never from two
// at once.
type Condition struct {
	After   Position                              // exclusive; NoPosition looks at the whole log
	Where   Filter                                // which events are looked at; its From is raised to After+1
	Columns ColumnSet                             // what Match reads
	Match   func(b *Batch, row int) (bool, error) // nil: every event that passes Where conflicts
	Text    string                                // for the error
	// After is not what somebody has read: to read again and try again cannot help
	Fixed bool
	// the caller has looked at the batch's events itself: the store leaves them out
	LogOnly bool

	// Read tells, for the error, that it is what a serializable transaction has read. Text is then the
	// statement that has read it, and Line and Column, from 1, are where in it the table stands that
	// was read; they are "" and 0 if that is not known.
	Read         bool
	Line, Column int
}

// Appended is the outcome of an append: one Placed per event, in the order given.
type Appended struct {
	Events     []Placed
	RecordedAt time.Time
	// Duplicate is true if exactly these events were stored already: nothing was written, Events
	// holds the original places.
	Duplicate bool
}

// Placed is where one event has its place.
type Placed struct {
	Position Position
	Version  Version
	ID       uuid.UUID
}

// A ReadIndex is the store seen from one Head. It never changes; any number of goroutines may use
// it; reading takes no lock that the writer holds. A ReadIndex of a closed store gives ErrClosed.
type ReadIndex interface {
	// Head returns the number of events in the log, which is the next position.
	Head() Position
	// At returns the ReadIndex with the earlier head h. It panics if h is negative or beyond Head:
	// the caller has checked.
	At(h Position) ReadIndex
	// StreamVersion returns the version of the stream's last event, and false if there is no such
	// stream.
	StreamVersion(stream string) (Version, bool, error)
	// ReadAll reads every event from position from (inclusive). Backwards from a place at or beyond
	// the head begins with the last event.
	ReadAll(ctx context.Context, from Position, dir Direction) Cursor
	// ReadStream reads a stream from version from (inclusive). Cursor.Err is a *StreamNotFoundError
	// if there is no such stream.
	ReadStream(ctx context.Context, stream string, from Version, dir Direction) Cursor
	// Scan reads the events that pass the filter, in position order or its reverse, in batches with
	// the columns asked for.
	Scan(ctx context.Context, what Filter, columns ColumnSet) BatchCursor
	// Count returns the number of events that pass the filter, from the indexes where they can
	// tell.
	Count(ctx context.Context, what Filter) (int64, error)
	// Streams lists the streams whose names begin with prefix, in byte order of their names.
	Streams(ctx context.Context, prefix string) StreamCursor
	// Types lists the event types in byte order.
	Types(ctx context.Context) ([]TypeInfo, error)
}

// A Cursor pulls events out of a ReadIndex. One goroutine uses it.
//
//	c := index.ReadAll(ctx, 0, engine.Forwards)
//	defer c.Close()
//	for c.Next() {
//		use(c.Event())
//	}
//	return c.Err()
type Cursor interface {
	Next() bool
	// Event returns the current event. The struct is overwritten by the next call of Next; what it
	// points to is not.
	Event() *Event
	// Err returns what ended the cursor, nil if it came to its end. A context's error is returned
	// as it is.
	Err() error
	Close() error
}

// A BatchCursor pulls batches out of a ReadIndex. One goroutine uses it.
type BatchCursor interface {
	// Next returns the next batch, which is never empty, or nil at the end and after an error.
	Next() *Batch
	Err() error
	// Examined returns how many events were looked at and how many segments were skipped so far.
	Examined() (events int64, skippedSegments int)
	Close() error
}

// A StreamCursor lists streams. One goroutine uses it.
type StreamCursor interface {
	Next() bool
	Stream() StreamInfo
	Err() error
	Close() error
}

// StreamInfo describes a stream as of a ReadIndex.
type StreamInfo struct {
	Stream        string
	Version       Version // of the last event
	Events        int64
	FirstPosition Position
	LastPosition  Position
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// TypeInfo describes an event type as of a ReadIndex.
type TypeInfo struct {
	Type          string
	Events        int64
	FirstPosition Position
	LastPosition  Position
}

// Stats are the counters and sizes of a store since it was opened, unless they say otherwise.
type Stats struct {
	Events        int64 // in the log
	Streams       int64 // in the log; -1 if counting them would read the indexes
	DiskBytes     int64 // of all files
	Segments      int
	Appends       int64         // acknowledged
	Appended      int64         // events acknowledged
	Groups        int64         // group commits
	Syncs         int64         // of the log
	SyncTime      time.Duration // spent in them
	LastSync      time.Duration
	WriterCPU     time.Duration // time the writer spent outside writes and syncs while it had work
	QueueLength   int           // requests waiting now
	QueueCapacity int
	Followers     int // goroutines in Wait
	FormatMajor   int
	FormatMinor   int
	LowSpace      bool   // the next segment could not be prepared: the disk is full or nearly so
	Poisoned      bool   // a sync failed; the store can only be read
	Writable      bool   // this process holds the write lock
	Verified      int64  // bytes of log that the verifications which run now have checked
	ToVerify      int64  // bytes of log that they are to check, about; 0 while none runs
	Compressed    int    // sealed segments that are stored compressed
	IndexedTo     int    // sealed segments that have an index file
	Recovery      string // what Open had to repair, "" for nothing

	// A store that is a copy of a log elsewhere, which it follows, tells how far it is; others leave
	// these three as they are.
	Remote bool
	Behind int64     // events that it has heard of and does not hold
	Synced time.Time // when it was last known to hold all that there was; zero for never
}

// A Reuser is a Cursor or a BatchCursor that can use its memory again, which more than doubles the
// speed of a long read: the memory stays in the processor's caches and the garbage collector has
// nothing to do. The cursors of the embedded store are Reusers.
type Reuser interface {
	// Reuse is called before the first Next. From then on what an Event or a Batch points to is
	// good only until the next call of Next. Types of a Batch stay good.
	Reuse()
}

// A Parter is a ReadIndex that can divide a scan, so that several goroutines share it.
// The ReadIndex of the embedded store is one.
type Parter interface {
	// Parts returns filters that select together what the filter selects, each event once, as at
	// most n ranges of positions in ascending order, about equally many events in each. It returns
	// the filter itself if dividing is of no use. A part's Direction is the filter's; the filter's
	// Limit is a hint for each part.
	Parts(what Filter, n int) []Filter
}
