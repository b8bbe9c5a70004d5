package format

import (
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bytesSource is a segment in memory. It notes what is read again.
type bytesSource struct {
	b     []byte
	again []int64
	mend  func() // called before something is read again
}

func (s *bytesSource) FrameBytes(off int64, n int, again bool) ([]byte, error) {
	if again {
		s.again = append(s.again, off)
		if s.mend != nil {
			s.mend()
		}
	}
	if off > int64(len(s.b)) {
		return nil, nil
	}
	return s.b[off:min(int64(len(s.b)), off+int64(n))], nil
}

// walkFixture is a segment of a frame with two events, a note, a frame with one, and a seal.
func walkFixture(t *testing.T) (s *bytesSource, offsets []int64) {
	t.Helper()
	s = &bytesSource{b: make([]byte, SegmentHeaderSize)}
	put := func(kind FrameKind, first engine.Position, events int) {
		at := Place{Store: uuid.UUID{7}, Segment: 3, Offset: int64(len(s.b))}
		b := make([]byte, FrameHeaderSize)
		for range events {
			b = AppendRecord(b, 0, uuid.UUID{1}, "s", "T", nil, &testSalt, nil, []byte("{}"))
		}
		h := FrameHeader{First: first, Count: uint32(events), Kind: kind}
		b, _ = SealFrame(b, &h, at, [32]byte{}, nil)
		offsets = append(offsets, at.Offset)
		s.b = append(s.b, b...)
	}
	put(FrameEvents, 10, 2)
	put(FrameNote, 12, 0)
	put(FrameEvents, 12, 1)
	s.b = append(s.b, make([]byte, AlignUp(len(s.b), PageSize)-len(s.b))...)
	put(FrameSeal, 13, 0)
	return s, offsets
}

func walkFrom(off int64, next engine.Position) FrameWalk {
	return FrameWalk{At: Place{Store: uuid.UUID{7}, Segment: 3, Offset: off}, Next: next}
}

func TestWalkGoesFromFrameToFrameAndToTheSealOnItsPage(t *testing.T) {
	s, offsets := walkFixture(t)
	w := walkFrom(SegmentHeaderSize, 10)
	var found []int64
	var kinds []FrameKind
	for range offsets {
		h, err := w.Header(s)
		require.NoError(t, err)
		found, kinds = append(found, w.At.Offset), append(kinds, h.Kind)
		w.Pass(&h)
	}
	assert.Equal(t, offsets, found)
	assert.Equal(t, []FrameKind{FrameEvents, FrameNote, FrameEvents, FrameSeal}, kinds)
	assert.Empty(t, s.again, "padding is not read again")

	end := w.At.Offset
	_, err := w.Header(s)
	assert.Equal(t, &WalkError{Offset: end, Reason: ErrFrameCut}, err)
	assert.Equal(t, end, w.At.Offset, "it stays where it is")
}

func TestWalkToAnEventStopsAtItsFrame(t *testing.T) {
	s, offsets := walkFixture(t)
	for p, want := range map[engine.Position]int64{10: offsets[0], 11: offsets[0], 12: offsets[2]} {
		w := walkFrom(SegmentHeaderSize, 10)
		h, err := w.To(s, p)
		require.NoError(t, err)
		assert.Equal(t, want, w.At.Offset, p)
		assert.Equal(t, FrameEvents, h.Kind, p)
	}
}

func TestWalkReadsOnceMoreWhatDoesNotCheck(t *testing.T) {
	s, offsets := walkFixture(t)
	s.b[offsets[2]+frameNonceAt] ^= 1
	w := walkFrom(SegmentHeaderSize, 10)
	_, err := w.To(s, 12)
	assert.Equal(t, &WalkError{Offset: offsets[2], Reason: errFramePlace}, err, "not the seal behind it")
	assert.Equal(t, []int64{offsets[2], offsets[3]}, s.again)

	s.mend = func() { s.b[offsets[2]+frameNonceAt] ^= 1 }
	_, err = w.To(s, 12)
	assert.NoError(t, err)
}

func TestWalkTakesNothingButASealFromTheNextPage(t *testing.T) {
	for _, kind := range []FrameKind{FrameEvents, FrameNote, FrameSeal} {
		asked := []int64{}
		got, err := NextFrame(PageSize+8, func(off int64) (FrameKind, error) {
			if asked = append(asked, off); off == 2*PageSize {
				return kind, nil
			}
			return 0, nil
		})
		require.NoError(t, err)
		assert.Equal(t, []int64{PageSize + 8, 2 * PageSize}, asked)
		assert.Equal(t, kind == FrameSeal, got != 0, kind)
	}
}
