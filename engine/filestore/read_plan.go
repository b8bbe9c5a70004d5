package filestore

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/google/uuid"
)

// How a segment is read. A sequential event costs about 50 ns, one by itself 700.
const (
	pointShare = 16  // events are read one by one if they are at most 1 in 16
	useful     = 0.9 // a condition that more events than this pass is left to the matcher
	windowed   = 256 // up to this Limit the index is asked only about as many events as will be read
)

// A scanPlan is a Filter made ready. It never changes.
type scanPlan struct {
	filter  engine.Filter // with sorted names and no repeats
	match   matcher
	from    engine.Position // inclusive
	to      engine.Position // exclusive
	nothing bool            // no event can pass
	hashes  []uint64        // of the filter's streams, if they are few; see excludes
}

// plan makes a filter ready for r.
func (r *readIndex) plan(f engine.Filter) scanPlan {
	f.Streams, f.Types, f.Tags = sortedNames(f.Streams), sortedNames(f.Types), sortedNames(f.Tags)
	if f.Prefix != "" && f.Streams != nil {
		within := make([]string, 0, len(f.Streams))
		for _, s := range f.Streams {
			if strings.HasPrefix(s, f.Prefix) {
				within = append(within, s)
			}
		}
		f.Streams, f.Prefix = within, ""
	}
	if f.Any != nil {
		any := make([]engine.Alternative, len(f.Any))
		for i, a := range f.Any {
			any[i] = engine.Alternative{
				Streams: sortedNames(a.Streams),
				Types:   sortedNames(a.Types),
				Tags:    sortedNames(a.Tags),
			}
		}
		f.Any = any
	}
	p := scanPlan{filter: f, match: newMatcher(&f), from: max(f.From, r.first()), to: r.head}
	if f.To > 0 {
		p.to = min(p.to, f.To)
	}
	if len(f.Streams) <= fewStreams {
		for _, stream := range f.Streams {
			p.hashes = append(p.hashes, format.HashKey(format.IndexSeed(r.view.store), format.BytesOf(stream)))
		}
	}
	m := &p.match
	emptyRange := p.from >= p.to || m.since >= m.before || m.minVersion > m.maxVersion
	emptyList := f.Streams != nil && len(f.Streams) == 0 || f.Types != nil && len(f.Types) == 0 ||
		f.IDs != nil && len(f.IDs) == 0 || f.Any != nil && len(f.Any) == 0
	p.nothing = emptyRange || emptyList
	return p
}

// fewStreams is for how many streams excludes is asked.
const fewStreams = 4

// excludes reports whether filters that are in memory prove that a segment has no event of the
// filter's streams. It costs less than asking the index, which matters where there are many
// segments.
func (p *scanPlan) excludes(seg *segment) bool {
	if len(p.hashes) == 0 {
		return false
	}
	for _, hash := range p.hashes {
		if !seg.excludes(index.ByStream, hash) {
			return false
		}
	}
	return true
}

// within returns which ordinals of a segment can pass the bounds of position and time: lo
// inclusive, hi exclusive.
func (p *scanPlan) within(s *segmentReader) (lo, hi uint32, err error) {
	base := s.seg.base
	if p.to <= base || p.from >= base+engine.Position(s.limit) {
		return 0, 0, nil
	}
	lo, hi = uint32(max(0, p.from-base)), uint32(min(p.to-base, engine.Position(s.limit)))
	if !p.match.timed {
		return lo, hi, nil
	}
	sealed := s.seg.sealed.Load()
	if sealed != nil && (sealed.least >= p.match.before || sealed.greatest < p.match.since) {
		return 0, 0, nil
	}
	first, err := s.Since(p.match.since, hi)
	if err != nil {
		return 0, 0, err
	}
	behind, err := s.Since(p.match.before, hi)
	return max(lo, first), min(hi, behind), err
}

