package query

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// viewTableColumns are those of the table that lists views. It has the name of the stream whose
// events tell of them: those are read from $all.
var viewTableColumns = []tableColumn{
	column("name", Text, value.AffText),
	column("kind", Text, value.AffText),
	column("definition", Text, value.AffText),
	nullable(column("position", Integer, value.AffInteger)),
	nullable(column("created_at", Timestamp, value.AffTime)),
	column("state", Text, value.AffText),
	nullable(column("rows", Integer, value.AffInteger)),
	nullable(column("bytes", Integer, value.AffInteger)),
	nullable(column("lag", Integer, value.AffInteger)),
	nullable(column("error", Text, value.AffText)),
}

// viewTableRows are the views that the snapshot knows of, and those of the open transaction.
func viewTableRows(ctx context.Context, ex *execution, _ scanBounds) rowMaker {
	views, err := ex.views()
	if err != nil {
		return &rowList{err: err}
	}
	return &viewMaker{ctx: ctx, ex: ex, views: views, left: views.list()}
}

// A viewMaker lists views.
type viewMaker struct {
	ctx   context.Context
	ex    *execution
	views *viewSet
	left  []*viewDefinition
}

func (m *viewMaker) next() ([]value.Value, error) {
	if len(m.left) == 0 {
		return nil, nil
	}
	v := m.left[0]
	m.left = m.left[1:]
	position, created := null, null
	if v.position != engine.NoPosition {
		position, created = value.OfInt(int64(v.position)), value.OfTime(v.createdAt.UnixMicro())
	}
	state, fault := "ok", null
	if _, err := m.views.columnsOf(m.ctx, v, m.ex.session.Settings.Functions); err != nil {
		if m.ctx.Err() != nil {
			return nil, m.ctx.Err()
		}
		state, fault = err.Error(), value.OfText(err.Error())
	}
	rows, bytes, lag := null, null, null
	if v.kind == materializedView && state == "ok" {
		r, ok := m.report(v)
		if m.ctx.Err() != nil {
			return nil, m.ctx.Err()
		}
		if ok {
			rows, bytes = value.OfInt(r.groups), value.OfInt(r.bytes)
			lag = value.OfInt(max(0, int64(m.ex.index.Head()-r.to)))
		}
		if r.tooLarge != nil {
			state, fault = "too large", value.OfText(r.tooLarge.Error())
		}
	}
	return []value.Value{value.OfText(v.name), value.OfText(v.kind), value.OfText(v.text), position, created,
		value.OfText(state), rows, bytes, lag, fault}, nil
}

// report tells what is kept of a view. ok is false if nothing can be, as of one that the open
// transaction defines.
func (m *viewMaker) report(v *viewDefinition) (found keptReport, ok bool) {
	index := quiet(m.ex.index)
	r, err := m.ex.session.keptReading(m.ctx, m.views, v, index)
	if err != nil {
		return found, false
	}
	defer r.end()
	return r.g.plan.report(m.ctx, m.ex.session, r.kept, index), true
}

func (m *viewMaker) close() error { return nil }

// A showViewStatement is SHOW CREATE VIEW.
type showViewStatement struct {
	copiedArguments
	name string
	pos  parser.Pos
}

var showViewColumns = []Column{{"name", Text, false}, {"statement", Text, false}}

func (p *showViewStatement) query(ctx context.Context, s *Session, _ []expr.Argument) (Rows, error) {
	ex := newExecution(ctx, s, nil)
	defer ex.end()
	views, err := ex.views()
	if err != nil {
		return nil, err
	}
	v := views.find(p.name)
	if v == nil {
		return nil, unknownView(views, &parser.Table{Pos: p.pos, Name: p.name})
	}
	kind := "VIEW "
	if v.kind == materializedView {
		kind = "MATERIALIZED VIEW "
	}
	text := "CREATE " + kind + parser.Render(&parser.Column{Name: v.name}) + " AS " + v.text
	return listRows(showViewColumns, [][]value.Value{{value.OfText(v.name), value.OfText(text)}}, s), nil
}

func (p *showViewStatement) exec(ctx context.Context, s *Session, args []expr.Argument) (Outcome, error) {
	_, err := p.query(ctx, s, args)
	return Outcome{LastPosition: engine.NoPosition}, err
}
