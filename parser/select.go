package parser

// readSelect reads a SELECT as a statement.
func readSelect(p *parser) Statement { return p.query() }

// A selectReader reads one SELECT with all that belongs to it, WITH, UNION and its like included.
type selectReader struct {
	p    *parser
	sel  *Select
	asOf bool // AS OF POSITION has been read
	// the token of an AS OF POSITION that stands in front of other clauses; 0 if there is none
	early int
}

// query reads the SELECT at the cursor, with its WITH. It stops behind it, wherever that is: what
// may follow is for the caller to say.
func (p *parser) query() *Select {
	r := &selectReader{p: p, sel: &Select{Pos: p.tok().off}}
	if p.word("WITH") {
		p.with(r.sel)
	}
	if !p.coreAhead() {
		p.unexpected(p.at)
		return r.sel
	}
	r.tail(r.cores())
	r.follow()
	return r.sel
}

// cores reads the cores and what unites them. It returns the list that the expressions of the tail
// go to: that of the core if there is only one, so that sqlparser is asked once.
func (r *selectReader) cores() *carriers {
	p, sel := r.p, r.sel
	c := newCarriers(p)
	sel.First = r.core(c)
	for {
		op, ok := compoundOps[p.tok().key]
		if !ok {
			break
		}
		if len(sel.Unions) == maxUnited-1 {
			p.fail(p.at, "at most 500 SELECTs are joined by UNION, INTERSECT and EXCEPT")
			return c
		}
		u := Union{Op: op, All: p.compoundAll()}
		c.read()
		c = newCarriers(p)
		u.Core = r.core(c)
		sel.Unions = append(sel.Unions, u)
	}
	if len(sel.Unions) == 0 {
		return c
	}
	if r.early > 0 {
		const whole = "AS OF POSITION holds for the whole "
		p.fail(r.early, whole+sel.Unions[0].Op.String(), "write it at the end")
	}
	c.read()
	return newCarriers(p)
}

// compoundOps are the words between the SELECTs of a compound query. None binds tighter than
// another, as in SQLite.
var compoundOps = map[string]CompoundOp{
	"UNION": CompoundUnion, "INTERSECT": CompoundIntersect, "EXCEPT": CompoundExcept,
}

// compoundAll steps over UNION and its like and reads [ALL | DISTINCT], behind which a SELECT must
// stand.
func (p *parser) compoundAll() (all bool) {
	word := p.next().key
	if all = p.accept("ALL"); !all {
		p.accept("DISTINCT")
	}
	switch next := p.peek(1); {
	case p.coreAhead():
	case p.word("(") && next.naming():
		p.fail(p.at-1, "a SELECT must stand behind "+word, "columns are left out with * EXCLUDE (name, ...)")
	case p.word("("):
		p.fail(p.at, "the SELECTs of a "+word+" stand without parentheses",
			"write SELECT * FROM (SELECT ...) for one that needs them")
	default:
		p.unexpected(p.at)
	}
	return all
}

// tail reads ORDER BY, LIMIT, OFFSET and AS OF POSITION, and then all expressions of the list.
func (r *selectReader) tail(c *carriers) {
	p, sel := r.p, r.sel
	if p.word("ORDER") {
		p.expect("ORDER", "BY")
		c.orders(&sel.OrderBy)
	}
	pair := p.accept("LIMIT") && !p.accept("ALL") && r.limit(c)
	if p.offsetAhead() {
		if pair {
			p.unexpected(p.at)
			return
		}
		p.next()
		c.expr(into(&sel.Offset))
	}
	r.position()
	c.read()
}

// limit reads n, or offset, n. It tells whether there are two.
func (r *selectReader) limit(c *carriers) (pair bool) {
	var first Expr
	sel := r.sel
	c.expr(func(e Expr) {
		first = e
		sel.Limit = e
	})
	if !r.p.accept(",") {
		return false
	}
	c.expr(func(e Expr) { sel.Offset, sel.Limit = first, e })
	return true
}

