package filestore

import (
	"encoding/binary"

	"github.com/eventfold/eventfold/engine"
	"github.com/google/uuid"
)

// The file TAIL says how much of the log is durable: two slots, written in turn, each on a page of its own. The writer writes one after
// each sync of the log and does not sync it, so that a slot can be old but never ahead. It closes the only gap that the
// frames' own promises leave, the last frame; and it is what other processes watch. Damaged or missing slots are no information.
// FORMAT.md draws it.
//
// These constants are part of the format and must not be changed.
const (
	tailName     = "TAIL"
	tailMagic    = "EVFTAIL1"
	tailSlotSize = 4096
	tailBytes    = 104 // of a slot that are used
	tailCRCAt    = 100

	tailClean uint32 = 1 // nothing was being written: the file is zero from offset on
)

// A tailSlot is a decoded slot.
type tailSlot struct {
	store      uuid.UUID
	segment    int64
	generation uint32
	flags      uint32
	offset     int64 // everything in the segment's file below it is durable
	next       engine.Position
	sequence   uint64 // one more with each slot written
	chain      [32]byte
}

func (t *tailSlot) clean() bool { return t.flags&tailClean != 0 }

func (t *tailSlot) put(b []byte) {
	copy(b, tailMagic)
	copy(b[8:], t.store[:])
	binary.LittleEndian.PutUint64(b[24:], uint64(t.segment))
	binary.LittleEndian.PutUint32(b[32:], t.generation)
	binary.LittleEndian.PutUint32(b[36:], t.flags)
	binary.LittleEndian.PutUint64(b[40:], uint64(t.offset))
	binary.LittleEndian.PutUint64(b[48:], uint64(t.next))
	binary.LittleEndian.PutUint64(b[56:], t.sequence)
	copy(b[64:], t.chain[:])
	binary.LittleEndian.PutUint32(b[96:], 0)
	binary.LittleEndian.PutUint32(b[tailCRCAt:], crc32c(b[:tailCRCAt]))
}

// decodeTailSlot decodes one slot. ok is false if it does not check.
func decodeTailSlot(b []byte) (t tailSlot, ok bool) {
	if len(b) < tailBytes || string(b[:8]) != tailMagic || binary.LittleEndian.Uint32(b[tailCRCAt:]) != crc32c(b[:tailCRCAt]) {
		return tailSlot{}, false
	}
	return tailSlot{
		store:      uuid.UUID(b[8:24]),
		segment:    int64(binary.LittleEndian.Uint64(b[24:])),
		generation: binary.LittleEndian.Uint32(b[32:]),
		flags:      binary.LittleEndian.Uint32(b[36:]),
		offset:     int64(binary.LittleEndian.Uint64(b[40:])),
		next:       engine.Position(binary.LittleEndian.Uint64(b[48:])),
		sequence:   binary.LittleEndian.Uint64(b[56:]),
		chain:      [32]byte(b[64:96]),
	}, true
}
