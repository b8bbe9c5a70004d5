package query

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

// An eventColumn is one column of an event table: how it is read, and what INSERT and RETURNING make
// of it.
type eventColumn struct {
	tableColumn
	needs  engine.ColumnSet
	eval   func(*expr.Env) value.Value // reads the row en.row.i of en.row.batch.events
	set    setter                      // of INSERT; nil if the store assigns the column
	commit commitRole
}

// A commitRole says whether COMMIT assigns a column, which is not known before.
type commitRole uint8

const (
	commitKeeps     commitRole = iota // it is as INSERT gives it
	commitMayAssign                   // it is NULL before, if it is COMMIT that assigns it
	commitAssigns
)

// Ordinals of the columns that plans know by name.
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
	ordRedacted
	ordCategory
)

// eventColumns are the columns of every event table, in the order of SELECT *. A new column is one
// more line, whether it is computed or stored; INSERT and RETURNING take them from here.
var eventColumns = []eventColumn{
	ordPosition: {column("position", Integer, value.AffInteger), 0, evalPosition, nil, commitAssigns},
	ordStream:   {column("stream", Text, value.AffText), engine.ColStream, evalStream, setStream, commitKeeps},
	ordVersion:  {column("version", Integer, value.AffInteger), engine.ColVersion, evalVersion, nil, commitMayAssign},
	ordID:       {column("id", Text, value.AffText), engine.ColID, evalID, setID, commitMayAssign},
	ordType:     {column("type", Text, value.AffText), engine.ColType, evalType, setType, commitKeeps},
	ordPayload: {nullable(column("payload", JSON, value.AffText)), engine.ColPayload, evalPayload,
		setPayload, commitKeeps},
	ordMetadata: {column("metadata", JSON, value.AffText), engine.ColMetadata, evalMetadata, setMetadata, commitKeeps},
	ordTags: {tableColumn{
		Column: Column{Name: "tags", Type: JSON}, affinity: value.AffText, tags: true,
	}, engine.ColTags, evalTags, setTags, commitKeeps},
	ordRecordedAt: {column("recorded_at", Timestamp, value.AffTime), engine.ColTime, evalRecordedAt,
		nil, commitAssigns},
	ordEvent: {hidden(column("event", EventType, value.AffNone)), engine.ColAll, evalEvent, nil, commitKeeps},
	ordRedacted: {hidden(column("redacted", Integer, value.AffInteger)), engine.ColRedacted, evalRedacted,
		nil, commitKeeps},
	ordCategory: {hidden(column("category", Text, value.AffText)), engine.ColStream, evalCategory, nil, commitKeeps},
}

// columnSet is what the engine must read for columns of an event table.
func columnSet(columns []int) (set engine.ColumnSet) {
	for _, c := range columns {
		set |= eventColumns[c].needs
	}
	return set
}

// eventSchema is the schema of every event table.
var eventSchema = func() []tableColumn {
	schema := make([]tableColumn, len(eventColumns))
	for i, c := range eventColumns {
		schema[i] = c.tableColumn
	}
	return schema
}()

// pendingSchema is eventSchema for tables that hold a transaction's own events, too: COMMIT assigns
// their positions, versions, ids and times.
var pendingSchema = func() []tableColumn {
	schema := slices.Clone(eventSchema)
	for i := range schema {
		schema[i].Nullable = schema[i].Nullable || eventColumns[i].commit != commitKeeps
	}
	return schema
}()

func column(name string, t Type, a value.Affinity) tableColumn {
	return tableColumn{Column: Column{Name: name, Type: t}, affinity: a}
}

func nullable(c tableColumn) tableColumn { c.Nullable = true; return c }

func hidden(c tableColumn) tableColumn { c.hidden = true; return c }

func evalPosition(en *expr.Env) value.Value {
	if en.Row.Batch.Pending {
		return value.Value{}
	}
	return value.Value{Kind: value.Int, N: int64(en.Row.Batch.Events.Positions[en.Row.I])}
}

