package filestore

import (
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
)

// This file is what a segmentReader asks its index. An index file that cannot be read or does not
// check makes a query slow, never wrong: the segment is scanned, its index built again in memory,
// and the question asked once more.

// ask asks the reader's index, and once more the one that takes its place if it is damaged.
func (s *segmentReader) ask(question func(x index.Index) error) error {
	asked := s.index
	err := question(asked)
	if err == nil {
		return nil
	}
	if err = s.rebuild(asked, err); err != nil {
		return err
	}
	return question(s.index)
}

func (s *segmentReader) Offset(ord uint32) (off int64, err error) {
	err = s.ask(func(x index.Index) error { off, err = x.Offset(ord); return err })
	return off, err
}

func (s *segmentReader) Frame(ord uint32) (off int64, first uint32, err error) {
	err = s.ask(func(x index.Index) error { off, first, err = x.Frame(ord); return err })
	return off, first, err
}

func (s *segmentReader) Since(micros int64, limit uint32) (ord uint32, err error) {
	err = s.ask(func(x index.Index) error { ord, err = x.Since(micros, limit); return err })
	return ord, err
}

func (s *segmentReader) RecordedAt(ord uint32) (micros int64, err error) {
	err = s.ask(func(x index.Index) error { micros, err = x.RecordedAt(ord); return err })
	return micros, err
}

func (s *segmentReader) Lookup(d index.Dictionary, key string, limit uint32) (e index.Entry, ok bool, err error) {
	err = s.ask(func(x index.Index) error { e, ok, err = x.Lookup(d, key, limit); return err })
	return e, ok, err
}

func (s *segmentReader) Postings(
	d index.Dictionary, key string, lo, hi uint32, dst []uint32,
) (ords []uint32, err error) {
	err = s.ask(func(x index.Index) error { ords, err = x.Postings(d, key, lo, hi, dst); return err })
	return ords, err
}

func (s *segmentReader) Candidates(id uuid.UUID, limit uint32, dst []uint32) (ords []uint32, err error) {
	err = s.ask(func(x index.Index) error { ords, err = x.Candidates(id, limit, dst); return err })
	return ords, err
}

// Places overwrites what offsets and micros held.
func (s *segmentReader) Places(ords []uint32, time bool, offsets, micros []int64) (_, _ []int64, err error) {
	offsets = slices.Grow(offsets[:0], len(ords))
	if time {
		micros = slices.Grow(micros[:0], len(ords))
	}
	err = s.ask(func(x index.Index) error {
		if p, ok := x.(index.Placer); ok {
			offsets, micros, err = p.Places(ords, time, offsets[:0], micros[:0])
		} else {
			offsets, micros, err = index.PlacesOneByOne(x, ords, time, offsets[:0], micros[:0])
		}
		return err
	})
	return offsets, micros, err
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
	return s.ask(func(x index.Index) error {
		if err := x.Keys(d, prefix, limit, each); !stopped {
			return err
		}
		return nil
	})
}

// rebuild makes s.index one that answers after the index that was asked has failed with err. It
// returns why it does not. Later readers find the new index; the store is told, so that it writes a
// new file.
func (s *segmentReader) rebuild(asked index.Index, err error) error {
	if ended := s.shared.ended(); ended != nil {
		return ended
	}
	if vfs.TooManyFiles(err) { // nothing is wrong with the file
		return err
	}
	if m, inMemory := asked.(*index.Memory); inMemory {
		return s.rebuildPrefix(m, err)
	}
	if s.index != asked { // this reader has replaced it meanwhile
		return nil
	}
	s.shared.rebuilding.Lock()
	defer s.shared.rebuilding.Unlock()
	if now := s.seg.index(); now != asked { // somebody else has replaced it
		s.index = now
		return nil
	}
	m, failed := s.scanIndex()
	if failed != nil {
		return failed
	}
	s.index = m
	s.seg.replaceIndex(asked, m)
	if s.shared.damaged != nil {
		s.shared.damaged(s.seg, err)
	}
	return nil
}

// rebuildPrefix is rebuild for an index in memory whose first events are in a file.
func (s *segmentReader) rebuildPrefix(m *index.Memory, err error) error {
	s.shared.rebuilding.Lock()
	defer s.shared.rebuilding.Unlock()
	file := m.PrefixFile()
	switch {
	case file == nil && m.Skip > 0: // somebody else has replaced it
		return nil
	case file == nil:
		return err
	}
	first, failed := s.scanFirst(m.Skip, file.End)
	if failed == nil {
		m.ReplacePrefix(first)
	}
	return failed
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
	var f frameEvents
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
