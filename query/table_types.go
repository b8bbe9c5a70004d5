package query

import (
	"context"

	"github.com/eventfold/eventfold/query/internal/value"
)

var typeColumns = []tableColumn{
	column("type", Text, value.AffText),
	column("events", Integer, value.AffInteger),
	nullable(column("first_position", Integer, value.AffInteger)),
	nullable(column("last_position", Integer, value.AffInteger)),
}

func typeRows(ctx context.Context, ex *execution, _ scanBounds) rowMaker {
	types, err := ex.index.Types(ctx)
	own, order := countOwn(ex, func(e *ownEvent) string { return e.event.Type })
	list := &rowList{err: err}
	for _, t := range types {
		events := t.Events
		if c := own[t.Type]; c != nil {
			c.seen = true
			events += c.events
		}
		list.rows = append(list.rows, []value.Value{
			value.OfText(t.Type), value.OfInt(events), value.OfInt(int64(t.FirstPosition)),
			value.OfInt(int64(t.LastPosition)),
		})
	}
	for _, name := range order {
		if c := own[name]; !c.seen {
			list.rows = append(list.rows,
				[]value.Value{value.OfText(name), value.OfInt(c.events), null, null})
		}
	}
	return list
}
