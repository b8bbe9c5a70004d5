package parser

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCacheKeepsTheMostRecentlyUsed(t *testing.T) {
	c := NewCache[int](2, 1000)
	c.Put("a", 1)
	c.Put("b", 2)
	c.Get("a")
	c.Put("c", 3) // drops b

	for text, want := range map[string]int{"a": 1, "c": 3} {
		got, ok := c.Get(text)
		assert.True(t, ok, text)
		assert.Equal(t, want, got, text)
	}
	_, ok := c.Get("b")
	assert.False(t, ok)

	c.Put("a", 4)
	got, _ := c.Get("a")
	assert.Equal(t, 4, got)
	assert.Equal(t, 2, c.Len())
}

func TestCacheBoundsBytes(t *testing.T) {
	c := NewCache[int](1000, 100)
	c.Put(strings.Repeat("x", 13), 0) // above an eighth
	assert.Zero(t, c.Len())
	for i := range 100 {
		c.Put(fmt.Sprintf("%010d", i), i)
	}
	assert.Equal(t, 10, c.Len())
}

func TestCacheHitDoesNotAllocate(t *testing.T) {
	c := NewCache[int](2, 1000)
	c.Put("a", 1)
	assert.Zero(t, testing.AllocsPerRun(100, func() { c.Get("a") }))
}

// BenchmarkCacheHit measures finding a text of usual length.
func BenchmarkCacheHit(b *testing.B) {
	c := NewCache[int](1024, 8<<20)
	for i, p := range parsed {
		c.Put(p.text, i)
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Get(parsed[1].text)
	}
}

func TestCacheIsSafeForGoroutines(t *testing.T) {
	c := NewCache[int](8, 1000)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 1000 {
				text := fmt.Sprint(i % 16)
				if v, ok := c.Get(text); ok {
					assert.Equal(t, i%16, v)
				}
				c.Put(text, i%16)
			}
		})
	}
	group.Wait()
	assert.Equal(t, 8, c.Len())
}
