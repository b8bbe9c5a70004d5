package format

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/sabotage"
	"github.com/google/uuid"
)

// A frame is one group commit: a header, the records, zeros up to a multiple of 8, and a trailer
// with the chain value, the checksum of all of it, and a magic number. FORMAT.md draws it.
//
// These constants are part of the format and must not be changed.
const (
	FrameHeaderSize  = 64
	FrameTrailerSize = 40
	FrameAlign       = 8
	FrameMagic       = 0x46464556 // VEFF
	FrameEndMagic    = 0x45464556 // VEFE

	frameMagicAt       = 0  // u32
	FrameSizeAt        = 4  // u32, of the whole frame
	frameFirstAt       = 8  // u64, position of the first event, or of the next one if there are none
	frameCountAt       = 16 // u32, events
	frameKindAt        = 20 // u16
	frameFlagsAt       = 22 // u16
	frameMicrosAt      = 24 // i64, microseconds since 1970 UTC
	frameNonceAt       = 32 // u64, random
	frameSyncedAt      = 40 // u64, the promise
	framePreviousAt    = 48 // u32, offset of the previous frame; 0 in the first
	framePreviousCRCAt = 52 // u32, checksum in the previous frame's trailer; 0 in the first
	frameReservedAt    = 56 // u32, zero
	FrameHeaderCRCAt   = 60 // u32, seeded with the frame's place

	// The trailer, counted from its own beginning.
	trailerChainAt = 0  // 32 bytes
	TrailerCRCAt   = 32 // u32, of the frame up to here
	TrailerMagicAt = 36 // u32

	MinFrameSize = FrameHeaderSize + FrameTrailerSize
	MaxGroupSize = 4 << 20 // at which a group stops gathering, bytes
	// A group that is not full takes one more append.
	MaxFrameSize = FrameHeaderSize + MaxGroupSize + engine.MaxAppendSize + FrameAlign + FrameTrailerSize
	PageSize     = 4096
)

// A FrameKind tells what a frame holds.
type FrameKind uint16

const (
	FrameEvents FrameKind = 1 // records
	FrameSeal   FrameKind = 3 // nothing: the segment is complete. It does not advance the chain
	FrameNote   FrameKind = 4 // bytes for those who verify; no events
)

// A Place is where in which store a frame lies. It seeds the header's checksum, so that a frame
// that is stale, copied from another file, or written to the wrong offset does not check.
type Place struct {
	Store   uuid.UUID
	Segment int64
	Offset  int64
}

// A FrameHeader is a decoded header.
type FrameHeader struct {
	Size        uint32 // of the whole frame, bytes
	First       engine.Position
	Count       uint32
	Kind        FrameKind
	flags       uint16
	Micros      int64  // microseconds since 1970 UTC; a record's recorded_at is this plus its AddMicros
	Nonce       uint64 // keeps equal appends from having equal chain values
	Synced      int64  // everything in this file below it was durable before this frame was encoded
	Previous    uint32 // offset of the previous frame in the file; 0 in the first
	PreviousCRC uint32 // the previous frame's checksum (that of its trailer); 0 in the first
}

// Why bytes are not a frame.
var (
	ErrFrameCut      = errors.New("the frame is longer than what is there")
	ErrFrameMagic    = errors.New("no frame begins here")
	errFramePlace    = errors.New("the frame header's checksum does not match its place")
	errFrameFields   = errors.New("the frame header's fields do not fit each other")
	ErrFrameTrailer  = errors.New("the frame's end is missing")
	ErrFrameCRC      = errors.New("the frame's checksum does not match")
	ErrFramePrevious = errors.New("the frame does not follow the one before it")
	ErrFrameRecords  = errors.New("the frame's records do not fill it")
)

// DecodeFrameHeader decodes and checks the header at the beginning of b, which lies at the given
// place. It does not know where the file ends: the caller compares the size.
func DecodeFrameHeader(b []byte, at Place) (FrameHeader, error) {
	if len(b) < FrameHeaderSize {
		return FrameHeader{}, ErrFrameCut
	}
	b = b[:FrameHeaderSize:FrameHeaderSize]
	if binary.LittleEndian.Uint32(b[frameMagicAt:]) != FrameMagic {
		return FrameHeader{}, ErrFrameMagic
	}
	if binary.LittleEndian.Uint32(b[FrameHeaderCRCAt:]) != FrameHeaderCRC(b, at) {
		return FrameHeader{}, errFramePlace
	}
	h := FrameHeader{
		Size:        binary.LittleEndian.Uint32(b[FrameSizeAt:]),
		First:       engine.Position(binary.LittleEndian.Uint64(b[frameFirstAt:])),
		Count:       binary.LittleEndian.Uint32(b[frameCountAt:]),
		Kind:        FrameKind(binary.LittleEndian.Uint16(b[frameKindAt:])),
		flags:       binary.LittleEndian.Uint16(b[frameFlagsAt:]),
		Micros:      int64(binary.LittleEndian.Uint64(b[frameMicrosAt:])),
		Nonce:       binary.LittleEndian.Uint64(b[frameNonceAt:]),
		Synced:      int64(binary.LittleEndian.Uint64(b[frameSyncedAt:])),
		Previous:    binary.LittleEndian.Uint32(b[framePreviousAt:]),
		PreviousCRC: binary.LittleEndian.Uint32(b[framePreviousCRCAt:]),
	}
	if !h.fits(at.Offset) {
		return FrameHeader{}, errFrameFields
	}
	return h, nil
}

