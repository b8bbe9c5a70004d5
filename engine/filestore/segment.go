package filestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/google/uuid"
)

// The header of a segment file: two equal copies of 128 bytes, in different sectors of the first page. It is written and synced before
// the file gets its name. FORMAT.md draws it.
//
// These constants are part of the format and must not be changed. Magic, major, minor and the CRC's place hold for all versions to come.
const (
	segmentMagic      = "EVFOLD1\n"
	formatMajor       = 1
	formatMinor       = 0
	segmentHeaderSize = 4096 // where the first frame begins
	segmentCopySize   = 128
	segmentSecondCopy = 2048
	segmentCRCAt      = 124

	// Feature bits that this version knows. An unknown incompatible bit refuses the file, an unknown bit of the second kind refuses to write.
	knownIncompatible = featureCompressed
	knownReadOnly     = 0
)

// The flags of a segment.
const segmentSupersedes uint32 = 1 // begins with the unpromised tail of its predecessor, which ends at this segment's base

// A segmentHeader is a decoded header.
type segmentHeader struct {
	incompatible, readOnly, compatible uint32 // feature bits
	store                              uuid.UUID
	number                             int64
	generation                         uint32
	flags                              uint32
	base                               engine.Position
	created                            int64    // microseconds since 1970 UTC
	chainIn                            [32]byte // chain value before the first frame
	capacity                           int64    // bytes
	promised                           int64    // everything below it was durable before the file got its name
	content                            uint32   // the generation that has given the segment its content, which the index file belongs to
}

func (h *segmentHeader) supersedes() bool { return h.flags&segmentSupersedes != 0 }

// encode returns the first page of the file.
func (h *segmentHeader) encode() []byte {
	page := make([]byte, segmentHeaderSize)
	b := page[:segmentCopySize]
	copy(b, segmentMagic)
	binary.LittleEndian.PutUint16(b[8:], formatMajor)
	binary.LittleEndian.PutUint16(b[10:], formatMinor)
	binary.LittleEndian.PutUint32(b[12:], h.incompatible)
	binary.LittleEndian.PutUint32(b[16:], h.readOnly)
	binary.LittleEndian.PutUint32(b[20:], h.compatible)
	copy(b[24:], h.store[:])
	binary.LittleEndian.PutUint64(b[40:], uint64(h.number))
	binary.LittleEndian.PutUint64(b[48:], uint64(h.base))
	binary.LittleEndian.PutUint64(b[56:], uint64(h.created))
	copy(b[64:], h.chainIn[:])
	binary.LittleEndian.PutUint32(b[96:], h.flags)
	binary.LittleEndian.PutUint32(b[100:], h.generation)
	binary.LittleEndian.PutUint64(b[104:], uint64(h.capacity))
	binary.LittleEndian.PutUint64(b[112:], uint64(h.promised))
	binary.LittleEndian.PutUint32(b[120:], h.content)
	binary.LittleEndian.PutUint32(b[segmentCRCAt:], crc32c(b[:segmentCRCAt]))
	copy(page[segmentSecondCopy:], b)
	return page
}

// Why a file's first page is not the header of a segment.
var (
	errSegmentMagic  = errors.New("it is not a segment of an event log")
	errSegmentCRC    = errors.New("both copies of its header are damaged")
	errSegmentFields = errors.New("its header does not fit its name or its neighbours")
)

// decodeSegmentHeader decodes the first page of the file name. A *FormatError means that the format is a newer one.
func decodeSegmentHeader(page []byte, name string) (segmentHeader, error) {
	magic := false
	for _, at := range [...]int{0, segmentSecondCopy} {
		if len(page) < at+segmentCopySize {
			break
		}
		b := page[at : at+segmentCopySize]
		if string(b[:8]) != segmentMagic {
			continue
		}
		magic = true
		if binary.LittleEndian.Uint32(b[segmentCRCAt:]) != crc32c(b[:segmentCRCAt]) {
			continue
		}
		return decodeSegmentCopy(b, name)
	}
	if magic {
		return segmentHeader{}, errSegmentCRC
	}
	return segmentHeader{}, errSegmentMagic
}

