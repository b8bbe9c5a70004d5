package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// collectSources compiles the tables and sub-queries of FROM, from left to right.
func (c *coreScope) collectSources(from parser.Source) error {
	switch from := from.(type) {
	case nil:
		return nil
	case *parser.Join:
		if err := c.collectSources(from.Left); err != nil {
			return err
		}
		return c.collectSources(from.Right)
	}
	rel, name, pos, err := c.leafInput(from)
	if err != nil {
		return err
	}
	src := fromItem{name: name, columns: rel.schema(), rel: rel, pos: pos}
	for i := range c.sources {
		last := &c.sources[i]
		src.offset = last.offset + len(last.columns)
	}
	if c.sources = append(c.sources, src); len(c.sources) > maxTables {
		return errorf(BadStatement, pos, "a SELECT reads at most %d tables", maxTables)
	}
	return nil
}

// leafInput compiles one table or sub-query.
func (c *coreScope) leafInput(from parser.Source) (rel relation, name string, pos parser.Pos, err error) {
	switch from := from.(type) {
	case *parser.Derived:
		rel, err = c.derived(from.Select)
		return rel, from.Alias, from.Pos, err
	case *parser.Table:
		if cte := c.ctes.find(from); cte != nil {
			cte.uses++
			if cte.plan.outer {
				c.usesOuter(cte.depth)
			}
			return &withRelation{cte: cte, up: c.depth - cte.depth}, aliasOr(from.Alias, cte.name), from.Pos, nil
		}
		if from.Param != nil {
			return nil, "", 0, errorf(Unsupported, from.Pos, "a table's name can be a parameter only in INSERT INTO and EXPECT; use $all WHERE stream = ?")
		}
		def, err := c.catalog.table(from)
		if err != nil {
			return nil, "", 0, err
		}
		scan := newTableScan(def)
		scan.alias = from.Alias
		c.scans = append(c.scans, scan)
		return scan, aliasOr(from.Alias, def.name()), from.Pos, nil
	}
	return nil, "", 0, errorf(Unsupported, c.core.Pos, "this kind of FROM is not supported")
}

func aliasOr(alias, name string) string {
	if alias != "" {
		return alias
	}
	return name
}

// derived compiles a sub-query in FROM. It sees the columns of the enclosing queries, but not those of its siblings.
func (c *coreScope) derived(sel *parser.Select) (relation, error) {
	plan, err := c.compileSelect(sel, queryScope{parent: c.parent, ctes: c.ctes, onOuter: c.onOuter, nested: true, depth: c.depth})
	if err != nil {
		return nil, err
	}
	plan.wanted = make([]bool, len(plan.columns))
	return &derivedRelation{plan: plan}, nil
}

// compileFrom joins the sources and gives every condition of WHERE and ON its place: in a table's scan if it is about
// one table, in the first join that has all the tables that it is about, and else above them all.
func (c *coreScope) compileFrom(p *corePlan, order []parser.Order) error {
	conds := c.pendingList(c.core.Where, "WHERE", 0, len(c.sources))
	c.from = one{}
	if c.core.From != nil {
		if err := c.placeConditions(conds, order); err != nil {
			return err
		}
	}
	p.from = c.from
	var texts []string
	for _, w := range conds {
		if w.used {
			continue
		}
		x, err := c.whereScope().compile(w.e)
		if err != nil {
			return err
		}
		p.where = append(p.where, x.condition())
		texts = append(texts, conjunctText(w.e))
		c.markInexact()
	}
	p.texts.where = joinTexts(texts)
	return nil
}

// markInexact notes that some condition stands above the scans.
func (c *coreScope) markInexact() {
	for i := range c.sources {
		if scan, ok := c.sources[i].rel.(*tableScan); ok {
			scan.inexact = true
		}
	}
}

func (c *coreScope) placeConditions(conds []*pendingCond, order []parser.Order) error {
	all, err := c.joinBlock(c.core.From, 0, conds)
	if err != nil {
		return err
	}
	c.from, c.layout = all.relation, c.layoutOf(all)
	if c.usesWindows(order) && !c.aggregate {
		c.from = newCopiedRelation(c.from)
	}
	return nil
}

// mergeUsing notes for every source which of its columns a USING takes from the sources before it.
func (c *coreScope) mergeUsing(from parser.Source, next *int) {
	j, ok := from.(*parser.Join)
	if !ok {
		*next++
		return
	}
	c.mergeUsing(j.Left, next)
	first := *next
	c.mergeUsing(j.Right, next)
	for _, name := range j.Using {
		for i := first; i < *next; i++ {
			if c.sources[i].find(name) >= 0 {
				if c.sources[i].merged == nil {
					c.sources[i].merged = map[string]bool{}
				}
				c.sources[i].merged[parser.LowerASCII(name)] = true
			}
		}
	}
}

