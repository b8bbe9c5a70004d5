package index

import (
	"bytes"
	"math/bits"
	"sort"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// memKeys is one dictionary of a Memory: keys with the ordinals of their events.
//
// The first ordinal of a key is in its entry, the others are in blocks of words: 2, 4, 8 ... and at
// last maxPostings of them, each behind a word with the address of the block before. So a key with
// one event costs no block, a long list wastes less than half, and the k-th ordinal is a few hops
// from the end.
type memKeys struct {
	slots    hashSlots       // key -> number of its entry
	entries  arena[memEntry] // in order of their first events
	count    atomic.Uint32   // entries that readers may look at
	text     *arena[byte]    // shared by the dictionaries: one byte of length, then the key
	textEnd  *uint32         // where the next key goes
	words    *arena[uint32]  // shared by the dictionaries: the blocks
	wordsEnd *uint32         // where the next block goes
}

// A memEntry is what a memKeys knows about a key. Only ordinals changes.
type memEntry struct {
	text         uint32        // address of the key
	first        uint32        // ordinal of its first event
	ordinals     atomic.Uint64 // address of the last block of them <<32 | their number
	firstVersion engine.Version
}

const (
	textShift      = 16 // chunks of 64 KiB; no key crosses a chunk
	wordShift      = 14
	entryShift     = 12
	maxPostingBits = 12
	maxPostings    = 1 << maxPostingBits // of one block, which is less than a chunk
)

// postingPlace tells where ordinal k (1, 2, ...) of a key is: in a block of size ordinals, in the
// place given.
func postingPlace(k uint32) (size, place uint32) {
	level := bits.Len32(k+1) - 1 // k+1 in [2^level, 2^(level+1))
	if level > maxPostingBits {
		level = maxPostingBits
	}
	size = 1 << level
	return size, (k + 1) & (size - 1)
}

// add notes that event ord has the key.
func (d *memKeys) add(hash uint64, key []byte, ord uint32, version engine.Version) {
	if e := d.find(hash, key); e != nil {
		d.push(e, ord)
		return
	}
	n := d.count.Load()
	e := d.entries.grow(n)
	e.text, e.first, e.firstVersion = d.putText(key), ord, version
	e.ordinals.Store(1)
	d.slots.insert(uint32(hash>>32), n)
	d.count.Store(n + 1)
}

func (d *memKeys) putText(key []byte) uint32 {
	const chunk = 1 << textShift
	at := *d.textEnd
	if left := chunk - at%chunk; uint32(len(key))+1 > left {
		at += left
	}
	d.text.grow(at)
	b := d.text.chunks[at>>textShift][at%chunk:]
	b[0] = byte(len(key))
	copy(b[1:], key)
	*d.textEnd = at + 1 + uint32(len(key))
	return at
}

// push adds one more ordinal to a key.
func (d *memKeys) push(e *memEntry, ord uint32) {
	ordinals := e.ordinals.Load()
	block, k := uint32(ordinals>>32), uint32(ordinals)
	size, place := postingPlace(k)
	if place == 0 {
		block = d.newBlock(block, size)
	}
	*d.words.grow(block + 1 + place) = ord
	e.ordinals.Store(uint64(block)<<32 | uint64(k+1))
}

// newBlock makes room for size ordinals behind the block prev. No block crosses a chunk.
func (d *memKeys) newBlock(prev, size uint32) uint32 {
	const chunk = 1 << wordShift
	at := *d.wordsEnd
	if left := chunk - at%chunk; size+1 > left {
		at += left
	}
	*d.words.grow(at) = prev
	*d.wordsEnd = at + 1 + size
	return at
}

// find returns the entry of a key, nil if there is none.
func (d *memKeys) find(hash uint64, key []byte) (found *memEntry) {
	d.slots.find(uint32(hash>>32), func(n uint32) bool {
		e := d.entries.at(n)
		if bytes.Equal(d.key(e), key) {
			found = e
			return true
		}
		return false
	})
	return found
}

// key returns the entry's key, which nobody may change.
func (d *memKeys) key(e *memEntry) []byte {
	b := d.text.run(e.text)
	return b[1 : 1+int(b[0])]
}

// A postingList is a key's ordinals as they were at one moment.
type postingList struct {
	words *arena[uint32]
	first uint32
	block uint32 // the last
	count uint32
}

func (d *memKeys) list(e *memEntry) postingList {
	ordinals := e.ordinals.Load()
	return postingList{words: d.words, first: e.first, block: uint32(ordinals >> 32), count: uint32(ordinals)}
}

// blockOf walks back from the last block to the one that holds ordinal k, which is not 0, and
// returns what that block has of the list, with the number of its first.
func (l postingList) blockOf(k uint32) (ords []uint32, from uint32) {
	block, end := l.block, l.count
	for {
		_, place := postingPlace(end - 1)
		from = end - 1 - place
		b := l.words.run(block)
		if from <= k {
			return b[1 : 1+end-from], from
		}
		block, end = b[0], from
	}
}

// at returns ordinal k.
func (l postingList) at(k uint32) uint32 {
	if k == 0 {
		return l.first
	}
	ords, from := l.blockOf(k)
	return ords[k-from]
}

// before returns how many of the ordinals are less than ord.
func (l postingList) before(ord uint32) uint32 {
	if l.first >= ord {
		return 0
	}
	block, end := l.block, l.count
	for end > 1 {
		_, place := postingPlace(end - 1)
		from := end - 1 - place
		b := l.words.run(block)
		if ords := b[1 : 1+end-from]; ords[0] < ord {
			return from + uint32(sort.Search(len(ords), func(i int) bool { return ords[i] >= ord }))
		}
		block, end = b[0], from
	}
	return 1
}

// appendTo appends the ordinals from number lo to before hi.
func (l postingList) appendTo(dst []uint32, lo, hi uint32) []uint32 {
	if lo >= hi {
		return dst
	}
	size := int(hi - lo)
	dst = append(dst, make([]uint32, size)...)
	out := dst[len(dst)-size:]
	for end := hi; end > lo; { // from the last block to the first
		if end == 1 {
			out[0] = l.first
			break
		}
		ords, from := l.blockOf(end - 1)
		if from < lo {
			ords, from = ords[lo-from:], lo
		}
		copy(out[from-lo:end-lo], ords)
		end = from
	}
	return dst
}

// entry describes a key below limit; ok is false if no event below limit has it.
func (d *memKeys) entry(e *memEntry, key string, limit uint32) (_ Entry, ok bool) {
	if e.first >= limit {
		return Entry{}, false
	}
	l := d.list(e)
	last := l.at(l.count - 1)
	if last >= limit {
		l.count = l.before(limit)
		last = d.list(e).at(l.count - 1)
	}
	return Entry{Key: key, Count: l.count, First: l.first, Last: last, FirstVersion: e.firstVersion}, true
}

// each yields the keys with the prefix in byte order.
func (d *memKeys) each(prefix string, limit uint32, yield func(Entry) bool) {
	var found []uint32
	n := d.count.Load()
	for i := range n {
		e := d.entries.at(i)
		if e.first >= limit {
			break // entries are in order of their first events
		}
		if bytes.HasPrefix(d.key(e), format.BytesOf(prefix)) {
			found = append(found, i)
		}
	}
	d.sort(found)
	for _, i := range found {
		e := d.entries.at(i)
		entry, ok := d.entry(e, string(d.key(e)), limit)
		if ok && !yield(entry) {
			return
		}
	}
}
