package parser

import (
	"slices"

	"github.com/xwb1989/sqlparser"
)

// AT TIME ZONE binds as COLLATE does, tighter than || and looser than a sign, as in PostgreSQL. But
// behind x -> path it is about what the path leads to: a path has no zone. It becomes the call
// timezone(zone, x).

// atZone writes AT TIME ZONE and the operand behind it, which the token of AT holds. sqlparser sees
// a COLLATE.
func (e *emitter) atZone() bool {
	p, at := e.p, e.p.at
	e.raw(3, "COLLATE")
	zone := p.operand()
	if p.err != nil {
		return false
	}
	p.toks[at].value, p.toks[at].mate = zone, p.at-1
	e.c.name(at)
	return true
}

// operand reads one operand at the cursor on its own, with its signs, and no operator behind it.
func (p *parser) operand() (x Expr) {
	if p.word("NOT") {
		p.unexpected(p.at)
	}
	c := newCarriers(p)
	c.raw(p.at, listHead)
	e := emitter{c: c, p: p, want: true}
	for p.err == nil && (e.want || len(e.cases) > 0) {
		if e.want {
			e.operand()
		} else if !e.operator() {
			p.unexpected(p.at)
		}
	}
	e.settle()
	c.puts, c.end = append(c.puts, into(&x)), p.at
	c.read()
	return x
}

// zone returns the operand of an AT TIME ZONE that is carried as a COLLATE with the name.
func (l *lowerer) zone(name string) (zone Expr, ok bool) {
	t := &l.p.toks[l.number(name)]
	zone, ok = t.value.(Expr)
	return zone, ok && t.is("AT")
}

// atZone lowers x AT TIME ZONE zone, whose AT is the token i.
func (l *lowerer) atZone(x node, i int, zone Expr) node {
	l.behind(x, i)
	return node{
		expr:  &Call{Pos: l.pos(i), Name: "timezone", Args: []Expr{zone, x.expr}},
		first: x.first,
		last:  l.p.toks[i].mate,
		depth: l.deeper(i, x),
	}
}

// behind panics unless the token stands directly behind x.
func (l *lowerer) behind(x node, i int) {
	if l.p.err == nil && x.last+1 != i {
		panic("an operator came back behind another operand")
	}
}

// arrow lowers x -> path. An AT TIME ZONE behind the path is one of the result.
func (l *lowerer) arrow(op Op, x node, path sqlparser.Expr) node {
	y := l.node(path)
	var zones []int
	if _, inside := path.(*sqlparser.ParenExpr); !inside {
		for i := l.zoneOf(y); i > 0; i = l.zoneOf(y) {
			zones = append(zones, i)
			y.expr, y.last = y.expr.(*Call).Args[1], i-1
		}
	}
	n := l.binary(op, x, y)
	for _, i := range slices.Backward(zones) {
		n = l.atZone(n, i, l.p.toks[i].value.(Expr))
	}
	return n
}

// zoneOf returns the AT of the AT TIME ZONE that a node is, 0 if it is none.
func (l *lowerer) zoneOf(n node) int {
	call, ok := n.expr.(*Call)
	if !ok || l.p.err != nil {
		return 0
	}
	i, found := slices.BinarySearchFunc(l.p.toks, call.Pos, func(t token, pos Pos) int { return int(t.off - pos) })
	if _, zone := l.p.toks[min(i, len(l.p.toks)-1)].value.(Expr); !found || !zone || !l.p.toks[i].is("AT") {
		return 0
	}
	return i
}