// joinConditions lists the conditions of ON and USING of a join whose sources are lo to mid and mid to hi.
func (c *coreScope) joinConditions(j *parser.Join, lo, mid, hi int) ([]*pendingCond, error) {
	on := c.pendingList(j.On, "ON", lo, hi)
	for _, name := range j.Using {
		l, r := c.usingColumn(name, lo, mid), c.usingColumn(name, mid, hi)
		if l == nil || r == nil {
			return nil, errorf(UnknownColumn, j.Pos, "USING (%s): both sides of the join must have the column", name)
		}
		on = append(on, c.newPending(&parser.Binary{Pos: j.Pos, Op: parser.OpEq, X: l, Y: r}, "ON", lo, hi))
	}
	return on, nil
}

// countSources counts the tables and sub-queries of a part of FROM.
func countSources(s parser.Source) int {
	if j, ok := s.(*parser.Join); ok {
		return countSources(j.Left) + countSources(j.Right)
	}
	return 1
}

// usingColumn finds a column in the sources lo to hi, the first that has it.
func (c *coreScope) usingColumn(name string, lo, hi int) *parser.Column {
	for i := lo; i < hi; i++ {
		if at := c.sources[i].find(name); at >= 0 {
			return &parser.Column{Pos: c.sources[i].pos, Table: ordinalName(c.sources[i].offset + at), Name: name}
		}
	}
	return nil
}

// placeInLeaf gives source number i the conditions that are about it alone.
func (c *coreScope) placeInLeaf(i int, conds []*pendingCond) (joined, error) {
	src := &c.sources[i]
	rel := joined{relation: src.rel, layout: []int{i}, set: setOf(i, i+1)}
	scan, isScan := src.rel.(*tableScan)
	var cheap, dear []condition
	for _, w := range conds {
		if err := c.busy(compileWork); err != nil {
			return rel, err
		}
		if w.used || w.opaque || !w.needs.within(rel.set) {
			continue
		}
		x, err := c.part(rel, w).filterScope(w).compile(w.e)
		if err != nil {
			return rel, err
		}
		if costly(w.e) {
			dear = append(dear, x.condition())
		} else {
			cheap = append(cheap, x.condition())
		}
		w.used = true
		if isScan {
			scan.filters = append(scan.filters, conjunctText(w.e))
			if err := c.scope(w).push(leaf{scan: scan, src: src}, w.e); err != nil {
				return rel, err
			}
		}
	}
	list := append(cheap, dear...)
	if isScan {
		scan.conds = counted(list)
	} else if len(list) > 0 {
		rel.relation = &filteredRelation{relation: src.rel, conds: list}
	}
	return rel, nil
}

// A filteredRelation drops rows of a sub-query in FROM.
type filteredRelation struct {
	relation
	conds []condition
}

func (f *filteredRelation) open(ex *execution, outer *env) (rows, error) {
	in, err := f.relation.open(ex, outer)
	if err != nil {
		return nil, err
	}
	return filtered(in, f.conds), nil
}

// A derivedRelation is a sub-query in FROM.
type derivedRelation struct{ plan *selectPlan }

func (d *derivedRelation) schema() []tableColumn { return d.plan.columns }

func (d *derivedRelation) bind(i int) *expr {
	d.plan.wanted[i] = true
	return boundColumn(d.plan.columns[i], slotExpr(i))
}

func (d *derivedRelation) open(ex *execution, outer *env) (rows, error) {
	return d.plan.open(ex, outer)
}

func (d *derivedRelation) explain(x *explainer) { d.plan.explain(x) }

// A copiedRelation copies the columns that are read into a row of values, for who keeps rows.
type copiedRelation struct {
	in    relation
	slots map[int]int // ordinal to slot
	reads []*expr     // by slot
}

func newCopiedRelation(in relation) *copiedRelation {
	return &copiedRelation{in: in, slots: map[int]int{}}
}

func (m *copiedRelation) schema() []tableColumn { return m.in.schema() }

func (m *copiedRelation) bind(i int) *expr {
	slot, ok := m.slots[i]
	if !ok {
		slot = len(m.reads)
		m.slots[i] = slot
		m.reads = append(m.reads, m.in.bind(i))
	}
	return boundColumn(m.in.schema()[i], slotExpr(slot))
}

func (m *copiedRelation) open(ex *execution, outer *env) (rows, error) {
	in, err := m.in.open(ex, outer)
	if err != nil {
		return nil, err
	}
	return &copiedRows{in: in, en: ex.env(outer), reads: m.reads, row: make([]value.Value, len(m.reads))}, nil
}

func (m *copiedRelation) explain(x *explainer) { m.in.explain(x) }

type copiedRows struct {
	in    rows
	en    *env
	reads []*expr
	row   []value.Value
}

func (m *copiedRows) next(en *env) (bool, error) {
	m.en.begin()
	ok, err := m.in.next(m.en)
	if !ok || err != nil {
		return false, err
	}
	for i, e := range m.reads {
		m.row[i] = e.eval(m.en)
	}
	en.row.values = m.row
	return true, m.en.err
}

func (m *copiedRows) close() error { return m.in.close() }
