package parser

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

// sources reads a FROM; only the conditions of ON are expressions.
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
	for _, form := range joinForms {
		if !p.accept(form.words...) {
			continue
		}
		j := &Join{Pos: p.toks[at].off, Left: left, Outer: form.outer}
		j.Right = r.source()
		switch {
		case form.comma:
		case p.accept("ON"):
			r.c.expr(into(&j.On))
		case p.accept("USING"):
			for _, n := range p.columnNames("") {
				j.Using = append(j.Using, n.Text)
			}
		case form.outer:
			p.unexpected(p.at)
		}
		return j
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

// source reads one table, sub-query or group of joined tables.
func (r *sourceReader) source() Source {
	p := r.p
	if r.tables++; r.tables > maxJoined {
		p.fail(p.at, "a FROM joins at most 64 tables")
		return nil
	}
	at := p.at
	switch {
	case p.ended() || p.err != nil:
		p.unexpected(at)
		return nil
	case p.subqueryAhead():
		d := &Derived{Pos: p.tok().off, Select: p.subquery()}
		d.Alias = r.alias()
		return d
	case p.accept("("):
		inner := r.chain()
		p.expect(")")
		return inner
	}
	t := p.table()
	if p.word("(") {
		p.fail(p.at, "table functions are not supported")
		return t
	}
	t.Alias = r.alias()
	return t
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
