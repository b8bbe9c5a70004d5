package filestore

import (
	"encoding/binary"
	"errors"
	"github.com/eventfold/eventfold/engine"
)

var errIndexResume = errors.New("no frame of the segment ends where the index does, or it has another chain value")

// behindIndex returns the place in the segment behind the events that the file knows, with all that the next frame must follow.
// It is an error if the segment has no frame that ends there with the chain value that the file names.
func behindIndex(x *fileIndex, seg *segment) (logEnd, error) {
	off, _, err := x.frame(x.count() - 1)
	if err != nil {
		return logEnd{}, err
	}
	micros, err := x.recordedAt(x.count() - 1)
	if err != nil {
		return logEnd{}, err
	}
	for {
		h, trailer, err := frameOf(x, seg, off)
		if err != nil {
			return logEnd{}, err
		}
		next := off + int64(h.size)
		if next < x.end {
			off = next
			continue
		}
		end := logEnd{offset: next, next: x.base + engine.Position(x.count()), chain: [32]byte(trailer), previous: uint32(off),
			previousCRC: binary.LittleEndian.Uint32(trailer[trailerCRCAt:]), micros: max(micros, h.micros)}
		if next != x.end || end.chain != x.chain || h.first+engine.Position(h.count) != end.next {
			return logEnd{}, x.damage(-1, errIndexResume)
		}
		return end, nil
	}
}

// frameOf reads header and trailer of the frame at off. What lies between is not checked.
func frameOf(x *fileIndex, seg *segment, off int64) (h frameHeader, trailer []byte, err error) {
	b := make([]byte, frameHeaderSize)
	if _, err = seg.file.ReadAt(b, off); err != nil {
		return h, nil, err
	}
	if h, err = decodeFrameHeader(b, place{store: x.store, segment: seg.number, offset: off}); err != nil {
		return h, nil, x.damage(-1, err)
	}
	trailer = b[:frameTrailerSize]
	if _, err = seg.file.ReadAt(trailer, off+int64(h.size)-frameTrailerSize); err != nil {
		return h, nil, err
	}
	if binary.LittleEndian.Uint32(trailer[trailerMagicAt:]) != frameEndMagic {
		return h, nil, x.damage(-1, errFrameTrailer)
	}
	return h, trailer, nil
}
