package filestore

import (
	"bytes"
	"errors"
	"io"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// An erasedSegment gives the bytes of a complete segment as they are when records in it have been
// erased: it is read once, from the first frame to the end. It holds a frame or two.
type erasedSegment struct {
	r       *rewriting
	scanner *logScanner
	named   engine.Spans
	end     int64 // behind the last frame that is no seal

	previousCRC uint32 // of the last frame, as it has become
	ready       []byte // what has been erased
	at          int64  // offset of ready
	finished    bool   // nothing comes behind ready
}

func newErasedSegment(r *rewriting, named engine.Spans) (*erasedSegment, error) {
	s, err := newLogScanner(r.seg, startOf(&r.seg.header, 0))
	if err != nil {
		return nil, err
	}
	return &erasedSegment{
		r: r, scanner: s, named: named, end: r.seg.sealed.Load().end, at: format.SegmentHeaderSize,
	}, nil
}

// ReadAt implements io.ReaderAt, for offsets that never go back.
func (e *erasedSegment) ReadAt(p []byte, off int64) (int, error) {
	e.ready = append(e.ready[:0], e.ready[min(off-e.at, int64(len(e.ready))):]...)
	e.at = off
	for len(e.ready) < len(p) && !e.finished {
		if err := e.more(); err != nil {
			return 0, err
		}
	}
	n := copy(p, e.ready)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// more erases the next frame, or makes the seal if there are no more.
func (e *erasedSegment) more() error {
	if e.scanner.end.offset == e.end {
		e.finished = true
		if e.r.size > e.end {
			return e.seal()
		}
		return nil
	}
	f, err := e.scanner.next()
	if err != nil {
		return wrap("read "+e.r.seg.name, err)
	}
	if f == nil || f.end.offset > e.end {
		return e.r.damage(e.scanner.end, e.scanner.why, nextGood(e.r.seg, e.scanner.end))
	}
	return e.add(f.bytes, f.offset)
}

// add adds a frame, linked to the one before as that has become.
func (e *erasedSegment) add(frame []byte, off int64) error {
	from := len(e.ready)
	e.ready = append(e.ready, frame...)
	at := format.Place{Store: e.r.seg.header.Store, Segment: e.r.seg.number, Offset: off}
	if _, err := format.EraseFrame(e.ready[from:], at, e.previousCRC, e.named.Has); err != nil {
		return e.r.damage(logEnd{offset: off, next: e.scanner.end.next}, err, engine.NoPosition)
	}
	e.previousCRC = format.FrameCRC(e.ready[from:])
	return nil
}

// seal adds the segment's seal, on the page where it lies. What was left of a failed write between
// the last frame and that page is not taken along.
func (e *erasedSegment) seal() error {
	off := format.SealAt(e.end)
	b := make([]byte, format.MinFrameSize)
	if n, err := e.r.seg.file.ReadAt(b, off); n < len(b) {
		return wrap("read "+e.r.seg.name, errors.Join(errSegmentShort, vfs.IgnoreEOF(err)))
	}
	e.ready = append(e.ready, make([]byte, off-e.end)...)
	return e.add(b, off)
}

// A frameComparer compares the frames of a segment that was erased with those that were there.
type frameComparer struct {
	r     *rewriting
	old   *logScanner
	named engine.Spans
	chain [32]byte
}

func newFrameComparer(r *rewriting, named engine.Spans) (*frameComparer, error) {
	s, err := newLogScanner(r.seg, startOf(&r.seg.header, 0))
	if err != nil {
		return nil, err
	}
	return &frameComparer{r: r, old: s, named: named, chain: r.seg.header.ChainIn}, nil
}

var errOtherFrame = errors.New("what was written anew is not what was there")

// same checks that a frame is the one that was there, but for what is erased and what follows from
// that: its chain value is that of its records, and was so before.
func (c *frameComparer) same(f *logFrame) error {
	before := c.old.end
	o, err := c.old.next()
	if err != nil {
		return wrap("read "+c.r.seg.name, err)
	}
	if o == nil {
		return c.r.damage(c.old.end, c.old.why, engine.NoPosition)
	}
	header := f.FrameHeader
	header.PreviousCRC = o.PreviousCRC
	c.chain = format.NextChain(c.chain, f.bytes, nil)
	if header != o.FrameHeader || f.offset != o.offset || c.chain != f.end.chain || c.chain != o.end.chain {
		return c.r.damage(before, errOtherFrame, engine.NoPosition)
	}
	if f.Kind == format.FrameEvents && !c.sameRecords(f, o) {
		return c.r.damage(before, errOtherFrame, engine.NoPosition)
	}
	return nil
}

// sameRecords reports whether records are as they were, or erased if they are to be.
func (c *frameComparer) sameRecords(f, o *logFrame) bool {
	now, then := format.FrameRecords(f.bytes), format.FrameRecords(o.bytes)
	for n := range f.Count {
		p := f.First + engine.Position(n)
		size := format.RecordSize(now)
		if size != format.RecordSize(then) || size > len(now) || size > len(then) {
			return false
		}
		if !c.named.Has(p) && !bytes.Equal(now[:size], then[:size]) {
			return false
		}
		r, err := format.DecodeRecord(now)
		if err != nil || c.named.Has(p) && !r.Redacted() || format.CheckRecord(now, c.r.seg.header.Store, p) != nil {
			return false
		}
		now, then = now[size:], then[size:]
	}
	return bytes.Equal(now, then)
}
