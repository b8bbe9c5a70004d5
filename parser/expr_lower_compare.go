package parser

import "github.com/xwb1989/sqlparser"

// negatable steps over [NOT] word behind x and returns the index behind it. The word is one of words.
func (l *lowerer) negatable(x node, not bool, words ...string) int {
	at := x.last + 1
	if not {
		l.check(at, "NOT")
		at++
	}
	l.check(at, words...)
	return at + 1
}

// in lowers x [NOT] IN with a list, a sub-query or an empty list.
func (l *lowerer) in(x node, e *sqlparser.ComparisonExpr) node {
	not := e.Operator == sqlparser.NotInStr
	open := l.negatable(x, not, "IN")
	if !l.p.toks[open].naming() { // as in IN table
		l.check(open, "(")
	}
	in := &In{Pos: l.pos(x.last + 1), X: x.expr, Not: not}
	mate := l.p.toks[open].mate
	all := []node{x}
	switch r := e.Right.(type) {
	case sqlparser.ListArg:
		if i := l.number(string(r)[len("::q"):]); i != open {
			panic("another list came back")
		}
		if q, ok := l.p.toks[open].value.(*Subquery); ok {
			in.Select, in.Table = q.Select, !l.p.toks[open].is("(")
		}
	case sqlparser.ValTuple:
		for _, item := range r {
			n := l.node(item)
			in.List = append(in.List, n.expr)
			all = append(all, n)
		}
	default:
		panic("IN without a list came back")
	}
	return node{expr: in, first: x.first, last: mate, depth: l.deeper(open, all...)}
}

// like lowers x [NOT] LIKE pattern [ESCAPE escape], and ILIKE.
func (l *lowerer) like(x node, e *sqlparser.ComparisonExpr) node {
	not := e.Operator == sqlparser.NotLikeStr
	word := l.negatable(x, not, "LIKE", "ILIKE") - 1
	pattern := l.node(e.Right)
	like := &Like{Pos: l.pos(x.last + 1), X: x.expr, Not: not, Pattern: pattern.expr}
	like.Fold = l.p.toks[word].is("ILIKE")
	n := node{expr: like, first: x.first, last: pattern.last, depth: l.deeper(x.last+1, x, pattern)}
	if e.Escape != nil {
		l.check(pattern.last+1, "ESCAPE")
		escape := l.node(e.Escape)
		like.Escape = escape.expr
		n.last, n.depth = escape.last, max(n.depth, l.deeper(escape.first, escape))
	}
	return n
}

// between lowers x [NOT] BETWEEN lo AND hi.
func (l *lowerer) between(x node, e *sqlparser.RangeCond) node {
	not := e.Operator == sqlparser.NotBetweenStr
	l.negatable(x, not, "BETWEEN")
	lo, hi := l.node(e.From), l.node(e.To)
	l.check(lo.last+1, "AND")
	b := &Between{Pos: l.pos(x.last + 1), X: x.expr, Not: not, Lo: lo.expr, Hi: hi.expr}
	return node{expr: b, first: x.first, last: hi.last, depth: l.deeper(x.last+1, x, lo, hi)}
}
