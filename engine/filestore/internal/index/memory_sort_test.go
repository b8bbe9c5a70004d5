package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// keysOf adds streams to an index and returns its dictionary of them.
func keysOf(streams []string) *memKeys {
	m := NewMemory(0, uuid.Nil)
	for i, s := range streams {
		r := format.Record{Stream: []byte(s), Type: []byte("T")}
		binary.LittleEndian.PutUint32(r.ID[:], uint32(i))
		var e Event
		e.Set(&r, int64(i)*8+format.SegmentHeaderSize, format.SegmentHeaderSize, 1)
		m.Add(&e)
	}
	return &m.dicts[ByStream]
}

// TestKeysSortLikeTheirBytes compares with a plain sort, for keys that are alike for long, prefixes
// of each other, or end with zeros.
func TestKeysSortLikeTheirBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, prefixes := range [][]string{
		{""}, {"order-"}, {"a-long-prefix-that-all-have-"}, {"order-0000", "account-0000", "account-00000000-00"},
	} {
		known := map[string]bool{}
		var streams []string
		for range 500 {
			b := make([]byte, 1+r.IntN(12))
			for i := range b {
				b[i] = "ab\x00\xff"[r.IntN(4)]
			}
			if s := prefixes[r.IntN(len(prefixes))] + string(b); !known[s] {
				known[s] = true
				streams = append(streams, s)
			}
		}
		d := keysOf(streams)
		entries := make([]uint32, d.count.Load())
		for i := range entries {
			entries[i] = uint32(i)
		}
		require.Len(t, entries, len(streams))
		want := slices.Clone(entries)
		d.sortPlainly(want)
		d.sort(entries)
		require.Equal(t, want, entries, "%q", prefixes)
	}
}

// BenchmarkKeysInOrder sorts 400,000 streams named by numbers that are mixed, as the file of an index
// needs them, once more the plain way, and with others among them that begin in another way. Bad news:
// more than half of the plain one's time.
func BenchmarkKeysInOrder(b *testing.B) {
	const n = 400_000
	streams := make([]string, n)
	for i := range streams {
		streams[i] = fmt.Sprintf("order-%016x", uint64(i)*0x9E3779B97F4A7C15)
	}
	d := keysOf(streams)
	mixed := slices.Clone(streams)
	for i := range 10 {
		mixed[i*100] = fmt.Sprintf("few-%d", i)
	}
	for _, c := range []struct {
		name string
		sort func([]uint32)
	}{{"heads", d.sort}, {"mixed", keysOf(mixed).sort}, {"plain", d.sortPlainly}} {
		b.Run(c.name, func(b *testing.B) {
			entries := make([]uint32, n)
			for b.Loop() {
				for i := range entries {
					entries[i] = uint32(i)
				}
				c.sort(entries)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/key")
		})
	}
}

// sortPlainly is sort with a look at both keys each time.
func (d *memKeys) sortPlainly(entries []uint32) {
	slices.SortFunc(entries, func(a, b uint32) int {
		return bytes.Compare(d.key(d.entries.at(a)), d.key(d.entries.at(b)))
	})
}
