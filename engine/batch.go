package engine

import (
	"strings"
	"sync/atomic"

	"github.com/google/uuid"
)

// batchRows is how many events a Batch holds at most.
const batchRows = 1024

// A batchBuilder fills the columns that were asked for, row by row.
type batchBuilder struct {
	batch   Batch
	columns ColumnSet
	types   typeNames
	tags    tagMemory
}

// clear makes the batch empty.
func (b *batchBuilder) clear() {
	b.batch = Batch{
		Positions: b.batch.Positions[:0], Streams: b.batch.Streams[:0], Versions: b.batch.Versions[:0], IDs: b.batch.IDs[:0],
		Types: b.batch.Types[:0], Payloads: b.batch.Payloads[:0], JSON: b.batch.JSON[:0], Metadata: b.batch.Metadata[:0],
		Tags: b.batch.Tags[:0], Times: b.batch.Times[:0], Redacted: b.batch.Redacted[:0],
	}
}

// reserve makes room for n rows in the columns that were asked for.
func (b *batchBuilder) reserve(n int) {
	grow(&b.batch.Positions, n, true)
	grow(&b.batch.Streams, n, b.columns&ColStream != 0)
	grow(&b.batch.Versions, n, b.columns&ColVersion != 0)
	grow(&b.batch.IDs, n, b.columns&ColID != 0)
	grow(&b.batch.Types, n, b.columns&ColType != 0)
	grow(&b.batch.Payloads, n, b.columns&ColPayload != 0)
	grow(&b.batch.JSON, n, b.columns&ColPayload != 0)
	grow(&b.batch.Metadata, n, b.columns&ColMetadata != 0)
	grow(&b.batch.Tags, n, b.columns&ColTags != 0)
	grow(&b.batch.Times, n, b.columns&ColTime != 0)
	grow(&b.batch.Redacted, n, b.columns&ColRedacted != 0)
}

// grow makes an empty column's capacity at least n, if it was asked for.
func grow[T string | []byte | []string | bool | int64 | Position | Version | uuid.UUID](column *[]T, n int, asked bool) {
	if asked && cap(*column) < n {
		*column = make([]T, 0, n)
	}
}

// add adds an event.
func (b *batchBuilder) add(pos Position, r *row) {
	t, columns := &b.batch, b.columns
	t.Len++
	t.Positions = append(t.Positions, pos)
	if columns&ColStream != 0 {
		t.Streams = append(t.Streams, textOf(r.stream))
	}
	if columns&ColVersion != 0 {
		t.Versions = append(t.Versions, r.version)
	}
	if columns&ColID != 0 {
		t.IDs = append(t.IDs, r.id)
	}
	if columns&ColType != 0 {
		t.Types = append(t.Types, b.types.intern(r.typ))
	}
	if columns&ColPayload != 0 {
		t.Payloads = append(t.Payloads, r.payload)
		t.JSON = append(t.JSON, r.flags&flagJSON != 0)
	}
	if columns&ColMetadata != 0 {
		t.Metadata = append(t.Metadata, r.metadataOrEmpty())
	}
	if columns&ColTags != 0 {
		t.Tags = append(t.Tags, b.tags.decode(r.tags))
	}
	if columns&ColTime != 0 {
		t.Times = append(t.Times, r.micros)
	}
	if columns&ColRedacted != 0 {
		t.Redacted = append(t.Redacted, r.flags&flagRedacted != 0)
	}
}

// typeNames gives equal types of one cursor one string. The strings are copies, so that they do not keep blocks alive.
type typeNames struct {
	recent [32]string        // by a hash; looked at first
	others map[string]string // those that had to make room in recent
	shared *nameTable        // nil if the cursor makes its own copies
}

func (n *typeNames) intern(b []byte) string {
	slot := &n.recent[nameHash(b)%uint32(len(n.recent))]
	if *slot == string(b) {
		return *slot
	}
	name, ok := n.others[string(b)]
	if !ok {
		name = n.shared.intern(b)
	}
	if *slot != "" {
		if n.others == nil {
			n.others = make(map[string]string)
		}
		n.others[*slot] = *slot
	}
	*slot = name
	return name
}

// nameHash tells apart names that are as long as each other and differ at their ends, as types do.
func nameHash(b []byte) uint32 {
	n := len(b)
	return uint32(n)*31 + uint32(b[0])*7 + uint32(b[n/2])*5 + uint32(b[max(0, n-2)])*3 + uint32(b[n-1])
}

// A nameTable remembers some names for all cursors of a store, so that short queries need not copy those that all use.
// Any number of goroutines use it.
type nameTable struct {
	names [256]atomic.Pointer[string]
}

// intern returns b as a string of its own.
func (t *nameTable) intern(b []byte) string {
	if t == nil {
		return strings.Clone(textOf(b))
	}
	slot := &t.names[nameHash(b)%uint32(len(t.names))]
	if p := slot.Load(); p != nil && *p == string(b) {
		return *p
	}
	name := string(b)
	slot.Store(&name)
	return name
}
