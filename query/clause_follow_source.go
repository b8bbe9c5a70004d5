package query

import (
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
)

// What FOLLOW reads: an event table, or a sub-query or view that filters one and computes with it,
// so that each of its rows is made of one event, whatever the others are; or one that groups such
// rows, and others that filter, compute with and group its rows.

// A followedSource is the event table that a relation reads.
type followedSource struct {
	at       *relation       // where the scan stands; nil if there is no such table
	views    []*viewRelation // through which it is read, the outermost first
	levels   []*followLevel  // the groups between it and the rows of the relation, from its events up
	obstacle string          // why there is no such table
}

// scan returns the scan of events, nil if there is none.
func (s *followedSource) scan() *tableScan {
	if s.at == nil {
		return nil
	}
	return (*s.at).(*tableScan)
}

// followedSourceOf looks through views, sub-queries and their conditions.
func followedSourceOf(from *relation) followedSource {
	switch rel := (*from).(type) {
	case *tableScan:
		if rel.events() != nil {
			return followedSource{at: from}
		}
		return followedSource{obstacle: rel.def.name()}
	case *filteredRelation:
		s := followedSourceOf(&rel.relation)
		s.then(rel.conds, nil)
		return s
	case *derivedRelation:
		return followedSourceBelow(rel.plan)
	case *viewRelation:
		s := followedSourceBelow(rel.plan)
		s.enter(rel)
		return s
	case *functionRelation:
		return followedSource{obstacle: "a function"}
	case *withRelation:
		return followedSource{obstacle: "WITH"}
	case one:
		return followedSource{obstacle: "no table"}
	}
	return followedSource{obstacle: "a join"}
}

// followedSourceBelow looks into a sub-query.
func followedSourceBelow(p *selectPlan) followedSource {
	if no := p.notFollowed(); no != "" {
		return followedSource{obstacle: no}
	}
	core := p.cores[0]
	s := followedSourceOf(&core.from)
	if core.group != nil {
		s.add(core, core.results)
	} else {
		s.then(core.where, core.results)
	}
	return s
}

// notFollowed names what a sub-query has that FOLLOW cannot look through, "" for nothing.
func (p *selectPlan) notFollowed() string {
	if len(p.cores) > 1 {
		return p.ops[1].String()
	}
	core := p.cores[0]
	for _, no := range []struct {
		is   bool
		what string
	}{
		{core.group != nil && core.group.sets != nil, "ROLLUP, CUBE or GROUPING SETS"},
		{core.on != nil, "DISTINCT ON"},
		{core.distinct, "DISTINCT"},
		{core.windows != nil, "window functions"},
		{len(core.order) > 0, "ORDER BY"},
		{p.limit != nil, "LIMIT"},
		{core.nested, "a sub-query"}, // what it gives changes with the log, and rows that were told would, too
	} {
		if no.is {
			return no.what
		}
	}
	return ""
}

// refuse is the error where there is no event table to be followed. what names what FOLLOW is to
// tell of.
func (s *followedSource) refuse(what string, pos parser.Pos) error {
	if len(s.views) == 0 {
		e := errorf(BadStatement, pos, "%s reads from exactly one event table", what)
		e.Hint = "a sub-query in FROM may filter, compute and group, and have no DISTINCT, joins, ORDER BY, LIMIT " +
			"or sub-queries in expressions"
		return e
	}
	last := s.views[len(s.views)-1]
	e := errorf(BadStatement, s.views[0].pos, "%s reads from exactly one event table, and view %s has %s", what,
		fault.Quoted(last.view.name), s.obstacle)
	e.Hint = "a view that is followed filters, computes and groups"
	return e
}

// viewsAt returns what the views through which the groups are read are as of an index, in their
// order; nil for one that is not there.
func (g *followedGroups) viewsAt(ex *execution, index engine.ReadIndex) ([]*viewDefinition, error) {
	if len(g.views) == 0 {
		return nil, nil
	}
	set, err := ex.session.Settings.Views.at(ex.ctx, index)
	if err != nil {
		return nil, err
	}
	list := make([]*viewDefinition, len(g.views))
	for i, use := range g.views {
		list[i] = set.find(use.view.name)
	}
	return list, nil
}

// checkViews refuses to go on with groups behind a position where one of the views was another:
// nobody knows which groups of that one he has. Of a view that was not there he has none, because
// checkNow has ended the statement before it told such a position.
func (g *followedGroups) checkViews(ex *execution, after engine.Position) error {
	if after == 0 {
		return nil
	}
	then, err := g.viewsAt(ex, ex.index.At(min(after, ex.index.Head())))
	for i, old := range then {
		if use := g.views[i]; old != nil && old.text != use.view.text {
			return beginAgain(use.pos, "view %s was another one at position %d, and its groups are not these",
				fault.Quoted(use.view.name), after-1)
		}
	}
	return err
}

// checkNow refuses to tell of groups as of an index in which one of the views is another, or gone:
// whoever goes on behind that position would take what he has for groups of the new one.
func (g *followedGroups) checkNow(ex *execution, index engine.ReadIndex) error {
	now, err := g.viewsAt(ex, index)
	for i, v := range now {
		if use := g.views[i]; v == nil || v.text != use.view.text {
			return beginAgain(use.pos, "view %s was replaced or dropped while it was followed, "+
				"and groups of another definition are not these", fault.Quoted(use.view.name))
		}
	}
	return err
}

// beginAgain is an error for whoever has groups with which nothing can go on.
func beginAgain(pos parser.Pos, format string, args ...any) error {
	e := errorf(BadValue, pos, format, args...)
	e.Hint = "begin again without AFTER"
	return e
}

// isPosition reports whether a result is the position of the event that its row is made of.
func (p *corePlan) isPosition(i int) bool {
	o := p.origins[i]
	if scan, ok := o.from.(*tableScan); ok {
		return scan.events() != nil && o.column == ordPosition
	}
	below := planOf(o.from)
	return below != nil && len(below.cores) == 1 && below.cores[0].isPosition(o.column)
}

// isAlongLog reports whether ORDER BY is the order in which FOLLOW gives events anyway, as far as
// the results of a sub-query or view tell.
func (c *coreScope) isAlongLog(p *corePlan, order []parser.Order) bool {
	if len(order) == 0 || order[0].Desc || c.aggregate {
		return false
	}
	col, _ := splitCollate(order[0].Expr)
	if i, err := c.orderResult(col); err != nil {
		return false
	} else if i >= 0 {
		return p.isPosition(i)
	}
	o := c.originOf(col)
	below := planOf(o.from)
	return below != nil && len(below.cores) == 1 && below.cores[0].isPosition(o.column)
}
