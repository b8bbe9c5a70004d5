package parser

// operatorWords are the words that continue an expression behind an operand, with what sqlparser is
// to read.
var operatorWords = map[string]string{
	"AND": "AND", "OR": "OR", "LIKE": "LIKE", "ILIKE": "LIKE", "REGEXP": "REGEXP",
	"BETWEEN": "BETWEEN", "ESCAPE": "ESCAPE", "DIV": "DIV",
}

// operatorMarks are the operators between two operands, with what sqlparser is to read. Its ^ binds
// tighter than * and looser than a sign, which is the place of || and -> in SQLite; a word behind
// it tells the three apart.
var operatorMarks = map[string]string{
	"||": "^", "->": "^ _binary", "->>": "^ binary", "+": "+", "-": "-", "*": "*", "/": "/",
	"%": "%",
	"=": "=", "==": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
}

// tighter are the operators that bind tighter than IS, so that a NULL before them is an operand.
var tighter = []string{
	"||", "->", "->>", "+", "-", "*", "/", "%", "DIV", "COLLATE", "::", "<", "<=", ">", ">=",
}

// operator writes what follows an operand. It returns false where the expression ends.
func (e *emitter) operator() bool {
	t := e.p.tok()
	if t.is("::") {
		return e.typed()
	}
	if t.kind == tokOp {
		mark, ok := operatorMarks[t.key]
		return ok && e.infix(mark)
	}
	if t.kind != tokWord {
		return false
	}
	if word, ok := operatorWords[t.key]; ok {
		if t.is("AND", "OR") {
			e.settle()
		}
		return e.infix(word)
	}
	switch t.key {
	case "IS":
		return e.is()
	case "ISNULL":
		return e.suffix(1, "IS NULL")
	case "NOTNULL":
		return e.suffix(1, "IS NOT NULL")
	case "NOT":
		return e.negated()
	case "IN":
		return e.in()
	case "COLLATE":
		return e.collate()
	case "AT":
		return e.p.words(e.p.at, "AT", "TIME", "ZONE") && e.atZone()
	}
	return len(e.cases) > 0 && e.inCase(t.key)
}

// inCase writes a word of CASE behind an operand.
func (e *emitter) inCase(word string) bool {
	switch word {
	case "WHEN", "THEN", "ELSE":
		e.settle()
		return e.infix(word)
	case "END":
		e.endCase()
		return true
	}
	return false
}

// infix writes an operator between two operands.
func (e *emitter) infix(op string) bool {
	e.raw(1, op)
	e.want = true
	return true
}

// suffix writes an operator of so many tokens behind its operand.
func (e *emitter) suffix(tokens int, op string) bool {
	e.raw(tokens, op)
	return true
}

// is writes IS [NOT] [DISTINCT FROM]. Before a NULL, TRUE or FALSE that stands alone it is
// sqlparser's own suffix, otherwise <=>; the lowering sees from the tokens which of the four was
// meant.
func (e *emitter) is() bool {
	n, not := 1, ""
	if e.p.peek(n).is("NOT") {
		n, not = 2, "NOT "
	}
	t := e.p.peek(n)
	switch {
	case e.p.words(e.p.at+n, "DISTINCT", "FROM"):
		n += 2
	case t.is("NULL", "TRUE", "FALSE") && !e.p.peek(n+1).is(tighter...):
		return e.suffix(n+1, "IS "+not+t.key)
	}
	e.raw(n, "<=>")
	e.want = true
	return true
}

// negated writes NOT in front of IN, LIKE, ILIKE, BETWEEN and REGEXP, and NOT NULL.
func (e *emitter) negated() bool {
	switch t := e.p.peek(1); {
	case t.is("NULL"):
		return e.suffix(2, "IS NOT NULL")
	case !t.is("IN", "LIKE", "ILIKE", "BETWEEN", "REGEXP"):
		e.p.unexpected(e.p.at + 1)
		return false
	}
	e.raw(1, "NOT")
	return true
}

// in writes IN and what follows it: a list, a sub-query, or an empty list.
func (e *emitter) in() bool {
	p := e.p
	e.raw(1, "IN")
	open := p.at
	switch t := p.tok(); {
	case p.closes(0):
		p.unexpected(open)
	case t.kind == tokParam:
		const hint = "write one ? per value: IN (?, ?)"
		p.fail(open, "IN takes a list or a sub-query in parentheses", hint)
	case t.naming():
		e.inTable()
	case !t.is("("):
		p.fail(open, "IN takes a list or a sub-query in parentheses")
	case p.peek(1).is(")"):
		e.c.set(open)
		p.at += 2
	case p.wrappedSubquery():
		p.at = p.innermost(open)
		t.value = &Subquery{Select: p.subquery()}
		e.c.set(open)
		if p.err == nil {
			p.at = t.mate + 1
		}
	default:
		e.parenthesis()
	}
	return true
}

// inTable writes the table, or the function that gives rows, behind IN. It stands for the SELECT of
// all its columns, which its first token holds.
func (e *emitter) inTable() {
	p := e.p
	open := p.at
	t := p.tok()
	c := newCarriers(p)
	r := &sourceReader{c: c, p: p}
	core := &Core{Pos: t.off, Results: []Result{{Pos: t.off, Star: true}}}
	if p.peek(1).is("(") {
		core.From = r.call()
	} else {
		core.From = p.table()
	}
	c.read()
	if p.err != nil {
		return
	}
	t.value, t.mate = &Subquery{Select: &Select{Pos: t.off, First: core}}, p.at-1
	e.c.set(open)
}

// wrappedSubquery tells whether a sub-query is at the cursor, in any number of parentheses.
func (p *parser) wrappedSubquery() bool {
	return p.toks[p.innermost(p.at)+1].is("SELECT", "WITH", "VALUES")
}

// innermost steps from a parenthesis into those that it has nothing else between.
func (p *parser) innermost(open int) int {
	for p.toks[open+1].is("(") && p.toks[open+1].mate == p.toks[open].mate-1 {
		open++
	}
	return open
}

// collate writes COLLATE and its name.
func (e *emitter) collate() bool {
	if !e.p.peek(1).naming() {
		e.p.unexpected(e.p.at + 1)
		return false
	}
	e.raw(1, "COLLATE")
	e.c.name(e.p.at)
	e.p.next()
	return true
}

// endCase writes END.
func (e *emitter) endCase() {
	n := len(e.cases)
	e.settle()
	e.open, e.cases = e.cases[n-1], e.cases[:n-1]
	e.c.nest--
	e.raw(1, "END")
	e.operandDone()
}
