package filestore

import (
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
)

// A segment is one file of the log, open for reading. Its fields never change, except those behind
// atomics.
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
	// held is never nil. Its index is swapped once, from a *Memory to a *File that gives the same
	// answers.
	held atomic.Pointer[indexHolder]
}

// An indexHolder lets an interface travel through an atomic pointer.
type indexHolder struct{ index.Index }

// index returns the index that readers are to ask now.
func (s *segment) index() index.Index { return s.held.Load().Index }

// setIndex gives those who come from now on another index.
func (s *segment) setIndex(x index.Index) { s.held.Store(&indexHolder{x}) }

// replaceIndex is setIndex unless somebody else has replaced the old one meanwhile.
func (s *segment) replaceIndex(old, x index.Index) bool {
	held := s.held.Load()
	return held.Index == old && s.held.CompareAndSwap(held, &indexHolder{x})
}

// fileIndex returns the index if it is one in a file.
func (s *segment) fileIndex() (x *index.File, ok bool) {
	x, ok = s.index().(*index.File)
	return x, ok
}

// memIndex returns the index if it is one in memory.
func (s *segment) memIndex() (m *index.Memory, ok bool) {
	m, ok = s.index().(*index.Memory)
	return m, ok
}

// excludes reports whether a filter that is in memory proves that no event of the segment has the
// key with this hash.
func (s *segment) excludes(d index.Dictionary, hash uint64) bool {
	x, ok := s.fileIndex()
	return ok && x.Excludes(d, hash)
}

// sealedInfo is what is known of a segment that gets no more events.
type sealedInfo struct {
	end       int64    // offset behind the last frame that is no seal
	count     uint32   // events
	least     int64    // recorded_at of the first event, microseconds
	greatest  int64    // recorded_at of the last event, microseconds
	lastChain [32]byte // chain value behind the last frame
}
