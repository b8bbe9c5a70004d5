package parser

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/xwb1989/sqlparser"
)

// A lowerer turns what sqlparser made of the carriers into our tree. Every leaf is a carrier's
// number, which leads back to a token, and an operator stands behind the last token of its left
// operand; so every node gets its place, and every operator is checked against the text.
type lowerer struct{ p *parser }

// A node is an expression with the tokens that it reaches over, from first up to and including
// last.
type node struct {
	expr        Expr
	first, last int
	depth       int
}

// number returns the token's index that a carrier holds.
func (l *lowerer) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n >= len(l.p.toks) {
		panic(fmt.Sprintf("%q came back, which is no carrier", s))
	}
	return n
}

// check panics if the token is none of the operators: then what came back is not what the text
// says. After a mistake in the text the places of the nodes mean nothing.
func (l *lowerer) check(i int, keys ...string) {
	if l.p.err == nil && !l.p.toks[i].is(keys...) {
		panic(fmt.Sprintf("%v came back where the text has %s", keys, l.p.quote(i)))
	}
}

func (l *lowerer) pos(i int) Pos { return l.p.toks[i].off }

// deeper returns one level more than the deepest of the nodes, which must be within the limit.
func (l *lowerer) deeper(at int, nodes ...node) int {
	d := 0
	for _, n := range nodes {
		d = max(d, n.depth)
	}
	if d++; d > maxDepth {
		l.p.fail(at, "an expression is more than 1,000 levels deep")
	}
	return d
}

// node lowers an expression. Chains that lean to the left, which may be very long, are walked in a
// loop.
func (l *lowerer) node(e sqlparser.Expr) node {
	var spine []sqlparser.Expr
	for {
		left := leftOf(e)
		if left == nil {
			break
		}
		spine = append(spine, e)
		e = left
	}
	n := l.leaf(e)
	for i := len(spine) - 1; i >= 0 && l.p.err == nil; i-- {
		n = l.join(n, spine[i])
	}
	return n
}

// leftOf returns the left operand of an operator, or nil.
func leftOf(e sqlparser.Expr) sqlparser.Expr {
	switch e := e.(type) {
	case *sqlparser.AndExpr:
		return e.Left
	case *sqlparser.OrExpr:
		return e.Left
	case *sqlparser.BinaryExpr:
		return e.Left
	case *sqlparser.ComparisonExpr:
		return e.Left
	case *sqlparser.RangeCond:
		return e.Left
	case *sqlparser.IsExpr:
		return e.Expr
	case *sqlparser.CollateExpr:
		return e.Expr
	}
	return nil
}

// join puts an operator of a spine on its lowered left operand.
func (l *lowerer) join(x node, e sqlparser.Expr) node {
	switch e := e.(type) {
	case *sqlparser.AndExpr:
		return l.chain(OpAnd, x, e.Right)
	case *sqlparser.OrExpr:
		return l.chain(OpOr, x, e.Right)
	case *sqlparser.BinaryExpr:
		return l.arithmetic(x, e)
	case *sqlparser.ComparisonExpr:
		return l.comparison(x, e)
	case *sqlparser.RangeCond:
		return l.between(x, e)
	case *sqlparser.IsExpr:
		return l.isSuffix(x, e)
	case *sqlparser.CollateExpr:
		return l.collate(x, e.Charset)
	}
	panic(fmt.Sprintf("%T in a spine", e))
}

// chainWords are the operators whose chains are flat, as they are written.
var chainWords = map[Op]string{OpAnd: "AND", OpOr: "OR", OpAdd: "+", OpConcat: "||"}

// chain adds a term to a chain of one operator. Parentheses around the beginning of a chain change
// nothing.
func (l *lowerer) chain(op Op, x node, right sqlparser.Expr) node {
	l.check(x.last+1, chainWords[op])
	y := l.node(right)
	if n, ok := x.expr.(*Nary); ok && n.Op == op {
		n.Terms = append(n.Terms, y.expr)
		x.last, x.depth = y.last, max(x.depth, l.deeper(y.first, y))
		return x
	}
	return node{
		expr:  &Nary{Op: op, Terms: []Expr{x.expr, y.expr}},
		first: x.first,
		last:  y.last,
		depth: l.deeper(x.last+1, x, y),
	}
}

// binaryOps are the operators that sqlparser calls binary, with what stands in the text.
var binaryOps = map[string]struct {
	op   Op
	word string
}{
	sqlparser.MinusStr:  {OpSub, "-"},
	sqlparser.MultStr:   {OpMul, "*"},
	sqlparser.DivStr:    {OpDiv, "/"},
	sqlparser.ModStr:    {OpMod, "%"},
	sqlparser.IntDivStr: {OpIntDiv, "DIV"},
}

