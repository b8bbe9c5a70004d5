package eventfold

import (
	linked "container/list"
	"sync"

	"github.com/eventfold/eventfold/query"
)

// Limits of the plan cache of a store. A plan takes up to a hundred times the memory of its text,
// and belongs to no query that would pay for it; longer statements are compiled each time.
const (
	planCacheEntries = 1024
	planCacheBytes   = 512 << 10 // of statement text; a text of more than an eighth is not kept
)

// A planKey is what a plan is compiled of: a text, and the functions of the Connector.
type planKey struct {
	text      string
	functions *query.Functions // nil for none
}

// A planCache keeps the statements that were used most recently. It is bounded in entries and in
// bytes of text, and may be used by any number of goroutines. The zero value is not usable;
// newPlanCache makes one.
type planCache struct {
	entries int
	bytes   int

	mu    sync.Mutex   // protects all below
	held  int          // bytes of the texts in order
	order *linked.List // of *planned, the most recently used first
	find  map[planKey]*linked.Element
}

// A planned is an entry of a planCache.
type planned struct {
	key       planKey
	statement *statement
}

// newPlanCache makes a cache of at most so many entries whose texts have at most so many bytes
// together.
func newPlanCache(entries, bytes int) *planCache {
	return &planCache{
		entries: entries,
		bytes:   bytes,
		order:   linked.New(),
		find:    make(map[planKey]*linked.Element),
	}
}

// get returns what was put for the key. It does not allocate.
func (c *planCache) get(key planKey) (s *statement, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.find[key]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*planned).statement, true
}

// put keeps the statement for the key and drops what was used longest ago. A text above an eighth
// of the cache's bytes is not kept.
func (c *planCache) put(key planKey, s *statement) {
	if len(key.text) > c.bytes/8 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.find[key]; ok {
		e.Value.(*planned).statement = s
		c.order.MoveToFront(e)
		return
	}
	c.find[key] = c.order.PushFront(&planned{key, s})
	c.held += len(key.text)
	for c.order.Len() > c.entries || c.held > c.bytes {
		old := c.order.Remove(c.order.Back()).(*planned)
		delete(c.find, old.key)
		c.held -= len(old.key.text)
	}
}

// len returns the number of entries.
func (c *planCache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len()
}
