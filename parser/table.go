package parser

import (
	"fmt"
	"slices"
	"strings"
)

// table reads the name of a table at the cursor, with its schema but without an alias.
func (p *parser) table() *Table {
	t := p.tok()
	if !t.naming() {
		p.notTable(p.at)
		return &Table{}
	}
	table := &Table{Pos: t.off, Name: t.text}
	p.at++
	if !p.word(".") {
		return p.checkTable(table, p.at-1)
	}
	if p.checkSchema(p.at - 1); p.err != nil {
		return table
	}
	table.Schema = strings.ToLower(t.text)
	p.at++
	if t = p.tok(); t.kind != tokWord && t.kind != tokName {
		p.notTable(p.at)
		return table
	}
	table.Name = t.text
	p.at++
	return p.checkTable(table, p.at-1)
}

// tableOrParam reads the name of a table or a parameter in its place.
func (p *parser) tableOrParam() *Table {
	if t := p.tok(); t.kind == tokParam {
		p.at++
		return &Table{Pos: t.off, Param: t.value.(*Param)}
	}
	return p.table()
}

// checkTable looks at the length of a table's name.
func (p *parser) checkTable(table *Table, i int) *Table {
	if len(table.Name) > MaxStreamName {
		p.fail(i, fmt.Sprintf("a stream's name has at most %d bytes", MaxStreamName))
	}
	return table
}

// checkSchema refuses a qualifier of a table that is not one of the schemas.
func (p *parser) checkSchema(i int) {
	if !slices.Contains(schemas, strings.ToLower(p.toks[i].text)) {
		p.fail(i, "there is no schema "+p.quote(i), `a stream's name with a dot takes double quotes: "a.b"`)
	}
}

// notTable refuses what stands in the place of a table's name.
func (p *parser) notTable(i int) {
	switch t := &p.toks[i]; {
	case t.kind == tokString:
		p.fail(i, "a table's name must stand here, not the string "+p.quote(i), "names take double quotes")
	case t.kind == tokParam:
		p.fail(i, "a table's name must stand here, not a parameter", "a name can be bound in INSERT INTO ? and EXPECT ?; elsewhere write FROM $all WHERE stream = ?")
	}
	p.unexpected(i)
}

// joinForms are the words that join two sources.
var joinForms = []struct {
	words []string
	outer bool // a LEFT JOIN, which ON or USING must follow
	comma bool // which neither may follow
}{
	{words: []string{"JOIN"}},
	{words: []string{"INNER", "JOIN"}},
	{words: []string{"CROSS", "JOIN"}},
	{words: []string{"LEFT", "JOIN"}, outer: true},
	{words: []string{"LEFT", "OUTER", "JOIN"}, outer: true},
	{words: []string{","}, comma: true},
}

// sources reads a FROM; only the conditions of ON are for sqlparser.
// SQLite's rule holds: a comma binds no looser than JOIN.
func (c *carriers) sources(lo, hi int) Source {
	p := c.p
	defer func(at int) { p.at = at }(p.at)
	p.at = lo
	r := &sourceReader{c: c, p: p}
	return r.chain(hi)
}

// A sourceReader reads a FROM at the parser's cursor.
type sourceReader struct {
	c      *carriers
	p      *parser
	tables int // read so far
}

// chain reads sources that are joined from left to right, up to hi.
func (r *sourceReader) chain(hi int) Source {
	left := r.source(hi)
	for r.p.at < hi && r.p.err == nil {
		left = r.join(left, hi)
	}
	return left
}

// join reads one join operator and its right side.
func (r *sourceReader) join(left Source, hi int) Source {
	p := r.p
	at := p.at
	for _, form := range joinForms {
		if !p.accept(form.words...) {
			continue
		}
		j := &Join{Pos: p.toks[at].off, Left: left, Outer: form.outer}
		j.Right = r.source(hi)
		switch {
		case p.at < hi && p.word("ON") && !form.comma:
			r.on(j, hi)
		case p.at < hi && p.word("USING") && !form.comma:
			r.using(j)
		case form.outer:
			p.unexpected(p.at)
		}
		return j
	}
	p.unexpected(at)
	return nil
}

// on reads the condition of a join, which reaches to the next join.
func (r *sourceReader) on(j *Join, hi int) {
	p := r.p
	end := p.find(p.at+1, hi, ",", "JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "FULL", "NATURAL")
	for end < hi && p.toks[end].is("LEFT", "RIGHT") && p.toks[end+1].is("(") { // the functions
		end = p.find(end+1, hi, ",", "JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "FULL", "NATURAL")
	}
	r.c.expr(&j.On, p.at+1, end)
	p.at = end
}

// using reads USING.
func (r *sourceReader) using(j *Join) {
	p := r.p
	p.at++
	lo, hi := p.group()
	for _, part := range p.commas(lo, hi) {
		if part.hi != part.lo+1 || !p.toks[part.lo].naming() {
			p.unexpected(p.notName(part.lo, part.hi))
		}
		name := p.toks[part.lo].text
		if slices.ContainsFunc(j.Using, func(s string) bool { return strings.EqualFold(s, name) }) {
			p.fail(part.lo, "the column "+p.quote(part.lo)+" is named twice")
		}
		j.Using = append(j.Using, name)
	}
}

// source reads one table, sub-query or group of joined tables.
func (r *sourceReader) source(hi int) Source {
	p := r.p
	if p.at >= hi {
		p.unexpected(hi)
		return nil
	}
	if r.tables++; r.tables > maxJoined {
		p.fail(p.at, "a FROM joins at most 64 tables")
		return nil
	}
	at := p.at
	if p.word("(") && !p.startsSelect(at+1) {
		lo, mate := p.group()
		p.at = lo
		inner := r.chain(mate)
		p.at = mate + 1
		return inner
	}
	if p.word("(") {
		lo, mate := p.group()
		return &Derived{Pos: p.toks[at].off, Select: p.selectRange(lo, mate), Alias: r.alias(hi)}
	}
	t := p.table()
	if p.word("(") {
		p.fail(p.at, "table functions are not supported")
		return t
	}
	t.Alias = r.alias(hi)
	return t
}

// alias reads [AS] name.
func (r *sourceReader) alias(hi int) string {
	p := r.p
	if p.at < hi && p.accept("AS") {
		return p.name().Text
	}
	if p.at < hi && p.word("FOLLOW") {
		p.unexpected(p.at)
	}
	if p.at < hi && p.tok().naming() {
		return p.name().Text
	}
	return ""
}