// position reads AS OF POSITION, if it is at the cursor. It stands behind LIMIT or behind FROM.
func (r *selectReader) position() {
	p := r.p
	at := p.at
	if !p.accept("AS", "OF", "POSITION") {
		return
	}
	if r.asOf {
		p.fail(at, "AS OF POSITION is given twice")
		return
	}
	r.asOf = true
	if clauseWords[p.tok().key] || p.closes(0) {
		p.unexpected(p.at)
		return
	}
	r.sel.AsOf = p.bind()
	if p.word("JOIN", "LEFT", "RIGHT", "FULL", "INNER", "CROSS", "NATURAL", ",") {
		const where = "write it behind the last of them, or at the end"
		p.fail(at, "AS OF POSITION holds for all tables of the statement", where)
	}
	if !p.closes(0) {
		r.early = at
	}
}

// clauseWords are the words that begin a clause wherever they stand behind an expression.
var clauseWords = map[string]bool{
	"SELECT": true, "UNION": true, "FROM": true, "WHERE": true, "GROUP": true, "HAVING": true,
	"ORDER": true, "LIMIT": true, "INTERSECT": true, "EXCEPT": true,
}

// clauseAhead tells whether a clause begins at the cursor, behind an expression or a table, with a
// word that may be a name: there it is none.
func (p *parser) clauseAhead() bool {
	return p.offsetAhead() || p.followAhead() || p.windowsAhead() || p.qualifyAhead() ||
		p.words(p.at, "AS", "OF", "POSITION")
}

// offsetAhead tells whether OFFSET and a value are at the cursor.
func (p *parser) offsetAhead() bool { return p.word("OFFSET") && p.peek(1).startsOperand() }

// closes tells whether so many tokens behind the cursor the statement ends, or the parenthesis that
// the cursor is in.
func (p *parser) closes(n int) bool {
	t := p.peek(n)
	return t.kind == tokEnd || t.is(")")
}

// with reads WITH [RECURSIVE] name [(column, ...)] AS [[NOT] MATERIALIZED] (select), ...
func (p *parser) with(sel *Select) {
	p.next()
	if p.word("RECURSIVE") && p.peek(1).naming() {
		p.next()
		sel.Recursive = true
	}
	seen := map[string]bool{}
	for p.err == nil {
		at := p.at
		n := p.name()
		if seen[LowerASCII(n.Text)] {
			p.fail(at, "the name "+p.quote(at)+" is given twice")
		}
		seen[LowerASCII(n.Text)] = true
		if len(sel.With) == maxJoined {
			p.fail(at, "a WITH has at most 64 names")
		}
		cte := CTE{Pos: n.Pos, Name: n.Text}
		if p.word("(") {
			cte.Columns = p.columnNames("a column of WITH has a name without a table")
		}
		p.expect("AS")
		// What is used twice is kept, and what is used once is not, whatever is said of it.
		if !p.accept("MATERIALIZED") {
			p.accept("NOT", "MATERIALIZED")
		}
		if !p.subqueryAhead() {
			p.unexpected(p.at)
			return
		}
		cte.Select = p.subquery()
		sel.With = append(sel.With, cte)
		if !p.accept(",") {
			return
		}
	}
}

// subqueryAhead tells whether a SELECT in parentheses is at the cursor, or VALUES.
func (p *parser) subqueryAhead() bool {
	return p.word("(") && p.peek(1).is("SELECT", "WITH", "VALUES")
}

// subquery reads the SELECT in parentheses at the cursor.
func (p *parser) subquery() *Select {
	p.expect("(")
	sel := p.query()
	p.expect(")")
	return sel
}

// bind reads a number, perhaps with a minus, or a parameter.
func (p *parser) bind() Expr {
	at := p.at
	minus := p.accept("-")
	t := p.tok()
	n, isInt := t.value.(int64)
	switch {
	case t.kind == tokEnd:
		p.unexpected(p.at)
		return nil
	case t.kind == tokParam && !minus:
		p.next()
		return t.value.(*Param)
	case t.kind != tokNumber:
		p.fail(p.at, "syntax error at "+p.quote(p.at), "a number or a parameter must stand here")
		return nil
	case !isInt:
		p.fail(p.at, "an integer or a parameter must stand here, not "+p.quote(p.at))
		return nil
	}
	p.next()
	if minus {
		n = -n
	}
	return &Literal{Pos: p.toks[at].off, Value: n}
}
