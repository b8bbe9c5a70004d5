package filestore

import (
	"github.com/eventfold/eventfold/engine"
	"github.com/google/uuid"
)

// A dictionary names one of the three sets of keys by which a segment's events are found.
type dictionary uint8

const (
	byStream dictionary = iota
	byType
	byTag
	dictionaries
)

// A segmentIndex tells where the events of one segment are. An ordinal is a position minus the segment's base position.
// It is a *memIndex for the active segment (and for a sealed one that has no index file yet) and a *fileIndex for a sealed one.
// Readers pass the number of events they may see as limit: ordinals at or beyond it do not exist for them.
// All methods may be called from any number of goroutines while the writer adds events beyond every reader's limit.
type segmentIndex interface {
	// offset returns where in the segment's file the record of event ord begins.
	offset(ord uint32) (int64, error)
	// frame returns the offset and the first ordinal of a frame at or before event ord, from which a checked scan to it is short.
	frame(ord uint32) (off int64, first uint32, err error)
	// since returns the first ordinal below limit recorded at or after micros, or limit if there is none.
	since(micros int64, limit uint32) (uint32, error)
	// recordedAt returns when event ord was recorded, in microseconds since 1970 UTC, exactly. It lets a reader of single
	// records do without their frames' headers, and lists of streams without reading events.
	recordedAt(ord uint32) (int64, error)
	// lookup finds a key. ok is false if no event below limit has it.
	lookup(d dictionary, key string, limit uint32) (e indexEntry, ok bool, err error)
	// postings appends to dst the ordinals in [lo, hi) of the events that have the key, ascending.
	postings(d dictionary, key string, lo, hi uint32, dst []uint32) ([]uint32, error)
	// keys yields the keys that begin with prefix in byte order, with what they have below limit.
	keys(d dictionary, prefix string, limit uint32, yield func(indexEntry) bool) error
	// candidates appends the ordinals below limit of events that may have the id; the caller compares the stored id.
	candidates(id uuid.UUID, limit uint32, dst []uint32) ([]uint32, error)
}

// An indexEntry is what an index knows about one key.
type indexEntry struct {
	key          string
	count        uint32         // events with the key, below the limit
	first, last  uint32         // ordinals of the first and the last of them
	firstVersion engine.Version // streams: the version of the first of them, so that the last has firstVersion+count-1
}

// An indexedEvent is what an index is told about an event. Its slices are not kept.
type indexedEvent struct {
	offset  int64 // of its record
	frame   int64 // of the frame that holds it
	stream  []byte
	Type    []byte
	tags    [][]byte // sorted, without repeats
	version engine.Version
	ID      uuid.UUID
	micros  int64 // recorded_at
}

// lastVersion returns the version of the last event of a stream's entry.
func (e *indexEntry) lastVersion() engine.Version {
	return e.firstVersion + engine.Version(e.count) - 1
}
