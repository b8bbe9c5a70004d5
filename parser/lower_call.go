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
	mate := l.p.toks[i+1].mate
	c := &Call{Pos: t.off, Name: LowerASCII(t.text), Distinct: e.Distinct}
	args := l.arguments(c, e.Exprs)
	n := node{expr: c, first: i, last: l.p.callEnd(mate) - 1, depth: l.deeper(i, args...)}
	for _, a := range args {
		c.Args = append(c.Args, a.expr)
	}
	l.afterCall(c, mate)
	if cast := l.special(i, c); cast != nil {
		n.expr = cast
	}
	return n
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

// afterCall reads FILTER and OVER, which stand behind the parenthesis.
func (l *lowerer) afterCall(c *Call, mate int) {
	p := l.p
	i := mate + 1
	if p.words(i, "FILTER", "(") {
		end := p.toks[i+1].mate
		if !p.toks[i+2].is("WHERE") {
			p.unexpected(i + 2)
			return
		}
		c.Filter = p.exprRange(i+3, end)
		i = end + 1
	}
	if p.words(i, "OVER", "(") {
		c.Over = p.window(i, i+2, p.toks[i+1].mate)
	}
}

// special gives a call with a form of its own its meaning. It returns a Cast, or nil after changing the call as needed.
func (l *lowerer) special(i int, c *Call) Expr {
	p := l.p
	if p.formOf(i) == nil {
		return nil
	}
	lo, hi := i+2, p.toks[i+1].mate
	l.plain(i, c)
	switch p.toks[i].key {
	case "CAST":
		if len(c.Args) != 1 {
			p.fail(i, "CAST takes one value: CAST(x AS type)")
			return nil
		}
		return &Cast{Pos: c.Pos, X: c.Args[0], Type: p.castType(p.castAs(lo, hi)+1, hi)}
	case "EXTRACT":
		unit := &Literal{Pos: p.toks[lo].off, Value: extractUnit(&p.toks[lo])}
		c.Args = append([]Expr{unit}, c.Args...)
	case "TRIM":
		l.trim(c, lo, hi)
	case "SUBSTRING", "SUBSTR":
		c.Name = "substring"
	}
	return nil
}

// plain refuses what only ordinary calls may have.
func (l *lowerer) plain(i int, c *Call) {
	if c.Star || c.Distinct || c.Filter != nil || c.Over != nil {
		l.p.fail(i, strings.ToUpper(c.Name)+" takes no *, DISTINCT, FILTER or OVER")
	}
}

// extractUnit returns the unit of EXTRACT in lower case, singular if it is one of those of INTERVAL.
func extractUnit(t *token) string {
	text := t.text
	if t.kind == tokString {
		text = t.value.(string)
	}
	return LowerASCII(text)
}

// trim makes trim, ltrim or rtrim(text, characters) of TRIM([BOTH | LEADING | TRAILING] characters FROM text).
func (l *lowerer) trim(c *Call, lo, hi int) {
	switch l.p.toks[lo].key {
	case "LEADING":
		c.Name = "ltrim"
	case "TRAILING":
		c.Name = "rtrim"
	}
	chars, _ := l.p.trimParts(lo, hi)
	want := 1
	if chars.lo < chars.hi {
		want = 2
	}
	if len(c.Args) != want {
		l.p.fail(lo, "TRIM takes a text: TRIM([BOTH | LEADING | TRAILING] [characters FROM] text)")
		return
	}
	if want == 2 {
		c.Args[0], c.Args[1] = c.Args[1], c.Args[0]
	}
}
