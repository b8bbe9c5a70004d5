package query

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/eventfold/eventfold/parser"
)

// children returns the expressions directly below e, in the order they were written.
// Sub-queries are not entered.
func children(e parser.Expr) []parser.Expr {
	switch e := e.(type) {
	case *parser.Unary:
		return []parser.Expr{e.X}
	case *parser.Binary:
		return []parser.Expr{e.X, e.Y}
	case *parser.Nary:
		return e.Terms
	case *parser.In:
		return append([]parser.Expr{e.X}, e.List...)
	case *parser.Like:
		return present(e.X, e.Pattern, e.Escape)
	case *parser.Between:
		return []parser.Expr{e.X, e.Lo, e.Hi}
	case *parser.Case:
		list := present(e.Operand)
		for _, w := range e.Whens {
			list = append(list, w.Cond, w.Then)
		}
		return append(list, present(e.Else)...)
	case *parser.Cast:
		return []parser.Expr{e.X}
	case *parser.Call:
		list := append(append([]parser.Expr(nil), e.Args...), present(e.Filter)...)
		if e.Over != nil {
			list = append(list, e.Over.PartitionBy...)
			for _, o := range e.Over.OrderBy {
				list = append(list, o.Expr)
			}
		}
		return list
	case *parser.Collate:
		return []parser.Expr{e.X}
	case *parser.Interval:
		return []parser.Expr{e.X}
	}
	return nil
}

// present returns those of the expressions that are there.
func present(list ...parser.Expr) []parser.Expr {
	out := list[:0]
	for _, e := range list {
		if e != nil {
			out = append(out, e)
		}
	}
	return out
}

// walk visits e and what is below it, without entering sub-queries, until visit returns false for a node's children.
func walk(e parser.Expr, visit func(parser.Expr) bool) {
	if e == nil || !visit(e) {
		return
	}
	for _, c := range children(e) {
		walk(c, visit)
	}
}

// replace returns e with every outermost sub-expression for which f gives another one replaced.
// e itself is not changed. Sub-queries are not entered.
func replace(e parser.Expr, f func(parser.Expr) parser.Expr) parser.Expr {
	if e == nil {
		return nil
	}
	if other := f(e); other != nil {
		return other
	}
	all := func(list []parser.Expr) []parser.Expr {
		out := make([]parser.Expr, len(list))
		for i, x := range list {
			out[i] = replace(x, f)
		}
		return out
	}
	switch e := e.(type) {
	case *parser.Unary:
		c := *e
		c.X = replace(e.X, f)
		return &c
	case *parser.Binary:
		c := *e
		c.X, c.Y = replace(e.X, f), replace(e.Y, f)
		return &c
	case *parser.Nary:
		c := *e
		c.Terms = all(e.Terms)
		return &c
	case *parser.In:
		c := *e
		c.X, c.List = replace(e.X, f), all(e.List)
		return &c
	case *parser.Like:
		c := *e
		c.X, c.Pattern, c.Escape = replace(e.X, f), replace(e.Pattern, f), replace(e.Escape, f)
		return &c
	case *parser.Between:
		c := *e
		c.X, c.Lo, c.Hi = replace(e.X, f), replace(e.Lo, f), replace(e.Hi, f)
		return &c
	case *parser.Case:
		return replaceCase(e, f)
	case *parser.Cast:
		c := *e
		c.X = replace(e.X, f)
		return &c
	case *parser.Call:
		return replaceCall(e, f, all)
	case *parser.Collate:
		c := *e
		c.X = replace(e.X, f)
		return &c
	case *parser.Interval:
		c := *e
		c.X = replace(e.X, f)
		return &c
	}
	return e
}

func replaceCase(e *parser.Case, f func(parser.Expr) parser.Expr) parser.Expr {
	c := *e
	c.Operand, c.Else = replace(e.Operand, f), replace(e.Else, f)
	c.Whens = make([]parser.When, len(e.Whens))
	for i, w := range e.Whens {
		c.Whens[i] = parser.When{Cond: replace(w.Cond, f), Then: replace(w.Then, f)}
	}
	return &c
}

func replaceCall(e *parser.Call, f func(parser.Expr) parser.Expr, all func([]parser.Expr) []parser.Expr) parser.Expr {
	c := *e
	c.Args, c.Filter = all(e.Args), replace(e.Filter, f)
	if e.Over != nil {
		over := *e.Over
		over.PartitionBy = all(over.PartitionBy)
		over.OrderBy = append([]parser.Order(nil), over.OrderBy...)
		for i := range over.OrderBy {
			over.OrderBy[i].Expr = replace(over.OrderBy[i].Expr, f)
		}
		c.Over = &over
	}
	return &c
}

