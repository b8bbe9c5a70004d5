package parser

import (
	"slices"
	"strings"
)

// longTypes are the names of types that have several words, behind :: where other words may follow.
var longTypes = [][]string{
	{"DOUBLE", "PRECISION"}, {"CHARACTER", "VARYING"},
	{"TIMESTAMP", "WITH", "TIME", "ZONE"}, {"TIMESTAMP", "WITHOUT", "TIME", "ZONE"},
	{"TIME", "WITH", "TIME", "ZONE"}, {"TIME", "WITHOUT", "TIME", "ZONE"},
}

// typed writes :: and the type behind it, which its token holds. It binds tighter than every other
// operator, as in PostgreSQL. sqlparser sees a COLLATE, which binds so tightly there.
func (e *emitter) typed() bool {
	p, at := e.p, e.p.at
	if p.toks[at-1].kind == tokString && at > 1 && p.toks[at-2].is("->", "->>") {
		p.fail(at, ":: binds tighter than "+p.toks[at-2].text+" and is about the path alone",
			"write (x "+p.toks[at-2].text+" path)::type")
		return false
	}
	e.raw(1, "COLLATE")
	name := p.shortType()
	if p.err != nil {
		return false
	}
	p.toks[at].value, p.toks[at].mate = name, p.at-1
	e.c.name(at)
	return true
}

// shortType reads the name of a type behind ::, and returns it in upper case: one word, or several
// of which it is known that they are one type, perhaps with numbers in parentheses.
func (p *parser) shortType() string {
	if p.tok().kind != tokWord || p.tok().reserved() {
		p.surprised(p.at, ":: takes a type, not "+p.quote(p.at), "write x::INTEGER or CAST(x AS INTEGER)")
		return ""
	}
	words := []string{strings.ToUpper(p.tok().text)}
	for _, long := range longTypes {
		if p.spelled(long) {
			words = long
		}
	}
	p.at += len(words)
	name := strings.Join(words, " ")
	if p.accept("(") {
		name += p.typeSize()
	}
	return name
}

// spelled tells whether the words stand at the cursor, whether they are keywords or not.
func (p *parser) spelled(words []string) bool {
	end := p.at + len(words)
	return end < len(p.toks) && slices.EqualFunc(p.toks[p.at:end], words, func(t token, word string) bool {
		return t.kind == tokWord && strings.EqualFold(t.text, word)
	})
}

// typed lowers x::type, whose :: is the token i.
func (l *lowerer) typed(x node, i int) node {
	l.behind(x, i)
	name, ok := l.p.toks[i].value.(string)
	if !ok && l.p.err == nil {
		panic("a cast came back without its type")
	}
	return node{
		expr:  &Cast{Pos: l.pos(x.first), X: x.expr, Type: name},
		first: x.first,
		last:  l.p.toks[i].mate,
		depth: l.deeper(i, x),
	}
}
