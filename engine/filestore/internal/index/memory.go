package index

import (
	"fmt"
	"sort"
	"sync/atomic"
	"unsafe"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/google/uuid"
)

// A Memory is the index of the active segment, and of a sealed one until its index file is written.
//
// One goroutine, the writer's, calls add; any number read. Nothing is ever moved or removed:
// readers find what was added before the number of events that they pass as limit was stored, and
// walk back past what came later. No event and no key costs a pointer, so the garbage collector has
// nothing to walk.
type Memory struct {
	base engine.Position
	seed uint64 // of the hashes

	Skip   uint32                      // events that prefix knows and this index does not
	prefix atomic.Pointer[indexPrefix] // nil if skip is 0

	events  atomic.Uint32 // skip and those added
	offsets arena[uint32] // of the records of the events added
	frames  arena[memFrame]
	framed  atomic.Uint32 // frames that readers may look at
	times   arena[memTime]
	timed   atomic.Uint32 // times that readers may look at
	dicts   [Dictionaries]memKeys
	ids     hashSlots     // fingerprint -> ordinal
	span    format.IDSpan // read only when no more events are added
	beside  *idMaker      // takes the ids; nil if add does that

	text     arena[byte]
	textEnd  uint32
	words    arena[uint32]
	wordsEnd uint32
}

// A memFrame is a frame that holds events.
type memFrame struct{ offset, first uint32 }

// A memTime is where recorded_at takes a new value.
type memTime struct {
	micros int64
	first  uint32
}

// NewMemory makes the empty index of a segment with that base position, in the store with that id.
func NewMemory(base engine.Position, store uuid.UUID) *Memory {
	m := &Memory{base: base, seed: format.IndexSeed(store)}
	m.offsets.shift, m.frames.shift, m.times.shift = wordShift, entryShift, entryShift
	m.text.shift, m.words.shift = textShift, wordShift
	for d := range m.dicts {
		k := &m.dicts[d]
		k.entries.shift = entryShift
		k.text, k.textEnd, k.words, k.wordsEnd = &m.text, &m.textEnd, &m.words, &m.wordsEnd
	}
	return m
}

// Add adds the next event. Only one goroutine may call it. Nothing of e is kept.
func (m *Memory) Add(e *Event) {
	ord := m.events.Load()
	*m.offsets.grow(ord - m.Skip) = uint32(e.Offset)
	m.addFrame(uint32(e.Frame), ord)
	m.addTime(e.Micros, ord)
	for d := range Dictionaries {
		version := engine.Version(0)
		if d == ByStream {
			version = e.Version
		}
		for _, key := range e.keys(d) {
			m.dicts[d].add(format.HashKey(m.seed, key), key, ord, version)
		}
	}
	if m.beside != nil {
		m.beside.add(&e.ID)
	} else {
		m.ids.insert(uint32(format.HashID(m.seed, &e.ID)>>32), ord)
		m.span.Add(&e.ID)
	}
	m.events.Store(ord + 1)
}

func (m *Memory) addFrame(offset, ord uint32) {
	n := m.framed.Load()
	if n > 0 && m.frames.grow(n-1).offset == offset {
		return
	}
	*m.frames.grow(n) = memFrame{offset, ord}
	m.framed.Store(n + 1)
}

func (m *Memory) addTime(micros int64, ord uint32) {
	n := m.timed.Load()
	if n > 0 && m.times.grow(n-1).micros >= micros {
		return // times never decrease along positions
	}
	*m.times.grow(n) = memTime{micros, ord}
	m.timed.Store(n + 1)
}

// Size returns about how many bytes of memory the index takes. Only the goroutine that adds may
// call it.
func (m *Memory) Size() int64 {
	size := int64(m.textEnd) + 4*int64(m.wordsEnd) + 4*int64(m.Count()-m.Skip) + m.ids.size()
	size += int64(m.framed.Load())*int64(unsafe.Sizeof(memFrame{})) +
		int64(m.timed.Load())*int64(unsafe.Sizeof(memTime{}))
	for d := range m.dicts {
		size += m.dicts[d].slots.size() + int64(m.dicts[d].count.Load())*int64(unsafe.Sizeof(memEntry{}))
	}
	return size
}

// Count returns the number of events.
func (m *Memory) Count() uint32 { return m.events.Load() }

// Offset implements Index.
func (m *Memory) Offset(ord uint32) (int64, error) {
	if n := m.Count(); ord >= n {
		return 0, noOrdinal(ord, n)
	}
	if ord < m.Skip {
		return m.prefix.Load().Offset(ord)
	}
	return int64(*m.offsets.at(ord - m.Skip)), nil
}

