package format

import (
	"encoding/binary"
	"errors"

	"github.com/eventfold/eventfold/engine"
	"github.com/google/uuid"
)

// The file ERASED of a copy of a store names events that the copy's own log does not name as
// erased, because they were erased after the copy was made: a ledger of the store has named them.
// It is written whole under another name, synced, and renamed. FORMAT.md draws it.
//
// These constants are part of the format and must not be changed.
const (
	ErasedName  = "ERASED"
	ErasedTemp  = "ERASED.tmp"
	ErasedMagic = "EVFERAS1"
	ErasedHead  = 40
	ErasedEntry = 16
	erasedDone  = 1 // flag: nothing holds their content any more

	MaxErasedSize = 256 << 20
	// ErasedPiece is how much of the file is read at once, bytes.
	ErasedPiece = ErasedHead + 4096*ErasedEntry
)

// An Erased is a decoded ERASED.
type Erased struct {
	Store  uuid.UUID
	Done   bool // no file of the copy holds their content any more
	Events engine.Spans
}

// Encode returns the bytes of the file.
func (e *Erased) Encode() []byte {
	b := make([]byte, ErasedHead, ErasedHead+len(e.Events)*ErasedEntry+4)
	copy(b, ErasedMagic)
	putVersion(b)
	if e.Done {
		binary.LittleEndian.PutUint32(b[12:], erasedDone)
	}
	copy(b[16:], e.Store[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(len(e.Events)))
	for _, x := range e.Events {
		b = binary.LittleEndian.AppendUint64(b, uint64(x.From))
		b = binary.LittleEndian.AppendUint64(b, uint64(x.To))
	}
	return binary.LittleEndian.AppendUint32(b, CRC(b))
}

// ErrErased is why an ERASED cannot be used.
var ErrErased = errors.New("it does not check; apply the ledger of the store to this copy again")

// DecodeErased decodes an ERASED. The error is ErrErased or, for a newer format, a *FormatError.
func DecodeErased(b []byte, name string) (*Erased, error) {
	if len(b) < ErasedHead+4 || string(b[:8]) != ErasedMagic ||
		binary.LittleEndian.Uint32(b[len(b)-4:]) != CRC(b[:len(b)-4]) {
		return nil, ErrErased
	}
	if _, err := decoderOf(b, name); err != nil {
		return nil, err
	}
	flags := binary.LittleEndian.Uint32(b[12:])
	if !MayBeErased(b, int64(len(b))) || flags&^erasedDone != 0 {
		return nil, ErrErased
	}
	spans := b[ErasedHead : len(b)-4]
	e := &Erased{
		Store: uuid.UUID(b[16:32]), Done: flags&erasedDone != 0,
		Events: make(engine.Spans, 0, len(spans)/ErasedEntry),
	}
	for ; len(spans) > 0; spans = spans[ErasedEntry:] {
		e.Events = append(e.Events, erasedSpan(spans))
	}
	if !e.Events.Valid(1 << 62) {
		return nil, ErrErased
	}
	return e, nil
}

// erasedSpan returns the span at the beginning of b.
func erasedSpan(b []byte) engine.Span {
	return engine.Span{
		From: engine.Position(binary.LittleEndian.Uint64(b)),
		To:   engine.Position(binary.LittleEndian.Uint64(b[8:])),
	}
}

// MayBeErased reports whether the first bytes of a file of the size given can be those of an ERASED:
// the last span in them is none of a file of holes, which takes no room on the disk.
func MayBeErased(b []byte, size int64) bool {
	if len(b) < ErasedHead {
		return int64(len(b)) == size
	}
	n := binary.LittleEndian.Uint64(b[32:])
	if string(b[:8]) != ErasedMagic || n > MaxErasedSize/ErasedEntry ||
		size != ErasedHead+int64(n)*ErasedEntry+4 {
		return false
	}
	last := (min(len(b), int(size)-4) - ErasedHead) / ErasedEntry
	if last < 1 {
		return true
	}
	x := erasedSpan(b[ErasedHead+(last-1)*ErasedEntry:])
	return x.From < x.To
}
