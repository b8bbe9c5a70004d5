package filestore

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/internal/sabotage"
	"github.com/google/uuid"
)

// A frame is one group commit: a header, the records, zeros up to a multiple of 8, and a trailer with the chain value, the
// checksum of all of it, and a magic number. FORMAT.md draws it.
//
// These constants are part of the format and must not be changed.
const (
	frameHeaderSize  = 64
	frameTrailerSize = 40
	frameAlign       = 8
	frameMagic       = 0x46464556 // VEFF
	frameEndMagic    = 0x45464556 // VEFE

	frameMagicAt       = 0  // u32
	frameSizeAt        = 4  // u32, of the whole frame
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
	frameHeaderCRCAt   = 60 // u32, seeded with the frame's place

	// The trailer, counted from its own beginning.
	trailerChainAt = 0  // 32 bytes
	trailerCRCAt   = 32 // u32, of the frame up to here
	trailerMagicAt = 36 // u32

	minFrameSize = frameHeaderSize + frameTrailerSize
	maxGroupSize = 4 << 20                                                                               // at which a group stops gathering, bytes
	maxFrameSize = frameHeaderSize + maxGroupSize + engine.MaxAppendSize + frameAlign + frameTrailerSize // a group that is not full takes one more append
	pageSize     = 4096
)

// A frameKind tells what a frame holds.
type frameKind uint16

const (
	frameEvents frameKind = 1 // records
	frameSeal   frameKind = 3 // nothing: the segment is complete. It does not advance the chain
	frameNote   frameKind = 4 // bytes for those who verify; no events
)

// A place is where in which store a frame lies. It seeds the header's checksum, so that a frame that is stale, copied from
// another file, or written to the wrong offset does not check.
type place struct {
	store   uuid.UUID
	segment int64
	offset  int64
}

// A frameHeader is a decoded header.
type frameHeader struct {
	size        uint32 // of the whole frame, bytes
	first       engine.Position
	count       uint32
	kind        frameKind
	flags       uint16
	micros      int64  // microseconds since 1970 UTC; a record's recorded_at is this plus its addMicros
	nonce       uint64 // keeps equal appends from having equal chain values
	synced      int64  // everything in this file below it was durable before this frame was encoded
	previous    uint32 // offset of the previous frame in the file; 0 in the first
	previousCRC uint32 // the previous frame's checksum (that of its trailer); 0 in the first
}

// Why bytes are not a frame.
var (
	errFrameCut      = errors.New("the frame is longer than what is there")
	errFrameMagic    = errors.New("no frame begins here")
	errFramePlace    = errors.New("the frame header's checksum does not match its place")
	errFrameFields   = errors.New("the frame header's fields do not fit each other")
	errFrameTrailer  = errors.New("the frame's end is missing")
	errFrameCRC      = errors.New("the frame's checksum does not match")
	errFramePrevious = errors.New("the frame does not follow the one before it")
	errFrameRecords  = errors.New("the frame's records do not fill it")
)

// decodeFrameHeader decodes and checks the header at the beginning of b, which lies at the given place.
// It does not know where the file ends: the caller compares the size.
func decodeFrameHeader(b []byte, at place) (frameHeader, error) {
	if len(b) < frameHeaderSize {
		return frameHeader{}, errFrameCut
	}
	b = b[:frameHeaderSize:frameHeaderSize]
	if binary.LittleEndian.Uint32(b[frameMagicAt:]) != frameMagic {
		return frameHeader{}, errFrameMagic
	}
	if binary.LittleEndian.Uint32(b[frameHeaderCRCAt:]) != frameHeaderCRC(b, at) {
		return frameHeader{}, errFramePlace
	}
	h := frameHeader{
		size:        binary.LittleEndian.Uint32(b[frameSizeAt:]),
		first:       engine.Position(binary.LittleEndian.Uint64(b[frameFirstAt:])),
		count:       binary.LittleEndian.Uint32(b[frameCountAt:]),
		kind:        frameKind(binary.LittleEndian.Uint16(b[frameKindAt:])),
		flags:       binary.LittleEndian.Uint16(b[frameFlagsAt:]),
		micros:      int64(binary.LittleEndian.Uint64(b[frameMicrosAt:])),
		nonce:       binary.LittleEndian.Uint64(b[frameNonceAt:]),
		synced:      int64(binary.LittleEndian.Uint64(b[frameSyncedAt:])),
		previous:    binary.LittleEndian.Uint32(b[framePreviousAt:]),
		previousCRC: binary.LittleEndian.Uint32(b[framePreviousCRCAt:]),
	}
	if !h.fits(at.offset) {
		return frameHeader{}, errFrameFields
	}
	return h, nil
}

// fits reports whether a header at offset makes sense by itself.
func (h frameHeader) fits(offset int64) bool {
	if h.size < minFrameSize || h.size > maxFrameSize || h.size%frameAlign != 0 ||
		h.first < 0 || h.synced < 0 || h.synced > offset || int64(h.previous) >= offset {
		return false
	}
	switch h.kind {
	case frameEvents:
		return h.count > 0 && uint64(h.count)*minRecordSize <= uint64(h.size-minFrameSize)
	case frameSeal:
		return h.count == 0 && h.size == minFrameSize
	case frameNote:
		return h.count == 0
	}
	return false
}

