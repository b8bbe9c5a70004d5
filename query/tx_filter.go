package query

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
)

// filterColumns are what it takes to tell whether an event passes a filter.
const filterColumns = engine.ColStream | engine.ColVersion | engine.ColID | engine.ColType |
	engine.ColTags | engine.ColTime

// filterEvent returns what a filter looks at of a row of a batch that has filterColumns.
func filterEvent(b *engine.Batch, row int) engine.Event {
	return engine.Event{
		Position: b.Positions[row], Stream: b.Streams[row], Version: b.Versions[row], ID: b.IDs[row],
		Type: b.Types[row], Tags: b.Tags[row], RecordedAt: time.UnixMicro(b.Times[row]).UTC(),
	}
}

// comingEvents returns a filter for those events at or behind the head that pass the filter, and
// perhaps some more; some is false if none can.
func comingEvents(f engine.Filter, head engine.Position) (coming engine.Filter, some bool) {
	f.Direction, f.Limit = engine.Forwards, 0
	if f.From <= head {
		f.From = 0
	}
	f.Streams, f.Types = shortNames(f.Streams), shortNames(f.Types)
	if slices.ContainsFunc(f.Tags, tooLong) || tooLong(f.Prefix) {
		return f, false
	}
	f.Tags = sortedNames(f.Tags)
	if len(f.IDs) > maxReadNames {
		f.IDs = nil
	}
	if len(f.Any) > maxReadNames {
		f.Any = nil
	}
	f.Any = slices.Clone(f.Any)
	for i, a := range f.Any {
		f.Any[i] = engine.Alternative{
			Streams: sortedNames(a.Streams), Types: sortedNames(a.Types), Tags: sortedNames(a.Tags),
		}
	}
	none := f.Streams != nil && len(f.Streams) == 0 || f.Types != nil && len(f.Types) == 0 ||
		f.IDs != nil && len(f.IDs) == 0
	return f, !none
}

// tooLong reports whether no stream, type or tag is so long.
func tooLong(name string) bool { return len(name) > engine.MaxStreamSize }

// shortNames sorts a list, leaves out what is the name of nothing, and gives the list up if it is
// too long.
func shortNames(names []string) []string {
	if len(names) > maxReadNames {
		return nil
	}
	if slices.ContainsFunc(names, tooLong) {
		names = slices.DeleteFunc(slices.Clone(names), tooLong)
	}
	return sortedNames(names)
}

// sortedNames returns the list itself if it is sorted.
func sortedNames(names []string) []string {
	if slices.IsSorted(names) {
		return names
	}
	return slices.Sorted(slices.Values(names))
}

// ownFilter returns a copy that shares no memory with the filter, whose lists are sorted.
func ownFilter(f engine.Filter) engine.Filter {
	f.Prefix = strings.Clone(f.Prefix)
	f.Streams, f.Types, f.Tags = ownNames(f.Streams), ownNames(f.Types), ownNames(f.Tags)
	f.IDs = slices.Clone(f.IDs)
	slices.SortFunc(f.IDs, compareIDs)
	f.Any = slices.Clone(f.Any)
	for i, a := range f.Any {
		f.Any[i] = engine.Alternative{
			Streams: ownNames(a.Streams), Types: ownNames(a.Types), Tags: ownNames(a.Tags),
		}
	}
	return f
}

func ownNames(names []string) []string {
	if names == nil {
		return nil
	}
	own := make([]string, len(names))
	for i, name := range names {
		own[i] = strings.Clone(name)
	}
	slices.Sort(own)
	return slices.Compact(own)
}

func compareIDs(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }

// alike reports whether unite makes a filter of a and b that lets nothing else pass: they differ in
// one list alone.
func alike(a, b *engine.Filter) bool {
	lists := 0
	for _, same := range []bool{
		slices.Equal(a.Streams, b.Streams) && (a.Streams == nil) == (b.Streams == nil),
		slices.Equal(a.Types, b.Types) && (a.Types == nil) == (b.Types == nil),
		slices.Equal(a.IDs, b.IDs) && (a.IDs == nil) == (b.IDs == nil),
	} {
		if !same {
			lists++
		}
	}
	return lists <= 1 && a.From == b.From && a.To == b.To && a.Since.Equal(b.Since) &&
		a.Before.Equal(b.Before) && a.MinVersion == b.MinVersion && a.MaxVersion == b.MaxVersion &&
		a.HasMaxVersion == b.HasMaxVersion && a.Prefix == b.Prefix &&
		slices.Equal(a.Tags, b.Tags) && sameAny(a.Any, b.Any)
}

