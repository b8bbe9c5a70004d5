package query

import (
	"math/bits"

	"github.com/eventfold/eventfold/parser"
)

// A itemSet is a set of the sources of a FROM, by their numbers, which are less than maxTables.
type itemSet uint64

// setOf is the sources lo up to, but without, hi.
func setOf(lo, hi int) itemSet {
	return itemSet(^uint64(0)>>(64-uint(hi-lo))) << uint(lo)
}

func (s itemSet) within(t itemSet) bool   { return s&^t == 0 }
func (s itemSet) overlaps(t itemSet) bool { return s&t != 0 }

// first is the source that stands first in FROM.
func (s itemSet) first() int { return bits.TrailingZeros64(uint64(s)) }

// A pendingCond is a condition of WHERE or ON that has not found its place in the plan yet.
type pendingCond struct {
	e      parser.Expr
	clause string // WHERE or ON
	lo, hi int    // the sources whose names it sees
	needs  itemSet
	opaque bool // has a sub-query or the name of a result: what it reads is not known
	used   bool

	// Of an equality, what its sides read, and the columns that they are; nil for a side that is not
	// just a column of FROM.
	equality bool
	sides    [2]itemSet
	columns  [2]*equalColumn
}

// pendingList lists the parts of a condition that are joined by AND.
func (c *coreScope) pendingList(e parser.Expr, clause string, lo, hi int) []*pendingCond {
	var list []*pendingCond
	for _, e := range conjuncts(e) {
		list = append(list, c.newPending(e, clause, lo, hi))
	}
	return list
}

func (c *coreScope) newPending(e parser.Expr, clause string, lo, hi int) *pendingCond {
	w := &pendingCond{e: e, clause: clause, lo: lo, hi: hi}
	var known bool
	if w.needs, known = c.reads(w, e); !known {
		w.needs, w.opaque = setOf(lo, hi), true
		return w
	}
	if eq, ok := e.(*parser.Binary); ok && eq.Op == parser.OpEq {
		w.equality = true
		for i, side := range []parser.Expr{eq.X, eq.Y} {
			w.sides[i], _ = c.reads(w, side)
			w.columns[i] = c.ownColumn(w, side)
		}
	}
	return w
}

// scope returns a compiler that sees the names that the condition may use, and no others.
func (c *coreScope) scope(w *pendingCond) *coreScope {
	p := *c
	p.sources = c.sources[w.lo:w.hi]
	if w.clause == "ON" {
		p.results = nil
	}
	return &p
}

// part returns a compiler for a condition on the rows of a part of FROM.
func (c *coreScope) part(rel joined, w *pendingCond) *coreScope {
	p := c.scope(w)
	p.from, p.layout = rel.relation, c.layoutOf(rel)
	p.results = nil
	return p
}

// filterScope is the scope of a condition that decides about the rows of one table.
func (c *coreScope) filterScope(w *pendingCond) *clauseScope {
	s := c.whereScope()
	s.aliases = w.clause == "WHERE"
	return s
}

// reads tells which sources an expression of the condition reads; known is false if that cannot be
// told.
func (c *coreScope) reads(w *pendingCond, e parser.Expr) (set itemSet, known bool) {
	names, known := c.scope(w), true
	parser.Walk(e, func(e parser.Expr) bool {
		switch e := e.(type) {
		case *parser.Column:
			i, err := names.find(e)
			if i >= 0 {
				n := c.sourceOf(i)
				set |= setOf(n, n+1)
			}
			known = known && err == nil && (i >= 0 || !names.isAlias(e))
		case *parser.Call:
			known = known && e.Over == nil && !c.isAggregate(e)
		default:
			known = known && !hasSelect(e)
		}
		return known
	})
	return set, known
}

// sourceOf returns the number of the source that has the column.
func (c *coreScope) sourceOf(ordinal int) int {
	n := len(c.sources) - 1
	for n > 0 && c.sources[n].offset > ordinal {
		n--
	}
	return n
}
