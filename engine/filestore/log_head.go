package filestore

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// Head returns the head of the log with its chain value: a receipt for everything before it. Kept
// elsewhere it proves later, through Options.Expect, that nothing was rewritten.
func (s *FileStore) Head() (engine.Head, error) {
	if s.closed.Load() {
		return engine.Head{}, engine.ErrClosed
	}
	index := s.ReadIndex().(*readIndex)
	return index.headAt(index.head)
}

// headAt returns the head at position p, or at the last end of a frame before it, or at the end of
// the log if that comes first.
func (r *readIndex) headAt(p engine.Position) (engine.Head, error) {
	if len(r.view.segments) == 0 {
		return engine.Head{}, nil
	}
	p = min(p, r.head)
	i := r.find(p - 1)
	s := r.reader(context.Background(), i, new(blockMemory))
	if p <= s.seg.base {
		return engine.Head{Position: s.seg.base, Chain: s.seg.header.ChainIn}, nil
	}
	h, walk, err := s.frameOf(s.ordinal(p - 1))
	switch {
	case err != nil:
		return engine.Head{}, err
	case h.First+engine.Position(h.Count) == p:
		return s.headBehind(walk.At.Offset)
	case h.Previous == 0:
		return engine.Head{Position: s.seg.base, Chain: s.seg.header.ChainIn}, nil
	}
	return s.headBehind(int64(h.Previous))
}

// headBehind returns the head behind the frame at off.
func (s *segmentReader) headBehind(off int64) (engine.Head, error) {
	header := make([]byte, format.FrameHeaderSize)
	if err := s.readInto(header, off); err != nil {
		return engine.Head{}, err
	}
	h, err := format.DecodeFrameHeader(header, s.at(off))
	if err != nil {
		return engine.Head{}, s.corrupt(off, 0, engine.NoPosition, err)
	}
	b := make([]byte, h.Size)
	if err := s.readInto(b, off); err != nil {
		return engine.Head{}, err
	}
	if err := format.CheckFrame(b, h); err != nil {
		return engine.Head{}, s.corrupt(off, uint32(h.First-s.seg.base), engine.NoPosition, err)
	}
	return engine.Head{Position: h.First + engine.Position(h.Count), Chain: format.FrameChain(b)}, nil
}
