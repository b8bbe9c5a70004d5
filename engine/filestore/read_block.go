package filestore

import (
	"strings"
	"unsafe"
)

// A blockMemory makes the blocks that a cursor reads into.
//
// Usually each block is new memory that the garbage collector owns, because events point into it
// for as long as anybody keeps them. With reuse a block is used again once recycle has been called.
type blockMemory struct {
	reuse bool
	used  [][]byte // blocks that the current event or batch may point into, except the newest
	free  [][]byte
	size  int // bytes of the last block that was made

	pieces []byte // the newest block that pieces are cut from
	rest   []byte // of it
}

// get returns n bytes whose content is anything: the caller overwrites all of it.
func (m *blockMemory) get(n int) []byte {
	if !m.reuse {
		return newBlock(n)
	}
	for i, b := range m.free {
		if cap(b) >= n {
			last := len(m.free) - 1
			m.free[i] = m.free[last]
			m.free = m.free[:last]
			return b[:n]
		}
	}
	m.free = m.free[:0]                        // all are too small
	m.size = max(n, min(2*m.size, largeBlock)) // a batch may take many blocks before the first is free again
	return newBlock(m.size)[:n]
}

// release gives a block back that nothing but the current event or batch points into.
func (m *blockMemory) release(b []byte) {
	if m.reuse && b != nil {
		m.used = append(m.used, b)
	}
}

// maxPieces is how many bytes a block for several pieces has at most.
const maxPieces = 64 << 10

// piece returns n bytes whose content is anything, for the current event or batch only: a record
// that lies by itself. A batch may have a thousand.
func (m *blockMemory) piece(n int) []byte {
	if n > len(m.rest) {
		m.release(m.pieces)
		m.pieces = m.get(max(n, min(2*len(m.pieces), maxPieces)))
		m.pieces = m.pieces[:cap(m.pieces)] // what is used again may be larger
		m.rest = m.pieces
	}
	b := m.rest[:n:n]
	m.rest = m.rest[n:]
	return b
}

// recycle tells that the current event or batch is no longer needed.
func (m *blockMemory) recycle() {
	if m.reuse {
		m.rest = m.pieces
	}
	if len(m.used) > 0 {
		m.free = append(m.free, m.used...)
		m.used = m.used[:0]
	}
}

// newBlock returns n bytes of new memory whose content is anything. A scan makes one block after
// another, and clearing each first would cost a fifth of its time. A Builder is the only way to
// have memory that is not cleared.
func newBlock(n int) []byte {
	var b strings.Builder
	b.Grow(n)
	b.WriteByte(0) // so that there is a first byte to point to
	return unsafe.Slice(unsafe.StringData(b.String()), n)
}
