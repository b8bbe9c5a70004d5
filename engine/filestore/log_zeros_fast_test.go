package filestore

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/vfs"
)

func TestTrimZeros(t *testing.T) {
	for _, size := range []int{0, 1, 4095, 4096, 4097, 20_000} {
		b := make([]byte, size)
		require.Empty(t, trimZeros(b))
		for _, at := range []int{0, 1, 4095, 4096, 4097, 12_288, 19_999} {
			if at >= size {
				continue
			}
			b[at] = 1
			require.Len(t, trimZeros(b), at+1, "%d of %d", at, size)
			b[at] = 0
		}
	}
}

// TestLastWrittenIsWhereThePlainLoopFindsIt, in files of several parts with bytes anywhere.
func TestLastWrittenIsWhereThePlainLoopFindsIt(t *testing.T) {
	r := testRand(t)
	fsys := vfs.NewMem()
	for _, size := range []int64{0, 1, 4096, zeroBlock + 1, 2*zeroBlock + 77, 4 * zeroBlock} {
		f, err := fsys.Open("zeros", os.O_RDWR|os.O_CREATE)
		require.NoError(t, err)
		require.NoError(t, f.Truncate(0))
		require.NoError(t, f.Truncate(size))
		plain := make([]byte, size) // what is in the file
		for round := range 6 {
			if size > 0 && round > 0 {
				at := r.Int64N(size) >> (2 * round)
				plain[at] = byte(round)
				_, err := f.WriteAt(plain[at:at+1], at)
				require.NoError(t, err)
			}
			off := r.Int64N(size+1) >> (3 * (round % 3))
			want := size
			for want > off && plain[want-1] == 0 {
				want--
			}
			for parts := range int64(maxZeroParts) {
				got, err := (&logScanner{file: f, size: size}).lastWrittenIn(off, parts+1)
				require.NoError(t, err)
				require.Equal(t, want, got, "of %d behind %d in %d parts", size, off, parts+1)
			}
		}
		require.NoError(t, f.Close())
	}
}

// BenchmarkTrimZeros looks for the end of what was written in a mebibyte of zeros, as opening after
// a crash does. Bad news: less than 10 GB/s.
func BenchmarkTrimZeros(b *testing.B) {
	block := make([]byte, scanBlock)
	b.SetBytes(scanBlock)
	for b.Loop() {
		if len(trimZeros(block)) != 0 {
			b.Fatal("there is something among the zeros")
		}
	}
}

// BenchmarkLastWritten looks for it in a file of 128 MiB of zeros that the system has in memory. Bad
// news: with several processors no faster than with one (-cpu 1,2), or less than 3 GB/s.
func BenchmarkLastWritten(b *testing.B) {
	const size = 128 << 20
	f, err := vfs.OS().Open(b.TempDir()+"/zeros", os.O_RDWR|os.O_CREATE)
	require.NoError(b, err)
	defer f.Close()
	require.NoError(b, writeZeros(f, 0, size))
	b.SetBytes(size)
	for b.Loop() {
		end, err := (&logScanner{file: f, size: size}).lastWritten(0)
		require.NoError(b, err)
		require.Zero(b, end)
	}
}
