package engine

import (
	"time"

	"github.com/google/uuid"
)

// A ColumnSet tells which columns of a Batch a reader needs. Positions are always there.
type ColumnSet uint16

// The columns.
const (
	ColStream ColumnSet = 1 << iota
	ColVersion
	ColID
	ColType
	ColPayload // with JSON
	ColMetadata
	ColTags
	ColTime
	ColRedacted

	ColAll ColumnSet = 1<<iota - 1
)

// A Batch holds up to 1,024 events by column. Columns that were not asked for are empty. The slices
// of the Batch are reused by the next call of BatchCursor.Next; the strings and bytes they hold are
// not, they stay as they are for as long as anybody keeps them.
type Batch struct {
	Len       int
	Positions []Position
	Streams   []string
	Versions  []Version
	IDs       []uuid.UUID
	Types     []string // equal types of one cursor share one string
	Payloads  [][]byte // nil for NULL
	JSON      []bool   // the payload is valid JSON
	Metadata  [][]byte
	Tags      [][]string
	Times     []int64 // recorded_at, microseconds since 1970 UTC
	Redacted  []bool
}

// Add adds a row with the columns that are asked for. An event without a time yet has the time 0.
func (b *Batch) Add(e *Event, asked ColumnSet) {
	b.Len++
	b.Positions = append(b.Positions, e.Position)
	add(&b.Streams, e.Stream, asked&ColStream)
	add(&b.Versions, e.Version, asked&ColVersion)
	add(&b.IDs, e.ID, asked&ColID)
	add(&b.Types, e.Type, asked&ColType)
	add(&b.Payloads, e.Payload, asked&ColPayload)
	add(&b.JSON, e.JSON, asked&ColPayload)
	add(&b.Metadata, e.Metadata, asked&ColMetadata)
	add(&b.Tags, e.Tags, asked&ColTags)
	add(&b.Times, microsOf(e.RecordedAt), asked&ColTime)
	add(&b.Redacted, e.Redacted, asked&ColRedacted)
}

func add[T any](column *[]T, value T, asked ColumnSet) {
	if asked != 0 {
		*column = append(*column, value)
	}
}

// microsOf gives a time as batches have it, 0 for none.
func microsOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Reset makes the batch empty. Its columns keep their memory for the rows to come.
func (b *Batch) Reset() {
	*b = Batch{
		Positions: b.Positions[:0],
		Streams:   b.Streams[:0],
		Versions:  b.Versions[:0],
		IDs:       b.IDs[:0],
		Types:     b.Types[:0],
		Payloads:  b.Payloads[:0],
		JSON:      b.JSON[:0],
		Metadata:  b.Metadata[:0],
		Tags:      b.Tags[:0],
		Times:     b.Times[:0],
		Redacted:  b.Redacted[:0],
	}
}

// Reserve makes room for n rows in an empty batch, in the columns that are asked for.
func (b *Batch) Reserve(n int, asked ColumnSet) {
	reserve(&b.Positions, n, ColAll)
	reserve(&b.Streams, n, asked&ColStream)
	reserve(&b.Versions, n, asked&ColVersion)
	reserve(&b.IDs, n, asked&ColID)
	reserve(&b.Types, n, asked&ColType)
	reserve(&b.Payloads, n, asked&ColPayload)
	reserve(&b.JSON, n, asked&ColPayload)
	reserve(&b.Metadata, n, asked&ColMetadata)
	reserve(&b.Tags, n, asked&ColTags)
	reserve(&b.Times, n, asked&ColTime)
	reserve(&b.Redacted, n, asked&ColRedacted)
}

func reserve[T any](column *[]T, n int, asked ColumnSet) {
	if asked != 0 && cap(*column) < n {
		*column = make([]T, 0, n)
	}
}

// Event returns row i of a batch of which all columns were read ([ColAll]). What the event points
// to is the batch's.
func (b *Batch) Event(i int) Event {
	return Event{
		Position:   b.Positions[i],
		Stream:     b.Streams[i],
		Version:    b.Versions[i],
		ID:         b.IDs[i],
		Type:       b.Types[i],
		Payload:    b.Payloads[i],
		Metadata:   b.Metadata[i],
		Tags:       b.Tags[i],
		RecordedAt: time.UnixMicro(b.Times[i]).UTC(),
		JSON:       b.JSON[i],
		Redacted:   b.Redacted[i],
	}
}
