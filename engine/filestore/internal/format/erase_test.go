package format

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestErasedRecordKeepsItsPlaceAndItsSeal(t *testing.T) {
	tests := []struct {
		name              string
		flags             uint8
		metadata, payload []byte
	}{
		{"json", FlagJSON | FlagFirstOfAppend, nil, []byte(`{"secret":"marker"}`)},
		{"both", 0, []byte(`{"by":"marker"}`), []byte("marker")},
		{"null", FlagNull, nil, nil},
		{"null with metadata", FlagNull, []byte(`{"by":"marker"}`), nil},
		{"empty", 0, nil, []byte{}},
		{"one byte", 0, nil, []byte("m")},
		{"as long as the seal", 0, []byte("marker marker!!!"), nil},
		{"long", 0, nil, bytes.Repeat([]byte("marker "), 3000)},
	}
	for _, tt := range tests {
		b := testRecord(tt.flags, []string{"a", "order:17"}, tt.metadata, tt.payload)
		whole, err := DecodeRecord(bytes.Clone(b))
		require.NoError(t, err, tt.name)
		require.NoError(t, EraseRecord(b, formatStore, 7), tt.name)
		assert.NotContains(t, string(b), "marker", tt.name)
		assert.NotContains(t, string(b), string(testSalt[:]), tt.name)
		require.NoError(t, CheckRecord(b, formatStore, 7), tt.name)
		r, err := DecodeRecord(append(bytes.Clone(b), "more"...))
		require.NoError(t, err, tt.name)
		assert.Equal(t, whole.Seal(), r.Seal(), tt.name)
		assert.True(t, r.Redacted(), tt.name)
		assert.False(t, r.JSON(), tt.name)
		assert.Nil(t, r.Payload, tt.name)
		assert.Empty(t, r.Metadata, tt.name)
		assert.Equal(t, "{}", string(r.MetadataOrEmpty()), tt.name)
		assert.Equal(t, tt.flags|FlagRedacted, r.Flags, tt.name)
		whole.Flags, whole.Metadata, whole.Payload, whole.content = r.Flags, r.Metadata, r.Payload, r.content
		assert.Equal(t, whole, r, "%s: everything else stays", tt.name)

		again := bytes.Clone(b)
		require.NoError(t, EraseRecord(again, formatStore, 7), tt.name)
		assert.Equal(t, b, again, "%s: a second time", tt.name)
	}
}

// Damage is not hidden under a new checksum.
func TestDamagedRecordIsNotErased(t *testing.T) {
	good := testRecord(0, nil, nil, []byte("a payload that is longer than the seal"))
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 0x40
		damaged := bytes.Clone(b)
		assert.Error(t, EraseRecord(b, formatStore, 7), "byte %d", i)
		assert.Equal(t, damaged, b, "byte %d", i)
	}
	assert.Error(t, EraseRecord(bytes.Clone(good), formatStore, 8), "another position")
	assert.Error(t, EraseRecord(bytes.Clone(good), uuid.UUID{1}, 7), "another store")
	assert.ErrorIs(t, EraseRecord(good[:len(good)-1:len(good)-1], formatStore, 7), ErrRecordCut)
}

// eraseLog makes frames of some records each, events and notes, one behind the other in a segment.
func eraseLog(frames int, r *rand.Rand) (log []byte) {
	chain, next := [32]byte{5}, engine.Position(0)
	var previous, previousCRC uint32
	for n := range frames {
		at := Place{Store: formatStore, Segment: 3, Offset: SegmentHeaderSize + int64(len(log))}
		h := FrameHeader{First: next, Kind: FrameEvents, Count: 1 + r.Uint32N(5), Nonce: r.Uint64(),
			Previous: previous, PreviousCRC: previousCRC, Micros: int64(n)}
		b := make([]byte, FrameHeaderSize)
		if n%5 == 4 {
			h.Kind, h.Count, b = FrameNote, 0, append(b, "a note"...)
		}
		for i := range h.Count {
			from := len(b)
			payload := fmt.Appendf(nil, "marker%s", bytes.Repeat([]byte("."), r.IntN(100)))
			b = AppendRecord(b, 0, testID, "account-1", "Deposited", nil, &Salt{byte(i), byte(n)}, nil, payload)
			FinishRecord(b[from:], formatStore, next+engine.Position(i), 3, 0)
		}
		b, chain = SealFrame(b, &h, at, chain, nil)
		next += engine.Position(h.Count)
		previous, previousCRC = uint32(at.Offset), FrameCRC(b)
		log = append(log, b...)
	}
	return log
}

