package format

import (
	"crypto/sha256"
	"encoding/binary"
)

// chainPiece is how many bytes are hashed in one call. What the chain covers of a record is mostly
// shorter by far than a call is worth.
const chainPiece = 2 << 10

// NextChain returns the chain value after the whole frame b. It covers what stays the same when the
// frame moves to another place and when events are erased: of each record everything but the
// checksum, with the seal in place of salt, metadata and payload, and without the flag that tells
// of an erasure. What is not a record is covered as it is. seals are those of the records, in their
// order; if there are none they are computed.
func NextChain(chain [32]byte, b []byte, seals []Seal) (next [32]byte) {
	sum := sha256.New()
	piece := make([]byte, 0, chainPiece)
	piece = append(piece, chain[:]...)
	piece = append(piece, b[frameFirstAt:frameSyncedAt]...)
	rest := FrameRecords(b)
	var r Record
	for n := range binary.LittleEndian.Uint32(b[frameCountAt:]) {
		if r.Decode(rest) != nil {
			break
		}
		covered := r.Size - len(r.content)
		if len(piece)+covered+SealSize > cap(piece) {
			sum.Write(piece)
			piece = piece[:0]
		}
		piece = append(piece, rest[:RecordCRCAt]...)
		piece = append(piece, r.Flags&^FlagRedacted)
		piece = append(piece, rest[recordFlagsAt+1:covered]...)
		if seals == nil {
			seal := r.Seal()
			piece = append(piece, seal[:]...)
		} else {
			piece = append(piece, seals[n][:]...)
		}
		rest = rest[r.Size:]
	}
	sum.Write(piece)
	sum.Write(rest)
	sum.Sum(next[:0])
	return next
}
