package format

import (
	"encoding/binary"
	"math/bits"

	"github.com/google/uuid"
)

// Odd 64-bit constants with about half of their bits set, from the fractional parts of the square
// roots of 2, 3, 5 and 7.
const (
	Fold0 = 0x6a09e667f3bcc909
	Fold1 = 0xbb67ae8584caa73b
	fold2 = 0x3c6ef372fe94f82b
	fold3 = 0xa54ff53a5f1d36f1
)

// Fold multiplies to 128 bits and folds the halves together: the step that wyhash (Wang Yi) is
// built of.
func Fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// IndexSeed derives the seed of all index hashes from the store's id, so that every index of a
// store hashes alike and nobody can prepare keys that collide in a store he has not seen.
func IndexSeed(store uuid.UUID) uint64 {
	return Fold(binary.LittleEndian.Uint64(store[:8])^Fold0, binary.LittleEndian.Uint64(store[8:])^Fold1)
}

// HashKey hashes a stream, type or tag. The value is stored in index files (as bits of filters), so
// it may never change.
func HashKey(seed uint64, key []byte) uint64 {
	n := uint64(len(key))
	h := seed ^ Fold0
	for len(key) > 16 {
		h = Fold(binary.LittleEndian.Uint64(key)^Fold1, binary.LittleEndian.Uint64(key[8:])^h)
		key = key[16:]
	}
	var a, b uint64
	switch {
	case len(key) >= 8:
		a, b = binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[len(key)-8:])
	case len(key) >= 4:
		a, b = uint64(binary.LittleEndian.Uint32(key)), uint64(binary.LittleEndian.Uint32(key[len(key)-4:]))
	case len(key) > 0:
		a = uint64(key[0])<<16 | uint64(key[len(key)/2])<<8 | uint64(key[len(key)-1])
	}
	return Fold(Fold(a^fold2, b^h)^fold3, n^Fold1)
}

// HashID hashes all 16 bytes of an event id. Its upper half is the id's fingerprint, which is
// stored in index files.
func HashID(seed uint64, id *uuid.UUID) uint64 {
	a, b := binary.LittleEndian.Uint64(id[:8]), binary.LittleEndian.Uint64(id[8:])
	return Fold(Fold(a^fold2, b^seed)^fold3, a^Fold1)
}