// decodeSegmentCopy decodes one copy, whose magic and CRC are right.
func decodeSegmentCopy(b []byte, name string) (segmentHeader, error) {
	major, minor := binary.LittleEndian.Uint16(b[8:]), binary.LittleEndian.Uint16(b[10:])
	if major != formatMajor {
		return segmentHeader{}, &engine.FormatError{File: name, Reason: fmt.Sprintf(
			"has format %d.%d, this version of eventfold knows %d.%d", major, minor, formatMajor, formatMinor)}
	}
	h := segmentHeader{
		incompatible: binary.LittleEndian.Uint32(b[12:]),
		readOnly:     binary.LittleEndian.Uint32(b[16:]),
		compatible:   binary.LittleEndian.Uint32(b[20:]),
		store:        uuid.UUID(b[24:40]),
		number:       int64(binary.LittleEndian.Uint64(b[40:])),
		base:         engine.Position(binary.LittleEndian.Uint64(b[48:])),
		created:      int64(binary.LittleEndian.Uint64(b[56:])),
		chainIn:      [32]byte(b[64:96]),
		flags:        binary.LittleEndian.Uint32(b[96:]),
		generation:   binary.LittleEndian.Uint32(b[100:]),
		capacity:     int64(binary.LittleEndian.Uint64(b[104:])),
		promised:     int64(binary.LittleEndian.Uint64(b[112:])),
		content:      binary.LittleEndian.Uint32(b[120:]),
	}
	if unknown := h.incompatible &^ knownIncompatible; unknown != 0 {
		return segmentHeader{}, &engine.FormatError{File: name, Reason: fmt.Sprintf(
			"uses features (%#x) that this version of eventfold does not know", unknown)}
	}
	return h, nil
}

// segmentFileName returns the name of a segment's file: 000000000007.log, and 000000000007.2.log in its second generation.
func segmentFileName(number int64, generation uint32) string {
	if generation == 0 {
		return fmt.Sprintf("%012d.log", number)
	}
	return fmt.Sprintf("%012d.%d.log", number, generation)
}

// parseSegmentFileName undoes segmentFileName. ok is false for any other name.
func parseSegmentFileName(name string) (number int64, generation uint32, ok bool) {
	stem, ok := strings.CutSuffix(name, ".log")
	if !ok {
		return 0, 0, false
	}
	digits, suffix, _ := strings.Cut(stem, ".")
	number, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || number < 1 {
		return 0, 0, false
	}
	if suffix != "" {
		g, err := strconv.ParseUint(suffix, 10, 32)
		if err != nil {
			return 0, 0, false
		}
		generation = uint32(g)
	}
	return number, generation, segmentFileName(number, generation) == name
}

// The sizes of the segments of a store that grows: a small store takes little room, a large one has few files.
var segmentSchedule = [...]int64{1 << 20, 4 << 20, 16 << 20, 64 << 20, 128 << 20}

// The bounds of Options.SegmentSize. Offsets in indexes and frames have 32 bits.
const (
	minSegmentSize = 32 << 10
	maxSegmentSize = 1 << 30
	segmentSpare   = 64 << 10 // room in a segment made for one large frame, beside that frame
)

// mostEvents returns how many events a segment can hold whose last frame ends at end.
func mostEvents(end int64) int64 { return max(end-segmentHeaderSize, 0) / minRecordSize }

// segmentCapacity returns the size of segment number, which must have room for a frame of the given size. fixed is Options.SegmentSize.
func segmentCapacity(number, fixed int64, frame int) int64 {
	size := fixed
	if size == 0 {
		size = segmentSchedule[min(number, int64(len(segmentSchedule)))-1]
	}
	if sealAt(segmentHeaderSize+int64(frame))+pageSize > size {
		size = segmentHeaderSize + int64(frame) + segmentSpare
	}
	return alignUp(size, pageSize)
}

// unpacked returns the header of a compressed segment as it would be if the segment were not compressed.
func (h segmentHeader) unpacked() segmentHeader {
	h.incompatible &^= featureCompressed
	h.flags &^= segmentCompressed
	return h
}

// sealAt returns where the seal of a segment lies whose last other frame ends at off.
func sealAt(off int64) int64 { return alignUp(off, pageSize) }
