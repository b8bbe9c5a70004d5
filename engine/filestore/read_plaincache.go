package filestore

import (
	"sync"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/klauspost/compress/zstd"
)

// A plainCache holds blocks of compressed segments after decompression, and decompresses them:
// those of all segments of a store. It takes at most plainShards*plainWays blocks, has no pointers
// into them, and takes memory only when a compressed segment is read.
type plainCache struct {
	shards  [plainShards]plainShard
	files   atomic.Uint32 // numbers given to open files; the first is 1
	buffers sync.Pool     // of *packedBuffer

	preparing sync.Once // makes decoder
	decoder   *zstd.Decoder
}

// 64 blocks of 64 KiB: 4 MiB.
const (
	plainShards = 8
	plainWays   = 8
)

// A plainShard is a set of blocks with a CLOCK.
type plainShard struct {
	mu   sync.Mutex // protects what follows
	keys [plainWays]uint64
	used [plainWays]bool // since the hand passed
	hand uint8
	data []byte // nil until the first block comes
}

func (c *plainCache) shard(key uint64) *plainShard {
	return &c.shards[format.Fold(key^format.Fold0, format.Fold1)%plainShards]
}

// get copies bytes of a block, which has size bytes, to p, from skip on. ok is false if the cache
// does not have it.
func (c *plainCache) get(key uint64, p []byte, skip, size int) (n int, ok bool) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.keys {
		if s.keys[i] == key {
			s.used[i] = true
			at := i * format.PackedBlockSize
			return copy(p, s.data[at+skip:at+size]), true
		}
	}
	return 0, false
}

// put keeps a copy of a block.
func (c *plainCache) put(key uint64, block []byte) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data == nil {
		s.data = make([]byte, plainWays*format.PackedBlockSize)
	}
	for i := range s.keys {
		if s.keys[i] == key {
			return // somebody else was quicker
		}
	}
	for s.used[s.hand] {
		s.used[s.hand] = false
		s.hand = (s.hand + 1) % plainWays
	}
	s.keys[s.hand] = key
	copy(s.data[int(s.hand)*format.PackedBlockSize:], block)
	s.hand = (s.hand + 1) % plainWays
}

// clear forgets all blocks.
func (c *plainCache) clear() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.keys, s.used, s.data = [plainWays]uint64{}, [plainWays]bool{}, nil
		s.mu.Unlock()
	}
}

// decode puts the content of a block into b, which has its size, and reports whether it could.
// One block is decompressed at a time.
func (c *plainCache) decode(stored, b []byte) bool {
	if len(stored) == len(b) {
		copy(b, stored)
		return true
	}
	c.preparing.Do(func() {
		// The options are valid, so that there is no error. Nothing runs in the background, and so
		// nothing needs to be closed.
		c.decoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(format.PackedBlockSize), zstd.WithDecoderMaxWindow(format.PackedBlockSize),
			zstd.WithDecodeAllCapLimit(true))
	})
	got, err := c.decoder.DecodeAll(stored, b[:0:len(b)])
	return err == nil && len(got) == len(b)
}

type packedBuffer = [format.PackedBlockSize]byte

// buffer returns memory for a block. Whoever asks for it puts it back into buffers.
func (c *plainCache) buffer() *packedBuffer {
	if b, ok := c.buffers.Get().(*packedBuffer); ok {
		return b
	}
	return new(packedBuffer)
}
