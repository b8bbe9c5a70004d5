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

var testID = uuid.MustParse("0190163d-8694-739b-aea5-966c26f8ad91")

var testSalt = Salt{15: 9, 3: 7}

// testRecord returns a finished record at position 7, version 3.
func testRecord(flags uint8, tags []string, metadata, payload []byte) []byte {
	b := AppendRecord(nil, flags, testID, "account-1", "Deposited", tags, &testSalt, metadata, payload)
	FinishRecord(b, formatStore, 7, 3, 11)
	return b
}

func TestRecordRoundTrip(t *testing.T) {
	tests := []struct {
		name     string
		flags    uint8
		tags     []string
		metadata []byte
		payload  []byte
	}{
		{"json", FlagJSON | FlagFirstOfAppend, nil, nil, []byte(`{"amount":40}`)},
		{"null", FlagNull, nil, nil, nil},
		{"empty payload", 0, nil, nil, []byte{}},
		{"everything", FlagJSON, []string{"a", "order:17"}, []byte(`{"by":"me"}`), []byte("1")},
		{"binary", 0, []string{string(make([]byte, 255))}, []byte{0}, []byte{0, 255, 0}},
	}
	for _, tt := range tests {
		b := testRecord(tt.flags, tt.tags, tt.metadata, tt.payload)
		r, err := DecodeRecord(append(b, "more"...))
		require.NoError(t, err, tt.name)
		require.NoError(t, CheckRecord(b, formatStore, 7), tt.name)
		assert.Equal(t, len(b), r.Size, tt.name)
		assert.Equal(t, tt.flags, r.Flags, tt.name)
		assert.Equal(t, engine.Version(3), r.Version, tt.name)
		assert.Equal(t, uint32(11), r.AddMicros, tt.name)
		assert.Equal(t, testID, r.ID, tt.name)
		assert.Equal(t, "account-1", string(r.Stream), tt.name)
		assert.Equal(t, "Deposited", string(r.Type), tt.name)
		assert.Equal(t, tt.tags, DecodeTags(r.Tags), tt.name)
		assert.Equal(t, string(tt.metadata), string(r.Metadata), tt.name)
		assert.Equal(t, tt.payload, r.Payload, tt.name)
	}
}

// Every byte of a record, changed, is noticed: by the lengths or by the checksum. So is another
// position.
func TestRecordDamage(t *testing.T) {
	good := testRecord(FlagJSON, []string{"a", "b"}, []byte(`{"x":1}`), []byte(`{"amount":40}`))
	assert.ErrorIs(t, CheckRecord(good, formatStore, 8), errRecordCRC)
	assert.ErrorIs(t, CheckRecord(good, uuid.UUID{1}, 7), errRecordCRC, "another store's")
	assert.ErrorIs(t, CheckRecord(good, formatStore, 7+1<<32), errRecordCRC)
	for i := range good {
		for _, flip := range []byte{1, 0x80, 0xff} {
			b := append([]byte(nil), good...)
			b[i] ^= flip
			_, err := DecodeRecord(b)
			if err == nil {
				err = CheckRecord(b, formatStore, 7)
			}
			assert.Error(t, err, "byte %d xor %#x", i, flip)
		}
	}
	for n := range good {
		_, err := DecodeRecord(good[:n])
		assert.ErrorIs(t, err, ErrRecordCut, "cut to %d bytes", n)
	}
}

