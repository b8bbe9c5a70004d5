package query

import (
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// ROLLUP, CUBE and GROUPING SETS: every row belongs to a group of each set, in which the keys that
// are not of the set are NULL. The number of the set is one more key, the last, so that groups of
// two sets are never the same.

// A groupSet says which keys, but for the last, are grouped by together.
type groupSet struct {
	has   []bool
	empty bool // none: a group that is there without a row, too
}

const (
	maxGroupSets = 4096 // of a GROUP BY
	maxCubed     = 12   // items of a CUBE
)

// compileGroupSets compiles the sets of a GROUP BY whose terms have the slots. One set alone is a
// list of keys like any other.
func (c *coreScope) compileGroupSets(slots []int) error {
	sets, err := c.groupProduct(c.core.Grouping)
	if err != nil || len(sets) <= 1 {
		return err
	}
	for _, terms := range sets {
		set := groupSet{has: make([]bool, len(c.keys)), empty: len(terms) == 0}
		for _, t := range terms {
			set.has[slots[t]] = true
		}
		c.sets = append(c.sets, set)
	}
	for slot, k := range c.keys {
		partial := *k
		for i := range c.sets {
			partial.Nullable = partial.Nullable || !c.sets[i].has[slot]
		}
		c.keys[slot] = &partial
	}
	number := &expr.Expr{Type: Integer, Eval: func(*expr.Env) value.Value { return null }}
	c.keys = append(c.keys, number) // groupTable gives it its value
	return nil
}

// groupProduct lists the sets of terms of items with commas between them: each of the first with
// each of the others.
func (c *coreScope) groupProduct(items []parser.Grouping) ([][]int, error) {
	sets := [][]int{nil}
	for i := range items {
		more, err := c.setsOf(&items[i])
		if err != nil {
			return nil, err
		}
		if len(sets)*len(more) > maxGroupSets {
			return nil, c.tooManySets()
		}
		var product [][]int
		for _, a := range sets {
			for _, b := range more {
				product = append(product, append(a[:len(a):len(a)], b...))
			}
		}
		sets = product
	}
	return sets, nil
}

func (c *coreScope) tooManySets() error {
	return errorf(BadStatement, c.core.Pos, "GROUP BY has at most %d grouping sets", maxGroupSets)
}

// setsOf lists the sets of terms of one item.
func (c *coreScope) setsOf(g *parser.Grouping) ([][]int, error) {
	switch g.Kind {
	case parser.GroupRollup:
		return rollup(g.Items), nil
	case parser.GroupCube:
		if len(g.Items) > maxCubed {
			return nil, errorf(BadStatement, c.core.Pos,
				"CUBE has at most %d terms, which are %d grouping sets", maxCubed, maxGroupSets)
		}
		return cube(g.Items), nil
	case parser.GroupSets:
		var sets [][]int
		for i := range g.Items {
			more, err := c.setsOf(&g.Items[i])
			if err != nil {
				return nil, err
			}
			if sets = append(sets, more...); len(sets) > maxGroupSets {
				return nil, c.tooManySets()
			}
		}
		return sets, nil
	}
	return [][]int{g.Terms}, nil
}

// rollup lists all items, then all but the last, and so on to none.
func rollup(items []parser.Grouping) (sets [][]int) {
	for n := len(items); n >= 0; n-- {
		var terms []int
		for _, item := range items[:n] {
			terms = append(terms, item.Terms...)
		}
		sets = append(sets, terms)
	}
	return sets
}

// cube lists every choice of items, all of them first.
func cube(items []parser.Grouping) (sets [][]int) {
	for choice := 1<<len(items) - 1; choice >= 0; choice-- {
		var terms []int
		for i, item := range items {
			if choice>>(len(items)-1-i)&1 != 0 {
				terms = append(terms, item.Terms...)
			}
		}
		sets = append(sets, terms)
	}
	return sets
}

// grouping compiles grouping(a, b, ...): a number of which each argument, the last one first, has a
// bit that is set where the row's group is not by it.
func (s *clauseScope) grouping(c *parser.Call) (*expr.Expr, bool, error) {
	name := strings.ToUpper(c.Name)
	switch {
	case !s.grouped:
		e := errorf(BadStatement, c.Pos, "%s() tells of groups, which %s does not have", name, s.clause)
		e.Hint = "it stands in SELECT, HAVING and ORDER BY beside GROUP BY"
		return nil, true, e
	case len(c.Args) == 0 || len(c.Args) > 63:
		return nil, true, errorf(BadArgument, c.Pos, "%s() takes 1 to 63 arguments, not %d", name, len(c.Args))
	case c.Distinct || c.Star || c.Filter != nil:
		return nil, true, errorf(BadStatement, c.Pos, "%s() takes no *, DISTINCT or FILTER", name)
	}
	masks := make([]int64, max(len(s.sets), 1))
	for _, a := range c.Args {
		slot, ok := s.groupSlot(a)
		if !ok {
			return nil, true, errorf(BadArgument, a.At(), "%s() takes what GROUP BY lists", name)
		}
		for i := range masks {
			masks[i] <<= 1
			if len(s.sets) > 0 && !s.sets[i].has[slot] {
				masks[i]++
			}
		}
	}
	x := &expr.Expr{Type: Integer, Pos: c.Pos, Eval: func(*expr.Env) value.Value { return value.OfInt(0) }}
	if len(s.sets) > 0 {
		number := slotExpr(len(s.keys) - 1)
		x.Eval = func(en *expr.Env) value.Value { return value.OfInt(masks[number(en).N]) }
	}
	return x, true, nil
}

// addToSets gives the current row of en to its group of every set.
func (t *groupTable) addToSets(en *expr.Env) error {
	last := len(t.values) - 1
	if t.all == nil {
		t.all = make([]value.Value, last)
	}
	for i, k := range t.plan.keys[:last] {
		t.all[i] = k.Eval(en)
	}
	for n := range t.plan.sets {
		if !en.Effort((len(t.values) + len(t.plan.aggs)) * value.TermEffort) {
			return en.Err
		}
		t.ofSet(n, t.all)
		g, err := t.lookUp(en)
		if err != nil {
			return err
		}
		if err := t.aggregate(g, en); err != nil {
			return err
		}
	}
	return en.Err
}

// ofSet makes the keys of a group of a set out of those of a row; without a row all are NULL.
func (t *groupTable) ofSet(n int, row []value.Value) {
	set := &t.plan.sets[n]
	for i := range t.values[:len(t.values)-1] {
		t.values[i] = null
		if row != nil && set.has[i] {
			t.values[i] = row[i]
		}
	}
	t.values[len(t.values)-1] = value.OfInt(int64(n))
}

// addEmptySets makes the groups of sets without a key that no row has made.
func (t *groupTable) addEmptySets(en *expr.Env) error {
	for n := range t.plan.sets {
		if !t.plan.sets[n].empty {
			continue
		}
		t.ofSet(n, nil)
		if _, err := t.lookUp(en); err != nil {
			return err
		}
	}
	return nil
}

// groupText writes GROUP BY for EXPLAIN.
func (c *coreScope) groupText() string {
	if len(c.core.Grouping) == 0 {
		return exprTexts(c.groupTerms())
	}
	return c.groupingTexts(c.core.Grouping)
}

func (c *coreScope) groupingTexts(list []parser.Grouping) string {
	texts := make([]string, len(list))
	for i, g := range list {
		if g.Kind != parser.GroupTerms {
			texts[i] = g.Kind.String() + " (" + c.groupingTexts(g.Items) + ")"
			continue
		}
		terms := make([]string, len(g.Terms))
		for n, t := range g.Terms {
			terms[n] = exprText(c.core.GroupBy[t])
		}
		texts[i] = strings.Join(terms, ", ")
		if len(terms) != 1 {
			texts[i] = "(" + texts[i] + ")"
		}
	}
	return strings.Join(texts, ", ")
}
