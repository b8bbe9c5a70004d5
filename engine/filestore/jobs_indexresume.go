package filestore

import (
	"encoding/binary"
	"errors"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
)

var errIndexResume = errors.New("no frame of the segment ends where the index does, or it has another chain value")

// behindIndex returns the place in the segment behind the events that the file knows, with all that the next frame must follow.
// It is an error if the segment has no frame that ends there with the chain value that the file names.
func behindIndex(x *index.File, seg *segment) (logEnd, error) {
	off, _, err := x.Frame(x.Count() - 1)
	if err != nil {
		return logEnd{}, err
	}
	micros, err := x.RecordedAt(x.Count() - 1)
	if err != nil {
		return logEnd{}, err
	}
	for {
		h, trailer, err := frameOf(x, seg, off)
		if err != nil {
			return logEnd{}, err
		}
		next := off + int64(h.Size)
		if next < x.End {
			off = next
			continue
		}
		end := logEnd{offset: next, next: x.Base + engine.Position(x.Count()), chain: [32]byte(trailer), previous: uint32(off),
			previousCRC: binary.LittleEndian.Uint32(trailer[format.TrailerCRCAt:]), micros: max(micros, h.Micros)}
		if next != x.End || end.chain != x.Chain || h.First+engine.Position(h.Count) != end.next {
			return logEnd{}, x.Damage(-1, errIndexResume)
		}
		return end, nil
	}
}

// frameOf reads header and trailer of the frame at off. What lies between is not checked.
func frameOf(x *index.File, seg *segment, off int64) (h format.FrameHeader, trailer []byte, err error) {
	b := make([]byte, format.FrameHeaderSize)
	if _, err = seg.file.ReadAt(b, off); err != nil {
		return h, nil, err
	}
	if h, err = format.DecodeFrameHeader(b, format.Place{Store: x.Store, Segment: seg.number, Offset: off}); err != nil {
		return h, nil, x.Damage(-1, err)
	}
	trailer = b[:format.FrameTrailerSize]
	if _, err = seg.file.ReadAt(trailer, off+int64(h.Size)-format.FrameTrailerSize); err != nil {
		return h, nil, err
	}
	if binary.LittleEndian.Uint32(trailer[format.TrailerMagicAt:]) != format.FrameEndMagic {
		return h, nil, x.Damage(-1, format.ErrFrameTrailer)
	}
	return h, trailer, nil
}
