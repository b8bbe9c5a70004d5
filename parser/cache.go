package parser

import (
	"container/list"
	"sync"
)

// A Cache keeps what was made of the texts used most recently, such as plans. It is bounded in entries and in bytes of text,
// and may be used by any number of goroutines. The zero value is not usable; NewCache makes one.
type Cache[T any] struct {
	entries int
	bytes   int

	mu    sync.Mutex // protects all below
	held  int        // bytes of the texts in order
	order *list.List // of *cached[T], the most recently used first
	find  map[string]*list.Element
}

type cached[T any] struct {
	text  string
	value T
}

// NewCache makes a cache of at most so many entries whose texts have at most so many bytes together.
func NewCache[T any](entries, bytes int) *Cache[T] {
	return &Cache[T]{entries: entries, bytes: bytes, order: list.New(), find: make(map[string]*list.Element)}
}

// Get returns what was Put for the text. It does not allocate.
func (c *Cache[T]) Get(text string) (value T, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.find[text]
	if !ok {
		return value, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached[T]).value, true
}

// Put keeps value for the text and drops what was used longest ago. A text above an eighth of the cache's bytes is not kept.
func (c *Cache[T]) Put(text string, value T) {
	if len(text) > c.bytes/8 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.find[text]; ok {
		e.Value.(*cached[T]).value = value
		c.order.MoveToFront(e)
		return
	}
	c.find[text] = c.order.PushFront(&cached[T]{text, value})
	c.held += len(text)
	for c.order.Len() > c.entries || c.held > c.bytes {
		last := c.order.Back()
		old := c.order.Remove(last).(*cached[T])
		delete(c.find, old.text)
		c.held -= len(old.text)
	}
}

// Len returns the number of entries.
func (c *Cache[T]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len()
}
