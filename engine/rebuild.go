package engine

import "github.com/google/uuid"

// This file is what a segmentReader asks its index. An index file that cannot be read or does not check makes a query slow,
// never wrong: the segment is scanned, its index built again in memory, and the question asked once more.

func (s *segmentReader) offset(ord uint32) (int64, error) {
	off, err := s.index.offset(ord)
	if err != nil && s.rebuilt(&err) {
		off, err = s.index.offset(ord)
	}
	return off, err
}

func (s *segmentReader) frame(ord uint32) (off int64, first uint32, err error) {
	off, first, err = s.index.frame(ord)
	if err != nil && s.rebuilt(&err) {
		off, first, err = s.index.frame(ord)
	}
	return off, first, err
}

func (s *segmentReader) since(micros int64, limit uint32) (uint32, error) {
	ord, err := s.index.since(micros, limit)
	if err != nil && s.rebuilt(&err) {
		ord, err = s.index.since(micros, limit)
	}
	return ord, err
}

func (s *segmentReader) recordedAt(ord uint32) (int64, error) {
	micros, err := s.index.recordedAt(ord)
	if err != nil && s.rebuilt(&err) {
		micros, err = s.index.recordedAt(ord)
	}
	return micros, err
}

func (s *segmentReader) lookup(d dictionary, key string, limit uint32) (indexEntry, bool, error) {
	e, ok, err := s.index.lookup(d, key, limit)
	if err != nil && s.rebuilt(&err) {
		e, ok, err = s.index.lookup(d, key, limit)
	}
	return e, ok, err
}

func (s *segmentReader) postings(d dictionary, key string, lo, hi uint32, dst []uint32) ([]uint32, error) {
	ords, err := s.index.postings(d, key, lo, hi, dst)
	if err != nil && s.rebuilt(&err) {
		ords, err = s.index.postings(d, key, lo, hi, dst)
	}
	return ords, err
}

func (s *segmentReader) candidates(id uuid.UUID, limit uint32, dst []uint32) ([]uint32, error) {
	ords, err := s.index.candidates(id, limit, dst)
	if err != nil && s.rebuilt(&err) {
		ords, err = s.index.candidates(id, limit, dst)
	}
	return ords, err
}

// keys yields the keys that begin with prefix in byte order.
func (s *segmentReader) keys(d dictionary, prefix string, limit uint32, yield func(indexEntry) bool) error {
	var last string // the last that was yielded
	seen, stopped := false, false
	each := func(e indexEntry) bool {
		if seen && e.key <= last {
			return true // it was yielded before the index turned out to be damaged
		}
		last, seen = e.key, true
		stopped = !yield(e)
		return !stopped
	}
	err := s.index.keys(d, prefix, limit, each)
	if err != nil && !stopped && s.rebuilt(&err) {
		err = s.index.keys(d, prefix, limit, each)
	}
	return err
}

// rebuilt replaces an index file that failed with *err by an index in memory, and reports whether it did; if not, *err says why.
// Later readers find the new index; the store is told, so that it writes a new file.
func (s *segmentReader) rebuilt(err *error) bool {
	if _, inMemory := s.index.(*memIndex); inMemory {
		return false
	}
	if s.shared.closed() {
		*err = ErrClosed
		return false
	}
	s.shared.rebuilding.Lock()
	defer s.shared.rebuilding.Unlock()
	holder := s.seg.index.Load()
	if holder.segmentIndex != s.index { // somebody else has replaced it
		s.index = holder.segmentIndex
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

// scanIndex builds the index of the whole segment, which is sealed, from its frames.
func (s *segmentReader) scanIndex() (*memIndex, error) {
	whole := *s
	whole.memory = &blockMemory{reuse: true}
	if sealed := s.seg.sealed.Load(); sealed != nil {
		whole.limit, whole.end = sealed.count, sealed.end
	}
	m := newMemIndex(s.seg.base, s.store)
	var f frameRows
	f.beginWhole(&whole)
	for f.next < f.hi {
		h, b, err := f.frameAhead()
		if err != nil {
			return nil, err
		}
		if err := checkRecords(b, h); err != nil {
			return nil, s.corrupt(f.behind, f.next, NoPosition, err)
		}
		indexFrame(m, &h, b, f.behind)
		f.behind, f.next = f.behind+int64(h.size), s.behind(h)
		whole.memory.recycle()
	}
	return m, nil
}