// frameHeaderCRC returns the checksum of a header in its place: CRC32C of the header's fields, begun with the place's seed.
func frameHeaderCRC(b []byte, at place) uint32 {
	return crc32.Update(at.seed(), castagnoli, b[:frameHeaderCRCAt])
}

// seed folds the place into 32 bits. Two offsets of one segment never have the same seed; two segments or two stores have different
// seeds at an offset, but for a chance of 2^-32.
func (p place) seed() uint32 {
	if sabotage.On(sabotage.SkipPlaceSeed) {
		return 0
	}
	const fold = 0x9E3779B97F4A7C15
	x := binary.LittleEndian.Uint64(p.store[0:8])
	x = x*fold + binary.LittleEndian.Uint64(p.store[8:16])
	x = x*fold + uint64(p.segment)
	x *= fold
	return uint32(x>>32) ^ uint32(p.offset)
}

// checkFrame checks the whole frame at the beginning of b against its trailer. h is what decodeFrameHeader made of it.
func checkFrame(b []byte, h frameHeader) error {
	if int64(len(b)) < int64(h.size) {
		return errFrameCut
	}
	b = b[:h.size]
	t := b[len(b)-frameTrailerSize:]
	if binary.LittleEndian.Uint32(t[trailerMagicAt:]) != frameEndMagic {
		return errFrameTrailer
	}
	if binary.LittleEndian.Uint32(t[trailerCRCAt:]) != crc32c(b[:len(b)-8]) {
		return errFrameCRC
	}
	return nil
}

// frameRecords returns the bytes between the header and the trailer of a whole frame: the records and up to seven zeros.
func frameRecords(b []byte) []byte { return b[frameHeaderSize : len(b)-frameTrailerSize] }

// frameChain returns the chain value in the trailer of a whole frame.
func frameChain(b []byte) (chain [32]byte) {
	copy(chain[:], b[len(b)-frameTrailerSize:])
	return chain
}

// frameCRC returns the checksum in the trailer of a whole frame.
func frameCRC(b []byte) uint32 { return binary.LittleEndian.Uint32(b[len(b)-8:]) }

// frameSize returns the size of a frame whose records take n bytes.
func frameSize(n int) int { return frameHeaderSize + alignUp(n, frameAlign) + frameTrailerSize }

// alignUp returns the least multiple of to, a power of two, that is not below n.
func alignUp[T int | int64](n, to T) T { return (n + to - 1) &^ (to - 1) }

// nextChain returns the chain value after the frame at the beginning of b, of which header, records and padding are there.
// It covers what stays the same when a frame moves to another place.
func nextChain(chain [32]byte, b []byte, size int) (next [32]byte) {
	sum := sha256.New()
	sum.Write(chain[:])
	sum.Write(b[frameFirstAt:frameSyncedAt])
	sum.Write(b[frameHeaderSize : size-frameTrailerSize])
	sum.Sum(next[:0])
	return next
}

// putFrameHeader writes h with its checksum for the given place into the beginning of b.
func putFrameHeader(b []byte, h frameHeader, at place) {
	b = b[:frameHeaderSize:frameHeaderSize]
	clear(b)
	binary.LittleEndian.PutUint32(b[frameMagicAt:], frameMagic)
	binary.LittleEndian.PutUint32(b[frameSizeAt:], h.size)
	binary.LittleEndian.PutUint64(b[frameFirstAt:], uint64(h.first))
	binary.LittleEndian.PutUint32(b[frameCountAt:], h.count)
	binary.LittleEndian.PutUint16(b[frameKindAt:], uint16(h.kind))
	binary.LittleEndian.PutUint16(b[frameFlagsAt:], h.flags)
	binary.LittleEndian.PutUint64(b[frameMicrosAt:], uint64(h.micros))
	binary.LittleEndian.PutUint64(b[frameNonceAt:], h.nonce)
	binary.LittleEndian.PutUint64(b[frameSyncedAt:], uint64(h.synced))
	binary.LittleEndian.PutUint32(b[framePreviousAt:], h.previous)
	binary.LittleEndian.PutUint32(b[framePreviousCRCAt:], h.previousCRC)
	binary.LittleEndian.PutUint32(b[frameHeaderCRCAt:], frameHeaderCRC(b, at))
}

// sealFrame makes a frame of b, which holds room for the header and then the records: it sets h.size, writes the header, appends padding and
// trailer, and returns the frame and its chain value. A seal repeats the chain value that it is given.
func sealFrame(b []byte, h *frameHeader, at place, chain [32]byte) ([]byte, [32]byte) {
	h.size = uint32(frameSize(len(b) - frameHeaderSize))
	putFrameHeader(b, *h, at)
	var end [frameAlign + frameTrailerSize]byte
	b = append(b, end[:int(h.size)-len(b)]...)
	if h.kind != frameSeal {
		chain = nextChain(chain, b, len(b))
	}
	putFrameTrailer(b, chain)
	return b, chain
}

// putFrameTrailer writes the trailer of the whole frame b.
func putFrameTrailer(b []byte, chain [32]byte) {
	t := b[len(b)-frameTrailerSize:]
	copy(t[trailerChainAt:], chain[:])
	binary.LittleEndian.PutUint32(t[trailerCRCAt:], crc32c(b[:len(b)-8]))
	binary.LittleEndian.PutUint32(t[trailerMagicAt:], frameEndMagic)
}
