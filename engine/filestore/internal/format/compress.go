package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/eventfold/eventfold/engine"
)

// A sealed segment can be stored compressed: its bytes behind the first page in blocks, each
// compressed by itself, and a map that says where they are. Who reads it through a compressedFile
// finds every byte at the offset at which it was written, so that frames, checksums, chain and
// index stay as they are. FORMAT.md draws it.
//
// These constants are part of the format and must not be changed.
const (
	FeatureCompressed uint32 = 1 // incompatible feature: who does not know it cannot read the file
	SegmentCompressed uint32 = 2 // flag of a segment

	PackedBlockSize = 16 << 10 // bytes of a segment in one block, as blocks are made
	MaxPackedBlock  = 64 << 10 // as they were made once, and are read
	codecZstd       = 1

	LayoutAt     = SegmentCopySize // in each copy of the header
	layoutSize   = 64
	LayoutCRCAt  = LayoutAt + layoutSize - 4
	PackedEntry  = 8 // bytes in the map for one block
	MaxPackedEnd = 1<<32 - 1
)

// Why a compressed segment cannot be read at all.
var (
	ErrLayout = errors.New("both descriptions of its blocks are damaged")
	ErrMap    = errors.New("both copies of the map of its blocks are damaged")
)

// A PackedLayout tells where the parts of a compressed segment are. It follows each copy of the
// header.
type PackedLayout struct {
	Size   int64    // of the segment before it was compressed, bytes
	Maps   [2]int64 // offsets of the two copies of the map
	Blocks uint32
	MapCRC uint32
	Block  int64 // bytes of the segment in one block, fewer in the last: PackedBlockSize or MaxPackedBlock
}

// blocksOf returns the number of blocks of a segment of so many bytes.
func blocksOf(size, block int64) int64 { return (size - SegmentHeaderSize + block - 1) / block }

// Put puts the layout into the first page of a file, behind both copies of the header.
func (l *PackedLayout) Put(page []byte) {
	for _, at := range [...]int{0, SegmentSecondCopy} {
		b := page[at:]
		binary.LittleEndian.PutUint64(b[LayoutAt:], uint64(l.Size))
		binary.LittleEndian.PutUint64(b[LayoutAt+8:], uint64(l.Maps[0]))
		binary.LittleEndian.PutUint64(b[LayoutAt+16:], uint64(l.Maps[1]))
		binary.LittleEndian.PutUint32(b[LayoutAt+24:], l.Blocks)
		binary.LittleEndian.PutUint32(b[LayoutAt+28:], l.MapCRC)
		binary.LittleEndian.PutUint32(b[LayoutAt+32:], uint32(l.Block))
		binary.LittleEndian.PutUint32(b[LayoutAt+36:], codecZstd)
		binary.LittleEndian.PutUint32(b[LayoutCRCAt:], CRC(b[:LayoutCRCAt]))
	}
}

// DecodeLayout finds the layout in the first page of the file name. The error is ErrLayout, or a
// *FormatError for a way to store that is a newer one.
func DecodeLayout(page []byte, name string) (PackedLayout, error) {
	for _, at := range [...]int{0, SegmentSecondCopy} {
		if len(page) < at+LayoutAt+layoutSize {
			break
		}
		b := page[at:]
		if string(b[:8]) != SegmentMagic || binary.LittleEndian.Uint32(b[LayoutCRCAt:]) != CRC(b[:LayoutCRCAt]) {
			continue
		}
		block, codec := binary.LittleEndian.Uint32(b[LayoutAt+32:]), binary.LittleEndian.Uint32(b[LayoutAt+36:])
		if block != PackedBlockSize && block != MaxPackedBlock || codec != codecZstd {
			return PackedLayout{}, &engine.FormatError{File: name, Reason: fmt.Sprintf(
				"is compressed in a way (codec %d, blocks of %d bytes) that this version of eventfold does not know",
				codec, block)}
		}
		l := PackedLayout{
			Size: int64(binary.LittleEndian.Uint64(b[LayoutAt:])),
			Maps: [2]int64{
				int64(binary.LittleEndian.Uint64(b[LayoutAt+8:])), int64(binary.LittleEndian.Uint64(b[LayoutAt+16:])),
			},
			Blocks: binary.LittleEndian.Uint32(b[LayoutAt+24:]),
			MapCRC: binary.LittleEndian.Uint32(b[LayoutAt+28:]),
			Block:  int64(block),
		}
		if l.Size < SegmentHeaderSize || l.Size > 2*MaxSegmentSize || int64(l.Blocks) != blocksOf(l.Size, l.Block) {
			continue
		}
		return l, nil
	}
	return PackedLayout{}, ErrLayout
}

// PackedCRC returns the checksum of a block as it is stored. It depends on the place of the
// segment's bytes that are in it.
func PackedCRC(at Place, stored []byte) uint32 { return crc32.Update(at.seed(), Castagnoli, stored) }
