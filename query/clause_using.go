package query

import (
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
)

// A joinNames is what a join compares, with its names resolved: those of USING and NATURAL are
// one column from the join on, for whoever names it without a table.
type joinNames struct {
	on    parser.Expr
	pairs [][2]parser.Expr // equal columns of the sides
}

// resolveJoins resolves the names of the joins of a part of FROM whose first source is number lo,
// the innermost first, and returns the number of the source behind it. strict tells that there is a
// RIGHT or FULL JOIN among them, outside of parentheses.
func (c *coreScope) resolveJoins(from parser.Source, lo int, strict bool) (hi int, err error) {
	j, ok := from.(*parser.Join)
	if !ok {
		return lo + 1, nil
	}
	mid, err := c.resolveJoins(j.Left, lo, strict)
	if err != nil {
		return 0, err
	}
	if hi, err = c.resolveJoins(j.Right, mid, keepsRight(j.Right)); err != nil {
		return 0, err
	}
	names := &joinNames{}
	if names.on, err = c.withoutMerged(j.On, lo, hi); err != nil {
		return 0, err
	}
	for _, name := range c.sharedNames(j, lo, mid, hi) {
		if strict && c.usingAgain(name, lo, mid) { // as in SQLite; otherwise the first one counts
			return 0, errorf(BadStatement, j.Pos,
				"USING (%s): more than one table of the left side has the column", name)
		}
		pair, err := c.mergeName(j, name, lo, mid, hi)
		if err != nil {
			return 0, err
		}
		names.pairs = append(names.pairs, pair)
	}
	if c.joins == nil {
		c.joins = map[*parser.Join]*joinNames{}
	}
	c.joins[j] = names
	return hi, nil
}

// sharedNames lists the columns that a join compares by their names.
func (c *coreScope) sharedNames(j *parser.Join, lo, mid, hi int) []string {
	if !j.Natural {
		return j.Using
	}
	var names []string
	seen := map[string]bool{}
	for i := mid; i < hi; i++ {
		src := &c.sources[i]
		for _, col := range src.columns {
			name := parser.LowerASCII(col.Name)
			if !seen[name] && src.shows(col) && c.shown(name, lo, mid) {
				names, seen[name] = append(names, col.Name), true
			}
		}
	}
	return names
}

// shows reports whether the column is part of a star over all tables.
func (s *fromItem) shows(col tableColumn) bool {
	return !col.hidden && !s.merged[parser.LowerASCII(col.Name)]
}

// shown reports whether one of the sources lo to hi has a column of the name that is part of a star.
func (c *coreScope) shown(name string, lo, hi int) bool {
	for i := lo; i < hi; i++ {
		for _, col := range c.sources[i].columns {
			if sameName(col.Name, name) && c.sources[i].shows(col) {
				return true
			}
		}
	}
	return false
}

// mergeName makes one column of those that have a name on the two sides of a join, and returns what
// the join compares. As in SQLite the column is that of the left side, after a RIGHT JOIN that of
// the right side, and after a FULL JOIN the one that is not NULL.
func (c *coreScope) mergeName(
	j *parser.Join, name string, lo, mid, hi int,
) (pair [2]parser.Expr, err error) {
	left, right := c.usingColumn(name, lo, mid), c.usingColumn(name, mid, hi)
	if left < 0 || right < 0 {
		return pair, errorf(UnknownColumn, j.Pos,
			"USING (%s): both sides of the join must have the column", name)
	}
	l, r := c.mergedColumn(left, name), c.mergedColumn(right, name)
	c.markMerged(name, mid, hi)
	switch j.Kind {
	case parser.RightJoin:
		c.setMerged(left, r)
	case parser.FullJoin:
		parts := append(coalesced(l), coalesced(r)...)
		c.setMerged(left, &parser.Call{Pos: j.Pos, Name: "coalesce", Args: parts})
	}
	return [2]parser.Expr{l, r}, nil
}

// coalesced lists the columns that a column which joins have merged may be.
func coalesced(e parser.Expr) []parser.Expr {
	if call, ok := e.(*parser.Call); ok {
		return call.Args
	}
	return []parser.Expr{e}
}

// usingColumn finds a column in the sources lo to hi, the first that has it, and returns its ordinal
// in the whole of FROM, -1 if there is none.
func (c *coreScope) usingColumn(name string, lo, hi int) int {
	for i := lo; i < hi; i++ {
		if at := c.sources[i].find(name); at >= 0 {
			return c.sources[i].offset + at
		}
	}
	return -1
}

// usingAgain reports whether two of the sources have a column of the name that are not one.
func (c *coreScope) usingAgain(name string, lo, hi int) bool {
	n := 0
	for i := lo; i < hi; i++ {
		if src := &c.sources[i]; src.find(name) >= 0 && !src.merged[parser.LowerASCII(name)] {
			n++
		}
	}
	return n > 1
}