// Frame implements Index.
func (m *Memory) Frame(ord uint32) (off int64, first uint32, err error) {
	if n := m.Count(); ord >= n {
		return 0, 0, noOrdinal(ord, n)
	}
	if ord < m.Skip {
		return m.prefix.Load().Frame(ord)
	}
	i := sort.Search(int(m.framed.Load()), func(i int) bool { return m.frames.at(uint32(i)).first > ord })
	f := m.frames.at(uint32(i - 1))
	return int64(f.offset), f.first, nil
}

// noOrdinal says that a caller asked for an event that it cannot know of.
func noOrdinal(ord, count uint32) error {
	return fmt.Errorf("event %d of a segment with %d events", ord, count)
}

// Since implements Index.
func (m *Memory) Since(micros int64, limit uint32) (uint32, error) {
	if m.Skip > 0 {
		bound := min(limit, m.Skip)
		if ord, err := m.prefix.Load().Since(micros, bound); ord < bound || err != nil {
			return ord, err
		}
	}
	n := int(m.timed.Load())
	i := sort.Search(n, func(i int) bool { return m.times.at(uint32(i)).micros >= micros })
	if i == n {
		return limit, nil
	}
	return min(m.times.at(uint32(i)).first, limit), nil
}

// RecordedAt implements Index.
func (m *Memory) RecordedAt(ord uint32) (int64, error) {
	if n := m.Count(); ord >= n {
		return 0, noOrdinal(ord, n)
	}
	if ord < m.Skip {
		return m.prefix.Load().RecordedAt(ord)
	}
	i := sort.Search(int(m.timed.Load()), func(i int) bool { return m.times.at(uint32(i)).first > ord })
	return m.times.at(uint32(i - 1)).micros, nil
}

// Lookup implements Index.
func (m *Memory) Lookup(d Dictionary, key string, limit uint32) (entry Entry, ok bool, err error) {
	k := &m.dicts[d]
	if e := k.find(format.HashKey(m.seed, format.BytesOf(key)), format.BytesOf(key)); e != nil {
		entry, ok = k.entry(e, key, limit)
	}
	if m.Skip == 0 {
		return entry, ok, nil
	}
	before, known, err := m.prefix.Load().Lookup(d, key, min(limit, m.Skip))
	if err != nil || !known {
		return entry, ok && err == nil, err
	}
	return before.and(entry), true, nil
}

// Postings implements Index.
func (m *Memory) Postings(d Dictionary, key string, lo, hi uint32, dst []uint32) (_ []uint32, err error) {
	if lo < m.Skip {
		if dst, err = m.prefix.Load().Postings(d, key, lo, min(hi, m.Skip), dst); err != nil {
			return dst, err
		}
	}
	k := &m.dicts[d]
	e := k.find(format.HashKey(m.seed, format.BytesOf(key)), format.BytesOf(key))
	if e == nil || hi <= m.Skip {
		return dst, nil
	}
	l := k.list(e)
	return l.appendTo(dst, l.before(lo), l.before(hi)), nil
}

// Keys implements Index.
func (m *Memory) Keys(d Dictionary, prefix string, limit uint32, yield func(Entry) bool) error {
	if m.Skip > 0 {
		return m.mergedKeys(d, prefix, limit, yield)
	}
	m.dicts[d].each(prefix, limit, yield)
	return nil
}

// Candidates implements Index.
func (m *Memory) Candidates(id uuid.UUID, limit uint32, dst []uint32) (_ []uint32, err error) {
	if m.Skip > 0 {
		if dst, err = m.prefix.Load().Candidates(id, min(limit, m.Skip), dst); err != nil {
			return dst, err
		}
	}
	m.ids.find(uint32(format.HashID(m.seed, &id)>>32), func(ord uint32) bool {
		if ord < limit {
			dst = append(dst, ord)
		}
		return false
	})
	return dst, nil
}

func (m *Memory) fingerprints(dst []uint64) (_ []uint64, err error) {
	if m.Skip > 0 {
		if dst, err = m.prefix.Load().fingerprints(dst); err != nil {
			return dst, err
		}
	}
	t := m.ids.table.Load()
	if t == nil {
		return dst, nil
	}
	for i := range *t {
		if slot := (*t)[i].Load(); slot != 0 {
			dst = append(dst, slot-1) // a slot is fingerprint<<32 | ordinal+1
		}
	}
	return dst, nil
}

func (m *Memory) idSpan() format.IDSpan { return m.span }