func evalStream(en *expr.Env) value.Value {
	return value.Value{Kind: value.String, S: en.Row.Batch.Events.Streams[en.Row.I]}
}

// evalCategory gives what of the stream's name says which kind of stream it is.
func evalCategory(en *expr.Env) value.Value {
	return value.Value{Kind: value.String, S: expr.Category(en.Row.Batch.Events.Streams[en.Row.I])}
}

// evalVersion gives NULL for an event of a transaction whose version depends on what others append
// before COMMIT.
func evalVersion(en *expr.Env) value.Value {
	v := en.Row.Batch.Events.Versions[en.Row.I]
	if v == engine.NoVersion {
		return value.Value{}
	}
	return value.Value{Kind: value.Int, N: int64(v)}
}

// evalID gives NULL for an event of a transaction to which COMMIT will assign an id.
func evalID(en *expr.Env) value.Value {
	if en.Row.Batch.Pending && en.Row.Batch.Events.IDs[en.Row.I] == uuid.Nil {
		return value.Value{}
	}
	return value.Value{Kind: value.String, S: en.Row.Batch.Events.IDs[en.Row.I].String()}
}

func evalType(en *expr.Env) value.Value {
	return value.Value{Kind: value.String, S: en.Row.Batch.Events.Types[en.Row.I]}
}

func evalPayload(en *expr.Env) value.Value {
	b := en.Row.Batch.Events
	p := b.Payloads[en.Row.I]
	if p == nil {
		return value.Value{}
	}
	if !b.JSON[en.Row.I] {
		return value.Value{Kind: value.Bytes, S: value.StringOf(p)}
	}
	return value.Value{Kind: value.String, JSON: true, S: value.StringOf(p)}
}

func evalMetadata(en *expr.Env) value.Value {
	return value.Value{Kind: value.String, JSON: true,
		S: value.StringOf(en.Row.Batch.Events.Metadata[en.Row.I])}
}

func evalTags(en *expr.Env) value.Value {
	text := tagsText(en.Row.Batch.Events.Tags[en.Row.I])
	if len(text) > value.SmallPiece && !en.Hold(len(text)) {
		return null
	}
	return value.Value{Kind: value.String, JSON: true, S: text}
}

func evalRecordedAt(en *expr.Env) value.Value {
	if en.Row.Batch.Pending {
		return value.Value{}
	}
	return value.Value{Kind: value.Time, N: en.Row.Batch.Events.Times[en.Row.I]}
}

// evalEvent gives the event's index in the execution's list of events: a Value cannot hold the
// event itself.
func evalEvent(en *expr.Env) value.Value {
	e, err := execOf(en).captured()
	if err != nil {
		return en.Fail(err)
	}
	*e = eventOf(en.Row.Batch, en.Row.I)
	if execOf(en).keepEvents {
		if err := execOf(en).budget.hold(textsSize(e), "ORDER BY"); err != nil {
			return en.Fail(err)
		}
	}
	return value.Value{Kind: value.Int, N: int64(len(execOf(en).events) - 1)}
}

// evalRedacted tells whether the content has been erased.
func evalRedacted(en *expr.Env) value.Value {
	return value.OfBool(en.Row.Batch.Events.Redacted[en.Row.I])
}

// textsSize is how many bytes the texts of an event take.
func textsSize(e *engine.Event) int64 {
	n := len(e.Stream) + len(e.Type) + len(e.Payload) + len(e.Metadata)
	for _, t := range e.Tags {
		n += len(t) + 16
	}
	return int64(n)
}

// eventOf returns row i of a batch of events as an event.
func eventOf(b *expr.Batch, i int) engine.Event {
	e := b.Events.Event(i)
	if b.Pending { // COMMIT assigns them
		e.Position, e.RecordedAt = engine.NoPosition, time.Time{}
	}
	return e
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
		text = jsonpath.AppendQuoted(text, t)
	}
	return string(append(text, ']'))
}
