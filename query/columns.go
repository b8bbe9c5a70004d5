package query

import (
	"slices"
	"time"
	"unsafe"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
)

// An eventColumn is one column of an event table.
type eventColumn struct {
	TableColumn
	needs engine.ColumnSet
	eval  func(*env) Value // reads the row en.row.i of en.row.batch.events
}

// Ordinals of the columns that the planner knows by name.
const (
	ordPosition = iota
	ordStream
	ordVersion
	ordID
	ordType
	ordPayload
	ordMetadata
	ordTags
	ordRecordedAt
	ordEvent
)

// eventColumns are the columns of every event table, in the order of SELECT *. A new computed column is one more line.
var eventColumns = []eventColumn{
	ordPosition:   {column("position", Integer, affInteger), 0, evalPosition},
	ordStream:     {column("stream", Text, affText), engine.ColStream, evalStream},
	ordVersion:    {column("version", Integer, affInteger), engine.ColVersion, evalVersion},
	ordID:         {column("id", Text, affText), engine.ColID, evalID},
	ordType:       {column("type", Text, affText), engine.ColType, evalType},
	ordPayload:    {nullable(column("payload", JSON, affText)), engine.ColPayload, evalPayload},
	ordMetadata:   {column("metadata", JSON, affText), engine.ColMetadata, evalMetadata},
	ordTags:       {TableColumn{Column: Column{Name: "tags", Type: JSON}, affinity: affText, tags: true}, engine.ColTags, evalTags},
	ordRecordedAt: {column("recorded_at", Timestamp, affTime), engine.ColTime, evalRecordedAt},
	ordEvent:      {hidden(column("event", EventType, affNone)), engine.ColAll, evalEvent},
}

// eventSchema is the schema of every event table.
var eventSchema = func() []TableColumn {
	schema := make([]TableColumn, len(eventColumns))
	for i, c := range eventColumns {
		schema[i] = c.TableColumn
	}
	return schema
}()

// pendingSchema is eventSchema for tables that hold a transaction's own events, too: COMMIT assigns their positions,
// versions, ids and times.
var pendingSchema = func() []TableColumn {
	schema := slices.Clone(eventSchema)
	for _, i := range []int{ordPosition, ordVersion, ordID, ordRecordedAt} {
		schema[i].Nullable = true
	}
	return schema
}()

func column(name string, t Type, a affinity) TableColumn {
	return TableColumn{Column: Column{Name: name, Type: t}, affinity: a}
}

func nullable(c TableColumn) TableColumn { c.Nullable = true; return c }

func hidden(c TableColumn) TableColumn { c.hidden = true; return c }

func evalPosition(en *env) Value {
	if en.row.batch.pending {
		return Value{}
	}
	return Value{kind: Int, n: int64(en.row.batch.events.Positions[en.row.i])}
}

func evalStream(en *env) Value {
	return Value{kind: String, s: en.row.batch.events.Streams[en.row.i]}
}

// evalVersion gives NULL for an event of a transaction whose version depends on what others append before COMMIT.
func evalVersion(en *env) Value {
	v := en.row.batch.events.Versions[en.row.i]
	if v == engine.NoVersion {
		return Value{}
	}
	return Value{kind: Int, n: int64(v)}
}

// evalID gives NULL for an event of a transaction to which COMMIT will assign an id.
func evalID(en *env) Value {
	if en.row.batch.pending && en.row.batch.events.IDs[en.row.i] == uuid.Nil {
		return Value{}
	}
	return Value{kind: String, s: en.row.batch.events.IDs[en.row.i].String()}
}

func evalType(en *env) Value {
	return Value{kind: String, s: en.row.batch.events.Types[en.row.i]}
}

func evalPayload(en *env) Value {
	b := en.row.batch.events
	p := b.Payloads[en.row.i]
	if p == nil {
		return Value{}
	}
	if !b.JSON[en.row.i] {
		return Value{kind: Bytes, s: stringOf(p)}
	}
	return Value{kind: String, json: true, s: stringOf(p)}
}

func evalMetadata(en *env) Value {
	return Value{kind: String, json: true, s: stringOf(en.row.batch.events.Metadata[en.row.i])}
}

func evalTags(en *env) Value {
	text := tagsText(en.row.batch.events.Tags[en.row.i])
	if len(text) > smallPiece && !en.count(len(text)) {
		return null
	}
	return Value{kind: String, json: true, s: text}
}

func evalRecordedAt(en *env) Value {
	if en.row.batch.pending {
		return Value{}
	}
	return Value{kind: Time, n: en.row.batch.events.Times[en.row.i]}
}

// evalEvent gives the event's index in the execution's list of events: a Value cannot hold the event itself.
func evalEvent(en *env) Value {
	e, err := en.exec.captured()
	if err != nil {
		return en.fail(err)
	}
	fillEvent(e, en.row.batch, en.row.i)
	if en.exec.keepEvents {
		if err := en.exec.budget.hold(textsSize(e), "ORDER BY"); err != nil {
			return en.fail(err)
		}
	}
	return Value{kind: Int, n: int64(len(en.exec.events) - 1)}
}

// textsSize is how many bytes the texts of an event take.
func textsSize(e *engine.Event) int64 {
	n := len(e.Stream) + len(e.Type) + len(e.Payload) + len(e.Metadata)
	for _, t := range e.Tags {
		n += len(t) + 16
	}
	return int64(n)
}

// fillEvent copies row i of the batch into e.
func fillEvent(e *engine.Event, b *tableBatch, i int) {
	events := b.events
	*e = engine.Event{
		Position: events.Positions[i],
		Stream:   events.Streams[i],
		Version:  events.Versions[i],
		ID:       events.IDs[i],
		Type:     events.Types[i],
		Payload:  events.Payloads[i],
		Metadata: events.Metadata[i],
		Tags:     events.Tags[i],
		JSON:     events.JSON[i],
		Redacted: events.Redacted[i],
	}
	if b.pending {
		e.Position = engine.NoPosition
		return
	}
	e.RecordedAt = time.UnixMicro(events.Times[i]).UTC()
}

// stringOf gives bytes that are never written again as a string, without copying them.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf gives a string's bytes without copying them. Nobody may write to them.
func bytesOf(s string) []byte {
	if s == "" {
		return []byte{} // not nil, which is NULL
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// tagsText gives tags as a JSON array.
func tagsText(tags []string) string {
	if len(tags) == 0 {
		return "[]"
	}
	text := []byte{'['}
	for i, t := range tags {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendQuotedJSON(text, t)
	}
	return string(append(text, ']'))
}
