package query

import (
	"slices"
	"strings"

	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// ROLLUP, CUBE and GROUPING SETS: every row belongs to a group of each set, in which the keys that
// are not of the set are NULL. The number of the set is one more key, the last, so that groups of
// two sets are never the same.

// A groupSet has a bit for every key that is grouped by together, but for the last.
type groupSet []uint64

func newGroupSet(keys int) groupSet { return make(groupSet, (keys+63)/64) }

func (s groupSet) has(key int) bool { return s[key/64]>>(key%64)&1 != 0 }

// with returns a set of the keys of both.
func (s groupSet) with(other groupSet) groupSet {
	both := slices.Clone(s)
	for i, bits := range other {
		both[i] |= bits
	}
	return both
}

// empty reports whether it has no key: its group is there without a row, too.
func (s groupSet) empty() bool {
	return !slices.ContainsFunc(s, func(bits uint64) bool { return bits != 0 })
}

const (
	maxGroupSets = 4096 // of a GROUP BY
	maxCubed     = 12   // items of a CUBE
)

// A groupSets lists the sets of a GROUP BY.
type groupSets struct {
	scope *coreScope
	slots []int // of the keys, by term
}

// compileGroupSets compiles the sets of a GROUP BY whose terms have the slots. One set alone is a
// list of keys like any other.
func (c *coreScope) compileGroupSets(slots []int) error {
	sets, err := (&groupSets{c, slots}).product(c.core.Grouping)
	if err != nil || len(sets) <= 1 {
		return err
	}
	c.sets = sets
	for slot, k := range c.keys {
		partial := *k
		for _, set := range sets {
			partial.Nullable = partial.Nullable || !set.has(slot)
		}
		c.keys[slot] = &partial
	}
	number := &expr.Expr{Type: Integer, Eval: func(*expr.Env) value.Value { return null }}
	c.keys = append(c.keys, number) // groupTable gives it its value
	return nil
}

// product lists the sets of items with commas between them: each of the first with each of the
// others.
func (l *groupSets) product(items []parser.Grouping) ([]groupSet, error) {
	sets, common := []groupSet{l.set(nil)}, l.set(nil)
	for i := range items {
		more, err := l.of(&items[i])
		switch {
		case err != nil:
			return nil, err
		case len(more) == 1:
			common = common.with(more[0])
			continue
		case len(sets)*len(more) > maxGroupSets:
			return nil, l.tooMany()
		}
		var product []groupSet
		for _, a := range sets {
			for _, b := range more {
				product = append(product, a.with(b))
			}
		}
		sets = product
	}
	for i := range sets {
		sets[i] = sets[i].with(common)
	}
	return sets, nil
}

func (l *groupSets) tooMany() error {
	return errorf(BadStatement, l.scope.core.Pos, "GROUP BY has at most %d grouping sets", maxGroupSets)
}

// set is the set of terms.
func (l *groupSets) set(terms []int) groupSet {
	s := newGroupSet(len(l.scope.keys))
	for _, t := range terms {
		key := l.slots[t]
		s[key/64] |= 1 << (key % 64)
	}
	return s
}

// of lists the sets of one item.
func (l *groupSets) of(g *parser.Grouping) ([]groupSet, error) {
	switch g.Kind {
	case parser.GroupRollup:
		return l.rollup(g.Items)
	case parser.GroupCube:
		return l.cube(g.Items)
	case parser.GroupSets:
		var sets []groupSet
		for i := range g.Items {
			more, err := l.of(&g.Items[i])
			if err != nil {
				return nil, err
			}
			if sets = append(sets, more...); len(sets) > maxGroupSets {
				return nil, l.tooMany()
			}
		}
		return sets, nil
	}
	return []groupSet{l.set(g.Terms)}, nil
}

// rollup lists all items, then all but the last, and so on to none.
func (l *groupSets) rollup(items []parser.Grouping) ([]groupSet, error) {
	if len(items) >= maxGroupSets {
		return nil, l.tooMany()
	}
	sets := []groupSet{l.set(nil)}
	for _, item := range items {
		sets = append(sets, sets[len(sets)-1].with(l.set(item.Terms)))
	}
	slices.Reverse(sets)
	return sets, nil
}

// cube lists every choice of items, all of them first.
func (l *groupSets) cube(items []parser.Grouping) ([]groupSet, error) {
	if len(items) > maxCubed {
		return nil, errorf(BadStatement, l.scope.core.Pos,
			"CUBE has at most %d terms, which are %d grouping sets", maxCubed, maxGroupSets)
	}
	sets := []groupSet{l.set(nil)}
	for i := range items { // the last item is chosen and not in turn
		item := l.set(items[i].Terms)
		var more []groupSet
		for _, s := range sets {
			more = append(more, s.with(item), s)
		}
		sets = more
	}
	return sets, nil
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
	if err := s.busy(len(masks) * len(c.Args)); err != nil {
		return nil, true, err
	}
	for _, a := range c.Args {
		slot, ok := s.groupSlot(a)
		if !ok {
			return nil, true, errorf(BadArgument, a.At(), "%s() takes what GROUP BY lists", name)
		}
		for i := range masks {
			masks[i] <<= 1
			if len(s.sets) > 0 && !s.sets[i].has(slot) {
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
	set := t.plan.sets[n]
	for i := range t.values[:len(t.values)-1] {
		t.values[i] = null
		if row != nil && set.has(i) {
			t.values[i] = row[i]
		}
	}
	t.values[len(t.values)-1] = value.OfInt(int64(n))
}

// addEmptySets makes the groups of sets without a key that no row has made.
func (t *groupTable) addEmptySets(en *expr.Env) error {
	for n, set := range t.plan.sets {
		if !set.empty() {
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
