package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/google/uuid"
)

// The header of a segment file: two equal copies of 128 bytes, in different sectors of the first
// page. It is written and synced before the file gets its name. FORMAT.md draws it.
//
// These constants are part of the format and must not be changed. Magic, major, minor and the CRC's
// place hold for all versions to come.
const (
	SegmentMagic      = "EVFOLD1\n"
	SegmentHeaderSize = 4096 // where the first frame begins
	SegmentCopySize   = 128
	SegmentSecondCopy = 2048
	SegmentCRCAt      = 124

	// featureSeals is set in every file: the chain goes over the seals of events. A file without it
	// was written before the first release.
	featureSeals uint32 = 2

	// Feature bits that this version knows. An unknown incompatible bit refuses the file, an
	// unknown bit of the second kind refuses to write.
	knownIncompatible = FeatureCompressed | featureSeals
	knownReadOnly     = 0
)

// The flags of a segment.
// begins with the unpromised tail of its predecessor, which ends at this segment's base
const SegmentSupersedes uint32 = 1

// A SegmentHeader is a decoded header.
type SegmentHeader struct {
	Incompatible, readOnly, compatible uint32 // feature bits that not every file has
	Store                              uuid.UUID
	Number                             int64
	Generation                         uint32
	Flags                              uint32
	Base                               engine.Position
	Created                            int64    // microseconds since 1970 UTC
	ChainIn                            [32]byte // chain value before the first frame
	Capacity                           int64    // bytes
	Promised                           int64    // everything below it was durable before the file got its name
	// the generation that has given the segment its content, which the index file belongs to
	Content uint32
}

// Supersedes reports whether the segment begins with the unpromised tail of its predecessor, which
// ends at its base.
func (h *SegmentHeader) Supersedes() bool { return h.Flags&SegmentSupersedes != 0 }

// Encode returns the first page of the file.
func (h *SegmentHeader) Encode() []byte {
	page := make([]byte, SegmentHeaderSize)
	b := page[:SegmentCopySize]
	copy(b, SegmentMagic)
	putVersion(b)
	binary.LittleEndian.PutUint32(b[12:], h.Incompatible|featureSeals)
	binary.LittleEndian.PutUint32(b[16:], h.readOnly)
	binary.LittleEndian.PutUint32(b[20:], h.compatible)
	copy(b[24:], h.Store[:])
	binary.LittleEndian.PutUint64(b[40:], uint64(h.Number))
	binary.LittleEndian.PutUint64(b[48:], uint64(h.Base))
	binary.LittleEndian.PutUint64(b[56:], uint64(h.Created))
	copy(b[64:], h.ChainIn[:])
	binary.LittleEndian.PutUint32(b[96:], h.Flags)
	binary.LittleEndian.PutUint32(b[100:], h.Generation)
	binary.LittleEndian.PutUint64(b[104:], uint64(h.Capacity))
	binary.LittleEndian.PutUint64(b[112:], uint64(h.Promised))
	binary.LittleEndian.PutUint32(b[120:], h.Content)
	binary.LittleEndian.PutUint32(b[SegmentCRCAt:], CRC(b[:SegmentCRCAt]))
	copy(page[SegmentSecondCopy:], b)
	return page
}

// Why a file's first page is not the header of a segment.
var (
	ErrSegmentMagic  = errors.New("it is not a segment of an event log")
	ErrSegmentCRC    = errors.New("both copies of its header are damaged")
	ErrSegmentFields = errors.New("its header does not fit its name or its neighbours")
)

// DecodeSegmentHeader decodes the first page of the file name. A *FormatError means that the format
// is a newer one.
func DecodeSegmentHeader(page []byte, name string) (SegmentHeader, error) {
	magic := false
	for _, at := range [...]int{0, SegmentSecondCopy} {
		if len(page) < at+SegmentCopySize {
			break
		}
		b := page[at : at+SegmentCopySize]
		if string(b[:8]) != SegmentMagic {
			continue
		}
		magic = true
		if binary.LittleEndian.Uint32(b[SegmentCRCAt:]) != CRC(b[:SegmentCRCAt]) {
			continue
		}
		return decodeSegmentCopy(b, name)
	}
	if magic {
		return SegmentHeader{}, ErrSegmentCRC
	}
	return SegmentHeader{}, ErrSegmentMagic
}

