package filestore

import (
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
)

// A view is the list of segments as readers see it. It is immutable: the writer publishes a new one when a segment is
// sealed, added or replaced. How far into the last segment a reader may look is told by the store's durable position alone.
// A reader loads durable first and the view after it, so that the view holds every event below durable.
type view struct {
	store    uuid.UUID
	segments []*segment // by base position, without gaps
	replaced uint64     // how many segments had been replaced by a new generation
}

// A segment is one file of the log, open for reading. Its fields never change, except those behind atomics.
type segment struct {
	number     int64
	generation uint32
	base       engine.Position // of its first event
	name       string          // of its file, with directory
	file       vfs.File        // ReadAt takes offsets as they were written, also if the file is stored compressed
	header     format.SegmentHeader
	compressed bool // how the file is stored

	// sealed is nil while the segment is active.
	sealed atomic.Pointer[sealedInfo]
	// index is never nil. It is swapped once, from a *Memory to a *File that gives the same answers.
	index atomic.Pointer[indexHolder]
}

// An indexHolder lets an interface travel through an atomic pointer.
type indexHolder struct{ index.Index }

// sealedInfo is what is known of a segment that gets no more events.
type sealedInfo struct {
	end       int64    // offset behind the last frame that is no seal
	count     uint32   // events
	least     int64    // recorded_at of the first event, microseconds
	greatest  int64    // recorded_at of the last event, microseconds
	lastChain [32]byte // chain value behind the last frame
}
