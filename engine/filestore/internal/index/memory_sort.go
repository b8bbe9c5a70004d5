package index

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// A keyHead is an entry of a memKeys with the eight bytes of its key that follow what all keys have
// in common, as a number that sorts like them.
type keyHead struct {
	bytes uint64
	entry uint32
}

// sort sorts entries by their keys, which are all different. Most are told apart by eight bytes,
// without a look at the keys themselves, which lie anywhere in memory; those that are not by the next
// ones that they do not have in common, and so on: names of several categories differ late.
// BenchmarkKeysInOrder holds it, and TestKeysSortLikeTheirBytes compares it with a plain sort.
func (d *memKeys) sort(entries []uint32) {
	if len(entries) > 1 {
		d.sortHeads(make([]keyHead, len(entries)), entries, d.sharedPrefix(entries))
	}
}

// fewKeys are compared with each other as they are: there is nothing to win.
const fewKeys = 12

// sortHeads sorts entries that have so many bytes in common. It fills heads, which has as many
// elements.
func (d *memKeys) sortHeads(heads []keyHead, entries []uint32, shared int) {
	for i, n := range entries {
		var b [8]byte
		copy(b[:], d.key(d.entries.at(n))[shared:])
		heads[i] = keyHead{binary.BigEndian.Uint64(b[:]), n}
	}
	slices.SortFunc(heads, func(a, b keyHead) int { return cmp.Compare(a.bytes, b.bytes) })
	for i := range heads {
		entries[i] = heads[i].entry
	}
	for from, to := 0, 0; from < len(heads); from = to {
		for to = from + 1; to < len(heads) && heads[to].bytes == heads[from].bytes; to++ {
		}
		d.sortAlike(heads[from:to], entries[from:to], shared)
	}
}

// sortAlike sorts entries that have the eight bytes behind the shared ones in common, or end there.
func (d *memKeys) sortAlike(heads []keyHead, entries []uint32, shared int) {
	if len(entries) == 1 {
		return
	}
	more := shared
	if len(entries) > fewKeys {
		more = d.sharedPrefix(entries)
	}
	if more == shared {
		slices.SortFunc(entries, func(a, b uint32) int {
			return bytes.Compare(d.key(d.entries.at(a)), d.key(d.entries.at(b)))
		})
		return
	}
	d.sortHeads(heads, entries, more)
}

// sharedPrefix returns how many bytes all keys begin with in common.
func (d *memKeys) sharedPrefix(entries []uint32) int {
	first := d.key(d.entries.at(entries[0]))
	shared := len(first)
	for _, n := range entries[1:] {
		shared = commonPrefix(first[:shared], d.key(d.entries.at(n)))
	}
	return shared
}
