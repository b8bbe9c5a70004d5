package filestore

import (
	"encoding/binary"
	"errors"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
)

var errIndexResume = errors.New("no frame of the segment ends where the index does, or it has another chain value")

// behindIndex returns the place in the segment behind the events that the file knows, with all that
// the next frame must follow. It is an error if the segment has no frame that ends there with the
// chain value that the file names.
func behindIndex(x *index.File, seg *segment) (logEnd, error) {
	off, first, err := x.Frame(x.Count() - 1)
	if err != nil {
		return logEnd{}, err
	}
	micros, err := x.RecordedAt(x.Count() - 1)
	if err != nil {
		return logEnd{}, err
	}
	walk := format.FrameWalk{
		At:   format.Place{Store: x.Store, Segment: seg.number, Offset: off},
		Next: x.Base + engine.Position(first),
	}
	h, err := walkTo(&walk, seg.file, x.End)
	if _, missing := err.(*format.WalkError); missing {
		err = x.Damage(-1, err)
	}
	if err != nil {
		return logEnd{}, err
	}
	trailer, err := trailerBefore(seg.file, x.End)
	if err != nil {
		return logEnd{}, err
	}
	end := logEnd{
		offset:      walk.At.Offset + int64(h.Size),
		next:        x.Base + engine.Position(x.Count()),
		chain:       [32]byte(trailer),
		previous:    uint32(walk.At.Offset),
		previousCRC: binary.LittleEndian.Uint32(trailer[format.TrailerCRCAt:]),
		micros:      max(micros, h.Micros),
	}
	magic := binary.LittleEndian.Uint32(trailer[format.TrailerMagicAt:])
	if end.offset != x.End || magic != format.FrameEndMagic || end.chain != x.Chain ||
		h.First+engine.Position(h.Count) != end.next {
		return logEnd{}, x.Damage(-1, errIndexResume)
	}
	return end, nil
}

// walkTo moves to the first frame that ends at or behind end, and returns its header. What follows
// that is not checked.
func walkTo(walk *format.FrameWalk, f vfs.File, end int64) (h format.FrameHeader, err error) {
	for {
		h, err = walk.Header(fileFrames{f})
		if err != nil || walk.At.Offset+int64(h.Size) >= end {
			return h, err
		}
		walk.Pass(&h)
	}
}

// trailerBefore returns the trailer of a frame that ends at end.
func trailerBefore(f vfs.File, end int64) ([]byte, error) {
	b := make([]byte, format.FrameTrailerSize)
	_, err := f.ReadAt(b, end-int64(len(b)))
	return b, err
}

// fileFrames gives the bytes of a segment's file to a walk.
type fileFrames struct{ file vfs.File }

// FrameBytes reads the n bytes at off.
func (f fileFrames) FrameBytes(off int64, n int, _ bool) ([]byte, error) {
	b := make([]byte, n)
	_, err := f.file.ReadAt(b, off)
	return b, err
}
