package parser

import (
	"slices"
	"strings"
)

// readSelect reads a SELECT as a statement: everything up to the end.
func readSelect(p *parser) Statement {
	lo := p.at
	p.at = len(p.toks) - 1
	return p.selectRange(lo, p.at)
}

// A clause is one part of a SELECT: its keyword, and the range behind it.
type clause struct {
	key    string
	at     int
	lo, hi int
}

// clauseWords are the words that begin a clause wherever they stand outside of parentheses.
var clauseWords = map[string]bool{"SELECT": true, "UNION": true, "FROM": true, "WHERE": true, "GROUP": true, "HAVING": true, "ORDER": true, "LIMIT": true}

// clauses cuts a range into clauses.
func (p *parser) clauses(lo, hi int) []clause {
	var list []clause
	for i := lo; i < hi; i = p.skip(i) {
		key, words := p.clauseAt(i, lo, hi)
		if key == "" {
			continue
		}
		if n := len(list); n > 0 {
			list[n-1].hi = i
		}
		list = append(list, clause{key: key, at: i, lo: i + words, hi: hi})
		i += words - 1
	}
	return list
}

// clauseAt returns the clause that begins at the token and the number of words that introduce it.
func (p *parser) clauseAt(i, lo, hi int) (key string, words int) {
	t := &p.toks[i]
	if t.kind != tokWord || p.afterDot(i) {
		return "", 0
	}
	switch {
	case t.is("INTERSECT", "EXCEPT"):
		p.unexpected(i)
		return "", 0
	case p.distinctFrom(i, lo):
		return "", 0
	case t.is("GROUP", "ORDER"):
		if !p.toks[i+1].is("BY") {
			p.unexpected(i + 1)
			return "", 0
		}
		return t.key, 2
	case clauseWords[t.key]:
		return t.key, 1
	case t.is("OFFSET") && p.operandBefore(i, lo) && p.toks[i+1].startsOperand():
		return "OFFSET", 1
	case p.words(i, "AS", "OF", "POSITION"):
		return "AS OF", 3
	case t.is("FOLLOW") && i == hi-1 && p.operandBefore(i, lo):
		return "FOLLOW", 1
	case p.words(i, "FOLLOW", "PROGRESS") && i == hi-2 && p.operandBefore(i, lo):
		return "FOLLOW", 2
	}
	return "", 0
}

// operandBefore tells whether an operand ends in front of the token. A star is one where it does not multiply.
func (p *parser) operandBefore(i, lo int) bool {
	if i <= lo {
		return false
	}
	if p.toks[i-1].is("*") {
		return i-2 >= lo && p.toks[i-2].is("SELECT", "DISTINCT", "ALL", ",", ".")
	}
	return p.toks[i-1].endsOperand()
}

// A selecting reads the clauses of one SELECT in their order.
type selecting struct {
	p    *parser
	list []clause
	asOf *clause // AS OF POSITION in front of WHERE
}

// take returns the next clause if it is of the kind, otherwise nil.
func (s *selecting) take(key string) *clause {
	if len(s.list) == 0 || s.list[0].key != key {
		return nil
	}
	c := &s.list[0]
	s.list = s.list[1:]
	if c.lo == c.hi && key != "FOLLOW" && key != "UNION" {
		s.p.unexpected(c.hi)
	}
	return c
}

// coreClauses are the clauses of one core; all but the first may be nil.
type coreClauses struct{ selects, from, where, group, having *clause }

func (s *selecting) core() coreClauses {
	c := coreClauses{selects: s.take("SELECT"), from: s.take("FROM")}
	if s.asOf == nil && len(s.list) > 1 && s.list[0].key == "AS OF" {
		s.asOf = s.take("AS OF")
	}
	c.where, c.group, c.having = s.take("WHERE"), s.take("GROUP"), s.take("HAVING")
	return c
}

// position reads AS OF POSITION, which stands behind LIMIT or in front of WHERE.
func (s *selecting) position(cores int) Expr {
	c := s.take("AS OF")
	switch {
	case s.asOf != nil && cores > 1:
		s.p.fail(s.asOf.at, "AS OF POSITION holds for the whole UNION", "write it at the end")
		return nil
	case s.asOf != nil && c != nil:
		s.p.fail(c.at, "AS OF POSITION is given twice")
		return nil
	case s.asOf != nil:
		c = s.asOf
	case c == nil:
		return nil
	}
	if i := s.p.find(c.lo, c.hi, "JOIN", "LEFT", "INNER", "CROSS", ","); i < c.hi {
		s.p.fail(c.at, "AS OF POSITION holds for all tables of the statement", "write it behind the last of them, or at the end")
	}
	return s.p.bind(c.lo, c.hi)
}

// tailClauses are the clauses behind the cores that go through sqlparser; all may be nil.
type tailClauses struct{ order, limit, offset *clause }

