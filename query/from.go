package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/value"
)

// collectSources compiles the tables and sub-queries of FROM, from left to right.
func (c *coreCompiler) collectSources(from parser.Source) error {
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
	src := source{name: name, columns: rel.schema(), input: rel, pos: pos}
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
func (c *coreCompiler) leafInput(from parser.Source) (rel input, name string, pos parser.Pos, err error) {
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
			return &cteTable{cte: cte, up: c.depth - cte.depth}, aliasOr(from.Alias, cte.name), from.Pos, nil
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
func (c *coreCompiler) derived(sel *parser.Select) (input, error) {
	plan, err := c.compileSelect(sel, queryScope{parent: c.parent, ctes: c.ctes, onOuter: c.onOuter, nested: true, depth: c.depth})
	if err != nil {
		return nil, err
	}
	plan.wanted = make([]bool, len(plan.columns))
	return &derivedTable{plan: plan}, nil
}

// compileFrom joins the sources and gives every condition of WHERE and ON its place: in a table's scan if it is about
// one table, in the first join that has all the tables that it is about, and else above them all.
func (c *coreCompiler) compileFrom(p *corePlan, order []parser.Order) error {
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
		x, err := c.whereStage().compile(w.e)
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
func (c *coreCompiler) markInexact() {
	for i := range c.sources {
		if scan, ok := c.sources[i].input.(*tableScan); ok {
			scan.inexact = true
		}
	}
}

func (c *coreCompiler) placeConditions(conds []*pendingCond, order []parser.Order) error {
	all, err := c.joinBlock(c.core.From, 0, conds)
	if err != nil {
		return err
	}
	c.from, c.layout = all.input, c.layoutOf(all)
	if c.usesWindows(order) && !c.aggregate {
		c.from = newMaterialized(c.from)
	}
	return nil
}

// mergeUsing notes for every source which of its columns a USING takes from the sources before it.
func (c *coreCompiler) mergeUsing(from parser.Source, next *int) {
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
func (c *coreCompiler) joinConditions(j *parser.Join, lo, mid, hi int) ([]*pendingCond, error) {
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
func (c *coreCompiler) usingColumn(name string, lo, hi int) *parser.Column {
	for i := lo; i < hi; i++ {
		if at := c.sources[i].find(name); at >= 0 {
			return &parser.Column{Pos: c.sources[i].pos, Table: ordinalName(c.sources[i].offset + at), Name: name}
		}
	}
	return nil
}

// placeInLeaf gives source number i the conditions that are about it alone.
func (c *coreCompiler) placeInLeaf(i int, conds []*pendingCond) (joined, error) {
	src := &c.sources[i]
	rel := joined{input: src.input, layout: []int{i}, set: setOf(i, i+1)}
	scan, isScan := src.input.(*tableScan)
	var cheap, dear []condition
	for _, w := range conds {
		if err := c.busy(compileWork); err != nil {
			return rel, err
		}
		if w.used || w.opaque || !w.needs.within(rel.set) {
			continue
		}
		x, err := c.part(rel, w).filterStage(w).compile(w.e)
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
		rel.input = &filteredTable{input: src.input, conds: list}
	}
	return rel, nil
}

// A filteredTable drops rows of a sub-query in FROM.
type filteredTable struct {
	input
	conds []condition
}

func (f *filteredTable) open(ex *execution, outer *env) (operator, error) {
	in, err := f.input.open(ex, outer)
	if err != nil {
		return nil, err
	}
	return filtered(in, f.conds), nil
}

// A derivedTable is a sub-query in FROM.
type derivedTable struct{ plan *selectPlan }

func (d *derivedTable) schema() []TableColumn { return d.plan.columns }

func (d *derivedTable) bind(i int) *expr {
	d.plan.wanted[i] = true
	return boundColumn(d.plan.columns[i], slotExpr(i))
}

func (d *derivedTable) open(ex *execution, outer *env) (operator, error) {
	return d.plan.open(ex, outer)
}

func (d *derivedTable) explain(x *explainer) { d.plan.explain(x) }

// A materialized input copies the columns that are read into a row of values, for operators that keep rows.
type materialized struct {
	in    input
	slots map[int]int // ordinal to slot
	reads []*expr     // by slot
}

func newMaterialized(in input) *materialized { return &materialized{in: in, slots: map[int]int{}} }

func (m *materialized) schema() []TableColumn { return m.in.schema() }

func (m *materialized) bind(i int) *expr {
	slot, ok := m.slots[i]
	if !ok {
		slot = len(m.reads)
		m.slots[i] = slot
		m.reads = append(m.reads, m.in.bind(i))
	}
	return boundColumn(m.in.schema()[i], slotExpr(slot))
}

func (m *materialized) open(ex *execution, outer *env) (operator, error) {
	in, err := m.in.open(ex, outer)
	if err != nil {
		return nil, err
	}
	return &materializeOp{in: in, en: ex.env(outer), reads: m.reads, row: make([]value.Value, len(m.reads))}, nil
}

func (m *materialized) explain(x *explainer) { m.in.explain(x) }

type materializeOp struct {
	in    operator
	en    *env
	reads []*expr
	row   []value.Value
}

func (m *materializeOp) next(en *env) (bool, error) {
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

func (m *materializeOp) close() error { return m.in.close() }
