package index

import (
	"sync/atomic"

	"github.com/eventfold/eventfold/engine/filestore/internal/clock"
	"github.com/eventfold/eventfold/engine/vfs"
)

// Sizes of the blocks of index files.
const (
	BlockSize    = 4096
	BlockPayload = BlockSize - 4 // the rest is the block's CRC32C
)

// A BlockCache holds blocks of a store's index files, and accounts for the filters that are kept in
// memory whole.
type BlockCache struct {
	blocks *clock.Blocks
	files  atomic.Uint32  // numbers given to open files
	Opened *vfs.FileCache // bounds how many files are open; nil leaves every one open

	filterRoom atomic.Int64 // bytes of filters that may still be kept in memory
	runRoom    int64        // of which the last are for filters of runs
}

// NewBlockCache makes a cache of so many bytes, rounded to whole sets, beside which filters may take
// so many.
func NewBlockCache(size, filters int64) *BlockCache {
	c := &BlockCache{blocks: clock.NewBlocks(size, BlockSize), runRoom: filters / 2}
	c.filterRoom.Store(filters)
	return c
}

// NewFile returns a number for a file whose blocks the cache shall hold. Numbers are not used
// twice.
func (c *BlockCache) NewFile() uint32 { return c.files.Add(1) }

func blockKey(file, block uint32) uint64 { return uint64(file)<<32 | uint64(block) }

// Get returns the payload of a block if the cache has it.
func (c *BlockCache) Get(file, block uint32) (clock.Held, bool) {
	return c.blocks.Get(blockKey(file, block), BlockPayload)
}

// Put keeps a copy of a block's payload and returns it. If there is no room it returns payload
// itself.
func (c *BlockCache) Put(file, block uint32, payload []byte) clock.Held {
	return c.blocks.Put(blockKey(file, block), payload)
}

// ReserveFilter asks to keep a filter of so many bytes in memory; ReleaseFilter gives them back.
// Half of the room is for runs: the writer asks them about every new stream, while a reader that
// asks a segment's filter block by block is slower only by that.
func (c *BlockCache) ReserveFilter(size int64, run bool) bool {
	reserved := c.runRoom
	if run {
		reserved = 0
	}
	if c.filterRoom.Add(-size) >= reserved {
		return true
	}
	c.filterRoom.Add(size)
	return false
}

// ReleaseFilter gives back what ReserveFilter has given, bytes.
func (c *BlockCache) ReleaseFilter(size int64) { c.filterRoom.Add(size) }