func (s *selecting) tail() tailClauses {
	return tailClauses{s.take("ORDER"), s.take("LIMIT"), s.take("OFFSET")}
}

// selectRange reads a SELECT, with its WITH, that fills a range.
func (p *parser) selectRange(lo, hi int) *Select {
	sel := &Select{Pos: p.toks[lo].off}
	body := lo
	if p.toks[lo].is("WITH") {
		sel.With, body = p.with(lo, hi)
	}
	if body >= hi || !p.toks[body].is("SELECT") {
		p.unexpected(min(body, hi))
		return sel
	}
	s := &selecting{p: p, list: p.clauses(body, hi)}
	cores := []coreClauses{s.core()}
	for u := s.take("UNION"); u != nil; u = s.take("UNION") {
		if len(sel.Unions) == maxUnited-1 {
			p.fail(u.at, "a UNION has at most 500 SELECTs")
			return sel
		}
		sel.Unions = append(sel.Unions, Union{All: s.unionAll(u)})
		cores = append(cores, s.core())
	}
	tail := s.tail()
	sel.AsOf = s.position(len(cores))
	if c := s.take("FOLLOW"); c != nil {
		sel.Follow, sel.Progress = true, c.lo == c.at+2
	}
	if len(s.list) > 0 {
		p.unexpected(s.list[0].at)
	}
	if p.err == nil {
		p.readCores(sel, cores, tail)
	}
	return sel
}

// readCores reads the cores and the tail: in one go if there is one core.
func (p *parser) readCores(sel *Select, cores []coreClauses, tail tailClauses) {
	if len(cores) == 1 {
		sel.First = p.readCore(sel, cores[0], tail)
		return
	}
	sel.First = p.readCore(sel, cores[0], tailClauses{})
	for i := range sel.Unions {
		sel.Unions[i].Core = p.readCore(sel, cores[i+1], tailClauses{})
	}
	p.readTail(sel, tail)
}

// unionAll looks at what stands between UNION and the next SELECT.
func (s *selecting) unionAll(u *clause) (all bool) {
	i := u.lo
	if i < u.hi && s.p.toks[i].is("ALL") {
		all = true
		i++
	} else if i < u.hi && s.p.toks[i].is("DISTINCT") {
		i++
	}
	if i < u.hi || len(s.list) == 0 || s.list[0].key != "SELECT" {
		s.p.unexpected(i)
	}
	return all
}

// with reads WITH name AS (select), ... and returns the index behind it.
func (p *parser) with(lo, hi int) (ctes []CTE, end int) {
	defer func(at int) { p.at = at }(p.at)
	p.at = lo + 1
	if p.word("RECURSIVE") {
		p.fail(p.at, "WITH RECURSIVE is not supported")
		return nil, p.at
	}
	for {
		at := p.at
		n := p.name()
		if slices.ContainsFunc(ctes, func(c CTE) bool { return strings.EqualFold(c.Name, n.Text) }) {
			p.fail(at, "the name "+p.quote(at)+" is given twice")
		}
		if len(ctes) == maxJoined {
			p.fail(at, "a WITH has at most 64 names")
		}
		if p.word("(") {
			p.fail(p.at, "a list of columns is not supported here", "name the columns inside: SELECT x AS name")
		}
		p.expect("AS")
		if !p.word("(") || !p.startsSelect(p.at+1) {
			p.unexpected(p.at)
			return nil, p.at
		}
		from, to := p.group()
		ctes = append(ctes, CTE{Pos: n.Pos, Name: n.Text, Select: p.selectRange(from, to)})
		if !p.accept(",") {
			return ctes, p.at
		}
	}
}

// bind reads a number, perhaps with a sign, or a parameter that fills a range.
func (p *parser) bind(lo, hi int) Expr {
	if lo >= hi {
		p.unexpected(hi)
		return nil
	}
	if hi > lo+2 || hi == lo+2 && !p.toks[lo].is("-") {
		i := lo + 1
		if p.toks[lo].is("-") {
			i++
		}
		p.unexpected(min(i, hi))
		return nil
	}
	t := &p.toks[hi-1]
	n, isInt := t.value.(int64)
	switch {
	case t.kind == tokParam && hi == lo+1:
		return t.value.(*Param)
	case t.kind != tokNumber && t.kind != tokEnd:
		p.fail(hi-1, "syntax error at "+p.quote(hi-1), "a number or a parameter must stand here")
	case t.kind == tokEnd:
		p.unexpected(hi - 1)
	case !isInt:
		p.fail(hi-1, "an integer or a parameter must stand here, not "+p.quote(hi-1))
	}
	if hi == lo+2 {
		n = -n
	}
	return &Literal{Pos: p.toks[lo].off, Value: n}
}
