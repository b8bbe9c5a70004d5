package engine

import (
	"context"
	"hash/maphash"

	"github.com/google/uuid"
)

// heads tells the writer the versions of streams. It asks the active segment's index, then a cache of bounded size, then
// the indexes of the sealed segments, the newest first, whose filters exclude most. It belongs to the writer's goroutine.
type heads struct {
	cache headCache
}

func newHeads(streams int) *heads {
	return &heads{cache: headCache{most: max(1, streams/headWays), seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}}
}

// version returns the version of a stream's last committed event, and NoVersion if there is no such stream.
func (h *heads) version(r *readIndex, stream string) (Version, error) {
	segments := r.view.segments
	if len(segments) == 0 {
		return NoVersion, nil
	}
	if v, ok, err := r.versionIn(len(segments)-1, stream); ok || err != nil {
		return v, err
	}
	if len(segments) == 1 {
		return NoVersion, nil
	}
	if v, ok := h.cache.get(stream); ok {
		return v, nil
	}
	hash := hashKey(indexSeed(r.view.store), bytesOf(stream))
	for i := len(segments) - 2; i >= 0; i-- {
		if x, ok := segments[i].index.Load().segmentIndex.(*fileIndex); ok && x.excludes(byStream, hash) {
			continue
		}
		v, ok, err := r.versionIn(i, stream)
		if err != nil {
			return NoVersion, err
		}
		if ok {
			h.cache.put(stream, v)
			return v, nil
		}
	}
	h.cache.put(stream, NoVersion)
	return NoVersion, nil
}

// committed notes the version that a stream has after a group was committed. Every commit must be told, or the cache
// would give an old version once the active segment has become another one.
func (h *heads) committed(stream string, v Version) { h.cache.put(stream, v) }

// versionIn asks segment i alone.
func (r *readIndex) versionIn(i int, stream string) (Version, bool, error) {
	limit := r.limit(i)
	if limit == 0 {
		return NoVersion, false, nil
	}
	e, ok, err := r.view.segments[i].index.Load().lookup(byStream, stream, limit)
	if err != nil {
		s := r.reader(context.Background(), i, new(blockMemory)) // it knows what to do about a damaged index
		e, ok, err = s.lookup(byStream, stream, limit)
	}
	if err != nil || !ok {
		return NoVersion, false, err
	}
	return e.lastVersion(), true, nil
}

// eachCandidate calls visit with the events that may have the id, the newest segment first, until visit returns false or
// an error. Few segments are looked at for an id of version 7: those whose ids are of that time.
func (r *readIndex) eachCandidate(id uuid.UUID, visit func(s *segmentReader, ord uint32) (more bool, err error)) error {
	var ords []uint32
	for i := len(r.view.segments) - 1; i >= 0; i-- {
		limit := r.limit(i)
		if limit == 0 {
			continue
		}
		var err error
		ords, err = r.view.segments[i].index.Load().candidates(id, limit, ords[:0])
		if err == nil && len(ords) == 0 {
			continue
		}
		s := r.reader(context.Background(), i, new(blockMemory))
		if err != nil {
			if ords, err = s.candidates(id, limit, ords[:0]); err != nil {
				return err
			}
		}
		for _, ord := range ords {
			if more, err := visit(&s, ord); err != nil || !more {
				return err
			}
		}
	}
	return nil
}

// A headCache remembers the versions of streams, up to a bound, in memory without pointers. A stream is known by two hashes with
// seeds of this process, 128 bits together, so that two streams are taken for each other never in practice: with 10^12 lookups the
// chance is less than 10^-20. It is set-associative with a CLOCK for each set, and doubles until it has its greatest size.
type headCache struct {
	seeds [2]maphash.Seed
	sets  []headSet
	most  int // sets at most
	count int // streams in it
}

// headWays is the number of streams in a set. With their hashes and versions a set has 200 bytes.
const headWays = 8

type headSet struct {
	slots [headWays]headSlot
	taken uint8 // a bit for each slot in use
	used  uint8 // a bit for each slot that was used since the hand passed
	hand  uint8
}

type headSlot struct {
	a, b    uint64
	version Version
}

func (c *headCache) hash(stream string) (a, b uint64) {
	return maphash.String(c.seeds[0], stream), maphash.String(c.seeds[1], stream)
}

// set returns the set of the streams whose first hash is a. Doubling the number of sets keeps a's order, so that the
// streams of one set go to two neighbours.
func (c *headCache) set(a uint64) *headSet {
	return &c.sets[(a>>32)*uint64(len(c.sets))>>32]
}

func (c *headCache) get(stream string) (Version, bool) {
	if len(c.sets) == 0 {
		return NoVersion, false
	}
	a, b := c.hash(stream)
	s := c.set(a)
	if i := s.find(a, b); i >= 0 {
		s.used |= 1 << i
		return s.slots[i].version, true
	}
	return NoVersion, false
}

func (c *headCache) put(stream string, v Version) {
	if c.count >= len(c.sets)*headWays/2 && len(c.sets) < c.most {
		c.grow()
	}
	a, b := c.hash(stream)
	s := c.set(a)
	if i := s.find(a, b); i >= 0 {
		s.slots[i].version = v
		s.used |= 1 << i
		return
	}
	c.count += s.insert(headSlot{a, b, v})
}

func (s *headSet) find(a, b uint64) int {
	for i := range s.slots {
		if s.slots[i].a == a && s.slots[i].b == b && s.taken>>i&1 == 1 {
			return i
		}
	}
	return -1
}

// insert puts a stream in, in the place of another one if need be, and returns by how many the number of streams has grown.
func (s *headSet) insert(slot headSlot) int {
	for s.used>>s.hand&1 == 1 {
		s.used &^= 1 << s.hand
		s.hand = (s.hand + 1) % headWays
	}
	grown := 1 - int(s.taken>>s.hand&1)
	s.slots[s.hand] = slot
	s.taken |= 1 << s.hand
	s.used |= 1 << s.hand
	s.hand = (s.hand + 1) % headWays
	return grown
}

// grow doubles the number of sets.
func (c *headCache) grow() {
	old := c.sets
	c.sets = make([]headSet, min(max(2*len(old), 8), c.most))
	c.count = 0
	for i := range old {
		for j, slot := range old[i].slots {
			if old[i].taken>>j&1 == 1 {
				c.count += c.set(slot.a).insert(slot)
			}
		}
	}
}
