package parser

// What is wrong with an ERASE, and what to write.
const (
	eraseReason = "ERASE needs a reason"
	reasonHint  = "write REASON '...' at the end; it stays readable for ever"
	eraseAll    = "ERASE without WHERE would erase everything in the table"
	eraseEnd    = "ERASE ends with its reason"
)

// eraseLacks tells for the clauses of other statements why ERASE has none of them.
var eraseLacks = map[string]string{
	"RETURNING": "ERASE gives no rows: the number of events is RowsAffected, and $erasures lists the rest",
	"LIMIT":     "ERASE takes every event that WHERE names; bound it by position",
	"OFFSET":    "ERASE takes every event that WHERE names; bound it by position",
	"ORDER":     "ERASE has no order",
	"GROUP":     "ERASE is about single events",
	"HAVING":    "ERASE is about single events",
	"UNION":     "ERASE is about one table; write OR",
	"AS":        "ERASE is about the store as it is now",
	"FOLLOW":    "ERASE is about the store as it is now; run it again later",
	"EXPECTING": "write EXPECT ... and ERASE in one transaction",
	"USING":     "ERASE is about one table; write a sub-query in WHERE",
	"JOIN":      "ERASE is about one table; write a sub-query in WHERE",
	"INNER":     "ERASE is about one table; write a sub-query in WHERE",
	"LEFT":      "ERASE is about one table; write a sub-query in WHERE",
	"CROSS":     "ERASE is about one table; write a sub-query in WHERE",
	",":         "ERASE is about one table; write FROM $all WHERE stream IN (...)",
}

// readErase reads ERASE FROM table [AS name] WHERE condition REASON text.
func readErase(p *parser) Statement {
	e := &Erase{Pos: p.next().off}
	if !p.accept("FROM") {
		p.unexpectedFor(p.at, "write ERASE FROM table WHERE ... REASON '...'")
		return e
	}
	e.From = p.table()
	if p.accept("AS") {
		if p.word("OF") {
			p.at--
			p.lacks()
			return e
		}
		e.From.Alias = p.name().Text
	}
	switch {
	case p.accept("WHERE"):
		if p.reasonAhead() {
			p.unexpectedFor(p.at, "WHERE takes a condition; WHERE TRUE names every event")
			return e
		}
		e.Where = p.expr()
	case p.reasonAhead() || p.ended():
		p.fail(p.at, eraseAll, "write WHERE TRUE if that is meant")
	default:
		p.lacks()
	}
	e.Reason = p.reason()
	return e
}

// reasonAhead tells whether the clause REASON is at the cursor: the word may be a column's name.
func (p *parser) reasonAhead() bool {
	next := p.peek(1)
	return p.word("REASON") && (next.kind == tokString || next.kind == tokParam || next.kind == tokEnd)
}

// reason reads REASON text, with which an ERASE ends.
func (p *parser) reason() Expr {
	if p.ended() {
		p.surprised(p.at, eraseReason, reasonHint)
		return nil
	}
	if !p.accept("REASON") {
		p.lacks()
		return nil
	}
	if t := p.tok(); t.kind != tokString && t.kind != tokParam {
		p.unexpectedFor(p.at, "REASON takes a text or an argument")
		return nil
	}
	text := p.constant()
	switch {
	case p.ended():
	case p.word("WHERE"):
		p.fail(p.at, eraseEnd, "WHERE stands before REASON")
	default:
		p.lacks()
	}
	return text
}

// lacks refuses a clause that ERASE does not have, or whatever else is at the cursor.
func (p *parser) lacks() {
	if hint := eraseLacks[p.tok().key]; hint != "" && !p.ended() {
		p.fail(p.at, "syntax error at "+p.quote(p.at), hint)
		return
	}
	p.unexpected(p.at)
}

// unexpectedFor is unexpected with a hint of its own.
func (p *parser) unexpectedFor(i int, hint string) {
	if p.failed() {
		return
	}
	if p.toks[i].kind == tokEnd {
		p.fail(i, "the statement ends too early", hint)
		return
	}
	p.fail(i, "syntax error at "+p.quote(i), hint)
}
