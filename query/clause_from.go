package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
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
func (c *coreScope) leafInput(
	from parser.Source,
) (rel relation, name string, pos parser.Pos, err error) {
	switch from := from.(type) {
	case *parser.Derived:
		rel, err = c.derived(from.Select)
		return rel, from.Alias, from.Pos, err
	case *parser.Table:
		if cte := c.ctes.find(from); cte != nil {
			if cte.plan == nil {
				rel, err = c.readItself(cte, from)
				return rel, aliasOr(from.Alias, cte.name), from.Pos, err
			}
			if cte.uses++; c.recursing > 0 {
				cte.uses++ // a recursive SELECT runs more than once
			}
			if cte.plan.outer {
				c.usesOuter(cte.depth)
			}
			rel := &withRelation{cte: cte, up: c.depth - cte.depth}
			return rel, aliasOr(from.Alias, cte.name), from.Pos, nil
		}
		if from.Schema == parser.ViewsSchema {
			rel, err := c.view(from)
			return rel, aliasOr(from.Alias, from.Name), from.Pos, err
		}
		if from.Param != nil {
			return nil, "", 0, errorf(Unsupported, from.Pos,
				"a table's name can be a parameter only in INSERT INTO and EXPECT; use $all WHERE stream = ?")
		}
		def, err := c.catalog.table(from)
		if err != nil {
			return nil, "", 0, err
		}
		scan := newTableScan(def)
		scan.alias, scan.place = from.Alias, readPlace{c.text, from.Pos}
		c.scans = append(c.scans, scan)
		return scan, aliasOr(from.Alias, def.name()), from.Pos, nil
	}
	return nil, "", 0, errorf(Unsupported, c.core.Pos, "this kind of FROM is not supported")
}

// derived compiles a sub-query in FROM. It sees the columns of the enclosing queries, but not those
// of its siblings.
func (c *coreScope) derived(sel *parser.Select) (relation, error) {
	plan, err := c.compileSelect(sel,
		queryScope{parent: c.parent, ctes: c.ctes, onOuter: c.onOuter, nested: true, depth: c.depth})
	if err != nil {
		return nil, err
	}
	plan.wanted = make([]bool, len(plan.columns))
	return &derivedRelation{plan: plan}, nil
}

// compileFrom joins the sources and gives every condition of WHERE and ON its place: in a table's
// scan if it is about one table, in the first join that has all the tables that it is about, and
// else above them all.
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
type derivedRelation struct{ plan *selectPlan }

func (d *derivedRelation) schema() []tableColumn { return d.plan.columns }

func (d *derivedRelation) bind(i int) *expr.Expr {
	d.plan.wanted[i] = true
	return boundColumn(d.plan.columns[i], slotExpr(i))
}

func (d *derivedRelation) open(ex *execution, outer *expr.Env) (rows, error) {
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
	merged map[string]bool
	pos    parser.Pos
	rel    relation
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
