// Package indextest has what tests of indexes share: random events, a model that answers by looking
// at all of them, and comparisons with it.
package indextest

import (
	"slices"
	"sort"
	"strings"

	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/google/uuid"
)

// A Model is the model of an Index: it keeps the events and looks at all of them for every
// question.
type Model struct{ Events []index.Event }

var _ index.Index = (*Model)(nil)

func (n *Model) has(ord uint32, d index.Dictionary, key string) bool {
	e := &n.Events[ord]
	switch d {
	case index.ByStream:
		return string(e.Stream) == key
	case index.ByType:
		return string(e.Type) == key
	}
	return slices.ContainsFunc(e.Tags, func(t []byte) bool { return string(t) == key })
}

func (n *Model) keysOf(ord uint32, d index.Dictionary) [][]byte {
	e := &n.Events[ord]
	switch d {
	case index.ByStream:
		return [][]byte{e.Stream}
	case index.ByType:
		return [][]byte{e.Type}
	}
	return e.Tags
}

// Offset implements index.Index.
func (n *Model) Offset(ord uint32) (int64, error) { return n.Events[ord].Offset, nil }

// Frame implements index.Index.
func (n *Model) Frame(ord uint32) (int64, uint32, error) {
	first := ord
	for first > 0 && n.Events[first-1].Frame == n.Events[ord].Frame {
		first--
	}
	return n.Events[ord].Frame, first, nil
}

// Since implements index.Index.
func (n *Model) Since(micros int64, limit uint32) (uint32, error) {
	for ord := range limit {
		if n.Events[ord].Micros >= micros {
			return ord, nil
		}
	}
	return limit, nil
}

// RecordedAt implements index.Index.
func (n *Model) RecordedAt(ord uint32) (int64, error) { return n.Events[ord].Micros, nil }

// Postings implements index.Index.
func (n *Model) Postings(d index.Dictionary, key string, lo, hi uint32, dst []uint32) ([]uint32, error) {
	for ord := lo; ord < min(hi, uint32(len(n.Events))); ord++ {
		if n.has(ord, d, key) {
			dst = append(dst, ord)
		}
	}
	return dst, nil
}

// Lookup implements index.Index.
func (n *Model) Lookup(d index.Dictionary, key string, limit uint32) (index.Entry, bool, error) {
	ords, _ := n.Postings(d, key, 0, limit, nil)
	if len(ords) == 0 {
		return index.Entry{}, false, nil
	}
	e := index.Entry{Key: key, Count: uint32(len(ords)), First: ords[0], Last: ords[len(ords)-1]}
	if d == index.ByStream {
		e.FirstVersion = n.Events[ords[0]].Version
	}
	return e, true, nil
}

// Keys implements index.Index.
func (n *Model) Keys(d index.Dictionary, prefix string, limit uint32, yield func(index.Entry) bool) error {
	seen := map[string]bool{}
	for ord := range limit {
		for _, k := range n.keysOf(ord, d) {
			if strings.HasPrefix(string(k), prefix) {
				seen[string(k)] = true
			}
		}
	}
	sorted := make([]string, 0, len(seen))
	for k := range seen {
		sorted = append(sorted, k)
	}
	sort.Strings(sorted)
	for _, k := range sorted {
		if e, _, _ := n.Lookup(d, k, limit); !yield(e) {
			return nil
		}
	}
	return nil
}

// Candidates implements index.Index.
func (n *Model) Candidates(id uuid.UUID, limit uint32, dst []uint32) ([]uint32, error) {
	for ord := range limit {
		if n.Events[ord].ID == id {
			dst = append(dst, ord)
		}
	}
	return dst, nil
}
