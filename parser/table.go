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
