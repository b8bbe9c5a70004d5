package eventfold

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCacheKeepsTheMostRecentlyUsed(t *testing.T) {
	c := newPlanCache(2, 1000)
	first, second := &statement{text: "a"}, &statement{text: "a"}
	c.put(planKey{text: "a"}, first)
	c.put(planKey{text: "b"}, &statement{text: "b"})
	c.get(planKey{text: "a"})
	third := &statement{text: "c"}
	c.put(planKey{text: "c"}, third) // drops b

	for text, want := range map[string]*statement{"a": first, "c": third} {
		got, ok := c.get(planKey{text: text})
		assert.True(t, ok, text)
		assert.Same(t, want, got, text)
	}
	_, ok := c.get(planKey{text: "b"})
	assert.False(t, ok)

	c.put(planKey{text: "a"}, second)
	got, _ := c.get(planKey{text: "a"})
	assert.Same(t, second, got)
	assert.Equal(t, 2, c.len())
}

func TestCacheBoundsBytes(t *testing.T) {
	c := newPlanCache(1000, 100)
	c.put(planKey{text: strings.Repeat("x", 13)}, nil) // above an eighth
	assert.Zero(t, c.len())
	for i := range 100 {
		c.put(planKey{text: fmt.Sprintf("%010d", i)}, nil)
	}
	assert.Equal(t, 10, c.len())
}

func TestCacheHitDoesNotAllocate(t *testing.T) {
	c := newPlanCache(2, 1000)
	c.put(planKey{text: "a"}, nil)
	assert.Zero(t, testing.AllocsPerRun(100, func() { c.get(planKey{text: "a"}) }))
}

// BenchmarkCacheHit measures finding a text of usual length.
func BenchmarkCacheHit(b *testing.B) {
	text := "SELECT type, COUNT(*) AS n, SUM(payload->>'$.amount') FROM $all " +
		"WHERE recorded_at >= '2026-01-01' AND position > ? GROUP BY type ORDER BY n DESC LIMIT 10"
	c := newPlanCache(1024, 8<<20)
	c.put(planKey{text: "INSERT INTO a (type, payload) VALUES (?, ?)"}, nil)
	c.put(planKey{text: text}, nil)
	b.ReportAllocs()
	for b.Loop() {
		c.get(planKey{text: text})
	}
}

func TestCacheIsSafeForGoroutines(t *testing.T) {
	c := newPlanCache(8, 1000)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 1000 {
				text := fmt.Sprint(i % 16)
				if s, ok := c.get(planKey{text: text}); ok {
					assert.Equal(t, text, s.text)
				}
				c.put(planKey{text: text}, &statement{text: text})
			}
		})
	}
	group.Wait()
	assert.Equal(t, 8, c.len())
}
