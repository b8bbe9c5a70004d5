package index

import (
	"sync"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// Sizes of the blocks of index files and of the cache for them.
const (
	BlockSize    = 4096
	BlockPayload = BlockSize - 4 // the rest is the block's CRC32C

	CacheWays = 16 // blocks of one cache set
)

// A BlockCache holds blocks of a store's index files, and accounts for the filters that are kept in
// memory whole. It is a set-associative cache with a CLOCK for each set. A block that somebody
// holds is not replaced. The memory of a set is made when it is first used and has no pointers.
type BlockCache struct {
	Sets   []cacheSet
	files  atomic.Uint32  // numbers given to open files
	Opened *vfs.FileCache // bounds how many files are open; nil leaves every one open

	filterRoom atomic.Int64 // bytes of filters that may still be kept in memory
	runRoom    int64        // of which the last are for filters of runs
}

// A cacheSet holds CacheWays blocks.
type cacheSet struct {
	mu   sync.Mutex // protects what follows
	keys [CacheWays]uint64
	used [CacheWays]bool // since the hand passed
	hand uint8
	data []byte // nil until the first block comes

	Holders [CacheWays]atomic.Int32 // rises only under mu
}

// NewBlockCache makes a cache of so many bytes, rounded to whole sets.
func NewBlockCache(size, filters int64) *BlockCache {
	c := &BlockCache{Sets: make([]cacheSet, max(1, size/(CacheWays*BlockSize)))}
	c.filterRoom.Store(filters)
	c.runRoom = filters / 2
	return c
}

// NewFile returns a number for a file whose blocks the cache shall hold. Numbers are not used
// twice.
func (c *BlockCache) NewFile() uint32 { return c.files.Add(1) }

// A HeldBlock is the payload of a block that stays as it is until release.
type HeldBlock struct {
	Payload []byte
	Holders *atomic.Int32 // nil for a block of the caller's own
}

// Release lets the block's memory be used for another one. The block must not be looked at
// afterwards.
func (b *HeldBlock) Release() {
	if b.Holders != nil {
		b.Holders.Add(-1)
	}
	*b = HeldBlock{}
}

func blockKey(file, block uint32) uint64 { return uint64(file)<<32 | uint64(block) }

func (c *BlockCache) set(key uint64) *cacheSet {
	h := format.Fold(key^format.Fold0, format.Fold1)
	return &c.Sets[h%uint64(len(c.Sets))]
}

// Get returns a block if the cache has it.
func (c *BlockCache) Get(file, block uint32) (HeldBlock, bool) {
	key := blockKey(file, block)
	s := c.set(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.keys {
		if s.keys[i] == key {
			s.used[i] = true
			return s.holdLocked(i), true
		}
	}
	return HeldBlock{}, false
}

func (s *cacheSet) holdLocked(i int) HeldBlock {
	s.Holders[i].Add(1)
	at := i * BlockSize
	return HeldBlock{s.data[at : at+BlockPayload : at+BlockPayload], &s.Holders[i]}
}

// Put keeps a copy of a block and returns it. If every block of the set is held it returns payload
// itself.
func (c *BlockCache) Put(file, block uint32, payload []byte) HeldBlock {
	key := blockKey(file, block)
	s := c.set(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data == nil {
		s.data = make([]byte, CacheWays*BlockSize)
	}
	i := s.victimLocked(key)
	if i < 0 {
		return HeldBlock{Payload: payload}
	}
	if s.keys[i] != key {
		s.keys[i], s.used[i] = key, false // until it is asked for again
		copy(s.data[i*BlockSize:], payload)
	}
	return s.holdLocked(i)
}

// victimLocked returns the place of the block to replace: where the key is already, else the first
// that nobody holds and that was not used since the hand passed. It returns -1 if all are held.
func (s *cacheSet) victimLocked(key uint64) int {
	for i := range s.keys {
		if s.keys[i] == key {
			return i
		}
	}
	for range 2 * CacheWays {
		i := int(s.hand)
		s.hand = (s.hand + 1) % CacheWays
		if s.Holders[i].Load() > 0 {
			continue
		}
		if !s.used[i] {
			return i
		}
		s.used[i] = false
	}
	return -1
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
