package filestore

import (
	"encoding/binary"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var testID = uuid.MustParse("0190163d-8694-739b-aea5-966c26f8ad91")

// testRecord returns a finished record at position 7, version 3.
func testRecord(flags uint8, tags []string, metadata, payload []byte) []byte {
	b := appendRecord(nil, flags, testID, "account-1", "Deposited", tags, metadata, payload)
	finishRecord(b, formatStore, 7, 3, 11)
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
		{"json", flagJSON | flagFirstOfAppend, nil, nil, []byte(`{"amount":40}`)},
		{"null", flagNull, nil, nil, nil},
		{"empty payload", 0, nil, nil, []byte{}},
		{"everything", flagJSON, []string{"a", "order:17"}, []byte(`{"by":"me"}`), []byte("1")},
		{"binary", flagRedacted, []string{string(make([]byte, 255))}, []byte{0}, []byte{0, 255, 0}},
	}
	for _, tt := range tests {
		b := testRecord(tt.flags, tt.tags, tt.metadata, tt.payload)
		r, err := decodeRecord(append(b, "more"...))
		require.NoError(t, err, tt.name)
		require.NoError(t, checkRecord(b, formatStore, 7), tt.name)
		assert.Equal(t, len(b), r.size, tt.name)
		assert.Equal(t, tt.flags, r.flags, tt.name)
		assert.Equal(t, engine.Version(3), r.version, tt.name)
		assert.Equal(t, uint32(11), r.addMicros, tt.name)
		assert.Equal(t, testID, r.id, tt.name)
		assert.Equal(t, "account-1", string(r.stream), tt.name)
		assert.Equal(t, "Deposited", string(r.typ), tt.name)
		assert.Equal(t, tt.tags, decodeTags(r.tags), tt.name)
		assert.Equal(t, string(tt.metadata), string(r.metadata), tt.name)
		assert.Equal(t, tt.payload, r.payload, tt.name)
	}
}

// Every byte of a record, changed, is noticed: by the lengths or by the checksum. So is another position.
func TestRecordDamage(t *testing.T) {
	good := testRecord(flagJSON, []string{"a", "b"}, []byte(`{"x":1}`), []byte(`{"amount":40}`))
	assert.ErrorIs(t, checkRecord(good, formatStore, 8), errRecordCRC)
	assert.ErrorIs(t, checkRecord(good, uuid.UUID{1}, 7), errRecordCRC, "another store's")
	assert.ErrorIs(t, checkRecord(good, formatStore, 7+1<<32), errRecordCRC)
	for i := range good {
		for _, flip := range []byte{1, 0x80, 0xff} {
			b := append([]byte(nil), good...)
			b[i] ^= flip
			_, err := decodeRecord(b)
			if err == nil {
				err = checkRecord(b, formatStore, 7)
			}
			assert.Error(t, err, "byte %d xor %#x", i, flip)
		}
	}
	for n := range good {
		_, err := decodeRecord(good[:n])
		assert.ErrorIs(t, err, errRecordCut, "cut to %d bytes", n)
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
		{"huge metadata", errRecordLength, func(b []byte) { binary.LittleEndian.PutUint32(b[recordMetadataAt:], 1<<32-1) }},
		{"null with a payload", errRecordLength, func(b []byte) { b[recordFlagsAt] |= flagNull }},
		{"longer than there is", errRecordCut, func(b []byte) { binary.LittleEndian.PutUint32(b, uint32(len(b)+1)) }},
	}
	for _, tt := range tests {
		b := testRecord(0, nil, nil, []byte("payload"))
		tt.harm(b)
		_, err := decodeRecord(b)
		assert.ErrorIs(t, err, tt.want, tt.name)
	}
}

func TestDecodeRecordAllocatesNothing(t *testing.T) {
	b := testRecord(0, []string{"a"}, nil, []byte("payload"))
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := decodeRecord(b); err != nil || checkRecord(b, formatStore, 7) != nil {
			t.Fatal("not decoded")
		}
	}))
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(testRecord(flagJSON, []string{"a", "b"}, []byte(`{"x":1}`), []byte(`{"amount":40}`)))
	f.Add(testRecord(flagNull, nil, nil, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			return
		}
		if r.size > len(b) || len(r.stream)+len(r.typ)+len(r.tags)+len(r.metadata)+len(r.payload)+eventHeadSize != r.size {
			t.Fatalf("the parts of %+v do not make its size", r)
		}
		decodeTags(r.tags)
		checkRecord(b, formatStore, 7)
		// Encoded again it is the same, if its tags are as the encoder writes them.
		again := appendRecord(nil, r.flags, r.id, string(r.stream), string(r.typ), decodeTags(r.tags), r.metadata, r.payload)
		finishRecord(again, formatStore, 7, r.version, r.addMicros)
		if checkRecord(b, formatStore, 7) == nil && len(again) == r.size {
			copy(again[recordReservedAt:recordMicrosAt], b[recordReservedAt:recordMicrosAt])
			require.Equal(t, b[recordFlagsAt:r.size], again[recordFlagsAt:])
		}
	})
}

// formatStore is the store whose records and frames the tests make.
var formatStore = uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
