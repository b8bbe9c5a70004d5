// Package index tells where in a segment the events of a stream, a type, a tag, an id or a time
// are. There is an index in memory (Memory), which grows with the segment, one in a file (File),
// and one in a file over several segments (Run); readers ask all of them alike (Index).
package index

import (
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/google/uuid"
)

// A Dictionary names one of the sets of keys by which a segment's events are found.
type Dictionary uint8

const (
	ByStream     Dictionary = iota // the names of streams
	ByType                         // the names of types
	ByTag                          // tags
	Dictionaries                   // how many there are
)

// maxKeys tells how many keys of a dictionary an event has at most.
var maxKeys = [Dictionaries]uint64{ByStream: 1, ByType: 1, ByTag: engine.MaxTags}

// keys returns the event's keys of a dictionary. They live until the next call. It is no table of
// functions, which would move every Event to the heap.
func (e *Event) keys(d Dictionary) [][]byte {
	switch d {
	case ByStream:
		e.only[0] = e.Stream
	case ByType:
		e.only[0] = e.Type
	case ByTag:
		return e.Tags
	}
	return e.only[:]
}

// An Index tells where the events of one segment are. An ordinal is a position minus the segment's
// base position. It is a *Memory for the active segment (and for a sealed one that has no index
// file yet) and a *File for a sealed one. Readers pass the number of events they may see as limit:
// ordinals at or beyond it do not exist for them. All methods may be called from any number of
// goroutines while the writer adds events beyond every reader's limit.
type Index interface {
	// Offset returns where in the segment's file the record of event ord begins.
	Offset(ord uint32) (int64, error)
	// Frame returns the offset and the first ordinal of a frame at or before event ord, from which
	// a checked scan to it is short.
	Frame(ord uint32) (off int64, first uint32, err error)
	// Since returns the first ordinal below limit recorded at or after micros, or limit if there is
	// none.
	Since(micros int64, limit uint32) (uint32, error)
	// RecordedAt returns when event ord was recorded, in microseconds since 1970 UTC, exactly. It
	// lets a reader of single records do without their frames' headers, and lists of streams
	// without reading events.
	RecordedAt(ord uint32) (int64, error)
	// Lookup finds a key. ok is false if no event below limit has it.
	Lookup(d Dictionary, key string, limit uint32) (e Entry, ok bool, err error)
	// Postings appends to dst the ordinals in [lo, hi) of the events that have the key, ascending.
	Postings(d Dictionary, key string, lo, hi uint32, dst []uint32) ([]uint32, error)
	// Keys yields the keys that begin with prefix in byte order, with what they have below limit.
	Keys(d Dictionary, prefix string, limit uint32, yield func(Entry) bool) error
	// Candidates appends the ordinals below limit of events that may have the id; the caller
	// compares the stored id.
	Candidates(id uuid.UUID, limit uint32, dst []uint32) ([]uint32, error)
}

// An Entry is what an index knows about one key.
type Entry struct {
	Key          string
	Count        uint32         // events with the key, below the limit
	First, Last  uint32         // ordinals of the first and the last of them
	FirstVersion engine.Version // streams: the version of the first of them, so that the last has FirstVersion+count-1
}

// An Event is what an index is told about an event. Its slices are not kept.
type Event struct {
	Offset  int64 // of its record
	Frame   int64 // of the frame that holds it
	Stream  []byte
	Type    []byte
	Tags    [][]byte // sorted, without repeats
	Version engine.Version
	ID      uuid.UUID
	Micros  int64 // recorded_at

	only [1][]byte // the memory of keys
}

// Set makes the Event that of a record. micros is the time of its frame.
func (e *Event) Set(r *format.Record, offset, frame, micros int64) {
	e.Offset, e.Frame, e.Micros = offset, frame, micros+int64(r.AddMicros)
	e.Stream, e.Type, e.Version, e.ID = r.Stream, r.Type, r.Version, r.ID
	e.Tags = e.Tags[:0]
	format.EachTag(r.Tags, func(tag []byte) bool {
		e.Tags = append(e.Tags, tag)
		return true
	})
}

// LastVersion returns the version of the last event of a stream's entry.
func (e *Entry) LastVersion() engine.Version {
	return e.FirstVersion + engine.Version(e.Count) - 1
}

// and returns what is known of a key of whose events e are the first and more the others, which may
// be none.
func (e Entry) and(more Entry) Entry {
	if more.Count > 0 {
		e.Count, e.Last = e.Count+more.Count, more.Last
	}
	return e
}

// addPart adds what a later index knows of a stream, whose ordinals are shift less.
func (e *Entry) addPart(part *leafEntry, shift uint32) {
	if e.Count == 0 {
		e.First, e.FirstVersion = part.first+shift, part.firstVersion
	}
	e.Count += part.count
	e.Last = part.last + shift
}
