package filestore

import (
	"bytes"
	"math"
	"slices"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/google/uuid"
)

// A matcher tells which records pass a Filter. Whatever an index has promised, every record is
// asked.
type matcher struct {
	all        bool // the filter has bounds of position only: every record passes
	streams    keySet
	types      keySet
	prefix     []byte
	tags       []string
	any        []matcher              // one of these must pass; nil: no condition
	bounded    bool                   // any is meant, also if it is empty
	ids        map[uuid.UUID]struct{} // nil: any
	minVersion engine.Version
	maxVersion engine.Version
	since      int64 // microseconds, inclusive
	before     int64 // microseconds, exclusive
	timed      bool  // since or before is a bound
}

func newMatcher(f *engine.Filter) matcher {
	m := matcher{
		streams:    newKeySet(f.Streams),
		types:      newKeySet(f.Types),
		prefix:     []byte(f.Prefix),
		tags:       f.Tags,
		minVersion: f.MinVersion,
		maxVersion: math.MaxInt64,
		since:      math.MinInt64,
		before:     math.MaxInt64,
		timed:      !f.Since.IsZero() || !f.Before.IsZero(),
	}
	if f.HasMaxVersion {
		m.maxVersion = f.MaxVersion
	}
	m.bounded = f.Any != nil
	for _, a := range f.Any {
		m.any = append(m.any, matcher{streams: newKeySet(a.Streams), types: newKeySet(a.Types), tags: a.Tags})
	}
	if !f.Since.IsZero() {
		m.since = microsUp(f.Since)
	}
	if !f.Before.IsZero() {
		m.before = microsUp(f.Before)
	}
	if f.IDs != nil {
		m.ids = make(map[uuid.UUID]struct{}, len(f.IDs))
		for _, id := range f.IDs {
			m.ids[id] = struct{}{}
		}
	}
	m.all = f.Streams == nil && f.Types == nil && f.IDs == nil && f.Prefix == "" && len(f.Tags) == 0 && f.Any == nil &&
		f.MinVersion <= 0 && !f.HasMaxVersion && !m.timed
	return m
}

// microsUp returns t in microseconds since 1970, rounded up, so that a whole number of microseconds
// is at or after t just if it is at or above the result.
func microsUp(t time.Time) int64 {
	const far = 290_000 // years; microseconds reach a little further
	switch y := t.Year(); {
	case y > far:
		return math.MaxInt64
	case y < -far:
		return math.MinInt64
	}
	micros := t.UnixMicro() // rounded down
	if t.Nanosecond()%1000 != 0 {
		micros++
	}
	return micros
}

// passes reports whether the event passes. r.micros counts only with m.timed.
func (m *matcher) passes(r *logEvent) bool {
	return m.all ||
		m.types.has(r.Type) &&
			m.streams.has(r.Stream) &&
			bytes.HasPrefix(r.Stream, m.prefix) &&
			r.Version >= m.minVersion && r.Version <= m.maxVersion &&
			(!m.timed || r.micros >= m.since && r.micros < m.before) &&
			m.hasID(r.ID) && m.hasTags(r.Tags) && (!m.bounded || m.passesAny(r))
}

// passesAny reports whether the event passes one of the alternatives.
func (m *matcher) passesAny(r *logEvent) bool {
	for i := range m.any {
		if a := &m.any[i]; a.types.has(r.Type) && a.streams.has(r.Stream) && a.hasTags(r.Tags) {
			return true
		}
	}
	return false
}

func (m *matcher) hasID(id uuid.UUID) bool {
	if m.ids == nil {
		return true
	}
	_, ok := m.ids[id]
	return ok
}

func (m *matcher) hasTags(encoded []byte) bool {
	for _, want := range m.tags {
		found := false
		format.EachTag(encoded, func(tag []byte) bool {
			found = string(tag) == want
			return !found
		})
		if !found {
			return false
		}
	}
	return true
}

// A keySet is a set of names, asked with bytes. The zero value holds every name.
type keySet struct {
	bounded bool
	few     []string            // compared one by one
	many    map[string]struct{} // instead of few
}

// newKeySet returns the set of names; nil means every name.
func newKeySet(names []string) keySet {
	const fewAreMany = 6
	s := keySet{bounded: names != nil}
	if len(names) < fewAreMany {
		s.few = names
		return s
	}
	s.many = make(map[string]struct{}, len(names))
	for _, n := range names {
		s.many[n] = struct{}{}
	}
	return s
}

func (s *keySet) has(name []byte) bool {
	if !s.bounded {
		return true
	}
	if s.many != nil {
		_, ok := s.many[string(name)]
		return ok
	}
	for _, n := range s.few {
		if string(name) == n {
			return true
		}
	}
	return false
}

// sortedNames returns the names sorted and without repeats, nil for nil.
func sortedNames(names []string) []string {
	if len(names) < 2 {
		return names
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
