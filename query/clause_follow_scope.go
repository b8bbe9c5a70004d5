package query

import (
	"slices"
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A liveScope is what the compiler knows of the SELECT that FOLLOW follows.
type liveScope struct {
	groups bool   // its rows are groups, or DISTINCT makes them so, or they are made of groups
	pseudo []bool // by result: it reads as_of or change
	keyed  []bool // by result: it is made of the key alone
	stable bool   // to which group an event belongs depends on nothing that can be erased
	change bool   // change is selected

	alongLog bool // ORDER BY asks for the order of positions, through sub-queries or views

	distinct bool // it is DISTINCT or GROUP BY ALL, which a list of places stands for

	streams, types int // the places of the columns stream and type in the key; -1 if they are not in it
}

// The pseudo-columns of a row of FOLLOW over groups. They stand at the end of its values, whatever
// is before them.
const (
	asOfColumn   = "as_of"  // the last position that the row includes
	changeColumn = "change" // what has become of the group since it was told of last
)

// followValues is how many values there are at the end of a row for pseudo-columns.
const followValues = 2

// isFollowColumn reports whether a name is that of a pseudo-column.
func isFollowColumn(c *parser.Column) bool {
	return c.Table == "" && (sameName(c.Name, asOfColumn) || sameName(c.Name, changeColumn))
}

// givesGroups reports whether the rows of a SELECT are groups, or are made so by DISTINCT.
func (c *statementCompiler) givesGroups(core *parser.Core) bool {
	return core.Groups() || core.Having != nil || core.Distinct ||
		slices.ContainsFunc(core.Results, func(r parser.Result) bool { return c.hasAggregate(r.Expr) })
}

// hasAggregate reports whether an expression has an aggregate.
func (c *statementCompiler) hasAggregate(e parser.Expr) bool {
	return parser.Contains(e, func(e parser.Expr) bool {
		call, ok := e.(*parser.Call)
		return ok && call.Over == nil && c.isAggregate(call)
	})
}

// checkFollowGroups refuses what FOLLOW over groups cannot have.
func checkFollowGroups(sel *parser.Select) error {
	core := sel.First
	switch {
	case len(sel.OrderBy) > 0:
		return refuseFollow(sel.OrderBy[0].Expr.At(), "ORDER BY over groups",
			"their rows come as they change: sort what has come")
	case sel.Limit != nil:
		return refuseFollow(sel.Limit.At(), "LIMIT over groups", "stop reading, or filter with WHERE")
	case sel.Offset != nil:
		return refuseFollow(sel.Offset.At(), "OFFSET over groups", "filter with WHERE")
	case len(core.DistinctOn) > 0:
		return refuseFollow(core.DistinctOn[0].At(), "DISTINCT ON", "write GROUP BY, with FIRST(x) or LAST(x)")
	case len(core.Grouping) > 0:
		return refuseFollow(core.GroupBy[0].At(), "ROLLUP, CUBE or GROUPING SETS",
			"follow a GROUP BY for each of them")
	}
	if join, ok := core.From.(*parser.Join); ok {
		return refuseFollow(join.Pos, "a join", "follow each table by itself")
	}
	if core.From == nil {
		return errorf(BadStatement, core.Pos, "FOLLOW reads from exactly one event table")
	}
	return nil
}

// followResults prepares the results of a SELECT that FOLLOW follows: DISTINCT is GROUP BY over all
// of them.
func (c *coreScope) followResults(order []parser.Order) error {
	live := c.live
	if live == nil || !live.groups {
		return nil
	}
	below := c.groupsBelow()
	passes := below.passed(c, order)
	for _, r := range c.results {
		pseudo := c.readsFollowColumn(r.Expr)
		live.pseudo = append(live.pseudo, pseudo)
		keyed := passes && below.readsKey(c, r.Expr) || !passes && !c.hasAggregate(r.Expr)
		live.keyed = append(live.keyed, !pseudo && keyed)
	}
	if !c.core.Distinct {
		c.nameGroups()
		return nil
	}
	if c.core.Groups() || c.core.Having != nil || c.usesAggregates(order) {
		return refuseFollow(c.core.Pos, "DISTINCT over groups",
			"GROUP BY gives the row of each group already; leave DISTINCT out")
	}
	grouped := *c.core
	grouped.Distinct = false
	for i, r := range c.results {
		if !live.pseudo[i] {
			at := &parser.Literal{Pos: r.Pos, Value: int64(i + 1)}
			grouped.GroupBy = append(grouped.GroupBy, at)
		}
	}
	if len(grouped.GroupBy) == 0 {
		return refuseFollow(c.core.Pos, "DISTINCT over nothing", "select a column as well")
	}
	c.core, live.distinct = &grouped, true
	return nil
}

// nameGroups writes for GROUP BY ALL which results it means: the pseudo-columns are not grouped by.
func (c *coreScope) nameGroups() {
	if !c.core.GroupAll {
		return
	}
	terms, grouped := c.groupTerms(), *c.core
	grouped.GroupAll = false
	for i, r := range c.results {
		if !c.live.pseudo[i] && slices.Contains(terms, r.Expr) {
			at := &parser.Literal{Pos: r.Pos, Value: int64(i + 1)}
			grouped.GroupBy = append(grouped.GroupBy, at)
		}
	}
	c.core, c.live.distinct = &grouped, true
}

// readsFollowColumn reports whether a result reads a pseudo-column.
func (c *coreScope) readsFollowColumn(e parser.Expr) bool {
	return parser.Contains(e, func(e parser.Expr) bool {
		col, ok := e.(*parser.Column)
		if !ok || !isFollowColumn(col) {
			return false
		}
		i, err := c.find(col)
		return err == nil && i < 0
	})
}

// followColumn compiles a pseudo-column.
func (s *clauseScope) followColumn(c *parser.Column) (*expr.Expr, bool, error) {
	if s.live == nil || !s.live.groups || !isFollowColumn(c) {
		return nil, false, nil
	}
	if s.clause != "SELECT" {
		return nil, false, errorf(BadStatement, c.Pos,
			"%s is known when a row is told, and stands in the SELECT list alone", c.Name)
	}
	fromEnd, t := followValues, Integer
	if sameName(c.Name, changeColumn) {
		fromEnd, t = 1, Text
	}
	eval := func(en *expr.Env) value.Value {
		return en.Row.Values[len(en.Row.Values)-fromEnd]
	}
	return &expr.Expr{Eval: eval, Type: t, Pos: c.Pos}, true, nil
}

// checkFollowed refuses groups whose rows nobody could keep apart, or take back.
func (c *coreScope) checkFollowed(p *corePlan) error {
	if !c.following {
		return nil
	}
	leaves := c.leaves()
	p.leaves = leaves != nil
	if c.live == nil {
		return nil
	}
	if err := c.checkKeys(p); err != nil {
		return err
	}
	if c.live.change = c.tellsChange(); leaves != nil && !c.live.change {
		leaves.Hint = "select change as well: it is 'delete' for a group that is no longer in the result"
		return leaves
	}
	c.live.stable = c.aggregate && c.keepsGroups()
	c.live.streams, c.live.types = c.keyPlace("stream"), c.keyPlace("type")
	return nil
}

// checkKeys refuses groups of whose keys the results do not have all.
func (c *coreScope) checkKeys(p *corePlan) error {
	if !c.aggregate {
		return c.checkKeysBelow(p)
	}
	var texts []string
	for _, e := range c.core.GroupBy {
		item, err := c.groupItem(e)
		if err != nil {
			return err
		}
		texts = append(texts, exprText(item))
		if !isFixed(item) && !has(c.resultPlaces(), c.key(item)) {
			e := errorf(BadStatement, e.At(), "FOLLOW tells the row of a group anew when it has changed, "+
				"and without the whole key nobody knows of which group it is")
			e.Hint = "select " + exprText(item) + " as well"
			return e
		}
	}
	if c.live.distinct {
		p.texts.group = strings.Join(texts, ", ")
	}
	return nil
}

// isFixed reports whether an expression reads no column.
func isFixed(e parser.Expr) bool {
	return !parser.Contains(e, func(e parser.Expr) bool {
		_, ok := e.(*parser.Column)
		return ok
	})
}

// keyPlace returns the place in the key of a column of the only table, -1 if it is not there.
func (c *coreScope) keyPlace(column string) int {
	slot, ok := c.groups[c.key(&parser.Column{Table: c.sources[0].name, Name: column})]
	if !ok || !c.isScanOfEvents() {
		return -1
	}
	return slot
}

// tellsChange reports whether change is selected.
func (c *coreScope) tellsChange() bool {
	return slices.ContainsFunc(c.results, func(r parser.Result) bool {
		col, ok := r.Expr.(*parser.Column)
		return ok && sameName(col.Name, changeColumn) && c.readsFollowColumn(col)
	})
}

// keepsHolding reports whether a condition of HAVING that holds for a group holds for it when more
// events have come, too: it asks only for the key, or that something which grows has grown.
func (c *coreScope) keepsHolding(e parser.Expr) bool {
	if !c.hasAggregate(e) {
		return true
	}
	if c.groupsBelow() != nil { // which change, so that nothing that is made of them only grows
		return false
	}
	switch e := e.(type) {
	case *parser.Nary:
		return (e.Op == parser.OpAnd || e.Op == parser.OpOr) &&
			!slices.ContainsFunc(e.Terms, func(t parser.Expr) bool { return !c.keepsHolding(t) })
	case *parser.Binary:
		switch e.Op {
		case parser.OpGt, parser.OpGe:
			return c.grows(e.X, "max") && !c.hasAggregate(e.Y) || c.grows(e.Y, "min") && !c.hasAggregate(e.X)
		case parser.OpLt, parser.OpLe:
			return c.grows(e.Y, "max") && !c.hasAggregate(e.X) || c.grows(e.X, "min") && !c.hasAggregate(e.Y)
		}
	}
	return false
}

// grows reports whether an expression is the aggregate named, of a column that grows along the log,
// or, where MAX is named, a COUNT. What grows for MAX gets smaller for MIN.
func (c *coreScope) grows(e parser.Expr, name string) bool {
	call, ok := e.(*parser.Call)
	if !ok || call.Over != nil || !c.isAggregate(call) {
		return false
	}
	if call.Name == "count" {
		return name == "max"
	}
	if call.Name != name || len(call.Args) != 1 {
		return false
	}
	col, ok := call.Args[0].(*parser.Column)
	if !ok || !c.isScanOfEvents() {
		return false
	}
	switch i, err := c.find(col); i {
	case ordPosition, ordVersion, ordRecordedAt:
		return err == nil
	}
	return false
}

// keepsGroups reports whether an event stays in its group when its content is erased.
func (c *coreScope) keepsGroups() bool {
	if !c.isScanOfEvents() || c.erasable(c.core.Where) {
		return false
	}
	for _, e := range c.core.GroupBy {
		item, err := c.groupItem(e)
		if err != nil || c.erasable(item) {
			return false
		}
	}
	return true
}

// erasable reports whether an expression reads what an erasure changes.
func (c *coreScope) erasable(e parser.Expr) bool {
	return parser.Contains(e, func(e parser.Expr) bool {
		col, ok := e.(*parser.Column)
		if !ok {
			return false
		}
		i, err := c.find(col)
		if err == nil && i < 0 {
			r := c.aliased(col)
			return r == nil || c.erasable(r)
		}
		return err != nil || eventColumns[i].needs&erasedColumns != 0
	})
}
