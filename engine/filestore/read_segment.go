package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/google/uuid"
)

// Sizes of reads, in bytes. Between 64 KiB and 1 MiB the size of a long scan's reads makes no
// difference.
const (
	smallBlock = 4 << 10 // the least that a scan reads at once
	// what it begins with if nobody says how much is wanted; each block is then twice the one
	// before
	firstBlock = 16 << 10
	largeBlock = 256 << 10 // up to this, unless a single frame is larger
)

// A segmentReader reads one segment for one cursor, and answers questions about it. It sees only
// the events below limit.
//
// What it reads goes into blocks of the cursor's memory: strings and bytes that are handed out
// point into them.
type segmentReader struct {
	ctx    context.Context
	shared *readShared
	memory *blockMemory
	store  uuid.UUID
	seg    *segment
	index  index.Index
	limit  uint32 // number of events
	end    int64  // see bound; 0 until it is known
	newest int64  // offset of the last event's record; 0 until it is known
}

// at returns the place of a frame, which seeds its checksum.
func (s *segmentReader) at(off int64) format.Place {
	return format.Place{Store: s.store, Segment: s.seg.number, Offset: off}
}

// bound returns the offset at which reading ends: behind the last frame of a sealed segment, behind
// the frame of the last event that may be seen in an active one, so that no read touches what the
// writer is writing.
func (s *segmentReader) bound() (int64, error) {
	if s.end != 0 {
		return s.end, nil
	}
	if sealed := s.seg.sealed.Load(); sealed != nil {
		s.end = sealed.end
		return s.end, nil
	}
	h, walk, err := s.frameOf(s.limit - 1)
	if err != nil {
		return 0, err
	}
	walk.Pass(&h)
	s.end = walk.At.Offset
	return s.end, nil
}

// behind returns the ordinal of the first event behind a frame.
func (s *segmentReader) behind(h format.FrameHeader) uint32 {
	return s.ordinal(h.First + engine.Position(h.Count))
}

// walk returns a walk that begins with a frame at off, whose first event is ord.
func (s *segmentReader) walk(off int64, ord uint32) format.FrameWalk {
	return format.FrameWalk{At: s.at(off), Next: s.position(ord)}
}

// frameOf returns the header of the frame that holds event ord, and a walk that is there.
func (s *segmentReader) frameOf(ord uint32) (h format.FrameHeader, walk format.FrameWalk, err error) {
	off, first, err := s.Frame(ord)
	if err != nil {
		return h, walk, err
	}
	walk = s.walk(off, first)
	h, err = walk.To(s, s.position(ord))
	return h, walk, s.walkError(&walk, err)
}

// FrameBytes reads the n bytes at off, for a walk.
func (s *segmentReader) FrameBytes(off int64, n int, _ bool) ([]byte, error) {
	b := make([]byte, n)
	return b, s.readInto(b, off)
}

// walkError returns the error for a walk that has ended with err.
func (s *segmentReader) walkError(walk *format.FrameWalk, err error) error {
	if missing, ok := err.(*format.WalkError); ok {
		return s.corrupt(missing.Offset, s.ordinal(walk.Next), engine.NoPosition, missing.Reason)
	}
	return err
}

// record reads the record of event r.ord at off by itself and checks it. It lies in memory that
// only the current event or batch may point into.
func (s *segmentReader) record(r *logEvent, off int64) error {
	b, err := s.read(off, pointGuess)
	if n := format.RecordSize(b); err == nil && n > len(b) && n <= format.MaxRecordSize {
		b, err = s.read(off, n)
	}
	if err != nil {
		return err
	}
	if err := s.accept(r, b); err != nil {
		return s.corrupt(off, r.ord, s.position(r.ord)+1, err)
	}
	return nil
}

// accept decodes and checks the record of event r.ord at the beginning of b.
func (s *segmentReader) accept(r *logEvent, b []byte) error {
	if err := r.Decode(b); err != nil {
		return err
	}
	return format.CheckRecord(b, s.store, s.position(r.ord))
}

// position returns the position of the event with an ordinal.
func (s *segmentReader) position(ord uint32) engine.Position {
	return s.seg.base + engine.Position(ord)
}

// ordinal returns the ordinal of the event at a position.
func (s *segmentReader) ordinal(p engine.Position) uint32 { return uint32(p - s.seg.base) }

// read returns the n bytes at off, less if the bound comes first, in memory that only the current
// event or batch may point into.
func (s *segmentReader) read(off int64, n int) ([]byte, error) {
	end, err := s.bound()
	if err != nil {
		return nil, err
	}
	n = int(min(int64(n), end-off))
	if n <= 0 {
		return nil, nil
	}
	b := s.memory.piece(n)
	return b, s.readInto(b, off)
}

// usable returns the context's error if it has ended, and why the store cannot be used any more.
func (s *segmentReader) usable() error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	return s.shared.ended()
}

// readInto fills b with the bytes at off.
func (s *segmentReader) readInto(b []byte, off int64) error {
	if err := s.usable(); err != nil {
		return err
	}
	n, err := s.seg.file.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err := s.shared.ended(); err != nil {
		return err
	}
	if errors.Is(err, io.EOF) || err == nil {
		return s.corrupt(off+int64(n), 0, engine.NoPosition, errSegmentShort)
	}
	return fmt.Errorf("eventfold: read %s at offset %d: %w", s.seg.name, off, err)
}

// errSegmentShort is why a segment cannot be read that ends within what it should hold.
var errSegmentShort = errors.New("the file ends too early")

// corrupt returns the error for bytes at off that do not check. ord is the first event that cannot
// be read, good the next position known to be good.
func (s *segmentReader) corrupt(off int64, ord uint32, good engine.Position, reason error) error {
	return &engine.CorruptError{
		File:      s.seg.name,
		Segment:   s.seg.number,
		Offset:    off,
		FirstLost: s.position(ord),
		NextGood:  good,
		Reason:    reason.Error(),
	}
}
