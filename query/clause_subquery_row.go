package query

import (
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// SubqueryRow implements expr.RowBinder: a sub-query that stands for its first row.
func (s *clauseScope) SubqueryRow(
	q *parser.Subquery,
) (columns []*expr.Expr, row func(*expr.Env) []value.Value, err error) {
	p, err := s.newSubPlan(q.Select)
	if err != nil {
		return nil, nil, err
	}
	for _, col := range p.plan.columns {
		columns = append(columns,
			&expr.Expr{Type: col.Type, Nullable: true, Affinity: col.affinity, Pos: q.Pos})
	}
	return columns, p.row, nil
}

// row returns the first row of the sub-query, NULLs if it has none.
func (p *subPlan) row(en *expr.Env) []value.Value {
	r := p.once(en)
	if r != nil && r.done {
		return r.row
	}
	first, mark := make([]value.Value, len(p.plan.columns)), en.Made
	p.each(en, func(row []value.Value) bool {
		for i, v := range row {
			if en.Hold(len(v.S)) { // it outlives the sub-query's row
				v.S = strings.Clone(v.S)
				first[i] = v
			}
		}
		return false
	})
	if r != nil {
		en.Remember(mark)
		r.done, r.row = true, first
	}
	return first
}

// InSelectRow implements expr.RowBinder: (a, b) [NOT] IN (SELECT x, y ...) compares as a = x AND
// b = y does.
func (s *clauseScope) InSelectRow(x []*expr.Expr, in *parser.In) (*expr.Expr, error) {
	p, err := s.newSubPlan(in.Select)
	if err != nil {
		return nil, err
	}
	if n := len(p.plan.columns); n != len(x) {
		return nil, errorf(BadStatement, p.pos,
			"a row of %d values is looked for among rows of %d", len(x), n)
	}
	m := &rowMembership{sub: p, x: x}
	var items []*expr.Expr
	y := &expr.Expr{Type: Integer, Pos: in.Pos}
	for i, col := range p.plan.columns {
		item := p.plan.item(i)
		item.Pos = in.Pos
		items = append(items, item)
		m.keys = append(m.keys, rowKeyOf(x[i], item))
		y.Nullable = y.Nullable || x[i].Nullable || col.Nullable
	}
	if m.same, err = expr.MatchRows(s, x, items, in.Pos); err != nil {
		return nil, err
	}
	y.Test = func(en *expr.Env) value.Truth {
		found := m.has(en)
		if in.Not {
			return found.Not()
		}
		return found
	}
	y.Eval = func(en *expr.Env) value.Value { return y.Test(en).Value() }
	return y, nil
}

// rowKeyOf tells how two values are made comparable as bytes.
func rowKeyOf(x, item *expr.Expr) joinKey {
	k := joinKey{open: true, collate: expr.CommonCollation(x, item),
		convert: value.Conversion(value.CommonAffinity(x.Affinity, item.Affinity))}
	if x.IsTime() != item.IsTime() {
		k.convert = value.AsTime
	}
	return k
}

// A rowMembership looks a row up among those of a sub-query.
type rowMembership struct {
	sub  *subPlan
	x    []*expr.Expr
	keys []joinKey
	same func(e *expr.Env, a, b []value.Value) value.Truth
}

// A foundRows is the rows of a sub-query.
type foundRows struct {
	rows  [][]value.Value
	byKey map[string]bool
	nulls [][]value.Value // rows with a NULL among them, which have no key
	kinds []keyKinds
}

func (m *rowMembership) has(en *expr.Env) value.Truth {
	row := make([]value.Value, len(m.x))
	for i, x := range m.x {
		row[i] = x.Eval(en)
	}
	set, release := m.set(en)
	defer release()
	kinds := make([]keyKinds, len(m.keys))
	key, ok := m.key(row, kinds)
	for i := range kinds {
		ok = ok && !kinds[i].undecided(set.kinds[i])
	}
	if !ok {
		return m.among(en, row, set.rows)
	}
	if !en.Effort(len(key)) {
		return value.Unknown
	}
	if set.byKey[key] {
		return value.Yes
	}
	return m.among(en, row, set.nulls)
}

// among compares the row with one after the other.
func (m *rowMembership) among(en *expr.Env, row []value.Value, rows [][]value.Value) value.Truth {
	found := value.No
	for _, other := range rows {
		if !en.Effort(value.TermEffort * len(row)) {
			return value.Unknown
		}
		if found = value.Or(found, m.same(en, row, other)); found == value.Yes {
			break
		}
	}
	return found
}

// key encodes a row and tells what its values are; ok is false if one of them is NULL.
func (m *rowMembership) key(row []value.Value, kinds []keyKinds) (key string, ok bool) {
	var b []byte
	for i, v := range row {
		if v.IsNull() {
			return "", false
		}
		k := &m.keys[i]
		if k.convert != nil {
			v = k.convert(v)
		}
		from := len(b)
		b = value.AppendKey(b, v, k.collate)
		kinds[i] = kinds[i].with(kindsOf(v, b[from:], k.collate))
	}
	return value.StringOf(b), true
}

// set collects the rows of the sub-query, and returns what gives back its memory.
func (m *rowMembership) set(en *expr.Env) (set *foundRows, release func()) {
	r := m.sub.once(en)
	if r != nil && r.rows != nil {
		return r.rows, func() {}
	}
	set = &foundRows{byKey: map[string]bool{}, kinds: make([]keyKinds, len(m.keys))}
	keep := newKeeper(execOf(en).budget, "IN (SELECT ...)")
	m.sub.each(en, func(row []value.Value) bool {
		if err := m.keep(set, keep, row); err != nil {
			en.Fail(err)
			return false
		}
		return true
	})
	if r == nil {
		return set, keep.release
	}
	r.rows = set
	return set, func() {}
}

// keep adds a row to a set.
func (m *rowMembership) keep(set *foundRows, keep *keeper, row []value.Value) error {
	key, ok := m.key(row, set.kinds)
	if ok && set.byKey[key] {
		return nil
	}
	kept, err := keep.row(row)
	if err != nil {
		return err
	}
	set.rows = append(set.rows, kept)
	if !ok {
		set.nulls = append(set.nulls, kept)
		return nil
	}
	set.byKey[key] = true
	return keep.account(int64(len(key)) + 64)
}
