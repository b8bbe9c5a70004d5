package filestore

import (
	"encoding/binary"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var testPlace = place{store: uuid.MustParse("7d444840-9dc0-11d1-b245-5ffdce74fad2"), segment: 3, offset: 8192}

// testFrame returns a frame of two records at positions 7 and 8.
func testFrame() ([]byte, frameHeader) {
	b := make([]byte, frameHeaderSize)
	for i := range 2 {
		at := len(b)
		b = appendRecord(b, 0, testID, "account-1", "Deposited", nil, nil, []byte("payload"))
		finishRecord(b[at:], formatStore, 7+engine.Position(i), 3, 0)
	}
	h := frameHeader{first: 7, count: 2, kind: frameEvents, micros: 1e15, nonce: 99, synced: 8192, previous: 4096, previousCRC: 5}
	b, _ = sealFrame(b, &h, testPlace, [32]byte{1})
	return b, h
}

func TestFrameRoundTrip(t *testing.T) {
	b, want := testFrame()
	require.Zero(t, len(b)%frameAlign)
	got, err := decodeFrameHeader(b, testPlace)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.Equal(t, int(got.size), len(b))
	require.NoError(t, checkFrame(b, got))

	records, pos := frameRecords(b), got.first
	for range got.count {
		r, err := decodeRecord(records)
		require.NoError(t, err)
		require.NoError(t, checkRecord(records, formatStore, pos))
		records, pos = records[r.size:], pos+1
	}
	assert.Less(t, len(records), frameAlign)
	assert.Equal(t, nextChain([32]byte{1}, b, len(b)), frameChain(b))
	assert.NotEqual(t, nextChain([32]byte{2}, b, len(b)), frameChain(b))
}

// Every byte of a frame, changed, is noticed, and so is every cut.
func TestFrameDamage(t *testing.T) {
	good, _ := testFrame()
	check := func(b []byte) error {
		h, err := decodeFrameHeader(b, testPlace)
		if err != nil {
			return err
		}
		return checkFrame(b, h)
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
		assert.ErrorIs(t, check(good[:n]), errFrameCut, "cut to %d bytes", n)
	}
}

func TestFrameInAnotherPlace(t *testing.T) {
	b, _ := testFrame()
	elsewhere := []place{
		{store: uuid.UUID{1}, segment: testPlace.segment, offset: testPlace.offset},
		{store: testPlace.store, segment: testPlace.segment + 1, offset: testPlace.offset},
		{store: testPlace.store, segment: testPlace.segment, offset: testPlace.offset + 8},
	}
	for _, at := range elsewhere {
		_, err := decodeFrameHeader(b, at)
		assert.ErrorIs(t, err, errFramePlace, "%+v", at)
	}
}

// Headers whose checksum is right but whose fields cannot be.
func TestFrameFields(t *testing.T) {
	tests := []struct {
		name string
		harm func(h *frameHeader)
	}{
		{"too small", func(h *frameHeader) { h.size = minFrameSize - 8 }},
		{"too large", func(h *frameHeader) { h.size = 1<<32 - 8 }},
		{"not aligned", func(h *frameHeader) { h.size++ }},
		{"no events", func(h *frameHeader) { h.count = 0 }},
		{"more events than fit", func(h *frameHeader) { h.count = h.size / minRecordSize }},
		{"unknown kind", func(h *frameHeader) { h.kind = 2 }},
		{"a seal with events", func(h *frameHeader) { h.kind = frameSeal }},
		{"a note with events", func(h *frameHeader) { h.kind = frameNote }},
		{"promises itself", func(h *frameHeader) { h.synced = testPlace.offset + 8 }},
		{"follows itself", func(h *frameHeader) { h.previous = uint32(testPlace.offset) }},
		{"negative position", func(h *frameHeader) { h.first = -1 }},
	}
	for _, tt := range tests {
		b, h := testFrame()
		tt.harm(&h)
		putFrameHeader(b, h, testPlace)
		_, err := decodeFrameHeader(b, testPlace)
		assert.ErrorIs(t, err, errFrameFields, tt.name)
	}
}

func FuzzDecodeFrame(f *testing.F) {
	b, _ := testFrame()
	f.Add(b, true)
	f.Add(b[:70], false)
	f.Fuzz(func(t *testing.T, b []byte, mend bool) {
		if mend && len(b) >= frameHeaderSize {
			b = append([]byte(nil), b...)
			binary.LittleEndian.PutUint32(b, frameMagic)
			binary.LittleEndian.PutUint32(b[frameHeaderCRCAt:], frameHeaderCRC(b, testPlace))
		}
		h, err := decodeFrameHeader(b, testPlace)
		if err != nil || checkFrame(b, h) != nil {
			return
		}
		records := frameRecords(b[:h.size])
		for len(records) > 0 {
			r, err := decodeRecord(records)
			if err != nil {
				return
			}
			records = records[r.size:]
		}
	})
}
