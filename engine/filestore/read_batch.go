package filestore

import (
	"encoding/binary"
	"strings"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// batchRows is how many events a Batch holds at most.
const batchRows = 1024

// batchBytes is how many bytes of payloads, metadata and tags a Batch holds before it takes no more
// events.
const batchBytes = 1 << 20

// A batchBuilder fills the columns that were asked for, row by row.
type batchBuilder struct {
	batch   engine.Batch
	columns engine.ColumnSet
	types   typeNames
	tags    tagMemory
	bytes   int // of the batch that events point to
}

// clear makes the batch empty.
func (b *batchBuilder) clear() {
	b.bytes = 0
	b.batch.Reset()
}

// reserve makes room for n rows in the columns that were asked for.
func (b *batchBuilder) reserve(n int) { b.batch.Reserve(n, b.columns) }

// typeNames gives equal types of one cursor one string. The strings are copies, so that they do not
// keep blocks alive.
type typeNames struct {
	recent *[16][2]string    // by a hash; looked at first. nil before the first name
	known  map[string]string // all, once there have been too many for recent
	shared *nameTable        // nil if the cursor makes its own copies
}

func (n *typeNames) intern(b []byte) string {
	if n.recent == nil {
		n.recent = new([16][2]string)
	}
	set := &n.recent[nameHash(b)%uint32(len(n.recent))]
	for i := range set {
		if set[i] == string(b) {
			return set[i]
		}
	}
	name, ok := n.known[string(b)]
	if !ok {
		name = n.shared.intern(b)
		if n.known != nil || set[1] != "" {
			n.remember(name)
		}
	}
	set[0], set[1] = name, set[0]
	return name
}

// remember notes a new name, and the first time all that are in recent.
func (n *typeNames) remember(name string) {
	if n.known == nil {
		n.known = make(map[string]string)
		for _, set := range n.recent {
			n.known[set[0]], n.known[set[1]] = set[0], set[1]
		}
	}
	n.known[name] = name
}

// nameHash hashes the length and both ends of a name, by which types are told apart.
func nameHash(b []byte) uint32 {
	n := len(b)
	x := uint64(n)
	if n >= 8 {
		x += binary.LittleEndian.Uint64(b[n-8:]) ^ binary.LittleEndian.Uint64(b)<<1
	} else {
		for _, c := range b {
			x = x<<8 | uint64(c)
		}
	}
	return uint32(x * 0x9E3779B97F4A7C15 >> 40) // Fibonacci hashing, Knuth, volume 3, section 6.4
}

// A nameTable remembers some names for all cursors of a store, so that short queries need not copy
// those that all use. Any number of goroutines use it.
type nameTable struct {
	names [256]atomic.Pointer[string]
}

// intern returns b as a string of its own.
func (t *nameTable) intern(b []byte) string {
	if t == nil {
		return strings.Clone(format.TextOf(b))
	}
	slot := &t.names[nameHash(b)%uint32(len(t.names))]
	if p := slot.Load(); p != nil && *p == string(b) {
		return *p
	}
	name := string(b)
	slot.Store(&name)
	return name
}