func TestRecordLengths(t *testing.T) {
	tests := []struct {
		name string
		want error
		harm func(b []byte)
	}{
		{"no stream", errRecordLength, func(b []byte) { binary.LittleEndian.PutUint16(b[recordStreamAt:], 0) }},
		{"long stream", errRecordLength, func(b []byte) { binary.LittleEndian.PutUint16(b[recordStreamAt:], 256) }},
		{"no type", errRecordLength, func(b []byte) { b[recordTypeAt] = 0 }},
		{"length below head", errRecordLength, func(b []byte) { binary.LittleEndian.PutUint32(b, 47) }},
		{"huge length", errRecordLength, func(b []byte) { binary.LittleEndian.PutUint32(b, 1<<32-1) }},
		{"huge metadata", errRecordLength, func(b []byte) {
			binary.LittleEndian.PutUint32(b[recordMetadataAt:], 1<<32-1)
		}},
		{"null with a payload", errRecordLength, func(b []byte) { b[recordFlagsAt] |= FlagNull }},
		{"a pad", errRecordLength, func(b []byte) { b[recordPadAt] = 1 }},
		{"a huge pad", errRecordLength, func(b []byte) { binary.LittleEndian.PutUint16(b[recordPadAt:], 1<<16-1) }},
		{"no room for a salt", errRecordLength, func(b []byte) { binary.LittleEndian.PutUint32(b[recordMetadataAt:], 25) }},
		{"erased, with something left", errErasedContent, func(b []byte) { b[recordFlagsAt] |= FlagRedacted }},
		{"longer than there is", ErrRecordCut, func(b []byte) { binary.LittleEndian.PutUint32(b, uint32(len(b)+1)) }},
	}
	for _, tt := range tests {
		b := testRecord(0, nil, nil, []byte("a payload of 24 bytes..."))
		tt.harm(b)
		_, err := DecodeRecord(b)
		assert.ErrorIs(t, err, tt.want, tt.name)
	}
}

// A record that is too short for the seal ends with zeros, and nothing else.
func TestShortRecordEndsWithZeros(t *testing.T) {
	for size := range 16 {
		good := testRecord(0, nil, nil, make([]byte, size))
		_, err := DecodeRecord(good)
		require.NoError(t, err)
		require.Equal(t, EventHeadSize+len("account-1")+len("Deposited")+SealSize, len(good))
		for at := len(good) - (16 - size); at < len(good); at++ {
			b := bytes.Clone(good)
			b[at] = 1
			_, err := DecodeRecord(b)
			assert.ErrorIs(t, err, errRecordPad, "byte %d of %d", at, len(good))
		}
		good[recordPadAt] = 17
		_, err = DecodeRecord(good)
		assert.ErrorIs(t, err, errRecordLength)
	}
}

func TestDecodeRecordAllocatesNothing(t *testing.T) {
	b := testRecord(0, []string{"a"}, nil, []byte("payload"))
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := DecodeRecord(b); err != nil || CheckRecord(b, formatStore, 7) != nil {
			t.Fatal("not decoded")
		}
	}))
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(testRecord(FlagJSON, []string{"a", "b"}, []byte(`{"x":1}`), []byte(`{"amount":40}`)))
	f.Add(testRecord(FlagNull, nil, nil, nil))
	erased := testRecord(0, nil, nil, bytes.Repeat([]byte("payload "), 9))
	require.NoError(f, EraseRecord(erased, formatStore, 7))
	f.Add(erased)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRecord(b)
		if err != nil {
			return
		}
		if r.Size > len(b) ||
			len(r.Stream)+len(r.Type)+len(r.Tags)+len(r.content)+EventHeadSize != r.Size ||
			!r.Redacted() && ContentSize(len(r.Metadata), len(r.Payload)) != len(r.content) {
			t.Fatalf("the parts of %+v do not make its size", r)
		}
		seal := r.Seal()
		DecodeTags(r.Tags)
		CheckRecord(b, formatStore, 7)
		if erased := bytes.Clone(b); EraseRecord(erased, formatStore, 7) == nil {
			gone, err := DecodeRecord(erased)
			require.NoError(t, err)
			require.Equal(t, seal, gone.Seal())
			require.Equal(t, r.Size, gone.Size)
		}
		if r.Redacted() {
			return
		}
		// Encoded again it is the same, if its tags are as the encoder writes them.
		salt := Salt(r.content)
		again := AppendRecord(nil, r.Flags, r.ID, string(r.Stream), string(r.Type), DecodeTags(r.Tags), &salt,
			r.Metadata, r.Payload)
		FinishRecord(again, formatStore, 7, r.Version, r.AddMicros)
		if CheckRecord(b, formatStore, 7) == nil && len(again) == r.Size {
			require.Equal(t, b[recordFlagsAt:r.Size], again[recordFlagsAt:])
		}
	})
}

// formatStore is the store whose records and frames the tests make.
var formatStore = uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