// A condition is what a segment's index knows about one part of a filter: an event must have one of
// the keys, or fulfil one of the alternatives, which are conditions that must hold together.
type condition struct {
	dictionary index.Dictionary
	keys       []index.Entry // those that the segment has, below the plan's bound
	any        [][]condition // instead of keys
	share      float64       // estimate: which part of the events has one of them
}

// conditions asks the segment's index about the plan's streams, types, tags and alternatives. none
// is true if it proves that no event in [lo, hi) passes.
func (p *scanPlan) conditions(s *segmentReader, lo, hi uint32) (found []condition, none bool, err error) {
	f := &p.filter
	found, none, err = p.named(s, f.Streams, f.Types, f.Tags, lo, hi)
	if err != nil || none {
		return nil, none, err
	}
	if f.Streams == nil && f.Prefix != "" {
		c, known, err := p.prefixed(s, lo, hi)
		if err != nil || known && len(c.keys) == 0 {
			return nil, err == nil, err
		}
		if known {
			found = append(found, c)
		}
	}
	if f.Any == nil {
		return found, false, nil
	}
	c, bounded, err := p.alternatives(s, lo, hi)
	if err != nil || bounded && len(c.any) == 0 {
		return nil, err == nil, err
	}
	if bounded {
		found = append(found, c)
	}
	return found, false, nil
}

// most returns how many events can pass at most, as far as the filter alone tells and if they are no
// more than a first batch: of an id there is one event, and of a version one in each stream.
func (p *scanPlan) most() int {
	most := int(p.to - p.from)
	if f := &p.filter; f.IDs != nil {
		most = min(most, len(f.IDs))
	} else if f.Streams != nil && f.HasMaxVersion && len(f.Streams) <= fewStreams {
		most = min(most, len(f.Streams)*int(min(f.MaxVersion-max(f.MinVersion, 0), firstBatch)+1))
	}
	return max(most, 1)
}

// named asks about one of the streams, one of the types, and all of the tags; nil means no
// condition.
func (p *scanPlan) named(
	s *segmentReader, streams, types, tags []string, lo, hi uint32,
) (found []condition, none bool, err error) {
	found = make([]condition, 0, 2+len(tags))
	add := func(d index.Dictionary, names []string) (bool, error) {
		c, err := p.condition(s, d, names, lo, hi)
		found = append(found, c)
		return err == nil && len(c.keys) > 0, err
	}
	if types != nil {
		if ok, err := add(index.ByType, types); !ok {
			return nil, err == nil, err
		}
	}
	for i := range tags {
		if ok, err := add(index.ByTag, tags[i:i+1]); !ok {
			return nil, err == nil, err
		}
	}
	if streams != nil {
		if ok, err := add(index.ByStream, streams); !ok {
			return nil, err == nil, err
		}
	}
	return found, false, nil
}

// alternatives makes one condition of the filter's alternatives. bounded is false if one of them
// lets every event pass.
func (p *scanPlan) alternatives(s *segmentReader, lo, hi uint32) (c condition, bounded bool, err error) {
	for i := range p.filter.Any {
		a := &p.filter.Any[i]
		parts, none, err := p.named(s, a.Streams, a.Types, a.Tags, lo, hi)
		if err != nil {
			return c, false, err
		}
		if none {
			continue
		}
		if len(parts) == 0 {
			return c, false, nil
		}
		share := 1.0
		for k := range parts {
			share *= parts[k].share
		}
		c.share = min(1, c.share+share)
		c.any = append(c.any, parts)
	}
	return c, true, nil
}

// condition looks the names up.
func (p *scanPlan) condition(s *segmentReader, d index.Dictionary, names []string, lo, hi uint32) (condition, error) {
	c := condition{dictionary: d}
	events := 0.0
	for _, name := range names {
		e, ok, err := s.Lookup(d, name, hi)
		if err != nil {
			return c, err
		}
		if !ok || e.Last < lo {
			continue
		}
		n := float64(e.Count)
		if d == index.ByStream {
			i, j := p.versions(&e)
			n = float64(j - i)
		}
		if n == 0 {
			continue
		}
		if e.First < lo { // as if they were spread evenly
			n *= float64(e.Last-lo+1) / float64(e.Last-e.First+1)
		}
		events += n
		c.keys = append(c.keys, e)
	}
	c.share = min(1, events/float64(hi-lo))
	return c, nil
}

