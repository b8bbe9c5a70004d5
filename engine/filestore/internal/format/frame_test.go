package format

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var testPlace = Place{Store: uuid.MustParse("7d444840-9dc0-11d1-b245-5ffdce74fad2"), Segment: 3, Offset: 8192}

// testFrame returns a frame of two records at positions 7 and 8.
func testFrame() ([]byte, FrameHeader) {
	b := make([]byte, FrameHeaderSize)
	for i := range 2 {
		at := len(b)
		b = AppendRecord(b, 0, testID, "account-1", "Deposited", nil, &testSalt, nil, []byte("payload"))
		FinishRecord(b[at:], formatStore, 7+engine.Position(i), 3, 0)
	}
	h := FrameHeader{
		First:       7,
		Count:       2,
		Kind:        FrameEvents,
		Micros:      1e15,
		Nonce:       99,
		Synced:      8192,
		Previous:    4096,
		PreviousCRC: 5,
	}
	b, _ = SealFrame(b, &h, testPlace, [32]byte{1}, nil)
	return b, h
}

func TestFrameRoundTrip(t *testing.T) {
	b, want := testFrame()
	require.Zero(t, len(b)%FrameAlign)
	got, err := DecodeFrameHeader(b, testPlace)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.Equal(t, int(got.Size), len(b))
	require.NoError(t, CheckFrame(b, got))

	records, pos := FrameRecords(b), got.First
	for range got.Count {
		r, err := DecodeRecord(records)
		require.NoError(t, err)
		require.NoError(t, CheckRecord(records, formatStore, pos))
		records, pos = records[r.Size:], pos+1
	}
	assert.Less(t, len(records), FrameAlign)
	assert.Equal(t, NextChain([32]byte{1}, b, nil), FrameChain(b))
	assert.NotEqual(t, NextChain([32]byte{2}, b, nil), FrameChain(b))
}

// Every byte of a frame, changed, is noticed, and so is every cut.
func TestFrameDamage(t *testing.T) {
	good, _ := testFrame()
	check := func(b []byte) error {
		h, err := DecodeFrameHeader(b, testPlace)
		if err != nil {
			return err
		}
		return CheckFrame(b, h)
	}
	require.NoError(t, check(good))
	for i := range good {
		for _, flip := range []byte{1, 0x80, 0xff} {
			b := append([]byte(nil), good...)
			b[i] ^= flip
			assert.Error(t, check(b), "byte %d xor %#x", i, flip)
		}
	}
	for n := range good {
		assert.ErrorIs(t, check(good[:n]), ErrFrameCut, "cut to %d bytes", n)
	}
}

func TestFrameInAnotherPlace(t *testing.T) {
	b, _ := testFrame()
	elsewhere := []Place{
		{Store: uuid.UUID{1}, Segment: testPlace.Segment, Offset: testPlace.Offset},
		{Store: testPlace.Store, Segment: testPlace.Segment + 1, Offset: testPlace.Offset},
		{Store: testPlace.Store, Segment: testPlace.Segment, Offset: testPlace.Offset + 8},
	}
	for _, at := range elsewhere {
		_, err := DecodeFrameHeader(b, at)
		assert.ErrorIs(t, err, errFramePlace, "%+v", at)
	}
}

// Headers whose checksum is right but whose fields cannot be.
func TestFrameFields(t *testing.T) {
	tests := []struct {
		name string
		harm func(h *FrameHeader)
	}{
		{"too small", func(h *FrameHeader) { h.Size = MinFrameSize - 8 }},
		{"too large", func(h *FrameHeader) { h.Size = 1<<32 - 8 }},
		{"not aligned", func(h *FrameHeader) { h.Size++ }},
		{"no events", func(h *FrameHeader) { h.Count = 0 }},
		{"more events than fit", func(h *FrameHeader) { h.Count = h.Size / MinRecordSize }},
		{"unknown kind", func(h *FrameHeader) { h.Kind = 2 }},
		{"a seal with events", func(h *FrameHeader) { h.Kind = FrameSeal }},
		{"a note with events", func(h *FrameHeader) { h.Kind = FrameNote }},
		{"promises itself", func(h *FrameHeader) { h.Synced = testPlace.Offset + 8 }},
		{"follows itself", func(h *FrameHeader) { h.Previous = uint32(testPlace.Offset) }},
		{"negative position", func(h *FrameHeader) { h.First = -1 }},
	}
	for _, tt := range tests {
		b, h := testFrame()
		tt.harm(&h)
		PutFrameHeader(b, h, testPlace)
		_, err := DecodeFrameHeader(b, testPlace)
		assert.ErrorIs(t, err, errFrameFields, tt.name)
	}
}

// mendFrame makes all checksums of what may be a frame right.
func mendFrame(b []byte) {
	binary.LittleEndian.PutUint32(b, FrameMagic)
	binary.LittleEndian.PutUint32(b[FrameHeaderCRCAt:], FrameHeaderCRC(b, testPlace))
	size := binary.LittleEndian.Uint32(b[FrameSizeAt:])
	if size < MinFrameSize || int64(size) > int64(len(b)) {
		return
	}
	pos := engine.Position(binary.LittleEndian.Uint64(b[frameFirstAt:]))
	rest := FrameRecords(b[:size])
	for n := RecordSize(rest); n >= MinRecordSize && n <= len(rest); n = RecordSize(rest) {
		crc := RecordCRC(rest, testPlace.Store, pos, CRC(rest[EventHeadSize:n]))
		binary.LittleEndian.PutUint32(rest[RecordCRCAt:], crc)
		rest, pos = rest[n:], pos+1
	}
	PutFrameTrailer(b[:size], FrameChain(b[:size]))
}

func FuzzDecodeFrame(f *testing.F) {
	b, _ := testFrame()
	f.Add(b, true)
	f.Add(b[:70], false)
	f.Fuzz(func(t *testing.T, b []byte, mend bool) {
		if mend && len(b) >= FrameHeaderSize {
			b = bytes.Clone(b)
			mendFrame(b)
		}
		h, err := DecodeFrameHeader(b, testPlace)
		if err != nil || CheckFrame(b, h) != nil {
			return
		}
		records := FrameRecords(b[:h.Size])
		for len(records) > 0 {
			r, err := DecodeRecord(records)
			if err != nil {
				break
			}
			records = records[r.Size:]
		}
		chain := NextChain([32]byte{1}, b[:h.Size], nil)
		erased := bytes.Clone(b)
		odd := func(p engine.Position) bool { return p%2 == 1 }
		if _, err := EraseFrame(erased, testPlace, 6, odd); err != nil {
			return
		}
		h.PreviousCRC = 6
		again, err := DecodeFrameHeader(erased, testPlace)
		require.NoError(t, err)
		require.Equal(t, h, again)
		require.NoError(t, CheckFrame(erased, again))
		require.Equal(t, chain, NextChain([32]byte{1}, erased[:h.Size], nil))
	})
}
