package filestore

import (
	"errors"
	"fmt"
	"io"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/sabotage"
)

// A logFrame is a whole frame that checks, with the places before and behind it.
type logFrame struct {
	format.FrameHeader
	offset int64
	bytes  []byte
	owned  bool   // bytes stay as they are
	end    logEnd // behind it
}

// A logScanner reads the frames of a segment one after the other and checks each: header, place,
// position, the link to the frame before, and the checksum of all of it.
type logScanner struct {
	file vfs.File
	at   format.Place // of the segment
	end  logEnd
	size int64 // of the file
	// why tells, when next has returned nothing, why no frame begins at end.
	why error

	block  []byte             // read from the file
	begin  int64              // offset of block
	ahead  int64              // how much is read at once
	blocks func(n int) []byte // gives the next block; nil uses the same one again
}

// How much a scan reads at once, to begin with and at most.
const (
	scanFirstBlock = 16 << 10
	scanBlock      = 1 << 20
)

// newLogScanner makes a scanner that begins at end.
func newLogScanner(seg *segment, end logEnd) (*logScanner, error) {
	size, err := seg.file.Size()
	if err != nil {
		return nil, fmt.Errorf("eventfold: %s: %w", seg.name, err)
	}
	return &logScanner{
		file: seg.file,
		at:   format.Place{Store: seg.header.Store, Segment: seg.number},
		end:  end,
		size: size,
	}, nil
}

// next returns the next frame, whose bytes live until the next call, and nil if none begins at end.
// An error is one of reading, not of what was read.
func (s *logScanner) next() (*logFrame, error) {
	var f *logFrame
	var why error // what is wrong where the frame before ends
	kind, err := format.NextFrame(s.end.offset, func(off int64) (_ format.FrameKind, err error) {
		if f, err = s.frameAt(off); f != nil {
			return f.Kind, err
		}
		if off == s.end.offset {
			why = s.why
		}
		return 0, err
	})
	if kind == 0 {
		s.why = why
		return nil, err
	}
	f.end = s.end.after(&f.FrameHeader, f.bytes, f.offset)
	s.end = f.end
	return f, nil
}

// frameAt returns the frame at off if one checks there that follows s.end.
func (s *logScanner) frameAt(off int64) (*logFrame, error) {
	s.at.Offset = off
	b, err := s.read(off, format.FrameHeaderSize)
	if err != nil {
		return nil, err
	}
	h, err := format.DecodeFrameHeader(b, s.at)
	if err != nil {
		s.why = err
		return nil, nil
	}
	if off+int64(h.Size) > s.size && !sabotage.On(sabotage.LengthNotBounded) {
		s.why = format.ErrFrameCut
		return nil, nil
	}
	linked := h.Previous == s.end.previous && h.PreviousCRC == s.end.previousCRC ||
		sabotage.On(sabotage.SkipPreviousCRC)
	if h.First != s.end.next || !linked || h.Micros < s.end.micros {
		s.why = format.ErrFramePrevious
		return nil, nil
	}
	if b, err = s.read(off, int(h.Size)); err != nil {
		return nil, err
	}
	if s.why = format.CheckFrame(b, h); s.why != nil {
		return nil, nil
	}
	if s.why = checkRecords(b, h); s.why != nil {
		return nil, nil
	}
	return &logFrame{FrameHeader: h, offset: off, bytes: b[:h.Size]}, nil
}

// checkRecords checks that the records of a whole frame fill it.
func checkRecords(b []byte, h format.FrameHeader) error {
	if h.Kind != format.FrameEvents {
		return nil
	}
	rest := format.FrameRecords(b[:h.Size])
	for range h.Count {
		r, err := format.DecodeRecord(rest)
		if err != nil {
			return format.ErrFrameRecords
		}
		rest = rest[r.Size:]
	}
	if len(rest) >= format.FrameAlign {
		return format.ErrFrameRecords
	}
	return nil
}

// read returns the n bytes at off, or as many as there are. They live until the next call.
func (s *logScanner) read(off int64, n int) ([]byte, error) {
	if at := off - s.begin; at >= 0 && at+int64(n) <= int64(len(s.block)) {
		return s.block[at : at+int64(n)], nil
	}
	s.ahead = min(max(2*s.ahead, scanFirstBlock), scanBlock)
	want := max(n, int(min(s.ahead, max(0, s.size-off))))
	switch {
	case s.blocks != nil:
		s.block = s.blocks(want)
	case cap(s.block) < want:
		s.block = make([]byte, want)
	}
	s.block, s.begin = s.block[:want], off
	got, err := s.file.ReadAt(s.block, off)
	s.block = s.block[:got]
	if err != nil && got < want && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return s.block[:min(n, got)], nil
}

// indexFrame adds the events of a frame to an index. own tells that some are of a stream that only
// the store appends to.
func indexFrame(m *index.Memory, h *format.FrameHeader, b []byte, off int64) (own bool) {
	if h.Kind != format.FrameEvents {
		return false
	}
	var e index.Event
	at := format.FrameHeaderSize
	for range h.Count {
		r, err := format.DecodeRecord(b[at:])
		if err != nil {
			return own // checkRecords has decoded them all
		}
		e.Set(&r, off+int64(at), off, h.Micros)
		m.Add(&e)
		own = own || isOwn(r.Stream)
		at += r.Size
	}
	return own
}

// laterFrame looks for the header of a frame anywhere at or behind off, at a multiple of 8, that
// accept accepts, and returns where it is. It sees headers that are in their place, whether or not
// what follows them checks.
func (s *logScanner) laterFrame(
	off int64, accept func(h *format.FrameHeader, at int64) bool,
) (format.FrameHeader, int64, bool, error) {
	off = format.AlignUp(off, format.FrameAlign)
	for off+format.FrameHeaderSize <= s.size {
		b, err := s.read(off, int(min(scanBlock, s.size-off)))
		if err != nil || len(b) < format.FrameHeaderSize {
			return format.FrameHeader{}, 0, false, err
		}
		at := 0
		written := len(trimZeros(b))
		for ; at+format.FrameHeaderSize <= len(b); at += format.FrameAlign {
			if at >= written { // no header begins among zeros
				at = (len(b)-format.FrameHeaderSize)/format.FrameAlign*format.FrameAlign + format.FrameAlign
				break
			}
			if b[at] != format.FrameMagic&0xff || b[at+1] != format.FrameMagic>>8&0xff {
				continue
			}
			s.at.Offset = off + int64(at)
			h, err := format.DecodeFrameHeader(b[at:], s.at)
			if err == nil && accept(&h, s.at.Offset) {
				return h, s.at.Offset, true, nil
			}
		}
		off += int64(at)
	}
	return format.FrameHeader{}, 0, false, nil
}
