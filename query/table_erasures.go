package query

import (
	"context"
	"strconv"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/jsonpath"
	"github.com/eventfold/eventfold/query/internal/value"
)

// erasureColumns are those of the table that lists erasures. It has the name of the stream whose
// events tell of them: those are read from $all.
var erasureColumns = []tableColumn{
	column("erasure", Text, value.AffText),
	column("position", Integer, value.AffInteger),
	column("events", Integer, value.AffInteger),
	column("reason", Text, value.AffText),
	nullable(column("actor", Text, value.AffText)),
	column("created_at", Timestamp, value.AffTime),
	nullable(column("done_at", Timestamp, value.AffTime)),
	column("pending", Integer, value.AffInteger),
	column("waiting_for", JSON, value.AffText),
	column("readers", JSON, value.AffText),
}

// erasureRows are the erasures that the snapshot knows of, and what has become of them by now.
func erasureRows(ctx context.Context, ex *execution, _ scanBounds) rowMaker {
	store, ok := Offers[engine.Eraser](ex.session.Store)
	if !ok {
		return &rowList{}
	}
	if x, ok := ex.index.(*watchedIndex); ok {
		x.named([]string{engine.ErasuresStream})
	}
	erasures, err := store.Erasures(ctx)
	list := &rowList{err: err}
	for i := range erasures {
		if e := &erasures[i]; e.Position < ex.index.Head() {
			list.rows = append(list.rows, erasureRow(e))
		}
	}
	return list
}

func erasureRow(e *engine.ErasureInfo) []value.Value {
	actor, done := null, null
	if e.Actor != "" {
		actor = value.OfText(e.Actor)
	}
	if !e.DoneAt.IsZero() {
		done = value.OfTime(e.DoneAt.UnixMicro())
	}
	return []value.Value{
		value.OfText(e.ID.String()), value.OfInt(int64(e.Position)), value.OfInt(e.Events.Count()),
		value.OfText(e.Reason), actor, value.OfTime(e.CreatedAt.UnixMicro()), done,
		value.OfInt(int64(len(e.Pending))), value.OfJSON(waitingText(e.Pending)),
		value.OfJSON(readersText(e.Readers)),
	}
}

// waitingText lists files as an array of {"file", "why"}.
func waitingText(files []engine.PendingErasure) string {
	text := []byte{'['}
	for i, f := range files {
		if i > 0 {
			text = append(text, ',')
		}
		text = jsonpath.AppendQuoted(append(text, `{"file":`...), f.File)
		text = jsonpath.AppendQuoted(append(text, `,"why":`...), f.Why)
		text = append(text, '}')
	}
	return string(append(text, ']'))
}

// readersText lists processes as an array of numbers.
func readersText(readers []int) string {
	text := []byte{'['}
	for i, pid := range readers {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(pid), 10)
	}
	return string(append(text, ']'))
}
