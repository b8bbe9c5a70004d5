package format

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/sabotage"
	"github.com/google/uuid"
)

// A record is one event encoded. Its head has a fixed size, so that one bounds check serves all its
// fields; behind the head come stream, type, tags, salt, metadata and payload, and zeros if there
// would be no room for a seal otherwise. All numbers are little-endian. FORMAT.md draws it.
//
// These constants are part of the format and must not be changed.
const (
	EventHeadSize = 48

	recordLengthAt   = 0  // u32, of head and content
	RecordCRCAt      = 4  // u32
	recordFlagsAt    = 8  // u8
	recordTypeAt     = 9  // u8, length of the type
	recordStreamAt   = 10 // u16, length of the stream
	recordMetadataAt = 12 // u32, length of the metadata
	recordVersionAt  = 16 // u64
	recordIDAt       = 24 // 16 bytes
	recordTagsAt     = 40 // u16, length of the tags
	recordPadAt      = 42 // u16, length of the zeros at the end
	recordMicrosAt   = 44 // u32, added to the frame's time

	// positionFold spreads the upper half of a position in RecordCRC.
	positionFold = 0x9E3779B1

	// The shortest record has a stream and a type of one byte each.
	MinRecordSize = EventHeadSize + 2 + SealSize
	// The longest has an event of the greatest limit; each tag's length takes a byte that the limit
	// does not count.
	MaxRecordSize = EventHeadSize + engine.MaxStreamSize + engine.MaxEventLimit + engine.MaxTags + SaltSize
)

// The flags of a record.
const (
	// the payload and the metadata have been erased; the other flags are those of the event as it was
	FlagRedacted uint8 = 1 << iota
	FlagJSON           // the payload is valid JSON
	FlagNull           // the payload is NULL, not merely empty
	// the record begins an append: all up to the next such flag were appended together
	FlagFirstOfAppend
)

// Castagnoli is the polynomial of every checksum in the log, the one that processors have an
// instruction for.
var Castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CRC returns the checksum of b.
func CRC(b []byte) uint32 { return crc32.Checksum(b, Castagnoli) }

// Why bytes are not a record.
var (
	ErrRecordCut    = errors.New("the record is longer than what is there")
	errRecordLength = errors.New("the record's lengths do not fit each other")
	errRecordPad    = errors.New("the record does not end with zeros")
	errRecordCRC    = errors.New("the record's checksum does not match")
)

// A Record is a decoded record. Its slices share the memory that it was decoded from.
type Record struct {
	Flags     uint8
	Version   engine.Version
	ID        uuid.UUID
	AddMicros uint32 // added to the frame's time gives recorded_at
	Stream    []byte
	Type      []byte
	Tags      []byte // encoded; DecodeTags
	Metadata  []byte // empty means {}
	Payload   []byte // nil for NULL
	Size      int    // of the whole record

	content []byte // from the salt on, or from the seal of an erased one
}

// Redacted reports whether metadata and payload have been erased.
func (r *Record) Redacted() bool { return r.Flags&FlagRedacted != 0 }

// JSON reports whether there is a payload that is valid JSON.
func (r *Record) JSON() bool { return r.Flags&(FlagJSON|FlagRedacted) == FlagJSON }

// Seal returns the seal of a decoded record: the one that it holds if it is erased, otherwise that
// of what it holds.
func (r *Record) Seal() Seal {
	if r.Redacted() {
		return Seal(r.content)
	}
	sealed := len(r.Metadata) + len(r.Payload)
	return sealOf(r.content[:SaltSize], r.content[SaltSize:SaltSize+sealed], len(r.Metadata))
}

// RecordSize returns the length that the record at the beginning of b claims to have, unchecked,
// and 0 if b is too short to tell.
func RecordSize(b []byte) int {
	if len(b) < 4 {
		return 0
	}
	return int(binary.LittleEndian.Uint32(b))
}

