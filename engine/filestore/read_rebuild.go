package filestore

import (
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
)

// This file is what a segmentReader asks its index. An index file that cannot be read or does not check makes a query slow,
// never wrong: the segment is scanned, its index built again in memory, and the question asked once more.

func (s *segmentReader) Offset(ord uint32) (int64, error) {
	index := s.index
	off, err := index.Offset(ord)
	if err != nil && s.rebuilt(index, &err) {
		off, err = s.index.Offset(ord)
	}
	return off, err
}

func (s *segmentReader) Frame(ord uint32) (off int64, first uint32, err error) {
	index := s.index
	off, first, err = index.Frame(ord)
	if err != nil && s.rebuilt(index, &err) {
		off, first, err = s.index.Frame(ord)
	}
	return off, first, err
}

func (s *segmentReader) Since(micros int64, limit uint32) (uint32, error) {
	index := s.index
	ord, err := index.Since(micros, limit)
	if err != nil && s.rebuilt(index, &err) {
		ord, err = s.index.Since(micros, limit)
	}
	return ord, err
}

func (s *segmentReader) RecordedAt(ord uint32) (int64, error) {
	index := s.index
	micros, err := index.RecordedAt(ord)
	if err != nil && s.rebuilt(index, &err) {
		micros, err = s.index.RecordedAt(ord)
	}
	return micros, err
}

func (s *segmentReader) Lookup(d index.Dictionary, key string, limit uint32) (index.Entry, bool, error) {
	index := s.index
	e, ok, err := index.Lookup(d, key, limit)
	if err != nil && s.rebuilt(index, &err) {
		e, ok, err = s.index.Lookup(d, key, limit)
	}
	return e, ok, err
}

func (s *segmentReader) Postings(d index.Dictionary, key string, lo, hi uint32, dst []uint32) ([]uint32, error) {
	index := s.index
	ords, err := index.Postings(d, key, lo, hi, dst)
	if err != nil && s.rebuilt(index, &err) {
		ords, err = s.index.Postings(d, key, lo, hi, dst)
	}
	return ords, err
}

func (s *segmentReader) Candidates(id uuid.UUID, limit uint32, dst []uint32) ([]uint32, error) {
	index := s.index
	ords, err := index.Candidates(id, limit, dst)
	if err != nil && s.rebuilt(index, &err) {
		ords, err = s.index.Candidates(id, limit, dst)
	}
	return ords, err
}

// Keys yields the keys that begin with prefix in byte order.
func (s *segmentReader) Keys(d index.Dictionary, prefix string, limit uint32, yield func(index.Entry) bool) error {
	var last string // the last that was yielded
	seen, stopped := false, false
	each := func(e index.Entry) bool {
		if seen && e.Key <= last {
			return true // it was yielded before the index turned out to be damaged
		}
		last, seen = e.Key, true
		stopped = !yield(e)
		return !stopped
	}
	index := s.index
	err := index.Keys(d, prefix, limit, each)
	if err != nil && !stopped && s.rebuilt(index, &err) {
		err = s.index.Keys(d, prefix, limit, each)
	}
	return err
}

// rebuilt replaces the index that was asked, which failed with *err, by one in memory, and reports whether it did; if not, *err says why.
// Later readers find the new index; the store is told, so that it writes a new file.
func (s *segmentReader) rebuilt(asked index.Index, err *error) bool {
	if ended := s.shared.ended(); ended != nil {
		*err = ended
		return false
	}
	if vfs.TooManyFiles(*err) { // nothing is wrong with the file
		return false
	}
	if m, inMemory := asked.(*index.Memory); inMemory {
		return s.rebuiltPrefix(m, err)
	}
	if s.index != asked { // this reader has replaced it meanwhile
		return true
	}
	s.shared.rebuilding.Lock()
	defer s.shared.rebuilding.Unlock()
	holder := s.seg.index.Load()
	if holder.Index != asked { // somebody else has replaced it
		s.index = holder.Index
		return true
	}
	m, failed := s.scanIndex()
	if failed != nil {
		*err = failed
		return false
	}
	s.index = m
	s.seg.index.CompareAndSwap(holder, &indexHolder{m})
	if s.shared.damaged != nil {
		s.shared.damaged(s.seg, *err)
	}
	return true
}

// rebuiltPrefix is rebuilt for an index in memory whose first events are in a file.
func (s *segmentReader) rebuiltPrefix(m *index.Memory, err *error) bool {
	s.shared.rebuilding.Lock()
	defer s.shared.rebuilding.Unlock()
	file := m.PrefixFile()
	if file == nil { // there is none, or somebody else has replaced it
		return m.Skip > 0
	}
	first, failed := s.scanFirst(m.Skip, file.End)
	if failed != nil {
		*err = failed
		return false
	}
	m.ReplacePrefix(first)
	return true
}

// scanIndex builds the index of the whole segment, which is sealed, from its frames.
func (s *segmentReader) scanIndex() (*index.Memory, error) {
	sealed := s.seg.sealed.Load()
	return s.scanFirst(sealed.count, sealed.end)
}

// scanFirst builds an index of the segment's first events, which end at end, from their frames.
func (s *segmentReader) scanFirst(events uint32, end int64) (*index.Memory, error) {
	first := *s
	first.memory, first.limit, first.end = &blockMemory{reuse: true}, events, end
	m := index.NewMemory(s.seg.base, s.store)
	var f frameRows
	f.beginWhole(&first)
	for f.walk.Next < f.until {
		h, b, err := f.frameAhead()
		if err != nil {
			return nil, err
		}
		if err := checkRecords(b, h); err != nil {
			return nil, s.corrupt(f.walk.At.Offset, f.ahead(), engine.NoPosition, err)
		}
		indexFrame(m, &h, b, f.walk.At.Offset)
		f.walk.Pass(&h)
		first.memory.recycle()
	}
	return m, nil
}
