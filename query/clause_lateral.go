package query

import (
	"slices"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/fault"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A lateralRow is the row of the sources before an item of FROM, as the item reads it: a value for
// each column that it names. The item is opened anew for every such row. It implements relation as
// far as a scope needs it.
type lateralRow struct {
	sources  []fromItem
	ordinals []int // by slot: the ordinal in the whole of FROM
	slots    map[int]int
}

func (l *lateralRow) schema() []tableColumn {
	var columns []tableColumn
	for i := range l.sources {
		columns = append(columns, l.sources[i].columns...)
	}
	return columns
}

func (l *lateralRow) bind(i int) *expr.Expr {
	slot, ok := l.slots[i]
	if !ok {
		slot = len(l.ordinals)
		l.slots[i], l.ordinals = slot, append(l.ordinals, i)
	}
	n := len(l.sources) - 1
	for n > 0 && l.sources[n].offset > i {
		n--
	}
	col := l.sources[n].columns[i-l.sources[n].offset]
	col.Nullable = true // a LEFT JOIN may have made it NULL
	return boundColumn(col, slotExpr(slot))
}

func (l *lateralRow) open(*execution, *expr.Env) (rows, error) {
	panic("query: a lateral row is not opened")
}

func (l *lateralRow) explain(*explainer) {}

// reads are the sources whose columns the item names.
func (l *lateralRow) reads(c *coreScope) (set itemSet) {
	for _, i := range l.ordinals {
		n := c.sourceOf(i)
		set |= setOf(n, n+1)
	}
	return set
}

// env is the environment that an item reads the row from, which is what it is opened with if it reads
// one.
func (l *lateralRow) env(ex *execution, outer *expr.Env) *expr.Env {
	if len(l.ordinals) > 0 {
		return outer
	}
	return ex.env(outer)
}

// lateralScope is the scope of what stands in FROM and may read the sources before it.
func (c *coreScope) lateralScope() (*clauseScope, *lateralRow) {
	row := &lateralRow{sources: slices.Clone(c.sources), slots: map[int]int{}}
	return &clauseScope{clause: "FROM", coreScope: &coreScope{
		statementCompiler: c.statementCompiler, queryScope: c.queryScope,
		core: &parser.Core{Pos: c.core.Pos}, from: row, sources: row.sources,
		ordinals: map[*expr.Expr]int{},
	}}, row
}

// checkLateral refuses items of a block that read sources outside of it, or that a RIGHT or FULL
// JOIN keeps apart from them.
func (c *coreScope) checkLateral(lo, hi int, may itemSet) error {
	for i := lo; i < hi; i++ {
		src := &c.sources[i]
		if src.lateral == nil {
			continue
		}
		for _, at := range src.lateral.ordinals {
			n := c.sourceOf(at)
			if setOf(n, n+1).within(may) {
				continue
			}
			e := errorf(BadStatement, src.pos,
				"%s cannot read %s from here: what stands in parentheses, or to the right of a RIGHT or "+
					"FULL JOIN, is joined as a whole", src.name, fault.Quoted(c.sources[n].name))
			e.Hint = "write it without parentheses, behind a comma, JOIN or LEFT JOIN"
			return e
		}
	}
	return nil
}

// A lateralJoin joins a relation with one that is opened for each of its rows. Both stream.
type lateralJoin struct {
	*joinRelation
	args   []*expr.Expr // what the right side reads of the left row, by slot; nil if it reads nothing
	reread bool         // the right side reads nothing, and is opened again all the same
}

func (p *lateralJoin) open(ex *execution, outer *expr.Env) (rows, error) {
	left, err := p.left.open(ex, outer)
	if err != nil {
		return nil, err
	}
	l := &lateralRows{
		plan: p, ex: ex, outer: outer, left: left, leftEnv: ex.env(outer), rightEnv: ex.env(outer),
		args: outer, row: make([]value.Value, len(p.reads)),
	}
	if len(p.args) > 0 {
		l.args = ex.env(outer)
		l.args.Row.Values = make([]value.Value, len(p.args))
	}
	return filtered(l, p.where), nil
}

func (p *lateralJoin) explain(x *explainer) {
	x.inner(p.left)
	x.inner(p.right)
	kind := "lateral join"
	switch {
	case p.reread && p.outer:
		kind = "loop left join"
	case p.reread:
		kind = "loop join"
	case p.outer:
		kind = "lateral left join"
	}
	if x.step(kind, "%s", joinTexts(p.texts)); len(p.texts) == 0 {
		x.steps[len(x.steps)-1][1] = value.OfText("for each row")
	}
	if len(p.where) > 0 {
		x.step("filter", "%s", joinTexts(p.whereTexts))
	}
}

// lateralRows are the rows of a lateralJoin.
type lateralRows struct {
	plan     *lateralJoin
	ex       *execution
	outer    *expr.Env
	left     rows
	leftEnv  *expr.Env
	args     *expr.Env // what the right side is opened with
	right    rows      // of the current row of the left side, nil if there is none
	rightEnv *expr.Env
	mark     *expr.Env // the environments that there were before the right side was opened
	row      []value.Value
	matched  bool
	seen     int
}

func (l *lateralRows) next(en *expr.Env) (bool, error) {
	for {
		if l.right == nil {
			if ok, err := l.advance(); !ok || err != nil {
				return false, err
			}
		}
		ok, err := l.match(en)
		if ok || err != nil {
			return ok, err
		}
	}
}

// advance takes the next row of the left side and opens the right side for it.
func (l *lateralRows) advance() (bool, error) {
	l.leftEnv.Begin()
	ok, err := l.left.next(l.leftEnv)
	if !ok || err != nil {
		return false, err
	}
	if err := l.look(); err != nil {
		return false, err
	}
	for i, r := range l.plan.reads {
		if !r.right {
			l.row[i] = r.e.Eval(l.leftEnv)
		}
	}
	if len(l.plan.args) > 0 {
		l.args.Begin()
		for i, x := range l.plan.args {
			l.args.Row.Values[i] = x.Eval(l.leftEnv)
		}
	}
	if l.leftEnv.Err != nil {
		return false, l.leftEnv.Err
	}
	l.matched, l.mark = false, l.ex.envs
	l.right, err = l.plan.right.open(l.ex, l.args)
	return err == nil, err
}

// look looks at the context now and then.
func (l *lateralRows) look() error {
	if l.seen++; l.seen%batchRows == 0 {
		return l.ex.ctx.Err()
	}
	return nil
}

// match makes the next joined row of the current left row current; false if there is no more.
func (l *lateralRows) match(en *expr.Env) (bool, error) {
	en.Row.Values = l.row
	for {
		l.rightEnv.Begin()
		ok, err := l.right.next(l.rightEnv)
		if err == nil {
			err = l.look()
		}
		if err != nil {
			return false, err
		}
		if !ok {
			break
		}
		pass, err := l.joined(en)
		if pass || err != nil {
			return pass, err
		}
	}
	if err := l.leave(); err != nil || l.matched || !l.plan.outer {
		return false, err
	}
	for i, r := range l.plan.reads {
		if r.right {
			l.row[i] = value.Value{}
		}
	}
	return true, nil
}

// joined reads the right side of the row, and reports whether the two match.
func (l *lateralRows) joined(en *expr.Env) (bool, error) {
	for i, r := range l.plan.reads {
		if r.right {
			l.row[i] = r.e.Eval(l.rightEnv)
		}
	}
	if l.rightEnv.Err != nil {
		return false, l.rightEnv.Err
	}
	en.Begin()
	pass := allTrue(l.plan.conds, en)
	l.matched = l.matched || pass
	return pass && en.Err == nil, en.Err
}

// leave ends the right side of the current left row.
func (l *lateralRows) leave() error {
	if l.right == nil {
		return nil
	}
	err := l.right.close()
	l.right = nil
	l.ex.leave(l.mark)
	return err
}

func (l *lateralRows) close() error {
	err := l.leave()
	if cerr := l.left.close(); err == nil {
		err = cerr
	}
	return err
}

// lateral joins a part of FROM with an item that is opened for each of its rows: one that reads
// them, or a function that gives its rows again for nothing.
func (b *joinBlock) lateral(left, right joined, it *joinItem) (joined, error) {
	join, rel := newJoin(left, right, it.kind())
	p := &lateralJoin{joinRelation: join, reread: it.lateral == nil}
	rel.relation = p
	if !p.reread {
		part := *b.coreScope
		part.layout = b.layoutOf(left)
		for _, i := range it.lateral.ordinals {
			p.args = append(p.args, left.bind(part.place(i)))
		}
	}
	var err error
	if it.kind() == parser.LeftJoin {
		if p.conds, err = b.joinRest(it.on, rel, &p.texts); err == nil {
			p.where, err = b.joinRest(b.conds, rel, &p.whereTexts)
		}
	} else {
		p.conds, err = b.joinRest(b.conds, rel, &p.texts)
	}
	return rel, err
}

// remade reports whether a relation gives its rows again for nothing, and may give very many, so that
// they are not kept.
func remade(rel relation) bool {
	switch rel := rel.(type) {
	case *functionRelation:
		return rel.def.remade
	case *filteredRelation:
		return remade(rel.relation)
	}
	return false
}
