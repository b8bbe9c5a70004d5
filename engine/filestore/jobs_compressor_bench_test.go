package filestore

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/require"
)

// benchSegment returns a store with one complete segment of 16 MiB of orders, compressed or not.
func benchSegment(b *testing.B, compress Compression) *FileStore {
	options := compressOptions(vfs.OS(), compress)
	options.SegmentSize, options.Sync = 16<<20, SyncInterval
	s := openStore(b, b.TempDir(), options)
	r := rand.New(rand.NewPCG(3, 3))
	for s.Stats().Segments < 2 {
		appendOrders(b, s, r, 2000)
	}
	if compress == CompressZstd {
		settleCompression(b, s)
	}
	return s
}

// BenchmarkCompress measures what it costs the background to compress a segment, without reading it
// back. It should be well above the speed at which events can be written; far below it the
// compressor would fall behind.
func BenchmarkCompress(b *testing.B) {
	s := benchSegment(b, CompressNone)
	seg := s.view.Load().segments[0]
	size := seg.sealed.Load().end
	name := vfs.Join(b.TempDir(), "packed")
	b.SetBytes(size)
	began := cpuTime()
	for b.Loop() {
		f, err := vfs.CreateEmpty(vfs.OS(), name)
		require.NoError(b, err)
		p, err := newPacker()
		require.NoError(b, err)
		h := seg.header
		require.NoError(b, p.pack(context.Background(), f, &rewriting{seg: seg, content: seg.file, size: size}, &h))
		require.NoError(b, f.Close())
	}
	b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/float64(int64(b.N)*size/1000), "cpu-ns/KB")
}

// BenchmarkReadCompressed measures a scan of all events, and reads of single ones, from a segment
// that is compressed and from one that is not. A scan should cost little more; a single event costs
// the decompression of its block unless that is in the cache.
func BenchmarkReadCompressed(b *testing.B) {
	for _, compress := range []Compression{CompressNone, CompressZstd} {
		s := benchSegment(b, compress)
		index := s.ReadIndex()
		name := []string{"plain", "zstd"}[compress]
		b.Run("scan/"+name, func(b *testing.B) {
			began, n := cpuTime(), 0
			for b.Loop() {
				c := index.ReadAll(context.Background(), 0, engine.Forwards)
				for c.Next() {
					n++
				}
				require.NoError(b, c.Close())
			}
			b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/float64(n), "cpu-ns/event")
		})
		b.Run("point/"+name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			began := cpuTime()
			for b.Loop() {
				c := index.ReadAll(context.Background(), engine.Position(r.IntN(int(index.Head())-10_000)),
					engine.Forwards)
				require.True(b, c.Next())
				require.NoError(b, c.Close())
			}
			b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}
