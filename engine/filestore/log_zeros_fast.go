package filestore

import (
	"bytes"
	"runtime"
	"sync"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// Behind the log lie up to 128 MiB of zeros, which opening after a crash has to look through: what is
// among them decides whether an append was cut short or the log is damaged. So they are looked through
// once, from behind, and in several parts at a time. BenchmarkLastWritten holds it, and
// TestLastWrittenIsWhereThePlainLoopFindsIt compares it with a loop.

const (
	maxZeroParts = 4        // that are looked through at a time
	minZeroPart  = 16 << 20 // bytes: less is not worth a goroutine
)

// lastWritten returns the offset behind the last byte at or behind off that is not zero, or off.
func (s *logScanner) lastWritten(off int64) (int64, error) {
	return s.lastWrittenIn(off, max(1, min(maxZeroParts, int64(runtime.GOMAXPROCS(0)), (s.size-off)/minZeroPart)))
}

// lastWrittenIn is lastWritten in n parts.
func (s *logScanner) lastWrittenIn(off, n int64) (int64, error) {
	ends, errs := make([]int64, n), make([]error, n)
	var looking sync.WaitGroup
	for i := range n {
		from, to := off+(s.size-off)*i/n, off+(s.size-off)*(i+1)/n
		look := func() { ends[i], errs[i] = s.lastWrittenOf(from, to) }
		if i == n-1 {
			look()
		} else {
			looking.Go(look) // ends when it has looked
		}
	}
	looking.Wait()
	for i := n - 1; i >= 0; i-- {
		if from := off + (s.size-off)*i/n; errs[i] != nil || ends[i] > from {
			return ends[i], errs[i]
		}
	}
	return off, nil
}

// zeroBlock is how much of a part is read at once: what the cache of a processor holds.
const zeroBlock = 256 << 10

// lastWrittenOf returns the offset behind the last byte from from on and before to that is not zero,
// or from.
func (s *logScanner) lastWrittenOf(from, to int64) (int64, error) {
	block := make([]byte, min(zeroBlock, max(0, to-from)))
	for to > from {
		at := max(from, to-zeroBlock)
		b := block[:to-at]
		n, err := s.file.ReadAt(b, at)
		if err = vfs.IgnoreEOF(err); err != nil && n < len(b) {
			return from, err
		}
		if n := len(trimZeros(b[:n])); n > 0 {
			return at + int64(n), nil
		}
		to = at
	}
	return from, nil
}

// trimZeros returns b without the zeros at its end. BenchmarkTrimZeros holds it, and TestTrimZeros
// compares it with a loop.
func trimZeros(b []byte) []byte {
	for len(b) > 0 {
		n := min(len(b), format.PageSize)
		if !bytes.Equal(b[len(b)-n:], zeros[:n]) {
			break
		}
		b = b[:len(b)-n]
	}
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b
}
