package format

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
)

// FuzzDecodeFiles gives any bytes to the decoders of what stands at the beginning of files. What
// one of them takes is, encoded again, what it was: nothing is decoded that the checksums do not
// cover, but for bytes that must be zero. Nothing panics.
func FuzzDecodeFiles(f *testing.F) {
	store := uuid.MustParse("0198c0f5-0000-7000-8000-000000000001")
	header := SegmentHeader{Store: store, Number: 7, Base: 12, Capacity: MinSegmentSize, Promised: SegmentHeaderSize}
	f.Add(header.Encode())
	m := Manifest{
		Store:    store,
		First:    3,
		Segments: []ManifestSegment{{Number: 1, Sealed: true, End: 9000, Next: 3}, {Number: 2, Base: 3}},
	}
	f.Add(m.Encode())
	slot := make([]byte, TailBytes)
	(&TailSlot{Store: store, Segment: 7, Offset: 5000, Next: 20, Flags: TailClean}).Put(slot)
	f.Add(slot)
	frame, _ := SealFrame(make([]byte, FrameHeaderSize), &FrameHeader{Kind: FrameSeal, First: 4}, Place{
		Store:   store,
		Segment: 7,
	}, [32]byte{}, nil)
	f.Add(frame)
	erased := Erased{Store: store, Done: true, Events: engine.Spans{{From: 3, To: 5}, {From: 8, To: 9}}}
	f.Add(erased.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := DecodeErased(b, "f"); err == nil {
			again, err := DecodeErased(e.Encode(), "f")
			require.NoError(t, err)
			require.Equal(t, e, again)
		}
		MayBeErased(b, int64(len(b)))
		if h, err := DecodeSegmentHeader(b, "f"); err == nil {
			again, err := DecodeSegmentHeader(h.Encode(), "f")
			require.NoError(t, err)
			require.Equal(t, h, again)
		}
		if m, err := DecodeManifest(b, "f"); err == nil {
			again, err := DecodeManifest(m.Encode(), "f")
			require.NoError(t, err)
			require.Equal(t, m, again)
		}
		if s, ok := DecodeTailSlot(b); ok {
			var page [TailBytes]byte
			s.Put(page[:])
			again, ok := DecodeTailSlot(page[:])
			require.True(t, ok)
			require.Equal(t, s, again)
		}
		at := Place{Store: store, Segment: 7}
		if h, err := DecodeFrameHeader(b, at); err == nil {
			require.LessOrEqual(t, h.Size, uint32(MaxFrameSize))
			var head [FrameHeaderSize]byte
			PutFrameHeader(head[:], h, at)
			again, err := DecodeFrameHeader(head[:], at)
			require.NoError(t, err)
			require.Equal(t, h, again)
			_ = CheckFrame(b, h)
		}
		if l, err := DecodeLayout(b, "f"); err == nil {
			require.LessOrEqual(t, l.Size, int64(2*MaxSegmentSize))
		}
		MayBeManifest(b, int64(len(b)))
	})
}

// TestOtherVersionsAreNamed holds that a file of a version without a decoder is refused with both
// numbers.
func TestOtherVersionsAreNamed(t *testing.T) {
	require.Contains(t, decoders, uint16(Major), "what is written can be read")
	page := (&SegmentHeader{Number: 1}).Encode()
	for at := range [2]int{} {
		b := page[at*SegmentSecondCopy:][:SegmentCopySize]
		b[versionAt] = 9
		putCRC(b)
	}
	_, err := DecodeSegmentHeader(page, "000000000001.log")
	var format *engine.FormatError
	require.ErrorAs(t, err, &format)
	require.Equal(t, "000000000001.log", format.File)
	require.Contains(t, format.Reason, "has format 9.0, this version of eventfold knows 1.0")
}

func putCRC(b []byte) {
	sum := CRC(b[:SegmentCRCAt])
	for i := range 4 {
		b[SegmentCRCAt+i] = byte(sum >> (8 * i))
	}
}
