package filestore

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine/filestore/internal/clock"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/klauspost/compress/zstd"
)

// A plainCache holds blocks of compressed segments after decompression, and decompresses them:
// those of all segments of a store. It has no pointers into them, and takes memory only when a
// compressed segment is read.
type plainCache struct {
	blocks  *clock.Blocks
	files   atomic.Uint32 // numbers given to open files; the first is 1
	buffers sync.Pool     // of *packedBuffer

	preparing sync.Once // makes decoder
	decoder   *zstd.Decoder
}

// newPlainCache returns a cache that keeps about so many bytes of blocks.
func newPlainCache(size int64) *plainCache {
	return &plainCache{blocks: clock.NewBlocks(size, format.PackedBlockSize)}
}

// clear forgets all blocks.
func (c *plainCache) clear() { c.blocks.Clear() }

// decode puts the content of a block into b, which has its size, and reports whether it could. As
// many are decompressed at a time as there are processors, four at most.
func (c *plainCache) decode(stored, b []byte) bool {
	if len(stored) == len(b) {
		copy(b, stored)
		return true
	}
	c.preparing.Do(func() {
		// The options are valid, so that there is no error. Nothing runs in the background, and so
		// nothing needs to be closed.
		c.decoder, _ = zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(min(4, runtime.GOMAXPROCS(0))), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(format.MaxPackedBlock), zstd.WithDecoderMaxWindow(format.MaxPackedBlock),
			zstd.WithDecodeAllCapLimit(true))
	})
	got, err := c.decoder.DecodeAll(stored, b[:0:len(b)])
	return err == nil && len(got) == len(b)
}

type packedBuffer = [format.MaxPackedBlock]byte

// buffer returns memory for a block. Whoever asks for it puts it back into buffers.
func (c *plainCache) buffer() *packedBuffer {
	if b, ok := c.buffers.Get().(*packedBuffer); ok {
		return b
	}
	return new(packedBuffer)
}