func sameAny(a, b []engine.Alternative) bool {
	return (a == nil) == (b == nil) && slices.EqualFunc(a, b, func(x, y engine.Alternative) bool {
		return slices.Equal(x.Streams, y.Streams) && slices.Equal(x.Types, y.Types) &&
			slices.Equal(x.Tags, y.Tags) && (x.Streams == nil) == (y.Streams == nil) &&
			(x.Types == nil) == (y.Types == nil)
	})
}

// unite makes a let pass what passes a or b, and as little else as its fields can say. a is a result
// of ownFilter. It returns what was added to lists.
func unite(a, b *engine.Filter) (added noted) {
	a.From, a.To = min(a.From, b.From), laterOf(a.To, b.To)
	a.MinVersion, a.MaxVersion = min(a.MinVersion, b.MinVersion), max(a.MaxVersion, b.MaxVersion)
	if a.HasMaxVersion = a.HasMaxVersion && b.HasMaxVersion; !a.HasMaxVersion {
		a.MaxVersion = 0
	}
	if b.Since.Before(a.Since) { // zero is no bound, and before all others
		a.Since = b.Since
	}
	if b.Before.IsZero() || !a.Before.IsZero() && b.Before.After(a.Before) {
		a.Before = b.Before
	}
	a.Prefix = a.Prefix[:commonPrefix(a.Prefix, b.Prefix)]
	a.Tags = slices.DeleteFunc(a.Tags, func(tag string) bool { return !slices.Contains(b.Tags, tag) })
	if !sameAny(a.Any, b.Any) {
		a.Any = nil
	}
	added.add(uniteLists(&a.Streams, b.Streams, cmp.Compare[string], strings.Clone, sizeOfName))
	added.add(uniteLists(&a.Types, b.Types, cmp.Compare[string], strings.Clone, sizeOfName))
	added.add(uniteLists(&a.IDs, b.IDs, compareIDs, func(id uuid.UUID) uuid.UUID { return id }, sizeOfID))
	return added
}

// laterOf returns the later of two ends, of which 0 is none.
func laterOf(a, b engine.Position) engine.Position {
	if a == 0 || b == 0 {
		return 0
	}
	return max(a, b)
}

func commonPrefix(a, b string) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// uniteLists adds to a sorted list what another one has, and returns how much that was. nil lists
// everything, and a list that becomes too long is given up for it.
func uniteLists[T any](
	list *[]T, more []T, compare func(a, b T) int, own func(T) T, size func(T) int64,
) (added noted) {
	if *list == nil || more == nil {
		*list = nil
		return noted{}
	}
	for _, x := range more {
		i, known := slices.BinarySearchFunc(*list, x, compare)
		if known {
			continue
		}
		if len(*list) >= maxReadNames {
			*list = nil
			return added
		}
		*list = slices.Insert(*list, i, own(x))
		added.add(noted{1, size(x)})
	}
	return added
}

// maxAlternatives is how many alternatives of reads are looked up in indexes rather than that all
// events which have come are looked at.
const maxAlternatives = 32

// alternatives lists what passes one of the filters of sets as the indexes can find it, and perhaps
// more; nil is everything.
func alternatives(sets []*readSet) []engine.Alternative {
	list := []engine.Alternative{}
	for _, set := range sets {
		for i := range set.filters {
			f := &set.filters[i]
			switch {
			case f.Streams != nil || f.Types != nil || len(f.Tags) > 0:
				list = append(list,
					engine.Alternative{Streams: f.Streams, Types: f.Types, Tags: f.Tags})
			case f.Any != nil:
				list = append(list, f.Any...)
			default:
				return nil
			}
			if len(list) > maxAlternatives {
				return nil
			}
		}
	}
	return list
}