// keyOf writes an expression so that two expressions that mean the same have the same key: places are left out,
// and columns are written as identity says. Sub-queries equal only themselves.
func keyOf(e parser.Expr, identity func(*parser.Column) string) string {
	var b strings.Builder
	writeKey(&b, e, identity)
	return b.String()
}

func writeKey(b *strings.Builder, e parser.Expr, identity func(*parser.Column) string) {
	if e == nil {
		b.WriteByte('_')
		return
	}
	b.WriteByte('(')
	switch e := e.(type) {
	case *parser.Literal:
		fmt.Fprintf(b, "lit %T %q", e.Value, fmt.Sprint(e.Value))
	case *parser.Param:
		fmt.Fprintf(b, "param %d %s", e.Index, e.Name)
	case *parser.Column:
		b.WriteString(identity(e))
	case *parser.Unary:
		fmt.Fprintf(b, "un%d", e.Op)
	case *parser.Binary:
		fmt.Fprintf(b, "bi%d", e.Op)
	case *parser.Nary:
		fmt.Fprintf(b, "n%d", e.Op)
	case *parser.In:
		fmt.Fprintf(b, "in %t %p", e.Not, e.Select)
	case *parser.Like:
		fmt.Fprintf(b, "like %t", e.Not)
	case *parser.Between:
		fmt.Fprintf(b, "between %t", e.Not)
	case *parser.Case:
		fmt.Fprintf(b, "case %t %t", e.Operand != nil, e.Else != nil)
	case *parser.Cast:
		b.WriteString("cast " + e.Type)
	case *parser.Call:
		fmt.Fprintf(b, "call %q %t %t %d %t", e.Name, e.Star, e.Distinct, len(e.Args), e.Filter != nil)
		writeWindowKey(b, e.Over)
	case *parser.Collate:
		b.WriteString("collate " + e.Name)
	case *parser.Interval:
		b.WriteString("interval " + e.Unit)
	default:
		fmt.Fprintf(b, "%T %p", e, e)
	}
	for _, c := range children(e) {
		writeKey(b, c, identity)
	}
	b.WriteByte(')')
}

func writeWindowKey(b *strings.Builder, w *parser.Window) {
	if w == nil {
		return
	}
	fmt.Fprintf(b, " over %d", len(w.PartitionBy))
	for _, o := range w.OrderBy {
		fmt.Fprintf(b, " %t %d", o.Desc, o.Nulls)
	}
	if w.Frame != nil {
		fmt.Fprintf(b, " frame %p", w.Frame)
	}
}

// conjuncts splits a condition at its ANDs.
func conjuncts(e parser.Expr) []parser.Expr {
	if e == nil {
		return nil
	}
	n, ok := e.(*parser.Nary)
	if !ok || n.Op != parser.OpAnd {
		return []parser.Expr{e}
	}
	var list []parser.Expr
	for _, t := range n.Terms {
		list = append(list, conjuncts(t)...)
	}
	return list
}

// ordinal returns the number of an integer literal, which in GROUP BY and ORDER BY means a result column; a plus may stand before it.
// One that does not fit into 32 bits is a constant like any other, as in SQLite.
func ordinal(e parser.Expr) (int64, bool) {
	for {
		plus, ok := e.(*parser.Unary)
		if !ok || plus.Op != parser.OpPlus {
			break
		}
		e = plus.X
	}
	lit, ok := e.(*parser.Literal)
	if !ok {
		return 0, false
	}
	n, ok := lit.Value.(int64)
	return n, ok && n == int64(int32(n))
}

// foldASCII folds the ASCII letters of a name to lower case, which is how names of columns are compared.
func foldASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return strings.Map(func(r rune) rune {
				if 'A' <= r && r <= 'Z' {
					return r + 'a' - 'A'
				}
				return r
			}, s)
		}
	}
	return s
}

// sameName compares two names without regard to ASCII case.
func sameName(a, b string) bool { return a == b || foldASCII(a) == foldASCII(b) }

// quoted writes a name for an error text.
func quoted(name string) string { return strconv.Quote(short(name)) }

// short cuts a name that an error tells.
func short(name string) string {
	const most = 300 // more than the name of a stream can have
	if len(name) > most {
		return strings.ToValidUTF8(name[:most], "") + "..."
	}
	return name
}
