package filestore

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/require"
)

// BenchmarkPackedRead reads 320 bytes at a time anywhere in a compressed segment of orders, in memory
// and with the smallest cache, for blocks as they are made and as they once were: what a stream costs
// whose events lie apart. compressed-% is how large the segment becomes. Bad news: blocks of 16 KiB
// that take more than half the processor time of the others, or more than 5 % more room.
func BenchmarkPackedRead(b *testing.B) {
	s := openStore(b, "bench", Options{FS: vfs.NewMem(), SegmentSize: 16 << 20})
	for batch := orders(1000); s.Stats().Segments < 2; {
		renameStreams(batch)
		_, err := s.Append(bg, batch...)
		require.NoError(b, err)
	}
	seg := s.view.Load().segments[0]
	size := seg.sealed.Load().end
	for _, block := range []int{format.PackedBlockSize, format.MaxPackedBlock} {
		b.Run(fmt.Sprintf("block=%d", block), func(b *testing.B) {
			fsys := vfs.NewMem()
			f, err := fsys.Open("packed", os.O_RDWR|os.O_CREATE)
			require.NoError(b, err)
			p, err := newPackerOf(block)
			require.NoError(b, err)
			h := seg.header
			h.Incompatible, h.Flags = format.FeatureCompressed, format.SegmentCompressed
			require.NoError(b, p.pack(bg, f, &rewriting{seg: seg, content: seg.file, size: size}, &h))
			packed, err := f.Size()
			require.NoError(b, err)
			z, _, err := newPlainCache(1).unpack(f, h, "packed")
			require.NoError(b, err)
			r := rand.New(rand.NewPCG(1, 2))
			var record [320]byte
			before := cpuTime()
			for b.Loop() {
				_, err := z.ReadAt(record[:], format.SegmentHeaderSize+r.Int64N(size-format.SegmentHeaderSize-320))
				require.NoError(b, err)
			}
			b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
			b.ReportMetric(100*float64(packed)/float64(size), "compressed-%")
		})
	}
}
