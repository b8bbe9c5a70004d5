package query

import (
	"context"

	"github.com/eventfold/eventfold/query/internal/value"
)

var followerColumns = []tableColumn{
	column("id", Integer, value.AffInteger),
	column("statement", Text, value.AffText),
	column("source", Text, value.AffText),
	column("since", Timestamp, value.AffTime),
	column("position", Integer, value.AffInteger),
	column("lag", Integer, value.AffInteger),
	column("rows", Integer, value.AffInteger),
}

// followerRows are the rows of $followers. The lag is that behind the statement's snapshot.
func followerRows(_ context.Context, ex *execution, _ scanBounds) rowMaker {
	list := &rowList{}
	for _, f := range ex.session.Settings.Followers.all() {
		next := int64(f.reached())
		list.rows = append(list.rows, []value.Value{
			value.OfInt(f.id), value.OfText(f.text), value.OfText(f.source), value.OfTime(f.since.UnixMicro()),
			value.OfInt(next - 1), value.OfInt(max(0,
				int64(ex.index.Head())-next)), value.OfInt(f.rows.Load()),
		})
	}
	return list
}