// DecodeRecord decodes the record at the beginning of b, which may be longer. It checks that the
// lengths fit each other and b, but no checksum. ErrRecordCut means that b may hold only a part of
// it; RecordSize then tells how much is needed.
func DecodeRecord(b []byte) (r Record, err error) {
	if err := r.Decode(b); err != nil {
		return Record{}, err
	}
	return r, nil
}

// Decode is DecodeRecord into r, which costs less where many are decoded. After an error r is
// anything.
func (r *Record) Decode(b []byte) error {
	if len(b) < EventHeadSize {
		return ErrRecordCut
	}
	head := b[:EventHeadSize:EventHeadSize]
	size := int64(binary.LittleEndian.Uint32(head[recordLengthAt:]))
	stream := int64(binary.LittleEndian.Uint16(head[recordStreamAt:]))
	typ := int64(head[recordTypeAt])
	tags := int64(binary.LittleEndian.Uint16(head[recordTagsAt:]))
	metadata := int64(binary.LittleEndian.Uint32(head[recordMetadataAt:]))
	pad := int64(binary.LittleEndian.Uint16(head[recordPadAt:]))
	contentAt := EventHeadSize + stream + typ + tags
	payload := size - contentAt - SaltSize - metadata - pad
	if size < MinRecordSize || size > MaxRecordSize || payload < 0 ||
		stream == 0 || stream > engine.MaxStreamSize || typ == 0 || pad != int64(padSize(int(metadata+payload))) {
		return errRecordLength
	}
	if size > int64(len(b)) {
		return ErrRecordCut
	}
	r.Flags = head[recordFlagsAt]
	if r.Flags&FlagNull != 0 && payload > 0 {
		return errRecordLength
	}
	r.Version = engine.Version(binary.LittleEndian.Uint64(head[recordVersionAt:]))
	r.ID = uuid.UUID(head[recordIDAt : recordIDAt+16])
	r.AddMicros = binary.LittleEndian.Uint32(head[recordMicrosAt:])
	r.Size = int(size)
	rest := b[EventHeadSize:size:size]
	r.Stream, rest = rest[:stream:stream], rest[stream:]
	r.Type, rest = rest[:typ:typ], rest[typ:]
	r.Tags, r.content = rest[:tags:tags], rest[tags:]
	if r.Flags&FlagRedacted != 0 {
		return r.decodeErased()
	}
	rest = r.content[SaltSize:]
	r.Metadata, rest = rest[:metadata:metadata], rest[metadata:]
	r.Payload = rest[:payload:payload]
	if r.Flags&FlagNull != 0 {
		r.Payload = nil
	}
	if pad > 0 && !isZero(rest[payload:]) {
		return errRecordPad
	}
	return nil
}

// decodeErased decodes the content of an erased record.
func (r *Record) decodeErased() error {
	r.Metadata, r.Payload = nil, nil
	if !isZero(r.content[SealSize:]) {
		return errErasedContent
	}
	return nil
}

// zeros are compared with. Nobody writes to them.
var zeros [4096]byte

// isZero reports whether b is zero.
func isZero(b []byte) bool {
	for len(b) > 0 {
		n := min(len(b), len(zeros))
		if !bytes.Equal(b[:n], zeros[:n]) {
			return false
		}
		b = b[n:]
	}
	return true
}

// CheckRecord checks the checksum of the record at the beginning of b, which DecodeRecord has
// accepted. The checksum covers the store and the position, so that a record in the wrong place
// fails.
func CheckRecord(b []byte, store uuid.UUID, pos engine.Position) error {
	size := RecordSize(b)
	if size < EventHeadSize || size > len(b) {
		return ErrRecordCut
	}
	if RecordCRC(b, store, pos, CRC(b[EventHeadSize:size])) != binary.LittleEndian.Uint32(b[RecordCRCAt:]) {
		return errRecordCRC
	}
	return nil
}

