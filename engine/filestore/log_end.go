package filestore

import (
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// A logEnd is a place between two frames of a segment, with what the next frame must follow.
type logEnd struct {
	offset      int64
	next        engine.Position // of the next event
	chain       [32]byte
	previous    uint32 // offset of the frame before
	previousCRC uint32 // its checksum
	micros      int64  // recorded_at of the last event
}

// startOf returns the place before a segment's first frame. micros is the time of the last event
// before it.
func startOf(h *format.SegmentHeader, micros int64) logEnd {
	return logEnd{offset: format.SegmentHeaderSize, next: h.Base, chain: h.ChainIn, micros: micros}
}

// after returns the place behind the whole frame b, which begins at off.
func (e logEnd) after(h *format.FrameHeader, b []byte, off int64) logEnd {
	e.offset = off + int64(h.Size)
	e.next += engine.Position(h.Count)
	e.chain = format.FrameChain(b)
	e.previous, e.previousCRC = uint32(off), format.FrameCRC(b)
	e.micros = max(e.micros, h.Micros)
	return e
}

// seal returns a seal, to be written at a place, for a segment that ends here.
func (e logEnd) seal(at format.Place, micros int64) []byte {
	h := format.FrameHeader{
		First:       e.next,
		Kind:        format.FrameSeal,
		Micros:      max(micros, e.micros),
		Synced:      e.offset,
		Previous:    e.previous,
		PreviousCRC: e.previousCRC,
	}
	b, _ := format.SealFrame(make([]byte, format.FrameHeaderSize, format.MinFrameSize), &h, at, e.chain, nil)
	return b
}

// timeOf returns a time of the log, which counts microseconds since 1970 UTC.
func timeOf(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
