package format

import (
	"encoding/binary"

	"github.com/eventfold/eventfold/engine"
	"github.com/google/uuid"
)

// The file TAIL says how much of the log is durable: two slots, written in turn, each on a page of
// its own. The writer writes one after each sync of the log and does not sync it, so that a slot
// can be old but never ahead. It closes the only gap that the frames' own promises leave, the last
// frame; and it is what other processes watch. Damaged or missing slots are no information.
// FORMAT.md draws it.
//
// These constants are part of the format and must not be changed.
const (
	TailName     = "TAIL"
	TailMagic    = "EVFTAIL1"
	TailSlotSize = 4096
	TailBytes    = 104 // of a slot that are used
	tailCRCAt    = 100

	TailClean uint32 = 1 // nothing was being written: the file is zero from offset on
)

// A TailSlot is a decoded slot.
type TailSlot struct {
	Store      uuid.UUID
	Segment    int64
	Generation uint32
	Flags      uint32
	Offset     int64 // everything in the segment's file below it is durable
	Next       engine.Position
	Sequence   uint64 // one more with each slot written
	Chain      [32]byte
}

// Clean reports whether nothing was being written: the file is zero from the offset on.
func (t *TailSlot) Clean() bool { return t.Flags&TailClean != 0 }

// Put writes the slot to the beginning of b, which has room for TailBytes.
func (t *TailSlot) Put(b []byte) {
	copy(b, TailMagic)
	copy(b[8:], t.Store[:])
	binary.LittleEndian.PutUint64(b[24:], uint64(t.Segment))
	binary.LittleEndian.PutUint32(b[32:], t.Generation)
	binary.LittleEndian.PutUint32(b[36:], t.Flags)
	binary.LittleEndian.PutUint64(b[40:], uint64(t.Offset))
	binary.LittleEndian.PutUint64(b[48:], uint64(t.Next))
	binary.LittleEndian.PutUint64(b[56:], t.Sequence)
	copy(b[64:], t.Chain[:])
	binary.LittleEndian.PutUint32(b[96:], 0)
	binary.LittleEndian.PutUint32(b[tailCRCAt:], CRC(b[:tailCRCAt]))
}

// DecodeTailSlot decodes one slot. ok is false if it does not check.
func DecodeTailSlot(b []byte) (t TailSlot, ok bool) {
	if len(b) < TailBytes || string(b[:8]) != TailMagic ||
		binary.LittleEndian.Uint32(b[tailCRCAt:]) != CRC(b[:tailCRCAt]) {
		return TailSlot{}, false
	}
	return TailSlot{
		Store:      uuid.UUID(b[8:24]),
		Segment:    int64(binary.LittleEndian.Uint64(b[24:])),
		Generation: binary.LittleEndian.Uint32(b[32:]),
		Flags:      binary.LittleEndian.Uint32(b[36:]),
		Offset:     int64(binary.LittleEndian.Uint64(b[40:])),
		Next:       engine.Position(binary.LittleEndian.Uint64(b[48:])),
		Sequence:   binary.LittleEndian.Uint64(b[56:]),
		Chain:      [32]byte(b[64:96]),
	}, true
}