// markMerged notes that the columns of the name in the sources lo to hi are not found without their
// table.
func (c *coreScope) markMerged(name string, lo, hi int) {
	for i := lo; i < hi; i++ {
		src := &c.sources[i]
		if src.find(name) < 0 {
			continue
		}
		if src.merged == nil {
			src.merged = map[string]bool{}
		}
		src.merged[parser.LowerASCII(name)] = true
	}
}

// setMerged notes what the column is when no table is named.
func (c *coreScope) setMerged(ordinal int, e parser.Expr) {
	if c.merged == nil {
		c.merged = map[int]parser.Expr{}
	}
	c.merged[ordinal] = e
}

// mergedColumn is the column with the ordinal when no table is named.
func (c *coreScope) mergedColumn(ordinal int, name string) parser.Expr {
	if e := c.merged[ordinal]; e != nil {
		return e
	}
	src := &c.sources[c.sourceOf(ordinal)]
	return &parser.Column{Pos: src.pos, Table: ordinalName(ordinal), Name: name}
}

// withoutMerged writes the columns of an expression that is about the sources lo to hi, if they have
// no table, with what they are there: joins further out may merge them with others.
func (c *coreScope) withoutMerged(e parser.Expr, lo, hi int) (parser.Expr, error) {
	if !c.sharing {
		return e, nil
	}
	part := *c
	part.sources = c.sources[lo:hi]
	var ambiguous error
	e = parser.Replace(e, func(e parser.Expr) parser.Expr {
		col, ok := e.(*parser.Column)
		if !ok || col.Table != "" {
			return nil
		}
		i, err := part.find(col)
		if err != nil {
			ambiguous = err
		}
		if i < 0 {
			return nil
		}
		if other := c.merged[i]; other != nil {
			return other
		}
		return &parser.Column{Pos: col.Pos, Table: ordinalName(i), Name: col.Name, Quoted: col.Quoted}
	})
	return e, ambiguous
}

// replaceMerged writes the columns that RIGHT and FULL JOIN have merged as what they are in all
// clauses behind FROM, and returns ORDER BY.
func (c *coreScope) replaceMerged(order []parser.Order) []parser.Order {
	if len(c.merged) == 0 {
		return order
	}
	replace := func(e parser.Expr) parser.Expr {
		return parser.Replace(e, func(e parser.Expr) parser.Expr {
			if col, ok := e.(*parser.Column); ok {
				return c.mergedName(col)
			}
			return nil
		})
	}
	core := *c.core
	core.Where, core.Having = replace(core.Where), replace(core.Having)
	core.GroupBy = nil
	for _, e := range c.core.GroupBy {
		core.GroupBy = append(core.GroupBy, replace(e))
	}
	c.core, c.qualify = &core, replace(c.qualify)
	distinctOn := c.distinctOn
	c.distinctOn = nil
	for _, e := range distinctOn {
		c.distinctOn = append(c.distinctOn, replace(e))
	}
	for i := range c.results {
		c.results[i].Expr = replace(c.results[i].Expr)
	}
	var list []parser.Order
	for _, o := range order {
		o.Expr = replace(o.Expr)
		list = append(list, o)
	}
	return list
}

// mergedName returns what a column is that RIGHT and FULL JOIN have merged; nil for any other.
func (c *coreScope) mergedName(col *parser.Column) parser.Expr {
	if len(c.merged) == 0 || col.Table != "" {
		return nil
	}
	if i, err := c.find(col); err == nil && i >= 0 {
		return c.merged[i]
	}
	return nil
}

// usesSharing reports whether some join of a part of FROM has USING or NATURAL.
func usesSharing(from parser.Source) bool {
	j, ok := from.(*parser.Join)
	return ok && (j.Natural || len(j.Using) > 0 || usesSharing(j.Left) || usesSharing(j.Right))
}

// keepsRight reports whether some join of a part of FROM is a RIGHT or FULL JOIN, without those in
// parentheses in it.
func keepsRight(from parser.Source) bool {
	j, ok := from.(*parser.Join)
	return ok && (j.Kind >= parser.RightJoin || keepsRight(j.Left))
}

// renamed returns columns of which the first have other names.
func renamed(columns []tableColumn, names []parser.Name, what string) ([]tableColumn, error) {
	if len(names) == 0 {
		return columns, nil
	}
	visible := 0
	for _, col := range columns {
		if !col.hidden {
			visible++
		}
	}
	if len(names) > visible {
		return nil, errorf(BadStatement, names[visible].Pos,
			"%s has %d columns, and %d are named", what, visible, len(names))
	}
	list := append([]tableColumn(nil), columns...)
	for i, n := range names {
		list[i].Name = n.Text
	}
	return list, nil
}

// calledBy is how an error calls an item of FROM.
func calledBy(alias, otherwise string) string {
	if alias == "" {
		return otherwise
	}
	return fault.Quoted(alias)
}
