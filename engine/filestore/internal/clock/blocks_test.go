package clock

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const blockSize = 256

func key(file, block uint32) uint64 { return uint64(file)<<32 | uint64(block) }

// blockOf makes the content of a block, which tells its place everywhere.
func blockOf(file, block uint32) []byte {
	b := make([]byte, blockSize)
	for at := 0; at < len(b); at += 4 {
		binary.LittleEndian.PutUint32(b[at:], file*1_000_003+block)
	}
	return b
}

func isBlock(b []byte, file, block uint32) bool {
	return len(b) == blockSize && binary.LittleEndian.Uint32(b) == file*1_000_003+block &&
		binary.LittleEndian.Uint32(b[len(b)-4:]) == file*1_000_003+block
}

func TestBlocksKeepWhatIsHeld(t *testing.T) {
	c := NewBlocks(1, blockSize) // one set
	var held []Held
	for block := range uint32(blockWays) {
		held = append(held, c.Put(key(1, block), blockOf(1, block)))
	}
	own := blockOf(1, 99)
	b := c.Put(key(1, 99), own)
	assert.True(t, b.Own(), "a block replaced one that is held")
	assert.Same(t, &own[0], &b.Block[0])
	for block, h := range held {
		require.True(t, isBlock(h.Block, 1, uint32(block)))
	}
	held[5].Release()
	b = c.Put(key(1, 99), own)
	assert.False(t, b.Own(), "there is room for it now")
	_, ok := c.Get(key(1, 5), blockSize)
	assert.False(t, ok, "the released block made room")
	for block, h := range held {
		if block != 5 {
			require.True(t, isBlock(h.Block, 1, uint32(block)))
		}
	}
}

func TestBlocksForgetTheUnused(t *testing.T) {
	c := NewBlocks(1, blockSize)
	for block := range uint32(1000) {
		b := c.Put(key(1, block), blockOf(1, block))
		b.Release()
		hot, ok := c.Get(key(1, 0), blockSize)
		require.True(t, ok, "block 0 is used all the time, at %d", block)
		require.True(t, isBlock(hot.Block, 1, 0))
		hot.Release()
	}
	_, ok := c.Get(key(1, 1), blockSize)
	require.False(t, ok)
	_, ok = c.Get(key(2, 0), blockSize)
	require.False(t, ok, "a block of another file")
}

func TestBlocksConcurrently(t *testing.T) {
	c := NewBlocks(4*blockWays*blockSize, blockSize)
	var users sync.WaitGroup
	for user := range 4 {
		users.Go(func() {
			r := rand.New(rand.NewPCG(71, uint64(user)))
			for range 2000 {
				file, block := 1+r.Uint32N(3), r.Uint32N(60)
				b, ok := c.Get(key(file, block), blockSize)
				if !ok {
					b = c.Put(key(file, block), blockOf(file, block))
				}
				runtime.Gosched()
				if !isBlock(b.Block, file, block) {
					t.Errorf("block %d of file %d has other content", block, file)
				}
				b.Release()
			}
		})
	}
	users.Wait()
	for i := range c.sets {
		for w := range blockWays {
			require.Zero(t, c.sets[i].holders[w].Load())
		}
	}
}
