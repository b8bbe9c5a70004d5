package filestore

import (
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// A logEvent is an event found in the log. Its record points into a block.
type logEvent struct {
	ord    uint32 // position minus the segment's base
	micros int64  // recorded_at
	format.Record
}

// frameEvents yields the events lo <= ordinal < hi of one segment in either direction. It reads whole
// frames, in large blocks, and checks one checksum per frame.
type frameEvents struct {
	s      *segmentReader
	lo, hi uint32
	dir    engine.Direction

	block   []byte // the bytes of the segment from blockAt on
	blockAt int64
	size    int // of the next block
	frameAt int64
	walk    format.FrameWalk // forwards: to the next frame
	until   engine.Position  // forwards: of the first event behind those wanted
	before  int64            // backwards: offset of the next frame
	below   uint32           // backwards: the events before this ordinal are still to come

	// The current frame.
	records []byte
	micros  int64    // of the frame
	ord     uint32   // of the next event
	left    uint32   // events to come
	offset  int      // forwards: of the next record in records
	starts  []uint32 // backwards: offsets of the records to come
}

// begin makes the events ready. size is how many bytes the first read should have; it need not be
// enough.
func (f *frameEvents) begin(s *segmentReader, lo, hi uint32, dir engine.Direction, size int) error {
	s.memory.release(f.block)
	*f = frameEvents{s: s, lo: lo, hi: hi, dir: dir, size: min(max(size, smallBlock), largeBlock), starts: f.starts[:0]}
	if lo >= hi {
		return nil
	}
	if dir == engine.Forwards {
		return f.seekForwards()
	}
	return f.seekBackwards()
}

// beginWhole makes the events of a whole segment ready, forwards, without asking its index.
func (f *frameEvents) beginWhole(s *segmentReader) {
	*f = frameEvents{
		s:     s,
		hi:    s.limit,
		size:  largeBlock,
		walk:  s.walk(format.SegmentHeaderSize, 0),
		until: s.position(s.limit),
	}
}

// seekForwards goes to the frame that holds event lo.
func (f *frameEvents) seekForwards() error {
	off, first, err := f.s.Frame(f.lo)
	if err != nil {
		return err
	}
	f.walk, f.until = f.s.walk(off, first), f.s.position(f.hi)
	_, err = f.walk.To(f, f.s.position(f.lo))
	return f.s.walkError(&f.walk, err)
}

// seekBackwards goes behind the frame that holds event hi-1.
func (f *frameEvents) seekBackwards() error {
	h, walk, err := f.s.frameOf(f.hi - 1)
	if err != nil {
		return err
	}
	f.before, f.frameAt, f.below = walk.At.Offset, walk.At.Offset+int64(h.Size), f.s.behind(h)
	return nil
}

// nextEvent yields the next event.
func (f *frameEvents) nextEvent(r *logEvent) (bool, error) {
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
func (f *frameEvents) advance() (bool, error) {
	if f.dir == engine.Forwards {
		return f.advanceForwards()
	}
	return f.advanceBackwards()
}

func (f *frameEvents) advanceForwards() (bool, error) {
	for f.walk.Next < f.until {
		h, b, err := f.frameAhead()
		if err != nil {
			return false, err
		}
		f.frameAt, f.ord = f.walk.At.Offset, f.ahead()
		f.walk.Pass(&h)
		if h.Kind != format.FrameEvents {
			continue
		}
		f.records, f.micros, f.offset = format.FrameRecords(b), h.Micros, 0
		f.left = min(f.ahead(), f.hi) - f.ord
		return true, f.skipTo(f.lo)
	}
	return false, nil
}

// ahead returns the ordinal of the next frame's first event, forwards.
func (f *frameEvents) ahead() uint32 { return f.s.ordinal(f.walk.Next) }

// skipTo passes over the records of the current frame before event lo.
func (f *frameEvents) skipTo(lo uint32) error {
	for f.ord < lo {
		n := format.RecordSize(f.records[f.offset:])
		if n < format.MinRecordSize || n > len(f.records)-f.offset {
			return f.s.corrupt(f.frameAt+format.FrameHeaderSize+int64(f.offset), f.ord, engine.NoPosition,
				format.ErrFrameRecords)
		}
		f.offset += n
		f.ord++
		f.left--
	}
	return nil
}

func (f *frameEvents) advanceBackwards() (bool, error) {
	for f.below > f.lo && f.before >= format.SegmentHeaderSize {
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
	if f.below > f.lo {
		return false, f.s.corrupt(f.frameAt, f.lo, engine.NoPosition, format.ErrFramePrevious)
	}
	return false, nil
}

// locate notes where the wanted records of the current frame begin, so that they can be read from
// the last to the first.
func (f *frameEvents) locate(h format.FrameHeader) error {
	first, off := f.below-h.Count, 0
	f.starts = f.starts[:0]
	for ord := first; ord < min(f.below, f.hi); ord++ {
		n := format.RecordSize(f.records[off:])
		if n < format.MinRecordSize || n > len(f.records)-off {
			return f.s.corrupt(f.frameAt+format.FrameHeaderSize+int64(off), ord, engine.NoPosition,
				format.ErrFrameRecords)
		}
		if ord >= f.lo {
			f.starts = append(f.starts, uint32(off))
		}
		off += n
	}
	f.left = uint32(len(f.starts))
	f.ord = max(first, f.lo) + f.left - 1
	f.below = first
	return nil
}

// frameAhead returns the next frame, whole, and moves the walk to where it begins.
func (f *frameEvents) frameAhead() (h format.FrameHeader, b []byte, err error) {
	for range 2 { // what does not check is read once more
		if h, err = f.walk.Header(f); err != nil {
			return h, nil, f.s.walkError(&f.walk, err)
		}
		if b, err = f.FrameBytes(f.walk.At.Offset, int(h.Size), false); err != nil {
			return h, nil, err
		}
		if err = format.CheckFrame(b, h); err == nil {
			return h, b[:h.Size], nil
		}
		f.drop()
		f.size = max(f.size, int(h.Size)) // in one go
	}
	good := h.First + engine.Position(h.Count)
	return h, nil, f.s.corrupt(f.walk.At.Offset, f.ahead(), good, err)
}

// drop forgets the block, so that its bytes are read again.
func (f *frameEvents) drop() {
	f.s.memory.release(f.block)
	f.block = nil
}

// FrameBytes returns what the segment holds from off on: at least n bytes, unless it ends before.
func (f *frameEvents) FrameBytes(off int64, n int, again bool) ([]byte, error) {
	if again {
		f.drop()
	}
	skip := int(off - f.blockAt)
	if f.block != nil && skip >= 0 && skip+n <= len(f.block) {
		return f.block[skip:], nil
	}
	end, err := f.s.bound()
	if err != nil {
		return nil, err
	}
	// With the next frame's header the read after this one has the right size.
	size := int(min(int64(max(f.size, n+format.FrameHeaderSize)), end-off))
	if size <= 0 {
		return nil, nil
	}
	block := f.s.memory.get(size)
	have := 0
	if f.block != nil && skip >= 0 && skip < len(f.block) {
		have = copy(block, f.block[skip:])
	}
	if err := f.s.readInto(block[have:], off+int64(have)); err != nil {
		return nil, err
	}
	f.s.memory.release(f.block)
	f.block, f.blockAt = block, off
	f.size = min(2*f.size, largeBlock)
	return block, nil
}

// frameBefore returns the whole frame that begins at f.before and ends at or before f.frameAt, and
// holds the events before f.below.
func (f *frameEvents) frameBefore() (h format.FrameHeader, b []byte, err error) {
	good := engine.NoPosition
	for range 2 { // what does not check is read once more
		if b, err = f.around(f.before, f.frameAt); err != nil {
			return h, nil, err
		}
		if h, err = format.DecodeFrameHeader(b, f.s.at(f.before)); err == nil {
			good = h.First + engine.Position(h.Count)
			if err = format.CheckFrame(b, h); err == nil {
				break
			}
		}
		f.drop()
	}
	if err == nil && f.s.behind(h) != f.below {
		err = format.ErrFrameOrder
	}
	if err != nil {
		return h, nil, f.s.corrupt(f.before, f.lo, good, err)
	}
	return h, b[:h.Size], nil
}

// around returns the bytes of the segment in [from, to), reading a block that ends at to if need
// be.
func (f *frameEvents) around(from, to int64) ([]byte, error) {
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
