package filestore

import (
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
)

// What a filter asks of the names of an event stands in this file alone: of those that indexes
// have dictionaries of.

// nameFields tell what an Alternative asks of each dictionary. An index is asked in this order:
// there may be very many streams.
var nameFields = []struct {
	in    index.Dictionary
	of    func(a *engine.Alternative) []string
	every bool // an event must have all of the names, otherwise one of them
}{
	{in: index.ByType, of: func(a *engine.Alternative) []string { return a.Types }},
	{in: index.ByTag, of: func(a *engine.Alternative) []string { return a.Tags }, every: true},
	{in: index.ByStream, of: func(a *engine.Alternative) []string { return a.Streams }},
}

// A nameMatcher tells which records have the names that an Alternative asks for.
type nameMatcher struct {
	wanted  [index.Dictionaries][]string // sorted, without repeats; nil for no condition
	streams keySet
	types   keySet
	tags    []string
}

func newNameMatcher(a engine.Alternative) (m nameMatcher) {
	for _, f := range nameFields {
		if names := f.of(&a); len(names) > 0 || !f.every {
			m.wanted[f.in] = sortedNames(names)
		}
	}
	m.streams, m.types = newKeySet(m.wanted[index.ByStream]), newKeySet(m.wanted[index.ByType])
	m.tags = m.wanted[index.ByTag]
	return m
}

// passes reports whether the event has the names.
func (m *nameMatcher) passes(r *row) bool {
	return m.types.has(r.Type) && m.streams.has(r.Stream) && (len(m.tags) == 0 || hasTags(r.Tags, m.tags))
}

// anyBut reports whether names of other dictionaries than those given are asked for.
func (m *nameMatcher) anyBut(known ...index.Dictionary) bool {
	for d := range index.Dictionaries {
		if m.wanted[d] != nil && !slices.Contains(known, d) {
			return true
		}
	}
	return false
}

// nothing reports whether one of no names is asked for, which no event has.
func (m *nameMatcher) nothing() bool {
	return slices.ContainsFunc(m.wanted[:], func(names []string) bool { return names != nil && len(names) == 0 })
}

// each calls do with every list of names of which an event must have one, until it returns false.
func (m *nameMatcher) each(do func(d index.Dictionary, names []string) bool) {
	for _, f := range nameFields {
		names := m.wanted[f.in]
		switch {
		case names == nil:
		case f.every:
			for i := range names {
				if !do(f.in, names[i:i+1]) {
					return
				}
			}
		case !do(f.in, names):
			return
		}
	}
}

// hasTags reports whether all the tags that are wanted are among those encoded.
func hasTags(encoded []byte, wanted []string) bool {
	for _, want := range wanted {
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
