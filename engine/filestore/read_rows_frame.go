package filestore

import (
	"encoding/binary"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// A row is an event found in the log. Its record points into a block.
type row struct {
	ord    uint32 // position minus the segment's base
	micros int64  // recorded_at
	format.Record
}

// frameRows yields the events lo <= ordinal < hi of one segment in either direction. It reads whole frames, in large blocks,
// and checks one checksum per frame.
type frameRows struct {
	s      *segmentReader
	lo, hi uint32
	dir    engine.Direction

	block   []byte // the bytes of the segment from blockAt on
	blockAt int64
	size    int // of the next block
	frameAt int64
	behind  int64  // offset behind the current frame; forwards it is where the next one begins
	before  int64  // offset of the frame before the current one, backwards
	next    uint32 // forwards: first ordinal of the next frame. Backwards: ordinal behind the next frame

	// The current frame.
	records []byte
	micros  int64    // of the frame
	ord     uint32   // of the next row
	left    uint32   // rows to come
	offset  int      // forwards: of the next record in records
	starts  []uint32 // backwards: offsets of the records to come
}

// begin makes the rows ready. size is how many bytes the first read should have; it need not be enough.
func (f *frameRows) begin(s *segmentReader, lo, hi uint32, dir engine.Direction, size int) error {
	s.memory.release(f.block)
	*f = frameRows{s: s, lo: lo, hi: hi, dir: dir, size: min(max(size, smallBlock), largeBlock), starts: f.starts[:0]}
	if lo >= hi {
		return nil
	}
	if dir == engine.Forwards {
		return f.seekForwards()
	}
	return f.seekBackwards()
}

// beginWhole makes the rows of a whole segment ready, forwards, without asking its index.
func (f *frameRows) beginWhole(s *segmentReader) {
	*f = frameRows{s: s, hi: s.limit, size: largeBlock, behind: format.SegmentHeaderSize}
}

// seekForwards goes to the frame that holds event lo.
func (f *frameRows) seekForwards() (err error) {
	if f.behind, f.next, err = f.s.Frame(f.lo); err != nil {
		return err
	}
	for {
		h, err := f.headerAhead()
		if err != nil {
			return err
		}
		if f.s.behind(h) > f.lo {
			return nil
		}
		f.behind, f.next = f.behind+int64(h.Size), f.s.behind(h)
	}
}

// seekBackwards goes behind the frame that holds event hi-1.
func (f *frameRows) seekBackwards() error {
	off, first, err := f.s.Frame(f.hi - 1)
	if err != nil {
		return err
	}
	for {
		h, at, err := f.s.header(off, first)
		if err != nil {
			return err
		}
		off, first = at+int64(h.Size), f.s.behind(h)
		if first >= f.hi {
			f.before, f.frameAt, f.next = at, off, first
			return nil
		}
	}
}

// nextRow yields the next event.
func (f *frameRows) nextRow(r *row) (bool, error) {
	for f.left == 0 {
		if ok, err := f.advance(); !ok {
			return false, err
		}
	}
	f.left--
	at := f.offset
	if f.dir == engine.Backwards {
		at = int(f.starts[f.left])
	}
	var err error
	if err = r.Decode(f.records[at:]); err != nil {
		return false, f.s.corrupt(f.frameAt+format.FrameHeaderSize+int64(at), f.ord, engine.NoPosition, err)
	}
	r.ord, r.micros = f.ord, f.micros+int64(r.AddMicros)
	if f.dir == engine.Forwards {
		f.offset += r.Size
		f.ord++
	} else {
		f.ord--
	}
	return true, nil
}

// advance makes the next frame that holds events the current one.
func (f *frameRows) advance() (bool, error) {
	if f.dir == engine.Forwards {
		return f.advanceForwards()
	}
	return f.advanceBackwards()
}

func (f *frameRows) advanceForwards() (bool, error) {
	for f.next < f.hi {
		h, b, err := f.frameAhead()
		if err != nil {
			return false, err
		}
		first := f.next
		f.frameAt, f.behind, f.next = f.behind, f.behind+int64(h.Size), f.s.behind(h)
		if h.Kind != format.FrameEvents {
			continue
		}
		f.records, f.micros, f.offset = format.FrameRecords(b), h.Micros, 0
		f.ord, f.left = first, min(f.next, f.hi)-first
		return true, f.skipTo(f.lo)
	}
	return false, nil
}

// skipTo passes over the records of the current frame before event lo.
func (f *frameRows) skipTo(lo uint32) error {
	for f.ord < lo {
		n := format.RecordSize(f.records[f.offset:])
		if n < format.MinRecordSize || n > len(f.records)-f.offset {
			return f.s.corrupt(f.frameAt+format.FrameHeaderSize+int64(f.offset), f.ord, engine.NoPosition, format.ErrFrameRecords)
		}
		f.offset += n
		f.ord++
		f.left--
	}
	return nil
}

func (f *frameRows) advanceBackwards() (bool, error) {
	for f.next > f.lo && f.before >= format.SegmentHeaderSize {
		h, b, err := f.frameBefore()
		if err != nil {
			return false, err
		}
		f.frameAt, f.before = f.before, int64(h.Previous)
		if h.Kind != format.FrameEvents {
			continue
		}
		f.records, f.micros = format.FrameRecords(b), h.Micros
		return true, f.locate(h)
	}
	if f.next > f.lo {
		return false, f.s.corrupt(f.frameAt, f.lo, engine.NoPosition, format.ErrFramePrevious)
	}
	return false, nil
}

// locate notes where the wanted records of the current frame begin, so that they can be read from the last to the first.
func (f *frameRows) locate(h format.FrameHeader) error {
	first, off := f.next-h.Count, 0
	f.starts = f.starts[:0]
	for ord := first; ord < min(f.next, f.hi); ord++ {
		n := format.RecordSize(f.records[off:])
		if n < format.MinRecordSize || n > len(f.records)-off {
			return f.s.corrupt(f.frameAt+format.FrameHeaderSize+int64(off), ord, engine.NoPosition, format.ErrFrameRecords)
		}
		if ord >= f.lo {
			f.starts = append(f.starts, uint32(off))
		}
		off += n
	}
	f.left = uint32(len(f.starts))
	f.ord = max(first, f.lo) + f.left - 1
	f.next = first
	return nil
}

// headerAhead returns the header of the frame that begins at f.behind, or at the next page; f.behind is then moved there.
func (f *frameRows) headerAhead() (format.FrameHeader, error) {
	retried := false
	for {
		b, err := f.ahead(format.FrameHeaderSize)
		if err != nil {
			return format.FrameHeader{}, err
		}
		h, err := format.DecodeFrameHeader(b, f.s.at(f.behind))
		switch {
		case err == nil && h.First != f.s.seg.base+engine.Position(f.next):
			return h, f.s.corrupt(f.behind, f.next, engine.NoPosition, errFrameOrder)
		case err == nil:
			return h, nil
		case f.behind%format.PageSize != 0 && (isPadding(b) || retried && err == format.ErrFrameMagic):
			f.behind, retried = format.AlignUp(f.behind, format.PageSize), false
		case retried:
			return h, f.s.corrupt(f.behind, f.next, engine.NoPosition, err)
		default: // what does not check is read once more
			retried = true
			f.drop()
		}
	}
}

// isPadding reports whether the bytes before a page are as the writer leaves them.
func isPadding(b []byte) bool {
	return len(b) >= format.FrameAlign && binary.LittleEndian.Uint64(b) == 0
}

// frameAhead returns the whole frame that begins at f.behind, or at the next page.
func (f *frameRows) frameAhead() (h format.FrameHeader, b []byte, err error) {
	for range 2 { // what does not check is read once more
		if h, err = f.headerAhead(); err != nil {
			return h, nil, err
		}
		if b, err = f.ahead(int(h.Size)); err != nil {
			return h, nil, err
		}
		if err = format.CheckFrame(b, h); err == nil {
			return h, b[:h.Size], nil
		}
		f.drop()
		f.size = max(f.size, int(h.Size)) // in one go
	}
	return h, nil, f.s.corrupt(f.behind, f.next, h.First+engine.Position(h.Count), err)
}

// drop forgets the block, so that its bytes are read again.
func (f *frameRows) drop() {
	f.s.memory.release(f.block)
	f.block = nil
}

// ahead returns what the segment holds from f.behind on: at least n bytes, unless it ends before.
func (f *frameRows) ahead(n int) ([]byte, error) {
	skip := int(f.behind - f.blockAt)
	if f.block != nil && skip >= 0 && skip+n <= len(f.block) {
		return f.block[skip:], nil
	}
	end, err := f.s.bound()
	if err != nil {
		return nil, err
	}
	// With the next frame's header the read after this one has the right size.
	size := int(min(int64(max(f.size, n+format.FrameHeaderSize)), end-f.behind))
	if size <= 0 {
		return nil, nil
	}
	block := f.s.memory.get(size)
	have := 0
	if f.block != nil && skip >= 0 && skip < len(f.block) {
		have = copy(block, f.block[skip:])
	}
	if err := f.s.readInto(block[have:], f.behind+int64(have)); err != nil {
		return nil, err
	}
	f.s.memory.release(f.block)
	f.block, f.blockAt = block, f.behind
	f.size = min(2*f.size, largeBlock)
	return block, nil
}

// frameBefore returns the whole frame that begins at f.before and ends at or before f.frameAt, and holds the events before f.next.
func (f *frameRows) frameBefore() (h format.FrameHeader, b []byte, err error) {
	next := engine.NoPosition
	for range 2 { // what does not check is read once more
		if b, err = f.around(f.before, f.frameAt); err != nil {
			return h, nil, err
		}
		if h, err = format.DecodeFrameHeader(b, f.s.at(f.before)); err == nil {
			next = h.First + engine.Position(h.Count)
			if err = format.CheckFrame(b, h); err == nil {
				break
			}
		}
		f.drop()
	}
	if err == nil && f.s.behind(h) != f.next {
		err = errFrameOrder
	}
	if err != nil {
		return h, nil, f.s.corrupt(f.before, f.lo, next, err)
	}
	return h, b[:h.Size], nil
}

// around returns the bytes of the segment in [from, to), reading a block that ends at to if need be.
func (f *frameRows) around(from, to int64) ([]byte, error) {
	if f.block == nil || from < f.blockAt {
		size := max(f.size, int(to-from))
		at := max(to-int64(size), format.SegmentHeaderSize)
		block := f.s.memory.get(int(to - at))
		if err := f.s.readInto(block, at); err != nil {
			return nil, err
		}
		f.s.memory.release(f.block)
		f.block, f.blockAt = block, at
		f.size = min(2*f.size, largeBlock)
	}
	return f.block[from-f.blockAt : to-f.blockAt], nil
}
