package format

import "encoding/binary"

// A split-block Bloom filter: a key sets one bit in each of the eight words of one 32-byte block,
// so asking costs one cache miss. After Putze, Sanders and Singler, "Cache-, Hash- and
// Space-Efficient Bloom Filters"; the eight multipliers are those of the Parquet format's filter.
const (
	BloomBlock      = 32
	BloomBitsPerKey = 12 // about 0.6 % false answers
)

var bloomSalt = [8]uint32{
	0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
}

// BloomSize returns the bytes of a filter for so many keys.
func BloomSize(keys int) int {
	return (keys*BloomBitsPerKey + BloomBlock*8 - 1) / (BloomBlock * 8) * BloomBlock
}

// NewBloom makes the filter of the keys with these hashes.
func NewBloom(hashes []uint64) []byte {
	b := make([]byte, BloomSize(len(hashes)))
	for _, h := range hashes {
		BloomAdd(b[BloomPlace(h, len(b)):], h)
	}
	return b
}

// BloomAdd adds a hash to its block.
func BloomAdd(block []byte, hash uint64) {
	_ = block[BloomBlock-1]
	for i, salt := range bloomSalt {
		w := block[4*i : 4*i+4]
		binary.LittleEndian.PutUint32(w, binary.LittleEndian.Uint32(w)|1<<(uint32(hash)*salt>>27))
	}
}

// BloomPlace returns where in a filter of so many bytes the block of a hash is.
func BloomPlace(hash uint64, size int) int {
	return int((hash>>32)*uint64(size/BloomBlock)>>32) * BloomBlock
}

// BloomHas reports whether the block may have a key with the hash. If it says no there is none.
func BloomHas(block []byte, hash uint64) bool {
	_ = block[BloomBlock-1]
	for i, salt := range bloomSalt {
		if binary.LittleEndian.Uint32(block[4*i:])>>(uint32(hash)*salt>>27)&1 == 0 {
			return false
		}
	}
	return true
}

// IDFilterHash makes of a fingerprint the hash that a filter wants. Greater fingerprints have no
// lesser places, so that a filter can be written in the order of the fingerprints without being in
// memory.
func IDFilterHash(fingerprint uint32) uint64 {
	return uint64(fingerprint)<<32 | uint64(fingerprint*0x9e3779b1)
}
