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
// without a look at the keys themselves, which lie anywhere in memory. BenchmarkKeysInOrder holds
// it, and TestKeysSortLikeTheirBytes compares it with a plain sort.
func (d *memKeys) sort(entries []uint32) {
	if len(entries) < 2 {
		return
	}
	shared := d.sharedPrefix(entries)
	heads := make([]keyHead, len(entries))
	for i, n := range entries {
		var b [8]byte
		copy(b[:], d.key(d.entries.at(n))[shared:])
		heads[i] = keyHead{binary.BigEndian.Uint64(b[:]), n}
	}
	slices.SortFunc(heads, func(a, b keyHead) int {
		if a.bytes != b.bytes {
			return cmp.Compare(a.bytes, b.bytes)
		}
		return bytes.Compare(d.key(d.entries.at(a.entry)), d.key(d.entries.at(b.entry)))
	})
	for i := range heads {
		entries[i] = heads[i].entry
	}
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
