package query

import (
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
)

// unknown makes the error for a column that nobody has.
func (s *clauseScope) unknown(c *parser.Column) error {
	e := errorf(UnknownColumn, c.Pos, "there is no column %s", fault.Quoted(c.Name))
	foreign := foreignColumns[parser.LowerASCII(c.Name)]
	switch {
	case s.constant:
		e.Msg = s.clause + " takes constants; there is no column " + fault.Quoted(c.Name) + " to read"
		if c.Quoted {
			e.Hint = "strings take single quotes"
		}
	case c.Table != "" && !s.hasSource(c.Table):
		if s.clause == "FROM" {
			e.Hint = "what stands in FROM reads only what is to its left"
		}
		e.Msg = "there is no table " + fault.Quoted(c.Table) + " in this query"
		if s.hasColumn(c.Table) {
			e.Hint = "a field of JSON is " + c.Table + "->>'$." + c.Name + "'"
		}
	case s.namesResult(c):
		e.Hint = "it names a result, which is not known here: write its expression, or SELECT from a sub-query that names it"
	case foreign != "" && s.hasColumn(foreign):
		e.Hint = "the column is " + foreign
		if c.Quoted {
			e.Hint += "; strings take single quotes"
		}
	case s.columnOf(c) != "":
		e.Hint = "it is a table: name a column of it, such as " + s.columnOf(c)
	case c.Quoted:
		e.Hint = "strings take single quotes"
	case isFollowColumn(c):
		e.Hint = "as_of and change tell of the rows of a SELECT with groups that ends in FOLLOW"
	case strings.HasPrefix(c.Name, "$__"):
		e.Hint = "a Grafana macro was not expanded"
	default:
		if name := s.similar(c.Name); name != "" {
			e.Hint = "did you mean " + name + "?"
		}
	}
	return e
}

// namesResult reports whether the column is the name of a result, and not one that the result itself
// would be made of: SUM(amount) AS amount means a column.
func (s *clauseScope) namesResult(c *parser.Column) bool {
	if c.Table != "" {
		return false
	}
	for _, r := range s.results {
		if r.Alias == "" || !sameName(r.Alias, c.Name) {
			continue
		}
		within := false
		parser.Walk(r.Expr, func(e parser.Expr) bool {
			at, ok := e.(*parser.Column)
			within = within || ok && at.Pos == c.Pos
			return !within
		})
		if !within {
			return true
		}
	}
	return false
}

// columnOf returns a column of the table that the name is the one of, as it is written, "" if there
// is no such table.
func (s *clauseScope) columnOf(c *parser.Column) string {
	if c.Table != "" {
		return ""
	}
	for i := range s.sources {
		if item := &s.sources[i]; sameName(item.name, c.Name) && len(item.columns) > 0 {
			return item.name + "." + item.columns[0].Name
		}
	}
	return ""
}

func (c *coreScope) hasSource(name string) bool {
	for i := range c.sources {
		if sameName(c.sources[i].name, name) {
			return true
		}
	}
	return false
}

func (c *coreScope) hasColumn(name string) bool {
	for i := range c.sources {
		for _, col := range c.sources[i].columns {
			if sameName(col.Name, name) {
				return true
			}
		}
	}
	return false
}

// similar returns the column whose name differs from name by one or two edits, "" if there is none.
func (c *coreScope) similar(name string) string {
	best, least := "", 3
	for i := range c.sources {
		for _, col := range c.sources[i].columns {
			if d := parser.EditDistance(parser.LowerASCII(name), parser.LowerASCII(col.Name)); d < least &&
				d < len(col.Name) {
				best, least = col.Name, d
			}
		}
	}
	return best
}