// checkLog goes through the frames as a verifier does, and returns the chain values.
func checkLog(t *testing.T, log []byte) (chains [][32]byte) {
	chain := [32]byte{5}
	var previousCRC uint32
	for off := 0; off < len(log); {
		at := Place{Store: formatStore, Segment: 3, Offset: SegmentHeaderSize + int64(off)}
		h, err := DecodeFrameHeader(log[off:], at)
		require.NoError(t, err)
		b := log[off : off+int(h.Size)]
		require.NoError(t, CheckFrame(b, h))
		require.Equal(t, previousCRC, h.PreviousCRC)
		rest := FrameRecords(b)
		for n := range h.Count {
			r, err := DecodeRecord(rest)
			require.NoError(t, err)
			require.NoError(t, CheckRecord(rest, formatStore, h.First+engine.Position(n)))
			rest = rest[r.Size:]
		}
		chain = NextChain(chain, b, nil)
		require.Equal(t, FrameChain(b), chain)
		chains, previousCRC, off = append(chains, chain), FrameCRC(b), off+int(h.Size)
	}
	return chains
}

// eraseAll is what whoever erases does with a segment.
func eraseAll(t *testing.T, log []byte, erase func(engine.Position) bool) (erased int) {
	var crc uint32
	for off := 0; off < len(log); {
		at := Place{Store: formatStore, Segment: 3, Offset: SegmentHeaderSize + int64(off)}
		n, err := EraseFrame(log[off:], at, crc, erase)
		require.NoError(t, err)
		size := int(binary.LittleEndian.Uint32(log[off+FrameSizeAt:]))
		crc = FrameCRC(log[off : off+size])
		erased, off = erased+n, off+size
	}
	return erased
}

// Erasing any events of a segment keeps every chain value, and so everything that was told of them:
// receipts, MANIFEST, the headers of later segments, backups.
func TestErasingKeepsEveryChainValue(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	log := eraseLog(40, r)
	before := bytes.Clone(log)
	chains := checkLog(t, log)
	named := map[engine.Position]bool{}
	for range 4 {
		for range 15 {
			named[engine.Position(r.IntN(60))] = true
		}
		want := bytes.Count(before, []byte("marker")) - len(named)
		erased := eraseAll(t, log, func(p engine.Position) bool { return named[p] })
		assert.Equal(t, len(named), erased)
		assert.Equal(t, want, bytes.Count(log, []byte("marker")))
		assert.Equal(t, chains, checkLog(t, log))
		again := bytes.Clone(log)
		eraseAll(t, again, func(p engine.Position) bool { return named[p] })
		assert.True(t, bytes.Equal(log, again), "a second time")
	}
	all := func(engine.Position) bool { return true }
	eraseAll(t, log, all)
	assert.NotContains(t, string(log), "marker")
	assert.Equal(t, chains, checkLog(t, log))
}

func TestDamagedFrameIsNotErased(t *testing.T) {
	good, _ := testFrame()
	erase := func(engine.Position) bool { return true }
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 0x40
		_, err := EraseFrame(b, testPlace, 5, erase)
		assert.Error(t, err, "byte %d", i)
	}
	elsewhere := testPlace
	elsewhere.Offset += 8
	_, err := EraseFrame(bytes.Clone(good), elsewhere, 5, erase)
	assert.ErrorIs(t, err, errFramePlace)
}