// decodeSegmentCopy decodes one copy, whose magic and CRC are right.
func decodeSegmentCopy(b []byte, name string) (SegmentHeader, error) {
	d, err := decoderOf(b, name)
	if err != nil {
		return SegmentHeader{}, err
	}
	h := d.segment(b)
	if h.Incompatible&featureSeals == 0 {
		return SegmentHeader{}, &engine.FormatError{File: name, Reason: "was written before the first release of " +
			"eventfold, when the format was not settled; no released version reads it"}
	}
	h.Incompatible &^= featureSeals
	if unknown := h.Incompatible &^ knownIncompatible; unknown != 0 {
		return SegmentHeader{}, &engine.FormatError{File: name, Reason: fmt.Sprintf(
			"uses features (%#x) that this version of eventfold does not know", unknown)}
	}
	return h, nil
}

func decodeSegment1(b []byte) SegmentHeader {
	return SegmentHeader{
		Incompatible: binary.LittleEndian.Uint32(b[12:]),
		readOnly:     binary.LittleEndian.Uint32(b[16:]),
		compatible:   binary.LittleEndian.Uint32(b[20:]),
		Store:        uuid.UUID(b[24:40]),
		Number:       int64(binary.LittleEndian.Uint64(b[40:])),
		Base:         engine.Position(binary.LittleEndian.Uint64(b[48:])),
		Created:      int64(binary.LittleEndian.Uint64(b[56:])),
		ChainIn:      [32]byte(b[64:96]),
		Flags:        binary.LittleEndian.Uint32(b[96:]),
		Generation:   binary.LittleEndian.Uint32(b[100:]),
		Capacity:     int64(binary.LittleEndian.Uint64(b[104:])),
		Promised:     int64(binary.LittleEndian.Uint64(b[112:])),
		Content:      binary.LittleEndian.Uint32(b[120:]),
	}
}

// SegmentFileName returns the name of a segment's file: 000000000007.log, and 000000000007.2.log in
// its second generation.
func SegmentFileName(number int64, generation uint32) string {
	if generation == 0 {
		return fmt.Sprintf("%012d.log", number)
	}
	return fmt.Sprintf("%012d.%d.log", number, generation)
}

// ParseSegmentFileName undoes SegmentFileName. ok is false for any other name.
func ParseSegmentFileName(name string) (number int64, generation uint32, ok bool) {
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
	return number, generation, SegmentFileName(number, generation) == name
}

// The sizes of the segments of a store that grows: a small store takes little room, a large one has
// few files.
var segmentSchedule = [...]int64{1 << 20, 4 << 20, 16 << 20, 64 << 20, 128 << 20}

// The bounds of Options.SegmentSize. Offsets in indexes and frames have 32 bits.
const (
	MinSegmentSize = 32 << 10
	MaxSegmentSize = 1 << 30
	segmentSpare   = 64 << 10 // room in a segment made for one large frame, beside that frame
)

// MostEvents returns how many events a segment can hold whose last frame ends at end.
func MostEvents(end int64) int64 { return max(end-SegmentHeaderSize, 0) / MinRecordSize }

// SegmentCapacity returns the size of segment number, which must have room for a frame of the given
// size. fixed is Options.SegmentSize.
func SegmentCapacity(number, fixed int64, frame int) int64 {
	size := fixed
	if size == 0 {
		size = segmentSchedule[min(number, int64(len(segmentSchedule)))-1]
	}
	if SealAt(SegmentHeaderSize+int64(frame))+PageSize > size {
		size = SegmentHeaderSize + int64(frame) + segmentSpare
	}
	return AlignUp(size, PageSize)
}

// Unpacked returns the header of a compressed segment as it would be if the segment were not
// compressed.
func (h SegmentHeader) Unpacked() SegmentHeader {
	h.Incompatible &^= FeatureCompressed
	h.Flags &^= SegmentCompressed
	return h
}

// SealAt returns where the seal of a segment lies whose last other frame ends at off.
func SealAt(off int64) int64 { return AlignUp(off, PageSize) }
