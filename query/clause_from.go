package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// compileSources compiles what FROM names, and resolves the names of its joins.
func (c *coreScope) compileSources() error {
	if c.core.Values != nil {
		return c.values()
	}
	if err := c.collectSources(c.core.From); err != nil || c.core.From == nil {
		return err
	}
	c.sharing = usesSharing(c.core.From)
	_, err := c.resolveJoins(c.core.From, 0, keepsRight(c.core.From))
	return err
}

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
	src, err := c.leafInput(from)
	if err != nil {
		return err
	}
	src.columns = src.rel.schema()
	if src.lateral != nil && len(src.lateral.ordinals) == 0 {
		src.lateral = nil
	}
	for i := range c.sources {
		last := &c.sources[i]
		src.offset = last.offset + len(last.columns)
	}
	if c.sources = append(c.sources, src); len(c.sources) > maxTables {
		return errorf(BadStatement, src.pos, "a SELECT reads at most %d tables", maxTables)
	}
	return nil
}

// leafInput compiles one table, function or sub-query.
func (c *coreScope) leafInput(from parser.Source) (src fromItem, err error) {
	switch from := from.(type) {
	case *parser.Derived:
		return c.derived(from)
	case *parser.TableFunc:
		return c.function(from)
	case *parser.Table:
		src.pos = from.Pos
		src.rel, src.name, err = c.tableInput(from)
		return src, err
	}
	return src, errorf(Unsupported, c.core.Pos, "this kind of FROM is not supported")
}

// tableInput compiles a table, or a name of WITH.
func (c *coreScope) tableInput(from *parser.Table) (rel relation, name string, err error) {
	if cte := c.ctes.find(from); cte != nil {
		if cte.plan == nil {
			rel, err = c.readItself(cte, from)
			return rel, aliasOr(from.Alias, cte.name), err
		}
		if c.splitting == cte.splitting { // what is split is compiled a second time, and never runs beside itself
			cte.uses++
		}
		if c.recursing > 0 {
			cte.uses++ // a recursive SELECT runs more than once
		}
		if cte.plan.outer {
			c.usesOuter(cte.depth)
		}
		rel := &withRelation{cte: cte, up: c.depth - cte.depth}
		return rel, aliasOr(from.Alias, cte.name), nil
	}
	if from.Schema == parser.ViewsSchema {
		rel, err := c.view(from)
		return rel, aliasOr(from.Alias, from.Name), err
	}
	if from.Param != nil {
		return nil, "", errorf(Unsupported, from.Pos,
			"a table's name can be a parameter only in INSERT INTO and EXPECT; use $all WHERE stream = ?")
	}
	def, err := c.catalog.table(from)
	if err != nil {
		return nil, "", err
	}
	scan := newTableScan(def)
	scan.alias, scan.place = from.Alias, readPlace{c.text, from.Pos}
	c.scans = append(c.scans, scan)
	return scan, aliasOr(from.Alias, def.name()), nil
}

// derived compiles a sub-query in FROM. It sees the columns of the enclosing queries, and those of
// the items before it if it is LATERAL.
func (c *coreScope) derived(from *parser.Derived) (src fromItem, err error) {
	q := queryScope{parent: c.parent, ctes: c.ctes, onOuter: c.onOuter, nested: true, depth: c.depth}
	if from.Lateral {
		scope, row := c.lateralScope()
		src.lateral = row
		q = queryScope{parent: scope, ctes: c.ctes, nested: true, depth: c.depth + 1}
	}
	plan, err := c.compileSelect(from.Select, q)
	if err != nil {
		return src, err
	}
	if plan.columns, err = renamed(plan.columns, from.Columns, calledBy(from.Alias, "the sub-query")); err != nil {
		return src, err
	}
	plan.wanted = make([]bool, len(plan.columns))
	src.rel = &derivedRelation{plan: plan, lateral: src.lateral}
	src.name, src.pos = from.Alias, from.Pos
	return src, nil
}

// compileFrom joins the sources and gives every condition of WHERE and ON its place: in a table's
// scan if it is about one table, in the first join that has all the tables that it is about, and
// else above them all.
func (c *coreScope) compileFrom(p *corePlan, order []parser.Order) error {
	conds := c.pendingList(c.core.Where, "WHERE", 0, len(c.sources))
	if c.from == nil {
		c.from = one{}
	}
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
		p.where = append(p.where, x.Condition())
		texts = append(texts, conjunctText(w.e))
		c.markInexact()
	}
	p.texts.where = joinTexts(texts)
	return nil
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

// A derivedRelation is a sub-query in FROM.
type derivedRelation struct {
	plan    *selectPlan
	lateral *lateralRow // of a LATERAL one: what it reads of the items before it, perhaps nothing
}

func (d *derivedRelation) schema() []tableColumn { return d.plan.columns }

func (d *derivedRelation) bind(i int) *expr.Expr {
	d.plan.wanted[i] = true
	return boundColumn(d.plan.columns[i], slotExpr(i))
}

func (d *derivedRelation) open(ex *execution, outer *expr.Env) (rows, error) {
	if d.lateral != nil {
		outer = d.lateral.env(ex, outer)
	}
	return d.plan.open(ex, outer)
}

func (d *derivedRelation) explain(x *explainer) { d.plan.explain(x) }

// A fromItem is one item of FROM, as names are resolved against it.
type fromItem struct {
	name    string // the alias, or the table's name
	offset  int    // ordinal of its first column in the whole of FROM
	columns []tableColumn
	// merged are the columns of USING, which an item before has, too: they are not part of *, and not
	// found without the item's name.
	merged  map[string]bool
	lateral *lateralRow // the columns of items before it that it reads, nil for none
	pos     parser.Pos
	rel     relation
}

// find returns the ordinal of a column in the source, -1 if there is none.
func (s *fromItem) find(name string) int {
	for i := range s.columns {
		if sameName(s.columns[i].Name, name) {
			return i
		}
	}
	return -1
}
