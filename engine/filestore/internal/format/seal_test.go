package format

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// plainSeal is what FORMAT.md says of the seal.
func plainSeal(salt Salt, metadata, payload []byte) Seal {
	b := append([]byte("EVFSEAL1"), salt[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(metadata)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	return sha256.Sum256(slices.Concat(b, metadata, payload))
}

// plainChain is what FORMAT.md says of the chain, of a frame with these records.
func plainChain(chain [32]byte, frame []byte, records ...[]byte) [32]byte {
	b := slices.Concat(chain[:], frame[8:40])
	at := FrameHeaderSize
	for _, record := range records {
		r, _ := DecodeRecord(record)
		names := EventHeadSize + len(r.Stream) + len(r.Type) + len(r.Tags)
		head := bytes.Clone(record[:names])
		head[8] &^= 1
		seal := r.Seal()
		b = slices.Concat(b, head[:4], head[8:], seal[:])
		at += r.Size
	}
	return sha256.Sum256(append(b, frame[at:len(frame)-FrameTrailerSize]...))
}

func TestSealIsAsDrawn(t *testing.T) {
	for _, size := range []int{0, 1, 8, 16, 17, 448, 479, 480, 481, 512, 5000} {
		for _, metadata := range []int{0, 1, size / 3, size} {
			if metadata > size {
				continue
			}
			all := bytes.Repeat([]byte("abcdefg"), size)[:size]
			r, err := DecodeRecord(testRecord(0, []string{"a"}, all[:metadata], all[metadata:]))
			require.NoError(t, err)
			assert.Equal(t, plainSeal(testSalt, all[:metadata], all[metadata:]), r.Seal(), "%d of %d", metadata, size)
		}
	}
}

// The same bytes, parted in another way or with another salt, have another seal.
func TestSealTellsMetadataFromPayloadAndHasASalt(t *testing.T) {
	sealed := []byte("0123456789")
	seen := map[Seal]int{}
	for n := range sealed {
		r, err := DecodeRecord(testRecord(0, nil, sealed[:n], sealed[n:]))
		require.NoError(t, err)
		seen[r.Seal()]++
		b := AppendRecord(nil, 0, testID, "s", "T", nil, &Salt{byte(n), 1}, nil, sealed)
		r, err = DecodeRecord(b)
		require.NoError(t, err)
		seen[r.Seal()]++
	}
	assert.Len(t, seen, 2*len(sealed))
}

func TestChainIsAsDrawn(t *testing.T) {
	b := make([]byte, FrameHeaderSize)
	var records [][]byte
	var seals []Seal
	for n, payload := range [][]byte{{}, []byte("x"), bytes.Repeat([]byte("long "), 2000), []byte(`{"n": 1}`)} {
		record := AppendRecord(nil, 0, testID, "account-1", "Deposited", []string{"a", "b"}, &Salt{byte(n)},
			[]byte("{ }"), payload)
		FinishRecord(record, formatStore, 7, 3, 0)
		r, err := DecodeRecord(record)
		require.NoError(t, err)
		records, seals, b = append(records, record), append(seals, r.Seal()), append(b, record...)
	}
	h := FrameHeader{First: 7, Count: uint32(len(records)), Kind: FrameEvents}
	b, chain := SealFrame(b, &h, testPlace, [32]byte{1}, nil)
	assert.Equal(t, plainChain([32]byte{1}, b, records...), chain)
	assert.Equal(t, chain, NextChain([32]byte{1}, b, seals))
	seals[2][0]++
	assert.NotEqual(t, chain, NextChain([32]byte{1}, b, seals))

	note := append(make([]byte, FrameHeaderSize), "a note"...)
	h = FrameHeader{First: 11, Kind: FrameNote}
	note, chain = SealFrame(note, &h, testPlace, chain, nil)
	assert.Equal(t, plainChain(FrameChain(b), note), chain)
}

// Whatever is changed in the records of a frame changes the chain value, but for what is derived:
// their checksums. So whoever mends the checksums is found out all the same.
func TestChainCoversEverythingThatIsKept(t *testing.T) {
	good, h := testFrame()
	require.Less(t, FrameHeaderSize, len(good))
	first := RecordSize(FrameRecords(good))
	want := FrameChain(good)
	for at := 8; at < int(h.Size)-FrameTrailerSize; at++ {
		if at >= 40 && at < FrameHeaderSize {
			continue // the place
		}
		record := at - FrameHeaderSize
		if record >= first {
			record -= first
		}
		derived := record >= RecordCRCAt && record < recordFlagsAt && at < FrameHeaderSize+2*first
		for _, flip := range []byte{1, 2, 0x80} {
			if at >= FrameHeaderSize && record == recordFlagsAt && flip == FlagRedacted {
				continue // see TestErasedFlagAloneIsFoundOut
			}
			b := bytes.Clone(good)
			b[at] ^= flip
			assert.Equal(t, derived, NextChain([32]byte{1}, b, nil) == want, "byte %d xor %#x", at, flip)
		}
	}
}

// The flag of an erasure is not covered, but a record that has it and not its own seal is another.
func TestErasedFlagAloneIsFoundOut(t *testing.T) {
	b, _ := testFrame()
	b[FrameHeaderSize+recordFlagsAt] |= FlagRedacted
	assert.NotEqual(t, FrameChain(b), NextChain([32]byte{1}, b, nil))
}

func TestNextChainTakesAnyBytes(t *testing.T) {
	b, _ := testFrame()
	for _, count := range []uint32{0, 1, 3, 1<<32 - 1} {
		binary.LittleEndian.PutUint32(b[frameCountAt:], count)
		assert.NotEqual(t, FrameChain(b), NextChain([32]byte{1}, b, nil))
	}
}

func TestSealingAllocatesNothing(t *testing.T) {
	for _, size := range []int{10, 300, 3000} {
		r, err := DecodeRecord(testRecord(0, nil, nil, make([]byte, size)))
		require.NoError(t, err)
		var seal Seal
		assert.Zero(t, testing.AllocsPerRun(100, func() { seal = r.Seal() }), "%d bytes", size)
		require.NotZero(t, seal)
	}
}
