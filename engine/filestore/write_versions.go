package filestore

import (
	"context"
	"hash/maphash"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/clock"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
)

// streamVersions tells the writer the versions of streams. It asks the active segment's index, then a cache
// of bounded size, then the indexes of the sealed segments, the newest first, whose filters exclude
// most. It belongs to the writer's goroutine.
type streamVersions struct {
	cache versionCache
}

func newStreamVersions(streams int) *streamVersions {
	return &streamVersions{
		cache: versionCache{
			maxSets: max(1, streams/versionWays),
			seeds:   [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		},
	}
}

// version returns the version of a stream's last committed event, and NoVersion if there is no such
// stream.
func (h *streamVersions) version(r *readIndex, stream string) (engine.Version, error) {
	segments := r.view.segments
	if len(segments) == 0 {
		return engine.NoVersion, nil
	}
	if v, ok, err := r.versionIn(len(segments)-1, stream); ok || err != nil {
		return v, err
	}
	if len(segments) == 1 {
		return engine.NoVersion, nil
	}
	if v, ok := h.cache.get(stream); ok {
		return v, nil
	}
	v, err := r.sealedVersion(stream)
	if err == nil {
		h.cache.put(stream, v)
	}
	return v, err
}

// committed notes the version that a stream has after a group was committed. Every commit must be
// told, or the cache would give an old version once the active segment has become another one.
func (h *streamVersions) committed(stream string, v engine.Version) { h.cache.put(stream, v) }

// sealedVersion asks the segments before the last, the newest first, and in their place the runs
// about them.
func (r *readIndex) sealedVersion(stream string) (engine.Version, error) {
	hash := format.HashKey(format.IndexSeed(r.view.store), format.BytesOf(stream))
	for at := r.walkBack(); at.next(); {
		if at.run != nil {
			v, ok, err := at.run.LastVersion(stream, hash)
			if ok && err == nil {
				return v, nil
			}
			if err != nil {
				at.avoid(err)
			}
			continue
		}
		if r.view.segments[at.i].excludes(index.ByStream, hash) {
			continue
		}
		if v, ok, err := r.versionIn(at.i, stream); ok || err != nil {
			return v, err
		}
	}
	return engine.NoVersion, nil
}

// A backWalk goes through the sealed segments from the newest to the oldest, by runs where there
// are some.
type backWalk struct {
	r    *readIndex
	runs []*index.Run // not yet come to
	i    int          // segment; of a run the first
	run  *index.Run   // nil for a segment by itself
}

// walkBack begins behind the last segment but one.
func (r *readIndex) walkBack() backWalk {
	w := backWalk{r: r, i: len(r.view.segments) - 1}
	if r.shared.indexer != nil {
		w.runs = r.shared.indexer.runList()
	}
	return w
}

// next goes to the run or segment before. It reports false if there is none.
func (w *backWalk) next() bool {
	w.run = nil
	if w.i--; w.i < 0 {
		return false
	}
	number := w.r.view.segments[w.i].number
	for len(w.runs) > 0 && w.runs[len(w.runs)-1].To > number {
		w.runs = w.runs[:len(w.runs)-1]
	}
	if n := len(w.runs); n > 0 && w.runs[n-1].To == number {
		run := w.runs[n-1]
		first := w.i - int(run.Span()) + 1
		if first >= 0 && w.r.view.segments[first].base == run.Base &&
			run.Base+engine.Position(run.Count()) <= w.r.head {
			w.i, w.run = first, run
		}
	}
	return true
}

// avoid goes back to before the run, which cannot be asked, to go through its segments one by one.
func (w *backWalk) avoid(err error) {
	if !vfs.TooManyFiles(err) {
		w.r.shared.indexer.dropRun(w.run)
	}
	w.i, w.runs = w.i+int(w.run.Span()), w.runs[:len(w.runs)-1]
}

// versionIn asks segment i alone.
func (r *readIndex) versionIn(i int, stream string) (engine.Version, bool, error) {
	limit := r.limit(i)
	if limit == 0 {
		return engine.NoVersion, false, nil
	}
	e, ok, err := r.view.segments[i].index().Lookup(index.ByStream, stream, limit)
	if err != nil {
		s := r.reader(context.Background(), i, new(blockMemory)) // it knows what to do about a damaged index
		e, ok, err = s.Lookup(index.ByStream, stream, limit)
	}
	if err != nil || !ok {
		return engine.NoVersion, false, err
	}
	return e.LastVersion(), true, nil
}

// eachCandidate calls visit with the events that may have the id, the newest segment first, until
// visit returns false or an error. Few segments are looked at for an id of version 7: those whose
// ids are of that time.
func (r *readIndex) eachCandidate(id uuid.UUID, visit func(s *segmentReader, ord uint32) (more bool, err error)) error {
	if len(r.view.segments) == 0 {
		return nil
	}
	var ords []uint32
	more, err := r.candidatesIn(len(r.view.segments)-1, id, &ords, visit)
	for at := r.walkBack(); more && err == nil && at.next(); {
		if at.run == nil {
			more, err = r.candidatesIn(at.i, id, &ords, visit)
			continue
		}
		var damage error
		if ords, damage = at.run.Candidates(id, at.run.Count(), ords[:0]); damage != nil {
			at.avoid(damage)
			continue
		}
		for _, ord := range ords {
			p := at.run.Base + engine.Position(ord)
			i := r.find(p)
			s := r.reader(context.Background(), i, new(blockMemory))
			if more, err = visit(&s, uint32(p-s.seg.base)); err != nil || !more {
				break
			}
		}
	}
	return err
}

// candidatesIn asks segment i alone. more is false if visit wants no more.
func (r *readIndex) candidatesIn(
	i int, id uuid.UUID, ords *[]uint32, visit func(*segmentReader, uint32) (bool, error),
) (more bool, err error) {
	limit := r.limit(i)
	if limit == 0 {
		return true, nil
	}
	*ords, err = r.view.segments[i].index().Candidates(id, limit, (*ords)[:0])
	if err == nil && len(*ords) == 0 {
		return true, nil
	}
	s := r.reader(context.Background(), i, new(blockMemory))
	if err != nil {
		if *ords, err = s.Candidates(id, limit, (*ords)[:0]); err != nil {
			return false, err
		}
	}
	for _, ord := range *ords {
		if more, err := visit(&s, ord); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// A versionCache remembers the versions of streams, up to a bound, in memory without pointers. A
// stream is known by 96 bits of two hashes with seeds of this process, so that two streams are taken
// for each other never in practice: with 10^12 lookups the chance is less than 10^-10. It is
// set-associative with a Hand for each set, and doubles until it has its greatest size.
type versionCache struct {
	seeds   [2]maphash.Seed
	sets    []versionSet
	maxSets int
	count   int // streams in it
}

// knownVersions is how many streams the versionCache of a store has room for. Of a million that are
// appended to in turn it forgets next to none; beyond that it takes no more memory, of which it has
// 34 MiB at most.
const knownVersions = 2 << 20

// versionWays is the number of streams in a set. With their hashes and versions a set has 136 bytes.
const versionWays = 8

// maxKnownVersion is the greatest version that a versionCache remembers.
const maxKnownVersion = 1<<32 - 2

type versionSet struct {
	slots [versionWays]versionSlot
	taken uint8 // a bit for each slot in use
	hand  clock.Hand
}

type versionSlot struct {
	b    uint64
	a    uint32
	next uint32 // the version after the last one, 0 for a stream that is not there
}

func (c *versionCache) hash(stream string) (a uint32, b uint64) {
	return uint32(maphash.String(c.seeds[0], stream)), maphash.String(c.seeds[1], stream)
}

// set returns the set of the streams whose first hash is a. Doubling the number of sets keeps a's
// order, so that the streams of one set go to two neighbours.
func (c *versionCache) set(a uint32) *versionSet {
	return &c.sets[uint64(a)*uint64(len(c.sets))>>32]
}

func (c *versionCache) get(stream string) (engine.Version, bool) {
	if len(c.sets) == 0 {
		return engine.NoVersion, false
	}
	a, b := c.hash(stream)
	s := c.set(a)
	if i := s.find(a, b); i >= 0 {
		s.hand.Use(i)
		return engine.Version(s.slots[i].next) - 1, true
	}
	return engine.NoVersion, false
}

func (c *versionCache) put(stream string, v engine.Version) {
	if c.count >= len(c.sets)*versionWays*4/5 && len(c.sets) < c.maxSets {
		c.grow()
	}
	a, b := c.hash(stream)
	s := c.set(a)
	i := s.find(a, b)
	switch {
	case v > maxKnownVersion && i >= 0:
		s.taken &^= 1 << i
		c.count--
	case v > maxKnownVersion:
	case i >= 0:
		s.slots[i].next = uint32(v + 1)
		s.hand.Use(i)
	default:
		c.count += s.insert(versionSlot{b, a, uint32(v + 1)})
	}
}

func (s *versionSet) find(a uint32, b uint64) int {
	for i := range s.slots {
		if s.slots[i].a == a && s.slots[i].b == b && s.taken>>i&1 == 1 {
			return i
		}
	}
	return -1
}

// insert puts a stream in, in the place of another one if need be, and returns by how many the
// number of streams has grown.
func (s *versionSet) insert(slot versionSlot) int {
	i := s.hand.Next(versionWays, nil)
	grown := 1 - int(s.taken>>i&1)
	s.slots[i] = slot
	s.taken |= 1 << i
	return grown
}

// grow doubles the number of sets.
func (c *versionCache) grow() {
	old := c.sets
	c.sets = make([]versionSet, min(max(2*len(old), 8), c.maxSets))
	c.count = 0
	for i := range old {
		for j, slot := range old[i].slots {
			if old[i].taken>>j&1 == 1 {
				c.count += c.set(slot.a).insert(slot)
			}
		}
	}
}
