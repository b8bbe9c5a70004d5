package format

import (
	"crypto/sha256"
	"encoding/binary"
)

// The chain does not cover metadata and payload themselves but a seal of them, so that they can be
// erased without breaking it: the record then holds the seal in their place. The salt keeps
// anybody from finding out what was erased by guessing it, since it is erased as well. FORMAT.md
// draws it.
//
// These constants are part of the format and must not be changed.
const (
	SaltSize = 16
	SealSize = sha256.Size

	sealMagic  = "EVFSEAL1"
	sealPrefix = len(sealMagic) + SaltSize + 4 + 4 // before metadata and payload in what is hashed
)

// A Salt is random and stands before an event's metadata and payload. No two events share one.
type Salt [SaltSize]byte

// A Seal is the SHA-256 of an event's salt, metadata and payload, with the lengths of both.
type Seal [SealSize]byte

// smallSealed is how many bytes of metadata and payload are copied to be hashed in one call, which
// costs less than several.
const smallSealed = 480

// sealOf returns the seal of metadata and payload, which follow each other in sealed.
func sealOf(salt, sealed []byte, metadata int) (seal Seal) {
	var space [sealPrefix + smallSealed]byte
	b := append(space[:0], sealMagic...)
	b = append(b, salt...)
	b = binary.LittleEndian.AppendUint32(b, uint32(metadata))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(sealed)-metadata))
	if len(sealed) <= smallSealed {
		return sha256.Sum256(append(b, sealed...))
	}
	sum := sha256.New()
	sum.Write(b)
	sum.Write(sealed)
	sum.Sum(seal[:0])
	return seal
}

// ContentSize returns how many bytes salt, metadata, payload and pad of a record take.
func ContentSize(metadata, payload int) int { return max(SaltSize+metadata+payload, SealSize) }

// padSize returns the length of the zeros behind metadata and payload of so many bytes, which make
// room for the seal.
func padSize(sealed int) int { return max(SealSize-SaltSize-sealed, 0) }
