package query

import (
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A copiedRelation copies the columns that are read into a row of values, for who keeps rows.
type copiedRelation struct {
	in    relation
	slots map[int]int  // ordinal to slot
	reads []*expr.Expr // by slot
}

func newCopiedRelation(in relation) *copiedRelation {
	return &copiedRelation{in: in, slots: map[int]int{}}
}

func (m *copiedRelation) schema() []tableColumn { return m.in.schema() }

func (m *copiedRelation) bind(i int) *expr.Expr {
	slot, ok := m.slots[i]
	if !ok {
		slot = len(m.reads)
		m.slots[i] = slot
		m.reads = append(m.reads, m.in.bind(i))
	}
	return boundColumn(m.in.schema()[i], slotExpr(slot))
}

func (m *copiedRelation) open(ex *execution, outer *expr.Env) (rows, error) {
	in, err := m.in.open(ex, outer)
	if err != nil {
		return nil, err
	}
	return m.copied(ex, outer, in), nil
}

// copied are copies of the rows of in.
func (m *copiedRelation) copied(ex *execution, outer *expr.Env, in rows) rows {
	return &copiedRows{
		in: in, en: ex.env(outer), reads: m.reads, row: make([]value.Value, len(m.reads)),
	}
}

func (m *copiedRelation) explain(x *explainer) { m.in.explain(x) }

type copiedRows struct {
	in    rows
	en    *expr.Env
	reads []*expr.Expr
	row   []value.Value
}

func (m *copiedRows) next(en *expr.Env) (bool, error) {
	m.en.Begin()
	ok, err := m.in.next(m.en)
	if !ok || err != nil {
		return false, err
	}
	for i, e := range m.reads {
		m.row[i] = e.Eval(m.en)
	}
	en.Row.Values = m.row
	return true, m.en.Err
}

func (m *copiedRows) close() error { return m.in.close() }
