package format

import (
	"encoding/binary"
	"errors"

	"github.com/eventfold/eventfold/engine"
	"github.com/google/uuid"
)

// errErasedContent is why an erased record is none.
var errErasedContent = errors.New("the record is erased, and holds more than its seal")

// EraseRecord erases metadata and payload of the record at the beginning of b, which is at position
// pos of a store: their seal takes the place of the salt, and zeros that of the rest. Lengths and
// all offsets stay, and so does every chain value. A record that is erased already stays as it is.
// One that does not check is left alone; a new checksum would hide the damage.
func EraseRecord(b []byte, store uuid.UUID, pos engine.Position) error {
	r, err := DecodeRecord(b)
	if err == nil {
		err = CheckRecord(b, store, pos)
	}
	if err != nil {
		return err
	}
	seal := r.Seal()
	clear(r.content[copy(r.content, seal[:]):])
	b[recordFlagsAt] |= FlagRedacted
	crc := RecordCRC(b, store, pos, CRC(b[EventHeadSize:r.Size]))
	binary.LittleEndian.PutUint32(b[RecordCRCAt:], crc)
	return nil
}

// EraseFrame erases the records at the positions that erase names in the whole frame b, which lies
// at a place, and returns how many those are. Its chain value stays, its checksum does not, and the
// next frame of the segment has that in its link: whoever erases goes through a segment from its
// beginning, and gives EraseFrame the [FrameCRC] of the frame before as it has become, 0 for the
// first. After an error b is anything.
func EraseFrame(
	b []byte, at Place, previousCRC uint32, erase func(engine.Position) bool,
) (erased int, err error) {
	h, err := DecodeFrameHeader(b, at)
	if err == nil {
		err = CheckFrame(b, h)
	}
	if err != nil {
		return 0, err
	}
	b = b[:h.Size]
	rest := FrameRecords(b)
	for n := range h.Count {
		pos := h.First + engine.Position(n)
		size := RecordSize(rest)
		if size < MinRecordSize || size > len(rest) {
			return erased, ErrFrameRecords
		}
		if erase(pos) {
			if err := EraseRecord(rest, at.Store, pos); err != nil {
				return erased, err
			}
			erased++
		}
		rest = rest[size:]
	}
	h.PreviousCRC = previousCRC
	PutFrameHeader(b, h, at)
	PutFrameTrailer(b, FrameChain(b))
	return erased, nil
}
