package crashtest

import (
	"bytes"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
)

// A Mode says what a crash may leave of names, and of bytes that were being written.
type Mode struct {
	// Ordered keeps the changes of names up to some point and loses the later ones, as a journal
	// does. Otherwise each change that is not durable is kept or not, whatever happens to the
	// others.
	Ordered bool
	// Garbled lets bytes that were being written be anything, and files have any size between the
	// durable and the cached one. Such states are too many to enumerate: only Sample makes them.
	Garbled bool
}

// Crashes are the states that a power cut now may leave.
type Crashes struct {
	fs    *FS // never changes
	mode  Mode
	files []unsynced
	count uint64
}

// unsynced is what is not certain about one file.
type unsynced struct {
	id      uint64
	sectors []sector
	sizes   []int64 // that it may have
}

// A sector is one of which a crash may leave several versions.
type sector struct {
	index    int // of the page
	at       int // offset in the page
	versions [][]byte
	from, to int // the bytes of the sector that were being written
}

// tooMany is where counts of states stop counting.
const tooMany = 1 << 62

// Crashes returns the states that a power cut now may leave. f can be used on; what happens to it
// later is not seen.
func (f *FS) Crashes(mode Mode) *Crashes {
	c := &Crashes{fs: f.Clone(), mode: mode, count: 1}
	for _, id := range slices.Sorted(maps.Keys(c.fs.inodes)) {
		n := c.fs.inodes[id]
		u := unsynced{id: id, sectors: n.unsyncedSectors(mode.Garbled), sizes: n.possibleSizes()}
		for _, s := range u.sectors {
			c.times(len(s.versions))
		}
		c.times(len(u.sizes))
		if len(u.sectors) > 0 || len(u.sizes) > 1 {
			c.files = append(c.files, u)
		}
	}
	if mode.Ordered {
		c.times(len(c.fs.pending) + 1)
	} else {
		for range c.fs.pending {
			c.times(2)
		}
	}
	return c
}

func (c *Crashes) times(n int) {
	if c.count >= tooMany/uint64(n) {
		c.count = tooMany
		return
	}
	c.count *= uint64(n)
}

// Count returns the number of states that All makes. Beyond 2^62 it stops counting.
func (c *Crashes) Count() uint64 { return c.count }

// All makes every state, garbled ones not.
func (c *Crashes) All() iter.Seq[*FS] {
	return func(yield func(*FS) bool) {
		var digits, bases []int // the choices of the last state, and how many there were for each
		for {
			at := 0
			state := c.build(func(n int) int {
				if at == len(digits) {
					digits, bases = append(digits, 0), append(bases, n)
				}
				at++
				return digits[at-1]
			}, nil)
			if !yield(state) || !increment(digits, bases) {
				return
			}
		}
	}
}

// increment counts on, the first digit fastest. It returns false after the last number.
func increment(digits, bases []int) bool {
	for i := range digits {
		if digits[i]++; digits[i] < bases[i] {
			return true
		}
		digits[i] = 0
	}
	return false
}

// Sample makes a random state.
func (c *Crashes) Sample(r *rand.Rand) *FS {
	choose := r.IntN
	switch r.IntN(4) { // states near "nothing" and near "all" are where mistakes are
	case 0:
		choose = func(n int) int { return rarely(r, n, 0) }
	case 1:
		choose = func(n int) int { return rarely(r, n, n-1) }
	}
	if !c.mode.Garbled {
		return c.build(choose, nil)
	}
	return c.build(choose, r)
}

// rarely returns usual, and anything once in eight times.
func rarely(r *rand.Rand, n, usual int) int {
	if r.IntN(8) > 0 {
		return usual
	}
	return r.IntN(n)
}

// build makes the state that choose chooses. With garble the bytes being written may be anything.
func (c *Crashes) build(choose func(n int) int, garble *rand.Rand) *FS {
	f := c.fs.cloneLocked() // nobody else knows c.fs
	for _, u := range c.files {
		n := f.inodes[u.id]
		for _, s := range u.sectors {
			content := s.versions[choose(len(s.versions))]
			if garble != nil && garble.IntN(16) == 0 {
				content = garbled(content, s, garble)
			}
			n.durable.set(s.index, patched(n.durable.page(s.index), s.at, content))
		}
		size := u.sizes[choose(len(u.sizes))]
		if garble != nil && garble.IntN(4) == 0 {
			least, greatest := slices.Min(u.sizes), slices.Max(u.sizes)
			size = least + garble.Int64N(greatest-least+1)
		}
		n.durable.cut(size)
	}
	if c.mode.Ordered {
		for _, op := range f.pending[:choose(len(f.pending)+1)] {
			f.makeDurable(op)
		}
	} else {
		for _, op := range f.pending {
			if choose(2) == 1 {
				f.makeDurable(op)
			}
		}
	}
	f.powerOff()
	return f
}

