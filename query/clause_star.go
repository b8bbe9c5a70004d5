package query

import (
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/fault"
)

// star lists the columns of a source for a star in the SELECT list, without regard to what EXCLUDE
// and REPLACE say.
func (c *coreScope) star(s *fromItem, r parser.Result) []parser.Result {
	var list []parser.Result
	for i, col := range s.columns {
		if col.hidden || r.StarTable == "" && s.merged[parser.LowerASCII(col.Name)] {
			continue
		}
		var at parser.Expr = &parser.Column{Pos: r.Pos, Table: ordinalName(s.offset + i), Name: col.Name}
		if e := c.merged[s.offset+i]; e != nil && r.StarTable == "" {
			at = e
		}
		list = append(list, parser.Result{Pos: r.Pos, Expr: at, Text: col.Name})
	}
	return list
}

// starResults lists what a star stands for. EXCLUDE and REPLACE hold for every column of the name.
func (c *coreScope) starResults(r parser.Result) ([]parser.Result, error) {
	var all []parser.Result
	for i := range c.sources {
		if r.StarTable == "" || sameName(c.sources[i].name, r.StarTable) {
			all = append(all, c.star(&c.sources[i], r)...)
		}
	}
	if len(r.Exclude) == 0 && len(r.Replace) == 0 {
		return all, nil
	}
	changes := map[string]*starChange{}
	for _, n := range r.Exclude {
		changes[parser.LowerASCII(n.Text)] = &starChange{name: n}
	}
	for _, x := range r.Replace {
		changes[parser.LowerASCII(x.Name.Text)] = &starChange{name: x.Name, with: x.Expr}
	}
	list := changed(all, changes)
	for _, name := range namesOfStar(r) {
		if change := changes[parser.LowerASCII(name.Text)]; !change.found {
			e := errorf(UnknownColumn, name.Pos, "the * has no column %s", fault.Quoted(name.Text))
			e.Hint = "it has " + strings.Join(resultTexts(all), ", ")
			return nil, e
		}
	}
	if len(list) == 0 {
		return nil, errorf(BadStatement, r.Pos, "EXCLUDE leaves nothing of the *")
	}
	return list, nil
}

// A starChange is what EXCLUDE or REPLACE makes of a column of a star.
type starChange struct {
	name  parser.Name
	with  parser.Expr // nil for EXCLUDE
	found bool        // there is such a column
}

// changed applies changes to the columns of a star, and notes which of them there are.
func changed(all []parser.Result, changes map[string]*starChange) (list []parser.Result) {
	for _, item := range all {
		change := changes[parser.LowerASCII(item.Text)]
		switch {
		case change == nil:
			list = append(list, item)
			continue
		case change.with != nil:
			list = append(list, parser.Result{Pos: change.name.Pos, Expr: change.with, Alias: item.Text})
		}
		change.found = true
	}
	return list
}

// namesOfStar lists the names that EXCLUDE and REPLACE have, as they were written.
func namesOfStar(r parser.Result) []parser.Name {
	names := r.Exclude[:len(r.Exclude):len(r.Exclude)]
	for _, x := range r.Replace {
		names = append(names, x.Name)
	}
	return names
}

func resultTexts(list []parser.Result) (texts []string) {
	for _, r := range list {
		texts = append(texts, r.Text)
	}
	return texts
}