// RecordCRC returns the checksum of a record at position pos of a store whose content has the
// checksum content: CRC32C of the head from the flags on, begun with the content's checksum folded
// with the store and the position. So the goroutine that appends checksums the content, and the
// writer, who knows position and version, needs no second pass over it. The length is covered
// because it says where the content ends.
func RecordCRC(b []byte, store uuid.UUID, pos engine.Position, content uint32) uint32 {
	return crc32.Update(content^storeFold(store)^uint32(pos)^uint32(uint64(pos)>>32)*positionFold, Castagnoli,
		b[recordFlagsAt:EventHeadSize])
}

// storeFold folds a store's id into 32 bits.
func storeFold(store uuid.UUID) uint32 {
	if sabotage.On(sabotage.SkipPlaceSeed) {
		return 0
	}
	const fold = 0x9E3779B97F4A7C15
	x := binary.LittleEndian.Uint64(store[0:8])*fold + binary.LittleEndian.Uint64(store[8:16])
	return uint32(x * fold >> 32)
}

// AppendRecord encodes an event whose tags are sorted, as far as the goroutine that appends can:
// version, time and position are given by the writer in FinishRecord. Until then the record's CRC
// field holds the checksum of the content. What is given has been validated.
func AppendRecord(
	dst []byte, flags uint8, id uuid.UUID, stream, typ string, tags []string, salt *Salt,
	metadata, payload []byte,
) []byte {
	start := len(dst)
	var head [EventHeadSize]byte
	head[recordFlagsAt] = flags
	head[recordTypeAt] = uint8(len(typ))
	binary.LittleEndian.PutUint16(head[recordStreamAt:], uint16(len(stream)))
	binary.LittleEndian.PutUint32(head[recordMetadataAt:], uint32(len(metadata)))
	pad := padSize(len(metadata) + len(payload))
	binary.LittleEndian.PutUint16(head[recordPadAt:], uint16(pad))
	copy(head[recordIDAt:], id[:])
	dst = append(dst, head[:]...)
	dst = append(dst, stream...)
	dst = append(dst, typ...)
	tagsAt := len(dst)
	for _, t := range tags {
		dst = append(dst, uint8(len(t)))
		dst = append(dst, t...)
	}
	binary.LittleEndian.PutUint16(dst[start+recordTagsAt:], uint16(len(dst)-tagsAt))
	dst = append(dst, salt[:]...)
	dst = append(dst, metadata...)
	dst = append(dst, payload...)
	dst = append(dst, zeros[:pad]...)
	b := dst[start:]
	binary.LittleEndian.PutUint32(b[recordLengthAt:], uint32(len(b)))
	binary.LittleEndian.PutUint32(b[RecordCRCAt:], CRC(b[EventHeadSize:]))
	return dst
}

// FinishRecord gives the record b, made by AppendRecord, its place.
func FinishRecord(b []byte, store uuid.UUID, pos engine.Position, version engine.Version, addMicros uint32) {
	content := binary.LittleEndian.Uint32(b[RecordCRCAt:])
	binary.LittleEndian.PutUint64(b[recordVersionAt:], uint64(version))
	binary.LittleEndian.PutUint32(b[recordMicrosAt:], addMicros)
	binary.LittleEndian.PutUint32(b[RecordCRCAt:], RecordCRC(b, store, pos, content))
}

// EachTag yields the tags encoded in b, each its length in one byte and its bytes, and stops at a
// length that does not fit.
func EachTag(b []byte, yield func(tag []byte) bool) {
	for len(b) > 0 {
		n := int(b[0])
		if n == 0 || 1+n > len(b) || !yield(b[1:1+n:1+n]) {
			return
		}
		b = b[1+n:]
	}
}

// DecodeTags returns the tags encoded in b, nil for none.
func DecodeTags(b []byte) []string {
	var tags []string
	EachTag(b, func(tag []byte) bool {
		tags = append(tags, string(tag))
		return true
	})
	return tags
}