// fits reports whether a header at offset makes sense by itself.
func (h FrameHeader) fits(offset int64) bool {
	if h.Size < MinFrameSize || h.Size > MaxFrameSize || h.Size%FrameAlign != 0 ||
		h.First < 0 || h.Synced < 0 || h.Synced > offset || int64(h.Previous) >= offset {
		return false
	}
	switch h.Kind {
	case FrameEvents:
		return h.Count > 0 && uint64(h.Count)*MinRecordSize <= uint64(h.Size-MinFrameSize)
	case FrameSeal:
		return h.Count == 0 && h.Size == MinFrameSize
	case FrameNote:
		return h.Count == 0
	}
	return false
}

// FrameHeaderCRC returns the checksum of a header in its place: CRC32C of the header's fields,
// begun with the place's seed.
func FrameHeaderCRC(b []byte, at Place) uint32 {
	return crc32.Update(at.seed(), Castagnoli, b[:FrameHeaderCRCAt])
}

// seed folds the place into 32 bits. Two offsets of one segment never have the same seed; two
// segments or two stores have different seeds at an offset, but for a chance of 2^-32.
func (p Place) seed() uint32 {
	if sabotage.On(sabotage.SkipPlaceSeed) {
		return 0
	}
	const fold = 0x9E3779B97F4A7C15
	x := binary.LittleEndian.Uint64(p.Store[0:8])
	x = x*fold + binary.LittleEndian.Uint64(p.Store[8:16])
	x = x*fold + uint64(p.Segment)
	x *= fold
	return uint32(x>>32) ^ uint32(p.Offset)
}

// CheckFrame checks the whole frame at the beginning of b against its trailer. h is what
// DecodeFrameHeader made of it.
func CheckFrame(b []byte, h FrameHeader) error {
	if int64(len(b)) < int64(h.Size) {
		return ErrFrameCut
	}
	b = b[:h.Size]
	t := b[len(b)-FrameTrailerSize:]
	if binary.LittleEndian.Uint32(t[TrailerMagicAt:]) != FrameEndMagic {
		return ErrFrameTrailer
	}
	if binary.LittleEndian.Uint32(t[TrailerCRCAt:]) != CRC(b[:len(b)-8]) {
		return ErrFrameCRC
	}
	return nil
}

// FrameRecords returns the bytes between the header and the trailer of a whole frame: the records
// and up to seven zeros.
func FrameRecords(b []byte) []byte { return b[FrameHeaderSize : len(b)-FrameTrailerSize] }

// FrameChain returns the chain value in the trailer of a whole frame.
func FrameChain(b []byte) (chain [32]byte) {
	copy(chain[:], b[len(b)-FrameTrailerSize:])
	return chain
}

// FrameCRC returns the checksum in the trailer of a whole frame.
func FrameCRC(b []byte) uint32 { return binary.LittleEndian.Uint32(b[len(b)-8:]) }

// FrameSize returns the size of a frame whose records take n bytes.
func FrameSize(n int) int { return FrameHeaderSize + AlignUp(n, FrameAlign) + FrameTrailerSize }

// AlignUp returns the least multiple of to, a power of two, that is not below n.
func AlignUp[T int | int64](n, to T) T { return (n + to - 1) &^ (to - 1) }

// PutFrameHeader writes h with its checksum for the given place into the beginning of b.
func PutFrameHeader(b []byte, h FrameHeader, at Place) {
	b = b[:FrameHeaderSize:FrameHeaderSize]
	clear(b)
	binary.LittleEndian.PutUint32(b[frameMagicAt:], FrameMagic)
	binary.LittleEndian.PutUint32(b[FrameSizeAt:], h.Size)
	binary.LittleEndian.PutUint64(b[frameFirstAt:], uint64(h.First))
	binary.LittleEndian.PutUint32(b[frameCountAt:], h.Count)
	binary.LittleEndian.PutUint16(b[frameKindAt:], uint16(h.Kind))
	binary.LittleEndian.PutUint16(b[frameFlagsAt:], h.flags)
	binary.LittleEndian.PutUint64(b[frameMicrosAt:], uint64(h.Micros))
	binary.LittleEndian.PutUint64(b[frameNonceAt:], h.Nonce)
	binary.LittleEndian.PutUint64(b[frameSyncedAt:], uint64(h.Synced))
	binary.LittleEndian.PutUint32(b[framePreviousAt:], h.Previous)
	binary.LittleEndian.PutUint32(b[framePreviousCRCAt:], h.PreviousCRC)
	binary.LittleEndian.PutUint32(b[FrameHeaderCRCAt:], FrameHeaderCRC(b, at))
}

// SealFrame makes a frame of b, which holds room for the header and then the records: it sets
// h.size, writes the header, appends padding and trailer, and returns the frame and its chain
// value, for which it takes the records' seals if the caller has them. A seal repeats the chain
// value that it is given.
func SealFrame(b []byte, h *FrameHeader, at Place, chain [32]byte, seals []Seal) ([]byte, [32]byte) {
	h.Size = uint32(FrameSize(len(b) - FrameHeaderSize))
	PutFrameHeader(b, *h, at)
	var end [FrameAlign + FrameTrailerSize]byte
	b = append(b, end[:int(h.Size)-len(b)]...)
	if h.Kind != FrameSeal {
		chain = NextChain(chain, b, seals)
	}
	PutFrameTrailer(b, chain)
	return b, chain
}

// PutFrameTrailer writes the trailer of the whole frame b.
func PutFrameTrailer(b []byte, chain [32]byte) {
	t := b[len(b)-FrameTrailerSize:]
	copy(t[trailerChainAt:], chain[:])
	binary.LittleEndian.PutUint32(t[TrailerCRCAt:], CRC(b[:len(b)-8]))
	binary.LittleEndian.PutUint32(t[TrailerMagicAt:], FrameEndMagic)
}
