package parser

import (
	"fmt"
	"math"
	"strings"

	"github.com/xwb1989/sqlparser"
)

// leaf lowers everything that does not lean to the left.
func (l *lowerer) leaf(e sqlparser.Expr) node {
	switch e := e.(type) {
	case *sqlparser.SQLVal:
		return l.value(e)
	case *sqlparser.ColName:
		return l.column(e)
	case *sqlparser.ParenExpr:
		n := l.node(e.Expr)
		n.first, n.last = n.first-1, n.last+1
		l.check(n.first, "(")
		l.check(n.last, ")")
		return n
	case *sqlparser.NotExpr:
		x := l.node(e.Expr)
		at := x.first - 1
		l.check(at, "NOT")
		return node{
			expr:  &Unary{Pos: l.pos(at), Op: OpNot, X: x.expr},
			first: at,
			last:  x.last,
			depth: l.deeper(at, x),
		}
	case *sqlparser.UnaryExpr:
		return l.signed(e)
	case *sqlparser.CaseExpr:
		return l.caseOf(e)
	case *sqlparser.FuncExpr:
		return l.call(e)
	case sqlparser.ValTuple:
		return l.row(e)
	}
	panic(fmt.Sprintf("%T came back", e))
}

// signed lowers signs and the COLLATEs behind them. In SQLite a sign binds tighter than COLLATE, in
// sqlparser it does not.
func (l *lowerer) signed(e sqlparser.Expr) node {
	var signs, collations []string
	for {
		if u, ok := e.(*sqlparser.UnaryExpr); ok {
			signs = append(signs, u.Operator)
			e = u.Expr
			continue
		}
		c, ok := e.(*sqlparser.CollateExpr)
		if !ok {
			break
		}
		collations = append(collations, c.Charset)
		e = c.Expr
	}
	n := l.leaf(e)
	inner := len(collations)
	for ; inner > 0 && l.p.toks[l.number(collations[inner-1])].is("::"); inner-- {
		n = l.collate(n, collations[inner-1]) // a cast binds tighter than a sign
	}
	for i := len(signs) - 1; i >= 0; i-- {
		n = l.sign(n, signs[i])
	}
	for i := inner - 1; i >= 0; i-- {
		n = l.collate(n, collations[i])
	}
	return n
}

// sign puts the sign in front of an operand on it. A minus and a number become one constant.
func (l *lowerer) sign(x node, word string) node {
	at := x.first - 1
	l.check(at, word)
	op := OpNeg
	if word == sqlparser.UPlusStr {
		op = OpPlus
	}
	if op == OpNeg {
		if v, ok := l.negative(x); ok {
			return node{expr: &Literal{Pos: l.pos(at), Value: v}, first: at, last: x.last, depth: 1}
		}
	}
	return node{
		expr:  &Unary{Pos: l.pos(at), Op: op, X: x.expr},
		first: at,
		last:  x.last,
		depth: l.deeper(at, x),
	}
}

// negative returns minus a number. The least integer has no positive counterpart, so its digits are
// looked at.
func (l *lowerer) negative(x node) (v any, ok bool) {
	literal, ok := x.expr.(*Literal)
	if !ok {
		return nil, false
	}
	switch n := literal.Value.(type) {
	case int64:
		return -n, n != math.MinInt64
	case float64:
		if t := &l.p.toks[x.first]; t.kind == tokNumber &&
			strings.TrimLeft(t.text, "0") == "9223372036854775808" {
			return int64(math.MinInt64), true
		}
		return -n, n != 0
	}
	return nil, false
}

// value lowers a carrier of a value: a constant, a parameter, or an operand that its first token
// holds.
func (l *lowerer) value(v *sqlparser.SQLVal) node {
	s := string(v.Val)
	if v.Type != sqlparser.ValArg || !strings.HasPrefix(s, ":"+string(rune(carryValue))) {
		panic(fmt.Sprintf("%q came back, which is no carrier", s))
	}
	i := l.number(s[2:])
	t := &l.p.toks[i]
	n := node{first: i, last: i, depth: 1}
	switch x := t.value.(type) {
	case *Param:
		n.expr = x
	case Expr:
		n.last, n.expr = t.mate, x
	default:
		if !t.literal() {
			panic("the word " + t.text + " is carried as a value")
		}
		n.expr = &Literal{Pos: t.off, Value: t.value}
	}
	return n
}

// nowWords are the functions that may be called without parentheses.
var nowWords = map[string]bool{
	"CURRENT_TIMESTAMP": true, "CURRENT_DATE": true, "CURRENT_TIME": true, "CURRENT_USER": true,
	"LOCALTIME": true, "LOCALTIMESTAMP": true,
}

// column lowers a name with up to two qualifiers.
func (l *lowerer) column(c *sqlparser.ColName) node {
	last := l.number(c.Name.String())
	first := last
	t := &l.p.toks[last]
	col := &Column{Pos: t.off, Name: t.text, Quoted: t.kind == tokName}
	if c.Qualifier.Name.IsEmpty() {
		if t.kind == tokWord && nowWords[t.key] {
			return node{
				expr:  &Call{Pos: t.off, Name: strings.ToLower(t.key)},
				first: first,
				last:  last,
				depth: 1,
			}
		}
		return node{expr: col, first: first, last: last, depth: 1}
	}
	first = l.number(c.Qualifier.Name.String())
	col.Table = l.p.toks[first].text
	if !c.Qualifier.Qualifier.IsEmpty() {
		first = l.number(c.Qualifier.Qualifier.String())
		l.p.checkSchema(first)
	}
	col.Pos = l.pos(first)
	return node{expr: col, first: first, last: last, depth: 1}
}

// caseOf lowers CASE. Its word stands before the first operand, END behind the last.
func (l *lowerer) caseOf(e *sqlparser.CaseExpr) node {
	c := &Case{}
	var all []node
	add := func(e sqlparser.Expr) node {
		n := l.node(e)
		all = append(all, n)
		return n
	}
	if e.Expr != nil {
		c.Operand = add(e.Expr).expr
	}
	for _, w := range e.Whens {
		cond, then := add(w.Cond), add(w.Val)
		l.check(cond.first-1, "WHEN")
		l.check(then.first-1, "THEN")
		c.Whens = append(c.Whens, When{Cond: cond.expr, Then: then.expr})
	}
	if e.Else != nil {
		n := add(e.Else)
		l.check(n.first-1, "ELSE")
		c.Else = n.expr
	}
	first, last := all[0].first-1, all[len(all)-1].last+1
	if e.Expr == nil {
		first--
	}
	l.check(first, "CASE")
	l.check(last, "END")
	c.Pos = l.pos(first)
	return node{expr: c, first: first, last: last, depth: l.deeper(first, all...)}
}

// row lowers (a, b, ...), two values or more in parentheses.
func (l *lowerer) row(e sqlparser.ValTuple) node {
	r := &Row{}
	var all []node
	for _, item := range e {
		n := l.node(item)
		r.Items, all = append(r.Items, n.expr), append(all, n)
	}
	first, last := all[0].first-1, all[len(all)-1].last+1
	l.check(first, "(")
	l.check(last, ")")
	r.Pos = l.pos(first)
	return node{expr: r, first: first, last: last, depth: l.deeper(first, all...)}
}