// prefixed lists the streams that begin with the filter's prefix, unless they have too many events
// for the list to be of use; then known is false. An index in memory is not asked, because it would
// have to sort its keys.
func (p *scanPlan) prefixed(s *segmentReader, lo, hi uint32) (c condition, known bool, err error) {
	if _, inMemory := s.index.(*index.Memory); inMemory {
		return c, false, nil
	}
	c.dictionary = index.ByStream
	events := uint32(0)
	err = s.Keys(index.ByStream, p.filter.Prefix, hi, func(e index.Entry) bool {
		if i, j := p.versions(&e); i < j && e.Last >= lo {
			events += j - i
			c.keys = append(c.keys, e)
		}
		return events <= (hi-lo)/pointShare
	})
	c.share = min(1, float64(events)/float64(hi-lo))
	return c, events <= (hi-lo)/pointShare, err
}

// versions returns which of a stream's events in a segment pass the bounds of version: numbers i to
// before j of them.
func (p *scanPlan) versions(e *index.Entry) (i, j uint32) {
	if p.match.minVersion > e.LastVersion() || p.match.maxVersion < e.FirstVersion {
		return 0, 0
	}
	i = uint32(max(0, p.match.minVersion-e.FirstVersion))
	j = uint32(min(p.match.maxVersion, e.LastVersion()) - e.FirstVersion + 1)
	return i, j
}

