package query

import (
	"slices"

	"github.com/eventfold/eventfold/parser"
)

// What the compiler knows of groups that stand below the SELECT that FOLLOW follows, in a view or a
// sub-query of FROM.

// A groupsBelow is FROM where it is one view or sub-query whose rows are made of groups, one of each.
type groupsBelow struct {
	slots  []int // of its columns: which GROUP BY expression it is, -1 for what is something else
	keys   int   // how many of these there are
	leaves bool  // a row may leave it again
	name   string
	pos    parser.Pos
}

// followed reports whether FOLLOW goes on with what the core gives: the groups of one that stands below
// its SELECT are added to like those of the SELECT itself.
func (c *coreScope) followed() bool { return c.live != nil || c.following }

// groupsBelow returns the groups below, nil if there are none.
func (c *coreScope) groupsBelow() *groupsBelow {
	if !c.following || len(c.sources) != 1 {
		return nil
	}
	src := &c.sources[0]
	b := groupsOf(src.rel)
	if b != nil {
		b.name, b.pos = src.name, src.pos
	}
	return b
}

// groupsOf returns the groups that the rows of a relation are made of, nil if there are none.
func groupsOf(rel relation) *groupsBelow {
	if f, ok := rel.(*filteredRelation); ok {
		return groupsOf(f.relation)
	}
	plan := planOf(rel)
	if plan == nil || plan.notFollowed() != "" {
		return nil
	}
	core := plan.cores[0]
	if core.group != nil {
		return &groupsBelow{slots: core.slots, keys: len(core.group.keys), leaves: core.leaves}
	}
	b := groupsOf(core.from)
	if b == nil {
		return nil
	}
	slots := make([]int, len(core.origins))
	for i, o := range core.origins {
		slots[i] = -1
		if o.from != nil {
			slots[i] = b.slots[o.column]
		}
	}
	return &groupsBelow{slots: slots, keys: b.keys, leaves: core.leaves}
}

// passed reports whether the rows of a SELECT are made of one row each of the groups below: it does
// not group by itself.
func (b *groupsBelow) passed(c *coreScope, order []parser.Order) bool {
	return b != nil && !c.core.Distinct && !c.core.Groups() && c.core.Having == nil && !c.usesAggregates(order)
}

// readsKey reports whether an expression reads nothing of the groups below but their key.
func (b *groupsBelow) readsKey(c *coreScope, e parser.Expr) bool {
	return !parser.Contains(e, func(e parser.Expr) bool {
		col, ok := e.(*parser.Column)
		if !ok {
			return hasSelect(e)
		}
		i, err := c.find(col)
		return err != nil || i < 0 || b.slots[i] < 0
	})
}

// checkKeysBelow refuses rows that do not tell of which group below they are.
func (c *coreScope) checkKeysBelow(p *corePlan) error {
	b := c.groupsBelow()
	if b == nil {
		return nil // which newFollowedGroups refuses
	}
	told := make([]bool, b.keys)
	for i, o := range p.origins {
		if o.from != nil && !c.live.pseudo[i] && b.slots[o.column] >= 0 {
			told[b.slots[o.column]] = true
		}
	}
	slot := slices.Index(told, false)
	if slot < 0 {
		return nil
	}
	e := errorf(BadStatement, c.core.Pos, "FOLLOW tells the row of a group anew when it has changed, "+
		"and without the whole key nobody knows of which group it is")
	e.Hint = "FROM must give every GROUP BY expression of its groups, for the rows to have them"
	if i := slices.Index(b.slots, slot); i >= 0 {
		e.Hint = "select " + c.sources[0].columns[i].Name + " as well"
	}
	return e
}

// leaves is the error for groups whose rows may leave the result again and do not tell so, nil if that
// cannot be.
func (c *coreScope) leaves() *Error {
	for _, e := range conjuncts(c.core.Having) {
		if !c.keepsHolding(c.havingScope().expandAliases(e)) {
			return errorf(BadStatement, e.At(), "HAVING may stop to hold for a group, which its rows must tell")
		}
	}
	b := c.groupsBelow()
	if b == nil || c.aggregate && len(c.keys) == 0 {
		return nil // of all rows together there is always a group
	}
	for _, e := range conjuncts(c.core.Where) {
		if !b.readsKey(c, e) {
			return errorf(BadStatement, e.At(), "WHERE may stop to hold for a group, which its rows must tell")
		}
	}
	if b.leaves {
		return errorf(BadStatement, b.pos, "a group may leave %s again, which the rows must tell", b.name)
	}
	for _, e := range c.groupTerms() {
		item, err := e, error(nil)
		if !c.core.GroupAll {
			item, err = c.groupItem(e)
		}
		if err != nil || !b.readsKey(c, item) {
			return errorf(BadStatement, e.At(),
				"a row may change into another group and leave its own without any, which the rows must tell")
		}
	}
	return nil
}

// maxFollowDepth is how deep readsGroups looks: deeper than sub-queries can stand, and bounded where
// views read each other.
const maxFollowDepth = 200

// readsGroups reports whether FROM is a view or a sub-query whose rows are groups, or are made of
// them, as far as the texts tell. depth is how many of them stand around it.
func (c *statementCompiler) readsGroups(core *parser.Core, depth int) bool {
	sel := c.selectBelow(core.From)
	if sel == nil || len(sel.Unions) > 0 || sel.First == nil || depth > maxFollowDepth {
		return false
	}
	plain := *sel.First
	plain.Distinct = false // which is no group that could be followed
	return c.givesGroups(&plain) || c.readsGroups(&plain, depth+1)
}

// selectBelow returns the SELECT of a view or a sub-query, nil for what is neither.
func (c *statementCompiler) selectBelow(from parser.Source) *parser.Select {
	switch from := from.(type) {
	case *parser.Derived:
		return from.Select
	case *parser.Table:
		tables, ok := c.catalog.(storeCatalog)
		if !ok || tables.views == nil || from.Schema != parser.ViewsSchema {
			return nil
		}
		if v := tables.views.find(from.Name); v != nil {
			sel, err := v.parse()
			if err == nil {
				return sel
			}
		}
	}
	return nil
}
