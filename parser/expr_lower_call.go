package parser

import (
	"strings"

	"github.com/xwb1989/sqlparser"
)

// call lowers a function, an aggregate or a window function.
func (l *lowerer) call(e *sqlparser.FuncExpr) node {
	i := l.number(e.Name.String())
	t := &l.p.toks[i]
	l.check(i+1, "(")
	r, ok := t.value.(*carriedCall)
	if !ok {
		panic("a call came back of a name that was none")
	}
	c := r.call
	args := l.arguments(c, e.Exprs)
	n := node{expr: c, first: i, last: t.mate, depth: l.deeper(i, args...)}
	for _, a := range args {
		c.Args = append(c.Args, a.expr)
	}
	if r.special {
		n.expr = l.special(i, r)
	}
	return n
}

// special gives a call with words among its arguments its meaning.
func (l *lowerer) special(i int, r *carriedCall) Expr {
	c := r.call
	if c.Star || c.Distinct || len(c.OrderBy) > 0 || c.Filter != nil || c.Over != nil {
		l.p.fail(i, strings.ToUpper(c.Name)+" takes no *, DISTINCT, ORDER BY, FILTER or OVER")
	}
	switch {
	case l.p.err != nil:
	case r.castType != "":
		return &Cast{Pos: c.Pos, X: c.Args[0], Type: r.castType}
	case r.swapped:
		c.Args[0], c.Args[1] = c.Args[1], c.Args[0]
	}
	return c
}

// arguments lowers what stands in the parentheses. A star may stand there alone.
func (l *lowerer) arguments(c *Call, es sqlparser.SelectExprs) []node {
	var args []node
	for _, e := range es {
		switch e := e.(type) {
		case *sqlparser.AliasedExpr:
			args = append(args, l.node(e.Expr))
		case *sqlparser.StarExpr:
			if len(es) > 1 || c.Distinct || !e.TableName.IsEmpty() {
				l.p.fail(l.tokenAt(c.Pos), "a * in a call stands alone, as in COUNT(*)")
			}
			c.Star = true
		default:
			panic("an argument came back that is no expression")
		}
	}
	return args
}

// tokenAt returns the index of the token at a place. It is only used for errors.
func (l *lowerer) tokenAt(pos Pos) int {
	for i := range l.p.toks {
		if l.p.toks[i].off >= pos {
			return i
		}
	}
	return len(l.p.toks) - 1
}