// ordinals returns, ascending, the events in [lo, hi) that have one of the condition's keys or
// fulfil one of its alternatives.
func (p *scanPlan) ordinals(s *segmentReader, c *condition, lo, hi uint32) (ords []uint32, err error) {
	if c.any != nil {
		return p.union(s, c.any, lo, hi)
	}
	for k := range c.keys {
		e := &c.keys[k]
		i, j := uint32(0), e.Count
		if c.dictionary == index.ByStream {
			i, j = p.versions(e)
		}
		if i == 0 && j == e.Count {
			ords = slices.Grow(ords, int(min(e.Count, hi-lo, maxGroup)))
			ords, err = s.Postings(c.dictionary, e.Key, lo, hi, ords)
		} else {
			n := len(ords)
			ords, err = s.part(e, i, j, ords)
			ords = append(ords[:n], between(ords[n:], lo, hi)...)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(c.keys) > 1 {
		slices.Sort(ords)
	}
	return ords, nil
}

// union returns, ascending, the events in [lo, hi) that fulfil one of the alternatives.
func (p *scanPlan) union(s *segmentReader, alternatives [][]condition, lo, hi uint32) (all []uint32, err error) {
	for _, parts := range alternatives {
		together := make([]*condition, len(parts))
		for i := range parts {
			together[i] = &parts[i]
		}
		ords, err := p.common(s, together, lo, hi)
		if err != nil {
			return nil, err
		}
		all = append(all, ords...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// between returns the part of the ascending ords that lies in [lo, hi).
func between(ords []uint32, lo, hi uint32) []uint32 {
	i, _ := slices.BinarySearch(ords, lo)
	j, _ := slices.BinarySearch(ords, hi)
	return ords[i:max(i, j)]
}

// errIndexCount means that an index contradicts itself.
var errIndexCount = errors.New("eventfold: the index has fewer events of a stream than it counts")

// part appends to dst the ordinals of events i to before j of the stream e. It asks the index from
// the nearer end of the stream and no further than needed, guessing how far that is from an even
// spread.
func (s *segmentReader) part(e *index.Entry, i, j uint32, dst []uint32) ([]uint32, error) {
	if e.Count == 1 && j > i {
		return append(dst, e.First), nil
	}
	n := len(dst)
	dst = slices.Grow(dst, int(min(j-i, maxChunk)))
	front := j <= e.Count-i
	want := e.Count - i // from the end that is asked
	if front {
		want = j
	}
	span := uint64(e.Last - e.First)
	for reach := 2*span*uint64(want)/uint64(e.Count) + 64; ; reach *= 4 {
		reach = min(reach, span)
		lo, hi := e.First, e.First+uint32(reach)+1
		if !front {
			lo, hi = e.Last-uint32(reach), e.Last+1
		}
		ords, err := s.Postings(index.ByStream, e.Key, lo, hi, dst[:n])
		if err != nil {
			return nil, err
		}
		got := uint32(len(ords) - n)
		if got < want && reach < span {
			continue
		}
		if got < want {
			if err := s.rebuild(s.index, errIndexCount); err != nil {
				return nil, err
			}
			continue
		}
		skip := i
		if !front {
			skip = got - want
		}
		return append(ords[:n], ords[n+int(skip):n+int(skip+j-i)]...), nil
	}
}

// identified returns, ascending, the events in [lo, hi) that may have one of the filter's ids.
func (p *scanPlan) identified(s *segmentReader, ids []uuid.UUID, lo, hi uint32) (ords []uint32, err error) {
	for _, id := range ids {
		if ords, err = s.Candidates(id, hi, ords); err != nil {
			return nil, err
		}
	}
	slices.Sort(ords)
	return between(slices.Compact(ords), lo, hi), nil
}

// intersect keeps of the ascending a what the ascending b has too.
func intersect(a, b []uint32) []uint32 {
	kept := a[:0]
	for _, ord := range a {
		for len(b) > 0 && b[0] < ord {
			b = b[1:]
		}
		if len(b) == 0 {
			break
		}
		if b[0] == ord {
			kept = append(kept, ord)
		}
	}
	return kept
}

// A step is a part of a segment and how it is read.
type step struct {
	lo, hi uint32
	single bool     // only the events ords are read, one by one
	ords   []uint32 // ascending
	share  float64  // estimate: which part of the events in [lo, hi) passes
}

// step decides how the events in [lo, hi) are read. few is true if that is a window of few events,
// which are rather read one by one than in large blocks.
func (p *scanPlan) step(s *segmentReader, conditions []condition, lo, hi uint32, few bool) (step, error) {
	st := step{lo: lo, hi: hi, share: 1}
	if p.filter.IDs != nil {
		ords, err := p.identified(s, p.filter.IDs, lo, hi)
		st.single, st.ords = true, ords
		return st, err
	}
	narrow := make([]*condition, 0, len(conditions))
	for i := range conditions {
		if c := &conditions[i]; c.share < useful {
			narrow = append(narrow, c)
			st.share *= c.share
		}
	}
	maxPoints := (hi - lo) / pointShare
	if few {
		maxPoints = hi - lo
	}
	if st.share*float64(hi-lo) > float64(maxPoints) || !few && len(narrow) == 0 {
		return st, nil
	}
	ords, err := p.common(s, narrow, lo, hi)
	if err != nil || uint32(len(ords)) > maxPoints {
		return st, err // more than was estimated: the events are read in blocks
	}
	st.single, st.ords = true, ords
	return st, nil
}

// common returns, ascending, the events in [lo, hi) that fulfil all the conditions.
func (p *scanPlan) common(s *segmentReader, conditions []*condition, lo, hi uint32) (ords []uint32, err error) {
	if len(conditions) == 0 {
		ords = make([]uint32, 0, hi-lo)
		for ord := lo; ord < hi; ord++ {
			ords = append(ords, ord)
		}
		return ords, nil
	}
	slices.SortFunc(conditions, func(a, b *condition) int { return cmp.Compare(a.share, b.share) })
	for i, c := range conditions {
		next, err := p.ordinals(s, c, lo, hi)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			ords = next
		} else {
			ords = intersect(ords, next)
		}
		if len(ords) == 0 {
			break
		}
	}
	return ords, nil
}
