package query

import (
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/effort"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A subPlan is a sub-query in an expression.
type subPlan struct {
	number int
	plan   *selectPlan
	pos    parser.Pos
}

// onceResult is what an uncorrelated sub-query gave. It is computed once per execution.
type onceResult struct {
	done  bool
	value value.Value
	set   *inSet
}

// newSubPlan compiles a sub-query whose surroundings are the scope that it stands in.
func (s *clauseScope) newSubPlan(sel *parser.Select) (*subPlan, error) {
	switch {
	case s.constant:
		return nil, errorf(BadStatement, sel.Pos, "%s takes constants, not a sub-query", s.clause)
	case s.rowWise:
		return nil, errorf(BadStatement, sel.Pos, "the condition of NO EVENT cannot have a sub-query")
	}
	s.subs++
	s.nesting = true
	p := &subPlan{number: s.subs, pos: sel.Pos}
	plan, err := s.compileSelect(sel, queryScope{parent: s, ctes: s.ctes, nested: true, depth: s.depth + 1})
	p.plan = plan
	return p, err
}

// oneColumn refuses a sub-query that does not give exactly one column.
func (p *subPlan) oneColumn() error {
	if n := len(p.plan.columns); n != 1 {
		return errorf(BadStatement, p.pos, "a sub-query that stands for a value gives one column, not %d", n)
	}
	return nil
}

// once returns where the result is remembered, nil for a correlated sub-query.
func (p *subPlan) once(en *env) *onceResult {
	if p.plan.outer {
		return nil
	}
	ex := en.exec
	if ex.once == nil {
		ex.once = map[int]*onceResult{}
	}
	r := ex.once[p.number]
	if r == nil {
		r = &onceResult{}
		ex.once[p.number] = r
	}
	return r
}

// each runs the sub-query for the current row of en and gives its rows to visit until that returns false.
// An error is left in en.err.
func (p *subPlan) each(en *env, visit func(row []value.Value) bool) {
	defer en.exec.leave(en.exec.envs)
	op, err := p.plan.open(en.exec, en)
	if err != nil {
		en.fail(err)
		return
	}
	inner := en.exec.env(en)
	for {
		ok, err := op.next(inner)
		if err != nil {
			en.fail(err)
		}
		if !ok || err != nil || !visit(inner.row.values) {
			break
		}
	}
	if err := op.close(); err != nil {
		en.fail(err)
	}
}

// subquery implements binder: a sub-query that stands for the first column of its first row, NULL without rows. As in SQLite, the
// column gives it its affinity but not its collation.
func (s *clauseScope) subquery(q *parser.Subquery) (*expr, error) {
	p, err := s.newSubPlan(q.Select)
	if err != nil {
		return nil, err
	}
	if err := p.oneColumn(); err != nil {
		return nil, err
	}
	col := p.plan.columns[0]
	return &expr{eval: p.scalar, typ: col.Type, nullable: true, affinity: col.affinity, pos: q.Pos}, nil
}

func (p *subPlan) scalar(en *env) value.Value {
	r := p.once(en)
	if r != nil && r.done {
		return r.value
	}
	v, mark := null, en.made
	p.each(en, func(row []value.Value) bool {
		v = row[0]
		return false
	})
	if len(v.S) > effort.SmallPiece {
		en.Hold(len(v.S)) // it outlives the sub-query's row
	}
	if r != nil {
		v.S = strings.Clone(v.S)
		en.remember(mark)
	}
	if r != nil {
		r.done, r.value = true, v
	}
	return v
}

// exists implements binder.
func (s *clauseScope) exists(e *parser.Exists) (*expr, error) {
	p, err := s.newSubPlan(e.Select)
	if err != nil {
		return nil, err
	}
	p.plan.wanted = make([]bool, len(p.plan.columns)) // only whether there is a row is of interest
	eval := func(en *env) value.Value {
		r := p.once(en)
		if r != nil && r.done {
			return r.value
		}
		found := false
		p.each(en, func([]value.Value) bool {
			found = true
			return false
		})
		if r != nil {
			r.done, r.value = true, value.OfBool(found)
		}
		return value.OfBool(found)
	}
	return &expr{eval: eval, typ: Integer, pos: e.Pos}, nil
}

// inSelect implements binder: x [NOT] IN (SELECT ...) compares as x = column does.
func (s *clauseScope) inSelect(x *expr, in *parser.In) (*expr, error) {
	p, err := s.newSubPlan(in.Select)
	if err != nil {
		return nil, err
	}
	if err := p.oneColumn(); err != nil {
		return nil, err
	}
	col := p.plan.columns[0]
	item := &expr{affinity: col.affinity, typ: col.Type, collate: col.collate}
	m := membership{sub: p, convert: value.Conversion(value.CommonAffinity(x.affinity, item.affinity)), collate: commonCollation(x, item)}
	if x.isTime() != item.isTime() {
		if x.typ.isNumber() || item.typ.isNumber() {
			return nil, timeBesideNumber(x.pos)
		}
		m.convert = value.AsTime
	}
	m.pos = x.pos
	test := func(en *env) value.Truth {
		found := m.has(en, x.eval(en))
		if in.Not {
			return found.Not()
		}
		return found
	}
	return &expr{
		eval: func(en *env) value.Value { return test(en).Value() }, test: test,
		typ: Integer, nullable: x.nullable || col.Nullable, pos: in.Pos,
	}, nil
}

// A membership looks a value up among the rows of a sub-query.
type membership struct {
	sub     *subPlan
	convert func(value.Value) value.Value
	collate value.Collation
	pos     parser.Pos
}

func (m *membership) has(en *env, v value.Value) value.Truth {
	if m.convert != nil {
		v = m.convert(v)
	}
	set := m.set(en)
	if v.Kind == value.Null {
		if set.empty() {
			return value.No
		}
		return value.Unknown
	}
	if set.mixes(v) {
		en.fail(timeBesideNumber(m.pos))
		return value.Unknown
	}
	return set.has(v)
}

// set collects the rows of the sub-query.
func (m *membership) set(en *env) *inSet {
	r := m.sub.once(en)
	if r != nil && r.set != nil {
		return r.set
	}
	set := &inSet{coll: m.collate}
	keep := newKeeper(en.exec.budget, "IN (SELECT ...)")
	m.sub.each(en, func(row []value.Value) bool {
		v := row[0]
		if m.convert != nil {
			v = m.convert(v)
		}
		if err := keep.account(int64(len(v.S)) + 64); err != nil {
			en.fail(err)
			return false
		}
		set.add(v, false)
		return true
	})
	if r == nil {
		keep.release()
		return set
	}
	r.set = set
	return set
}
