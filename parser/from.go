package parser

// A joinForm is how two sources may be joined.
type joinForm struct {
	words []string
	kind  JoinKind
	plain bool // a comma or CROSS: none of NATURAL, ON and USING goes with it
}

// joinForms are the words that join two sources. NATURAL may stand before those that are not plain.
var joinForms = []joinForm{
	{words: []string{"JOIN"}},
	{words: []string{"INNER", "JOIN"}},
	{words: []string{"CROSS", "JOIN"}},
	{words: []string{"LEFT", "JOIN"}, kind: LeftJoin},
	{words: []string{"LEFT", "OUTER", "JOIN"}, kind: LeftJoin},
	{words: []string{"RIGHT", "JOIN"}, kind: RightJoin},
	{words: []string{"RIGHT", "OUTER", "JOIN"}, kind: RightJoin},
	{words: []string{"FULL", "JOIN"}, kind: FullJoin},
	{words: []string{"FULL", "OUTER", "JOIN"}, kind: FullJoin},
	{words: []string{","}, plain: true},
}

// sources reads a FROM; its expressions are the conditions of ON and the arguments of functions.
// SQLite's rule holds: a comma binds no looser than JOIN.
func (c *carriers) sources() Source {
	r := &sourceReader{c: c, p: c.p}
	return r.chain()
}

// A sourceReader reads a FROM.
type sourceReader struct {
	c      *carriers
	p      *parser
	tables int // read so far
}

// chain reads sources that are joined from left to right.
func (r *sourceReader) chain() Source {
	left := r.source()
	for r.p.err == nil {
		joined := r.join(left)
		if joined == nil {
			break
		}
		left = joined
	}
	return left
}

// join reads one join operator and its right side. It returns nil if there is none.
func (r *sourceReader) join(left Source) Source {
	p := r.p
	at := p.at
	natural := p.accept("NATURAL")
	form := r.joinForm()
	switch {
	case form == nil && natural:
		p.unexpected(p.at)
		return nil
	case form == nil:
		return nil
	case natural && form.plain:
		p.unexpected(p.at - 1)
		return nil
	}
	j := &Join{Pos: p.toks[at].off, Left: left, Kind: form.kind, Natural: natural}
	j.Right = r.source()
	switch {
	case form.plain:
	case natural && p.word("ON", "USING"):
		p.fail(p.at, "a NATURAL JOIN has neither ON nor USING",
			"it compares all columns that both sides have")
	case p.accept("ON"):
		r.c.expr(into(&j.On))
	case p.accept("USING"):
		for _, n := range p.columnNames("") {
			j.Using = append(j.Using, n.Text)
		}
	}
	return j
}

// joinForm steps over the words that join two sources, and returns nil if there are none.
func (r *sourceReader) joinForm() *joinForm {
	for i := range joinForms {
		if r.p.accept(joinForms[i].words...) {
			return &joinForms[i]
		}
	}
	return nil
}

// columnNames reads the names of columns in parentheses. None may be given twice. qualified is what
// there is to say if a table is in front of one; "" if there is nothing.
func (p *parser) columnNames(qualified string) (names []Name) {
	p.expect("(")
	seen := map[string]bool{}
	for p.err == nil {
		at := p.at
		n := p.name()
		if qualified != "" && p.word(".") {
			p.fail(at, qualified)
		}
		if seen[LowerASCII(n.Text)] {
			p.fail(at, "the column "+p.quote(at)+" is named twice")
		}
		seen[LowerASCII(n.Text)] = true
		names = append(names, n)
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	return names
}

// source reads one table, function, sub-query or group of joined tables.
func (r *sourceReader) source() Source {
	p := r.p
	if r.tables++; r.tables > maxJoined {
		p.fail(p.at, "a FROM joins at most 64 tables")
		return nil
	}
	at := p.at
	lateral := r.lateral()
	switch {
	case p.ended() || p.err != nil:
		p.unexpected(at)
		return nil
	case p.subqueryAhead():
		d := &Derived{Pos: p.tok().off, Lateral: lateral, Select: p.subquery()}
		d.Alias, d.Columns = r.columnAlias()
		return d
	case !lateral && p.accept("("):
		inner := r.chain()
		p.expect(")")
		return inner
	case p.tok().naming() && p.peek(1).is("("):
		return r.function()
	}
	t := p.table()
	if p.word("(") {
		p.fail(at, "there is no function "+p.quote(at)+" that gives rows")
		return t
	}
	if t.Alias = r.alias(); t.Alias != "" && p.word("(") {
		if at, hint := p.foreignFormAt(p.at); hint != "" {
			p.fail(at, "syntax error at "+p.quote(at), hint)
			return t
		}
		p.fail(p.at, "the columns of a table have their names",
			"other names are given by a sub-query: (SELECT ...) AS "+t.Alias+" (...)")
	}
	return t
}

// lateral steps over LATERAL, where it does not name a table itself.
func (r *sourceReader) lateral() bool {
	p := r.p
	if !p.word("LATERAL") {
		return false
	}
	if p.peek(1).is("(") || p.peek(1).naming() && p.peek(2).is("(") {
		p.at++
		return true
	}
	return false
}

// function reads a function that gives rows. It may read the tables before it.
func (r *sourceReader) function() Source {
	f := r.call()
	f.Alias, f.Columns = r.columnAlias()
	return f
}

// call reads a function that gives rows, without an alias.
func (r *sourceReader) call() *TableFunc {
	p := r.p
	t := p.next()
	f := &TableFunc{Pos: t.off, Name: LowerASCII(t.text)}
	p.expect("(")
	if !p.word(")") {
		r.c.list(&f.Args)
	}
	p.expect(")")
	return f
}

// columnAlias reads [AS] name [(column, ...)].
func (r *sourceReader) columnAlias() (alias string, columns []Name) {
	if alias = r.alias(); alias != "" && r.p.word("(") {
		columns = r.p.columnNames("")
	}
	return alias, columns
}

// alias reads [AS] name where no clause begins.
func (r *sourceReader) alias() string {
	p := r.p
	switch {
	case p.clauseAhead():
		return ""
	case p.word("FOLLOW") || p.foreignJoinAhead():
		p.unexpected(p.at)
		return ""
	}
	return p.alias()
}

// foreignJoinAhead tells whether a kind of join of other dialects is at the cursor, whose word would
// be read as an alias, and the join as one of ours.
func (p *parser) foreignJoinAhead() bool {
	if !p.peek(1).is("JOIN") {
		return false
	}
	for _, word := range []string{"ANTI", "ASOF", "POSITIONAL", "SEMI"} {
		if p.tok().matches(word) {
			return true
		}
	}
	return false
}
