package index_test

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// blockOf makes the content of a block, which tells its place everywhere.
func blockOf(file, block uint32) []byte {
	b := make([]byte, index.BlockPayload)
	for at := 0; at < len(b); at += 4 {
		binary.LittleEndian.PutUint32(b[at:], file*1_000_003+block)
	}
	return b
}

func isBlock(b []byte, file, block uint32) bool {
	return len(b) == index.BlockPayload && binary.LittleEndian.Uint32(b) == file*1_000_003+block &&
		binary.LittleEndian.Uint32(b[len(b)-4:]) == file*1_000_003+block
}

func TestBlockCacheKeepsWhatIsHeld(t *testing.T) {
	c := index.NewBlockCache(1, 0) // one set
	var held []index.HeldBlock
	for block := range uint32(index.CacheWays) {
		held = append(held, c.Put(1, block, blockOf(1, block)))
	}
	own := blockOf(1, 99)
	b := c.Put(1, 99, own)
	assert.Nil(t, b.Holders, "a block replaced one that is held")
	assert.Same(t, &own[0], &b.Payload[0])
	for block, h := range held {
		require.True(t, isBlock(h.Payload, 1, uint32(block)))
	}
	held[5].Release()
	b = c.Put(1, 99, own)
	assert.NotNil(t, b.Holders, "there is room for it now")
	_, ok := c.Get(1, 5)
	assert.False(t, ok, "the released block made room")
	for block, h := range held {
		if block != 5 {
			require.True(t, isBlock(h.Payload, 1, uint32(block)))
		}
	}
}

func TestBlockCacheForgetsTheUnused(t *testing.T) {
	c := index.NewBlockCache(1, 0)
	for block := range uint32(1000) {
		b := c.Put(1, block, blockOf(1, block))
		b.Release()
		hot, ok := c.Get(1, 0)
		require.True(t, ok, "block 0 is used all the time, at %d", block)
		require.True(t, isBlock(hot.Payload, 1, 0))
		hot.Release()
	}
	_, ok := c.Get(1, 1)
	require.False(t, ok)
	_, ok = c.Get(2, 0)
	require.False(t, ok, "a block of another file")
}

func TestBlockCacheConcurrently(t *testing.T) {
	c := index.NewBlockCache(4*index.CacheWays*index.BlockSize, 0)
	var users sync.WaitGroup
	for user := range 4 {
		users.Go(func() {
			r := rand.New(rand.NewPCG(71, uint64(user)))
			for range 2000 {
				file, block := 1+r.Uint32N(3), r.Uint32N(60)
				b, ok := c.Get(file, block)
				if !ok {
					b = c.Put(file, block, blockOf(file, block))
				}
				runtime.Gosched()
				if !isBlock(b.Payload, file, block) {
					t.Errorf("block %d of file %d has other content", block, file)
				}
				b.Release()
			}
		})
	}
	users.Wait()
	for i := range c.Sets {
		for w := range index.CacheWays {
			require.Zero(t, c.Sets[i].Holders[w].Load())
		}
	}
}

func TestFilterMemoryIsBounded(t *testing.T) {
	c := index.NewBlockCache(1, 100)
	require.True(t, c.ReserveFilter(60, true))
	require.False(t, c.ReserveFilter(60, true))
	require.True(t, c.ReserveFilter(40, true))
	c.ReleaseFilter(60)
	require.True(t, c.ReserveFilter(60, true))
}

// However many segments are read, half of the room stays for the filters of runs.
func TestFiltersOfRunsHaveRoom(t *testing.T) {
	c := index.NewBlockCache(1, 100)
	require.True(t, c.ReserveFilter(30, false))
	require.False(t, c.ReserveFilter(30, false))
	require.True(t, c.ReserveFilter(50, true))
	require.True(t, c.ReserveFilter(20, true))
	require.False(t, c.ReserveFilter(1, false))
}
