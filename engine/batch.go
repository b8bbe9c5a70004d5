package engine

import (
	"strings"

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

// typeNames gives equal types one string. The strings are copies, so that they do not keep blocks alive.
type typeNames struct {
	recent [64]string // by a hash; looked at first
	all    map[string]string
}

func (n *typeNames) intern(b []byte) string {
	slot := &n.recent[(len(b)*31+int(b[0])*7+int(b[len(b)-1]))%len(n.recent)]
	if *slot == string(b) {
		return *slot
	}
	name, ok := n.all[string(b)]
	if !ok {
		if n.all == nil {
			n.all = make(map[string]string)
		}
		name = strings.Clone(textOf(b))
		n.all[name] = name
	}
	*slot = name
	return name
}
