package filestore

import (
	"fmt"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/stretchr/testify/require"
)

// BenchmarkFirstRead measures a process's first read of a stream whose events lie together, or
// apart with 40 KiB of others between them, when the system has the files in memory. Each read is
// of a store opened anew, which is to a read what a new process is: no page of a file is known to
// have been read, no block of an index is at hand. What only a new process has besides is its
// start, which is not measured. A time per event that grows with the stream, or much more memory
// than its events have bytes, would be bad news.
func BenchmarkFirstRead(b *testing.B) {
	for _, compress := range []Compression{CompressNone, CompressZstd} {
		for _, events := range []int{10, 100, 1000} {
			for _, l := range []spread{{"dense", events, 320, events, 0}, {"scattered", events, 320, 1, 40 << 10}} {
				path := l.write(b, Options{Compress: compress})
				b.Run(fmt.Sprintf("%s/events=%d/%s", []string{"plain", "zstd"}[compress], events, l.name),
					func(b *testing.B) {
						b.ReportAllocs()
						for range b.N {
							b.StopTimer()
							s, err := Open(path, Options{Compress: compress})
							require.NoError(b, err)
							b.StartTimer()
							l.first(b, s)
							b.StopTimer()
							require.NoError(b, s.Close())
							b.StartTimer()
						}
						b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N*events), "ns/event")
					})
			}
		}
	}
}

// first reads the stream forwards, with memory used again.
func (l *spread) first(b *testing.B, s *FileStore) {
	c := s.ReadIndex().ReadStream(bg, "s", 0, engine.Forwards)
	c.(engine.Reuser).Reuse()
	n := 0
	for c.Next() {
		n++
	}
	require.NoError(b, c.Err())
	require.Equal(b, l.events, n)
	require.NoError(b, c.Close())
}
