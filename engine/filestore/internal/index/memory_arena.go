package index

import "sync/atomic"

// An arena is a growing array that never moves what it holds: it grows by chunks, so a reader's
// pointer stays good. T has no pointers, so the garbage collector does not look into the chunks.
// One goroutine grows it. Readers may read what they know to have been written before, by some
// atomic value.
type arena[T any] struct {
	shift  uint8                 // log2 of the elements per chunk
	chunks [][]T                 // the writer's
	shared atomic.Pointer[[][]T] // the readers': a copy of chunks
}

// at returns element i for a reader.
func (a *arena[T]) at(i uint32) *T {
	return &(*a.shared.Load())[i>>a.shift][i&(1<<a.shift-1)]
}

// grow returns element i for the writer, which must not skip a chunk.
func (a *arena[T]) grow(i uint32) *T {
	c := i >> a.shift
	if int(c) == len(a.chunks) {
		a.chunks = append(a.chunks, make([]T, 1<<a.shift))
		shared := append([][]T(nil), a.chunks...)
		a.shared.Store(&shared)
	}
	return &a.chunks[c][i&(1<<a.shift-1)]
}

// run returns the elements from i to the end of its chunk, for a reader.
func (a *arena[T]) run(i uint32) []T {
	return (*a.shared.Load())[i>>a.shift][i&(1<<a.shift-1):]
}

// A hashSlots is an insert-only hash table with open addressing of 32-bit numbers under 32-bit
// tags. A slot is tag<<32 | number+1, or 0 if it is free. One goroutine inserts. A reader that sees
// an old table misses only what was inserted after the table was replaced, which is beyond its
// limit.
type hashSlots struct {
	count int
	table atomic.Pointer[[]atomic.Uint64] // its length is a power of two
}

const firstHashSlots = 256

// insert adds number under tag.
func (h *hashSlots) insert(tag, number uint32) {
	t := h.table.Load()
	if t == nil {
		t = h.enlarge(nil, firstHashSlots)
	} else if h.count >= len(*t)/3*2 {
		t = h.enlarge(t, 2*len(*t))
	}
	putSlot(*t, uint64(tag)<<32|uint64(number+1))
	h.count++
}

func putSlot(t []atomic.Uint64, slot uint64) {
	mask := uint32(len(t) - 1)
	for i := uint32(slot>>32) & mask; ; i = (i + 1) & mask {
		if t[i].Load() == 0 {
			t[i].Store(slot)
			return
		}
	}
}

// enlarge replaces the table, if there is one, by a larger one.
func (h *hashSlots) enlarge(old *[]atomic.Uint64, size int) *[]atomic.Uint64 {
	t := make([]atomic.Uint64, size)
	if old != nil {
		for i := range *old {
			if slot := (*old)[i].Load(); slot != 0 {
				putSlot(t, slot)
			}
		}
	}
	h.table.Store(&t)
	return &t
}

// size returns the bytes of the table.
func (h *hashSlots) size() int64 {
	if t := h.table.Load(); t != nil {
		return 8 * int64(len(*t))
	}
	return 0
}

// find calls match with the numbers under tag until it returns true, and reports whether it did.
func (h *hashSlots) find(tag uint32, match func(number uint32) bool) bool {
	t := h.table.Load()
	if t == nil {
		return false
	}
	mask := uint32(len(*t) - 1)
	for i := tag & mask; ; i = (i + 1) & mask {
		slot := (*t)[i].Load()
		if slot == 0 {
			return false
		}
		if uint32(slot>>32) == tag && match(uint32(slot)-1) {
			return true
		}
	}
}
