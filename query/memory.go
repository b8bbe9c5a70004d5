package query

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/eventfold/eventfold/query/internal/value"
)

// A Memory is what all queries of a store may hold together. Any number of goroutines use it.
type Memory struct {
	limit int64
	used  atomic.Int64
	peak  atomic.Int64
}

// DefaultStoreMemory is the memory budget of all queries of a store together, in bytes.
const DefaultStoreMemory = 1 << 30

// NewMemory returns a Memory of so many bytes, of DefaultStoreMemory for 0.
func NewMemory(limit int64) *Memory {
	if limit <= 0 {
		limit = DefaultStoreMemory
	}
	return &Memory{limit: limit}
}

// Limit returns how many bytes the queries may hold together.
func (m *Memory) Limit() int64 { return m.limit }

// Used returns how many bytes they have taken at the moment.
func (m *Memory) Used() int64 { return m.used.Load() }

// Peak returns the most that they have ever taken.
func (m *Memory) Peak() int64 { return m.peak.Load() }

// take takes n bytes; false if they are not there.
func (m *Memory) take(n int64) bool {
	used := m.used.Add(n)
	if used > m.limit {
		m.used.Add(-n)
		return false
	}
	for peak := m.peak.Load(); used > peak &&
		!m.peak.CompareAndSwap(peak, used); peak = m.peak.Load() {
	}
	return true
}

func (m *Memory) give(n int64) { m.used.Add(-n) }

// A budget limits what a statement holds in memory. What it holds it takes from the store's Memory
// in pieces, so that statements meet there seldom.
type budget struct {
	limit int64
	text  int64   // how long one text may become
	store *Memory // nil for a session without a store's
	held  atomic.Int64
	share atomic.Int64 // taken from store, and free bytes

	mu sync.Mutex // protects the growing and shrinking of share

	waste waste

	spillers []spiller  // of the statement's goroutine
	spilling sync.Mutex // one goroutine at a time asks them
}

const (
	shareFree  = 64 << 10  // bytes that a statement may hold without asking the store's Memory
	shareChunk = 256 << 10 // bytes that it takes at once
	textParts  = 4         // one text may be so great a part of the budget
	textLeast  = 64 << 10  // or all of a budget that is smaller than this
)

// set gives the statement of a session its budget.
func (b *budget) set(s *Settings) {
	b.limit, b.store = s.Memory, s.Shared
	if b.limit <= 0 {
		b.limit = DefaultMemory
	}
	most := b.limit
	if b.store != nil {
		most = min(most, b.store.limit)
	}
	b.text = min(max(most/textParts, min(most, textLeast)), value.MaxText)
	b.share.Store(shareFree)
	b.waste.due.Store(b.limit / wasteParts)
}

// A MemoryError tells which limit of memory a query has met.
type MemoryError struct {
	Clause string // what needed the memory
	Limit  int64  // in bytes
	Store  bool   // it is the limit of all queries of the store together, otherwise of this query
}

// Error tells the clause and the limit.
func (e *MemoryError) Error() string {
	if e.Store {
		return fmt.Sprintf("%s needs more than is left of the %d bytes of memory "+
			"that all queries of the store may hold together", e.Clause, e.Limit)
	}
	return fmt.Sprintf("%s needs more than the %d bytes of memory that a query may hold", e.Clause,
		e.Limit)
}

// hold accounts for n more bytes that the clause keeps. The error names the clause. What is refused
// counts as held until it is released.
func (b *budget) hold(n int64, clause string) error {
	held := b.held.Add(n)
	if held <= b.limit && (held <= b.share.Load() || b.grow(held)) {
		return nil
	}
	return b.refuse(held, clause)
}

// refuse tells which limit is met, unless somebody can make room.
func (b *budget) refuse(held int64, clause string) error {
	if done, err := b.makeRoom(); done || err != nil {
		return err
	}
	if held > b.limit {
		return outOfMemory(&MemoryError{Clause: clause, Limit: b.limit},
			"select less, or raise query_memory")
	}
	return outOfMemory(&MemoryError{Clause: clause, Limit: b.store.limit, Store: true},
		"try again when other queries have ended, or raise memory")
}

func outOfMemory(e *MemoryError, hint string) error {
	return &Error{Kind: OutOfMemory, Pos: -1, Msg: e.Error(), Hint: hint, Err: e}
}

// grow takes what is missing to hold so much from the store's Memory.
func (b *budget) grow(held int64) bool {
	if b.store == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	missing := held - b.share.Load()
	if missing <= 0 {
		return true
	}
	n := (missing + shareChunk - 1) / shareChunk * shareChunk
	if !b.store.take(n) {
		if n = missing; !b.store.take(n) {
			return false
		}
	}
	b.share.Add(n)
	return true
}

// release gives back n bytes.
func (b *budget) release(n int64) {
	held := b.held.Add(-n)
	if b.share.Load()-held > shareFree+4*shareChunk {
		b.shrink()
	}
}

// shrink gives back to the store's Memory what is not needed, but for a little that will be needed
// again.
func (b *budget) shrink() {
	if b.store == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	share := b.share.Load()
	keep := max(b.held.Load()+shareChunk, shareFree)
	if share > keep {
		b.share.Store(keep)
		b.store.give(share - keep)
	}
}

// close gives back everything, when the statement has ended.
func (b *budget) close() {
	if b.store == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.store.give(b.share.Swap(shareFree) - shareFree)
}