// powerOff makes the durable state the only one.
func (f *FS) powerOff() {
	f.pending = nil
	for _, n := range f.inodes {
		n.cached = n.durable.clone()
		n.dirty, n.sizes, n.late, n.errors, n.told = nil, nil, nil, 0, 0
		n.entries = maps.Clone(n.durableEntries)
	}
	f.forgetUnreachable()
}

// garbled returns a sector in which the bytes being written are torn or wild.
func garbled(content []byte, s sector, r *rand.Rand) []byte {
	g := bytes.Clone(content)
	from := s.from + r.IntN(s.to-s.from)
	switch r.IntN(3) {
	case 0: // torn: what lies behind is as old as can be
		copy(g[from:s.to], s.versions[0][from:s.to])
	case 1:
		for i := from; i < s.to; i++ {
			g[i] = byte(r.Uint32())
		}
	default:
		g[from] ^= 1 << r.IntN(8)
	}
	return g
}

// unsyncedSectors lists the sectors that have several versions, and with rewritten also those that
// were written as they were.
func (n *inode) unsyncedSectors(rewritten bool) []sector {
	var sectors []sector
	where := map[[2]int]int{} // page and offset: the place in sectors
	for _, v := range n.dirty {
		durable := n.durable.page(v.index)
		for at := 0; at < pageSize; at += sectorSize {
			key := [2]int{v.index, at}
			i, known := where[key]
			if !known && (v.page == nil || !rewritten) && v.page == durable {
				break // zeros over zeros are most of what is written
			}
			if !known {
				i = len(sectors)
				where[key] = i
				sectors = append(sectors, sector{
					index:    v.index,
					at:       at,
					versions: [][]byte{durable.bytes()[at : at+sectorSize]},
					from:     sectorSize,
				})
			}
			sectors[i].add(v)
		}
	}
	return slices.DeleteFunc(sectors, func(s sector) bool {
		return len(s.versions) == 1 && (!rewritten || s.from >= s.to)
	})
}

func (s *sector) add(v version) {
	content := v.page.bytes()[s.at : s.at+sectorSize]
	if !slices.ContainsFunc(s.versions, func(known []byte) bool { return bytes.Equal(known, content) }) {
		s.versions = append(s.versions, content)
	}
	from, to := max(v.from-s.at, 0), min(v.to-s.at, sectorSize)
	if from < to {
		s.from, s.to = min(s.from, from), max(s.to, to)
	}
}

// possibleSizes lists the sizes that the file may have after a crash.
func (n *inode) possibleSizes() []int64 {
	sizes := []int64{n.durable.size}
	for _, size := range n.sizes {
		if !slices.Contains(sizes, size) {
			sizes = append(sizes, size)
		}
	}
	return sizes
}

// WriteBack writes some unsynced pages to the disk, as the system may at any time.
func (f *FS) WriteBack(r *rand.Rand) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(f.inodes)) {
		f.inodes[id].writeBack(picker(r))
	}
}

// FailWriteBack fails to write some unsynced pages and marks them clean. The next sync of their
// file reports it.
func (f *FS) FailWriteBack(r *rand.Rand) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(f.inodes)) {
		n := f.inodes[id]
		pick := picker(r)
		dirty := len(n.dirty)
		n.dirty = slices.DeleteFunc(n.dirty, func(v version) bool { return pick(v.index) })
		if len(n.dirty) < dirty {
			n.errors++
		}
	}
}

// picker picks half of the pages, the same ones whenever it is asked.
func picker(r *rand.Rand) func(index int) bool {
	picked := map[int]bool{}
	return func(index int) bool {
		pick, known := picked[index]
		if !known {
			pick = r.IntN(2) == 0
			picked[index] = pick
		}
		return pick
	}
}
