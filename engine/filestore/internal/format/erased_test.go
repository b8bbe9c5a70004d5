package format

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/google/uuid"
)

// What is decoded is what was encoded, and every changed byte is noticed.
func TestErasedIsWhatWasWritten(t *testing.T) {
	for _, e := range []Erased{
		{Store: uuid.New(), Events: engine.Spans{}},
		{Store: uuid.New(), Done: true, Events: engine.Spans{{From: 0, To: 1}, {From: 7, To: 1 << 40}}},
	} {
		b := e.Encode()
		assert.True(t, MayBeErased(b, int64(len(b))))
		got, err := DecodeErased(b, "ERASED")
		require.NoError(t, err)
		require.Equal(t, &e, got)
		for i := range b {
			b[i] ^= 0x40
			_, err := DecodeErased(b, "ERASED")
			require.ErrorIs(t, err, ErrErased, "byte %d", i)
			b[i] ^= 0x40
		}
		for n := range b {
			_, err := DecodeErased(b[:n], "ERASED")
			require.ErrorIs(t, err, ErrErased)
		}
	}
}

// Spans that are none, or a later version, are refused although the checksum is right.
func TestErasedWithARightChecksumAndWrongContentIsRefused(t *testing.T) {
	for _, events := range []engine.Spans{
		{{From: 5, To: 5}}, {{From: 5, To: 4}}, {{From: 5, To: 7}, {From: 7, To: 8}}, {{From: 5, To: 7}, {From: 1, To: 2}},
		{{From: -1, To: 2}},
	} {
		_, err := DecodeErased((&Erased{Events: events}).Encode(), "ERASED")
		require.ErrorIs(t, err, ErrErased, "%v", events)
	}
	e := Erased{Events: engine.Spans{{From: 5, To: 6}}}
	b := e.Encode()
	b[versionAt] = 9
	_, err := DecodeErased(checked(b), "ERASED")
	require.True(t, errors.As(err, new(*engine.FormatError)))
}

// checked puts the right checksum at the end of b.
func checked(b []byte) []byte {
	crc := CRC(b[:len(b)-4])
	return append(b[:len(b)-4], byte(crc), byte(crc>>8), byte(crc>>16), byte(crc>>24))
}

// A file of holes takes no memory: its beginning cannot be that of such a file.
func TestAFileOfHolesIsNoErased(t *testing.T) {
	b := make([]byte, ErasedPiece)
	assert.False(t, MayBeErased(b, MaxErasedSize))
	copy(b, (&Erased{}).Encode()[:32])
	n := (int64(MaxErasedSize) - ErasedHead - 4) / ErasedEntry
	for i := range 8 {
		b[32+i] = byte(n >> (8 * i))
	}
	assert.False(t, MayBeErased(b, ErasedHead+n*ErasedEntry+4))
}
