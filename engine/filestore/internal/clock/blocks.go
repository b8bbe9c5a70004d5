package clock

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Blocks is a cache of blocks of bytes. It is set-associative with a Hand for each set. A block that
// somebody holds is not replaced. The memory of a set is made when it is first used and has no
// pointers. Any goroutine may use it.
type Blocks struct {
	sets []blockSet
	room int // for each block
}

// A blockSet holds as many blocks as a Hand goes round.
type blockSet struct {
	mu   sync.Mutex // protects what follows
	keys [blockWays]uint64
	hand Hand
	data []byte // nil until the first block comes

	holders [blockWays]atomic.Int32 // rises only under mu
}

const blockWays = 16 // blocks of one set

// NewBlocks makes a cache of so many bytes, rounded to whole sets, for blocks of up to room bytes.
func NewBlocks(size int64, room int) *Blocks {
	return &Blocks{sets: make([]blockSet, max(1, size/int64(blockWays*room))), room: room}
}

// A Held is a block that stays as it is until Release.
type Held struct {
	Block   []byte
	holders *atomic.Int32 // nil for a block of the caller's own
}

// Own reports whether the block is the one that was given to Put, and not in the cache.
func (h *Held) Own() bool { return h.holders == nil }

// Release lets the block's memory be used for another one. The block must not be looked at
// afterwards.
func (h *Held) Release() {
	if h.holders != nil {
		h.holders.Add(-1)
	}
	*h = Held{}
}

// set returns the set of a key, which is not 0.
func (c *Blocks) set(key uint64) *blockSet {
	high, low := bits.Mul64(key^0x6a09e667f3bcc909, 0xbb67ae8584caa73b)
	return &c.sets[(high^low)%uint64(len(c.sets))]
}

// Get returns a block, of size bytes, if the cache has it.
func (c *Blocks) Get(key uint64, size int) (Held, bool) {
	s := c.set(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(key)
	if i < 0 {
		return Held{}, false
	}
	s.hand.Use(i)
	return s.holdLocked(i, i*c.room, size), true
}

// Put keeps a copy of a block and returns it. If every block of the set is held it returns block
// itself.
func (c *Blocks) Put(key uint64, block []byte) Held {
	s := c.set(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data == nil {
		s.data = make([]byte, blockWays*c.room)
	}
	i := s.find(key)
	if i < 0 {
		if i = s.hand.Next(blockWays, s.isHeld); i < 0 {
			return Held{Block: block}
		}
		s.keys[i] = key
		copy(s.data[i*c.room:(i+1)*c.room], block)
	}
	return s.holdLocked(i, i*c.room, len(block))
}

// find returns where the block with a key is, -1 if it is not there.
func (s *blockSet) find(key uint64) int {
	for i := range s.keys {
		if s.keys[i] == key {
			return i
		}
	}
	return -1
}

func (s *blockSet) isHeld(i int) bool { return s.holders[i].Load() > 0 }

func (s *blockSet) holdLocked(i, at, size int) Held {
	s.holders[i].Add(1)
	return Held{s.data[at : at+size : at+size], &s.holders[i]}
}
