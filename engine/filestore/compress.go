package filestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"github.com/eventfold/eventfold/engine"
	"hash/crc32"
)

// A sealed segment can be stored compressed: its bytes behind the first page in blocks, each compressed by itself, and a map that says
// where they are. Who reads it through a compressedFile finds every byte at the offset at which it was written, so that frames,
// checksums, chain and index stay as they are. FORMAT.md draws it.
//
// These constants are part of the format and must not be changed.
const (
	featureCompressed uint32 = 1 // incompatible feature: who does not know it cannot read the file
	segmentCompressed uint32 = 2 // flag of a segment

	packedBlockSize = 64 << 10 // bytes of a segment in one block
	codecZstd       = 1

	layoutAt     = segmentCopySize // in each copy of the header
	layoutSize   = 64
	layoutCRCAt  = layoutAt + layoutSize - 4
	packedEntry  = 8 // bytes in the map for one block
	maxPackedEnd = 1<<32 - 1
)

// Why a compressed segment cannot be read at all.
var (
	errLayout = errors.New("both descriptions of its blocks are damaged")
	errMap    = errors.New("both copies of the map of its blocks are damaged")
)

// A packedLayout tells where the parts of a compressed segment are. It follows each copy of the header.
type packedLayout struct {
	size   int64    // of the segment before it was compressed, bytes
	maps   [2]int64 // offsets of the two copies of the map
	blocks uint32
	mapCRC uint32
}

// blocksOf returns the number of blocks of a segment of so many bytes.
func blocksOf(size int64) int64 {
	return (size - segmentHeaderSize + packedBlockSize - 1) / packedBlockSize
}

// put puts the layout into the first page of a file, behind both copies of the header.
func (l *packedLayout) put(page []byte) {
	for _, at := range [...]int{0, segmentSecondCopy} {
		b := page[at:]
		binary.LittleEndian.PutUint64(b[layoutAt:], uint64(l.size))
		binary.LittleEndian.PutUint64(b[layoutAt+8:], uint64(l.maps[0]))
		binary.LittleEndian.PutUint64(b[layoutAt+16:], uint64(l.maps[1]))
		binary.LittleEndian.PutUint32(b[layoutAt+24:], l.blocks)
		binary.LittleEndian.PutUint32(b[layoutAt+28:], l.mapCRC)
		binary.LittleEndian.PutUint32(b[layoutAt+32:], packedBlockSize)
		binary.LittleEndian.PutUint32(b[layoutAt+36:], codecZstd)
		binary.LittleEndian.PutUint32(b[layoutCRCAt:], crc32c(b[:layoutCRCAt]))
	}
}

// decodeLayout finds the layout in the first page of the file name. The error is errLayout, or a *FormatError for a way to store that is a newer one.
func decodeLayout(page []byte, name string) (packedLayout, error) {
	for _, at := range [...]int{0, segmentSecondCopy} {
		if len(page) < at+layoutAt+layoutSize {
			break
		}
		b := page[at:]
		if string(b[:8]) != segmentMagic || binary.LittleEndian.Uint32(b[layoutCRCAt:]) != crc32c(b[:layoutCRCAt]) {
			continue
		}
		block, codec := binary.LittleEndian.Uint32(b[layoutAt+32:]), binary.LittleEndian.Uint32(b[layoutAt+36:])
		if block != packedBlockSize || codec != codecZstd {
			return packedLayout{}, &engine.FormatError{File: name, Reason: fmt.Sprintf(
				"is compressed in a way (codec %d, blocks of %d bytes) that this version of eventfold does not know", codec, block)}
		}
		l := packedLayout{
			size:   int64(binary.LittleEndian.Uint64(b[layoutAt:])),
			maps:   [2]int64{int64(binary.LittleEndian.Uint64(b[layoutAt+8:])), int64(binary.LittleEndian.Uint64(b[layoutAt+16:]))},
			blocks: binary.LittleEndian.Uint32(b[layoutAt+24:]),
			mapCRC: binary.LittleEndian.Uint32(b[layoutAt+28:]),
		}
		if l.size < segmentHeaderSize || l.size > 2*maxSegmentSize || int64(l.blocks) != blocksOf(l.size) {
			continue
		}
		return l, nil
	}
	return packedLayout{}, errLayout
}

// packedCRC returns the checksum of a block as it is stored. It depends on the place of the segment's bytes that are in it.
func packedCRC(at place, stored []byte) uint32 { return crc32.Update(at.seed(), castagnoli, stored) }
