package query

import (
	"slices"
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A subPlan is a sub-query in an expression.
type subPlan struct {
	number int
	plan   *selectPlan
	pos    parser.Pos
	semi   *semiJoin // how it may be answered without being run for each row, nil for none
}

// onceResult is what an uncorrelated sub-query gave. It is computed once per execution.
type onceResult struct {
	done  bool
	value value.Value
	set   *expr.Set
	row   []value.Value // of one that stands for a row
	rows  *foundRows
	semi  *semiTable
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
	plan, err := s.compileSelect(sel,
		queryScope{parent: s, ctes: s.ctes, nested: true, depth: s.depth + 1})
	if err != nil {
		return nil, err
	}
	p.plan = plan
	s.noteSubPlan(p)
	return p, nil
}

// noteSubPlan remembers a sub-query for EXPLAIN, once for each place in the text.
func (s *clauseScope) noteSubPlan(p *subPlan) {
	if s.subplans == nil {
		return
	}
	if i := slices.IndexFunc(*s.subplans, func(q *subPlan) bool { return q.pos == p.pos }); i >= 0 {
		(*s.subplans)[i] = p
		return
	}
	*s.subplans = append(*s.subplans, p)
}

// explain tells what a sub-query reads. One that is a semi-join has been told.
func (p *subPlan) explain(x *explainer) {
	if p.semi != nil {
		return
	}
	x.depth++
	p.plan.explain(x)
	x.depth--
	how := "run once"
	if p.plan.outer {
		how = "run for each row"
	}
	x.step("sub-query", "%s", how)
}

// oneColumn refuses a sub-query that does not give exactly one column.
func (p *subPlan) oneColumn() error {
	if n := len(p.plan.columns); n != 1 {
		return errorf(BadStatement, p.pos,
			"a sub-query that stands for a value gives one column, not %d", n)
	}
	return nil
}

// once returns where the result is remembered, nil for a correlated sub-query.
func (p *subPlan) once(en *expr.Env) *onceResult {
	if p.plan.outer {
		return nil
	}
	ex := execOf(en)
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

// each runs the sub-query for the current row of en and gives its rows to visit until that returns
// false. An error is left in en.err.
func (p *subPlan) each(en *expr.Env, visit func(row []value.Value) bool) {
	defer execOf(en).leave(execOf(en).envs)
	defer p.semi.pay(en, execOf(en).counters.examined.Load())
	op, err := p.plan.open(execOf(en), en)
	if err != nil {
		en.Fail(err)
		return
	}
	inner := execOf(en).env(en)
	for {
		ok, err := op.next(inner)
		if err != nil {
			en.Fail(err)
		}
		if !ok || err != nil || !visit(inner.Row.Values) {
			break
		}
	}
	if err := op.close(); err != nil {
		en.Fail(err)
	}
}

// Subquery implements binder: a sub-query that stands for the first column of its first row, NULL
// without rows. As in SQLite, the column gives it its affinity but not its collation.
func (s *clauseScope) Subquery(q *parser.Subquery) (*expr.Expr, error) {
	p, err := s.newSubPlan(q.Select)
	if err != nil {
		return nil, err
	}
	if err := p.oneColumn(); err != nil {
		return nil, err
	}
	col := p.plan.columns[0]
	return &expr.Expr{
		Eval: p.scalar, Type: col.Type, Nullable: true, Affinity: col.affinity, Pos: q.Pos,
	}, nil
}

func (p *subPlan) scalar(en *expr.Env) value.Value {
	r := p.once(en)
	if r != nil && r.done {
		return r.value
	}
	v, mark := null, en.Made
	p.each(en, func(row []value.Value) bool {
		v = row[0]
		return false
	})
	if len(v.S) > value.SmallPiece {
		en.Hold(len(v.S)) // it outlives the sub-query's row
	}
	if r != nil {
		v.S = strings.Clone(v.S)
		en.Remember(mark)
	}
	if r != nil {
		r.done, r.value = true, v
	}
	return v
}

// Exists implements binder.
func (s *clauseScope) Exists(e *parser.Exists) (*expr.Expr, error) {
	p, err := s.newSubPlan(e.Select)
	if err != nil {
		return nil, err
	}
	p.plan.wanted = make([]bool, len(p.plan.columns)) // only whether there is a row is of interest
	p.semi = s.newSemiJoin(e.Select, p, nil)
	eval := func(en *expr.Env) value.Value {
		r := p.once(en)
		if r != nil && r.done {
			return r.value
		}
		if set, ok := p.semi.lookUp(en); ok {
			return value.OfBool(set != nil)
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
	return &expr.Expr{Eval: eval, Type: Integer, Pos: e.Pos}, nil
}

// InSelect implements binder: x [NOT] IN (SELECT ...) compares as x = column does.
func (s *clauseScope) InSelect(x *expr.Expr, in *parser.In) (*expr.Expr, error) {
	p, err := s.newSubPlan(in.Select)
	if err != nil {
		return nil, err
	}
	if err := p.oneColumn(); err != nil {
		if n := len(p.plan.columns); in.Table {
			e := errorf(BadStatement, p.pos, "IN takes a table of one column, not of %d", n)
			e.Hint = "write IN (SELECT column FROM table)"
			if t, ok := in.Select.First.From.(*parser.Table); ok && s.hasColumn(t.Name) {
				e.Hint = "the elements of an array are SELECT value FROM json_each(" + t.Name + ")"
				if sameName(t.Name, "tags") {
					e.Hint = "write HAS(tags, 'x')"
				}
			}
			return nil, e
		}
		return nil, err
	}
	col := p.plan.columns[0]
	item := p.plan.item(0)
	m := membership{
		sub: p, dates: x.Type == Any, collate: expr.CommonCollation(x, item),
		convert: value.Conversion(value.CommonAffinity(x.Affinity, item.Affinity)),
	}
	if x.IsTime() != item.IsTime() {
		if x.Type.IsNumber() || item.Type.IsNumber() {
			return nil, expr.ErrTimeBesideNumber(x.Pos)
		}
		m.convert = value.AsTime
	}
	m.pos = x.Pos
	p.semi = s.newSemiJoin(in.Select, p, &m)
	test := func(en *expr.Env) value.Truth {
		found := m.has(en, x.Eval(en))
		if in.Not {
			return found.Not()
		}
		return found
	}
	return &expr.Expr{
		Eval: func(en *expr.Env) value.Value { return test(en).Value() }, Test: test,
		Type: Integer, Nullable: x.Nullable || col.Nullable, Pos: in.Pos,
	}, nil
}

// item stands for column number i of the rows among which IN looks a value up. A COLLATE that the last
// SELECT has for it counts as if it stood behind IN, as in SQLite.
func (p *selectPlan) item(i int) *expr.Expr {
	col := &p.columns[i]
	item := &expr.Expr{Affinity: col.affinity, Type: col.Type, Collate: col.collate, Tags: col.tags}
	item.TakeCollation(p.cores[len(p.cores)-1].results[i])
	return item
}

// A membership looks a value up among the rows of a sub-query.
type membership struct {
	sub     *subPlan
	convert func(value.Value) value.Value
	collate value.Collation
	dates   bool // what is looked up may be a time, which its type does not tell
	pos     parser.Pos
}

func (m *membership) has(en *expr.Env, v value.Value) value.Truth {
	if m.convert != nil {
		v = m.convert(v)
	}
	set := m.set(en)
	if v.Kind == value.Null {
		if set.Empty() {
			return value.No
		}
		return value.Unknown
	}
	if set.Mixes(v) {
		en.Fail(expr.ErrTimeBesideNumber(m.pos))
		return value.Unknown
	}
	return set.Has(v)
}

// set collects the rows of the sub-query.
func (m *membership) set(en *expr.Env) *expr.Set {
	r := m.sub.once(en)
	if r != nil && r.set != nil {
		return r.set
	}
	set, ok := m.sub.semi.lookUp(en)
	if ok && set != nil {
		return set
	}
	set = m.newSet()
	if ok {
		return set
	}
	keep := newKeeper(execOf(en).budget, "IN (SELECT ...)")
	m.sub.each(en, func(row []value.Value) bool {
		if err := m.add(set, keep, row[0]); err != nil {
			en.Fail(err)
			return false
		}
		return true
	})
	if r == nil {
		keep.release()
		return set
	}
	r.set = set
	return set
}

func (m *membership) newSet() *expr.Set { return &expr.Set{Coll: m.collate, Dates: m.dates} }

// add adds the value of one row to a set.
func (m *membership) add(set *expr.Set, keep *keeper, v value.Value) error {
	if m.convert != nil {
		v = m.convert(v)
	}
	if err := keep.account(int64(len(v.S)) + 64); err != nil {
		return err
	}
	set.Add(v, false)
	return nil
}