// arithmetic lowers + - * / % DIV and what is carried as ^: || -> ->>.
func (l *lowerer) arithmetic(x node, e *sqlparser.BinaryExpr) node {
	if e.Operator == sqlparser.PlusStr {
		return l.chain(OpAdd, x, e.Right)
	}
	if e.Operator != sqlparser.BitXorStr {
		b, ok := binaryOps[e.Operator]
		if !ok {
			panic("operator " + e.Operator)
		}
		l.check(x.last+1, b.word)
		return l.binary(b.op, x, l.node(e.Right))
	}
	if u, ok := e.Right.(*sqlparser.UnaryExpr); ok {
		switch u.Operator {
		case sqlparser.UBinaryStr:
			l.check(x.last+1, "->")
			return l.arrow(OpArrow, x, u.Expr)
		case sqlparser.BinaryStr:
			l.check(x.last+1, "->>")
			return l.arrow(OpArrowText, x, u.Expr)
		}
	}
	return l.chain(OpConcat, x, e.Right)
}

// binary makes x op y. The operator is the token behind x.
func (l *lowerer) binary(op Op, x, y node) node {
	at := x.last + 1
	return node{
		expr:  &Binary{Pos: l.pos(at), Op: op, X: x.expr, Y: y.expr},
		first: x.first,
		last:  y.last,
		depth: l.deeper(at, x, y),
	}
}

// comparisonOps are the comparisons, by what sqlparser calls them.
var comparisonOps = map[string]struct {
	op    Op
	words []string
}{
	sqlparser.EqualStr:        {OpEq, []string{"=", "=="}},
	sqlparser.NotEqualStr:     {OpNe, []string{"<>", "!="}},
	sqlparser.LessThanStr:     {OpLt, []string{"<"}},
	sqlparser.LessEqualStr:    {OpLe, []string{"<="}},
	sqlparser.GreaterThanStr:  {OpGt, []string{">"}},
	sqlparser.GreaterEqualStr: {OpGe, []string{">="}},
}

func (l *lowerer) comparison(x node, e *sqlparser.ComparisonExpr) node {
	at := x.last + 1
	switch e.Operator {
	case sqlparser.NullSafeEqualStr:
		l.check(at, "IS")
		return l.binary(l.isOp(at), x, l.node(e.Right))
	case sqlparser.InStr, sqlparser.NotInStr:
		return l.in(x, e)
	case sqlparser.LikeStr, sqlparser.NotLikeStr:
		return l.like(x, e)
	case sqlparser.RegexpStr:
		l.check(at, "REGEXP")
		return l.binary(OpRegexp, x, l.node(e.Right))
	case sqlparser.NotRegexpStr:
		l.check(at, "NOT")
		n := l.binary(OpRegexp, x, l.node(e.Right))
		n.expr = &Unary{Pos: l.pos(at), Op: OpNot, X: n.expr}
		n.depth = l.deeper(at, n)
		return n
	}
	c, ok := comparisonOps[e.Operator]
	if !ok {
		panic("comparison " + e.Operator)
	}
	l.check(at, c.words...)
	return l.binary(c.op, x, l.node(e.Right))
}

// isOp tells which of the four forms of IS stands at the token.
func (l *lowerer) isOp(at int) Op {
	not := l.p.toks[at+1].is("NOT")
	i := at + 1
	if not {
		i++
	}
	if l.p.words(i, "DISTINCT", "FROM") {
		not = !not
	}
	if not {
		return OpIsNot
	}
	return OpIs
}

// suffixes are the operators that stand behind their operand, with the number of their tokens.
var suffixes = map[string]struct {
	op    Op
	value any
}{
	sqlparser.IsNullStr: {OpIs, nil}, sqlparser.IsNotNullStr: {OpIsNot, nil},
	sqlparser.IsTrueStr: {OpIs, true}, sqlparser.IsNotTrueStr: {OpIsNot, true},
	sqlparser.IsFalseStr: {OpIs, false}, sqlparser.IsNotFalseStr: {OpIsNot, false},
}

// isSuffix lowers IS [NOT] NULL, TRUE or FALSE, ISNULL, NOTNULL and NOT NULL.
func (l *lowerer) isSuffix(x node, e *sqlparser.IsExpr) node {
	s, ok := suffixes[e.Operator]
	if !ok {
		panic("suffix " + e.Operator)
	}
	at, last := x.last+1, x.last+1
	l.check(at, "IS", "ISNULL", "NOTNULL", "NOT")
	for l.p.toks[last].is("IS", "NOT") {
		last++
	}
	y := node{expr: &Literal{Pos: l.pos(last), Value: s.value}, first: last, last: last, depth: 1}
	return l.binary(s.op, x, y)
}

// collate lowers COLLATE, and what is carried as one: :: and AT TIME ZONE.
func (l *lowerer) collate(x node, name string) node {
	i := l.number(name)
	if l.p.toks[i].is("::") {
		return l.typed(x, i)
	}
	if zone, ok := l.zone(name); ok {
		return l.atZone(x, i, zone)
	}
	l.check(i-1, "COLLATE")
	return node{
		expr:  &Collate{Pos: l.pos(i - 1), X: x.expr, Name: strings.ToUpper(l.p.toks[i].text)},
		first: x.first,
		last:  i,
		depth: l.deeper(i, x),
	}
}
