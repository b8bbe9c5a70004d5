package parser

import (
	"fmt"
	"slices"
	"strings"
)

// readInsert reads INSERT INTO.
func readInsert(p *parser) Statement {
	ins := &Insert{Pos: p.next().off}
	if p.word("OR") || strings.ToUpper(p.tok().text) == "IGNORE" {
		p.fail(p.at, "syntax error at "+p.quote(p.at), foreignWords["CONFLICT"])
	}
	p.expect("INTO")
	ins.Into = p.tableOrParam()
	if p.word("(") && !p.subqueryAhead() {
		ins.Columns = p.columnNames("a column to insert into has no table in front of it")
	}
	p.checkSource()
	p.expect("VALUES")
	ins.Rows = p.rows(len(ins.Columns))
	if p.accept("EXPECTING") {
		ins.Expect = p.expectations("EXPECTING")
	}
	if p.accept("RETURNING") {
		ins.Returning = p.returning()
	}
	p.checkInsertEnd()
	return ins
}

// checkSource refuses what other dialects have in the place of VALUES.
func (p *parser) checkSource() {
	switch {
	case p.word("AS"):
		p.fail(p.at, "a stream has no alias here")
	case p.word("SELECT", "WITH", "("):
		p.fail(p.at, "INSERT ... SELECT is not supported", "read first, then append with VALUES")
	case p.word("DEFAULT"):
		p.fail(p.at, "an event needs a type: INSERT INTO stream (type, payload) VALUES (...)")
	}
}

// checkInsertEnd refuses clauses that are well known but not of this dialect, or not in this place.
func (p *parser) checkInsertEnd() {
	switch {
	case p.word("EXPECTING"):
		p.fail(p.at, "EXPECTING stands before RETURNING")
	case p.word("ON"):
		p.fail(p.at, "ON CONFLICT is not supported", foreignWords["CONFLICT"])
	}
}

// rows reads the rows behind VALUES. width is the number of columns, 0 if they are not listed.
func (p *parser) rows(width int) [][]Expr {
	c := newCarriers(p)
	var values []Expr // of all rows
	for p.err == nil {
		open := p.at
		p.expect("(")
		if p.word(")") {
			p.fail(open, "a row of VALUES is empty")
		}
		n := c.list(&values)
		p.expect(")")
		width = p.checkWidth(open, n, width)
		if !p.accept(",") {
			break
		}
	}
	c.read()
	if p.err != nil {
		return nil
	}
	return slices.Collect(slices.Chunk(values, width))
}

// checkWidth compares the number of a row's values with that of the columns, or of the first row if the columns are not listed.
func (p *parser) checkWidth(open, values, width int) int {
	if width != 0 && values != width {
		p.fail(open, fmt.Sprintf("this row has %s, not %d", plural(values, "value"), width))
	}
	return values
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// returning reads what stands behind RETURNING.
func (p *parser) returning() *Returning {
	if p.accept("*") {
		return &Returning{Star: true}
	}
	r := &Returning{}
	for {
		r.Columns = append(r.Columns, p.name())
		if p.word(".", "(") || p.tok().is("AS") {
			p.fail(p.at, "RETURNING takes * or names of columns")
		}
		if !p.accept(",") {
			return r
		}
	}
}

// expectations reads the list behind EXPECTING or EXPECT table.
func (p *parser) expectations(word string) []Expectation {
	var list []Expectation
	for {
		list = append(list, p.expectation(word))
		if !p.accept(",") {
			return list
		}
	}
}

func (p *parser) expectation(word string) Expectation {
	e := Expectation{Pos: p.tok().off}
	switch {
	case p.accept("ANY"):
		e.Kind = ExpectAny
	case p.accept("NO", "STREAM"):
		e.Kind = ExpectNoStream
	case p.accept("STREAM", "EXISTS"):
		e.Kind = ExpectStreamExists
	case p.accept("VERSION"):
		e.Kind = ExpectVersion
		e.Version = p.bind()
	case p.accept("NO", "EVENT", "FROM"):
		e.Kind = ExpectNoEvent
		p.noEvent(&e)
	default:
		if p.ended() {
			p.unexpected(p.at)
			return e
		}
		i := p.at
		if p.word("NO", "STREAM") && p.toks[i+1].kind != tokEnd {
			i++
		}
		p.surprised(i, word+" takes ANY, NO STREAM, STREAM EXISTS, VERSION n or NO EVENT FROM ..., not "+p.quote(i))
	}
	return e
}

// noEvent reads table [WHERE condition] [AFTER position].
func (p *parser) noEvent(e *Expectation) {
	e.From = p.table()
	if p.accept("WHERE") {
		e.Where = p.expr()
	}
	if p.accept("AFTER") {
		if p.word("NULL") {
			e.After = &Literal{Pos: p.next().off}
			return
		}
		e.After = p.bind()
	}
}

// readGuard reads EXPECT table expectation, ...
func readGuard(p *parser) Statement {
	g := &Guard{Pos: p.next().off}
	g.Table = p.tableOrParam()
	g.Expect = p.expectations("EXPECT")
	return g
}
