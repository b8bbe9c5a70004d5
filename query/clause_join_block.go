package query

import (
	"slices"

	"github.com/eventfold/eventfold/parser"
)

// A joined is a part of FROM with its plan.
type joined struct {
	relation
	layout []int // the numbers of its sources, in the order in which their columns stand in the rows
	set    itemSet
}

// layoutOf returns the sources whose columns stand in the rows of a part of FROM.
func (c *coreScope) layoutOf(rel joined) []fromItem {
	list := make([]fromItem, len(rel.layout))
	for k, i := range rel.layout {
		list[k] = c.sources[i]
	}
	return list
}

// A joinBlock is tables and sub-queries that FROM joins by commas, JOIN, LEFT and RIGHT JOIN,
// without what such an outer join may not find a row of: that is one item, and a block of its own.
// So are the two sides of a FULL JOIN.
//
// An inner join gives the same rows wherever it is done, so long as its conditions are decided at
// some time. So does an outer join, which adds columns to rows and drops none, as soon as the tables
// that its ON reads have been joined, and so does an item that reads others. So the items may be
// joined in any order that respects this.
type joinBlock struct {
	*coreScope
	items []*joinItem
	conds []*pendingCond // of WHERE and of the inner joins: every row of the block satisfies them
	equal equalities
}

// A joinItem is one of the things that a block joins.
type joinItem struct {
	from   parser.Source
	lo, hi int
	set    itemSet
	leaf   bool // a table or a sub-query

	// Of the right side of a LEFT JOIN, and the left side of a RIGHT JOIN.
	outer bool
	on    []*pendingCond

	lateral *lateralRow // what a leaf reads of others; nil for nothing
	after   itemSet     // must have been joined before

	constant bool // some column of it must equal a constant
}

// joinBlock compiles the part of FROM whose first source is number lo. conds are the conditions
// that all of its rows must satisfy; those that it has not seen to afterwards are not marked as
// used.
func (c *coreScope) joinBlock(from parser.Source, lo int, conds []*pendingCond) (joined, error) {
	b := &joinBlock{coreScope: c, conds: slices.Clone(conds)}
	own, _, err := b.collect(from, lo, false)
	if err != nil {
		return joined{}, err
	}
	b.conds = append(b.conds, own...)
	for _, it := range b.items {
		if it.leaf {
			if err := c.checkLateral(it.lo, it.hi, b.all()); err != nil {
				return joined{}, err
			}
		}
	}
	if len(b.items) > 1 {
		b.deduce()
	}
	var all joined
	for i, group := range b.order() {
		rel, err := b.joinGroup(group)
		if err != nil {
			return joined{}, err
		}
		if i == 0 {
			all = rel
		} else if all, err = b.inner(all, rel); err != nil {
			return joined{}, err
		}
	}
	return all, nil
}

// all are the sources of the block.
func (b *joinBlock) all() (set itemSet) {
	for _, it := range b.items {
		set |= it.set
	}
	return set
}

// collect lists the items of a part of FROM, the first source of which is number lo, and the
// conditions of its inner joins. next is the number of the source behind it. whole makes it one
// item, as what stands to the right of a LEFT JOIN is.
func (b *joinBlock) collect(
	from parser.Source, lo int, whole bool,
) (on []*pendingCond, next int, err error) {
	j, ok := from.(*parser.Join)
	if !ok || whole || j.Kind == parser.FullJoin {
		return nil, b.addItem(from, lo, !ok), nil
	}
	if j.Kind == parser.RightJoin {
		return b.collectRight(j, lo)
	}
	on, mid, err := b.collect(j.Left, lo, false)
	if err != nil {
		return nil, 0, err
	}
	outer := j.Kind == parser.LeftJoin
	right, next, err := b.collect(j.Right, mid, outer)
	if err != nil {
		return nil, 0, err
	}
	own := b.joinConditions(j, lo, next)
	if outer {
		b.items[len(b.items)-1].joinOuter(own, setOf(mid-1, mid))
		return on, next, nil
	}
	return append(append(on, right...), own...), next, nil
}

// collectRight collects a RIGHT JOIN: a LEFT JOIN with its sides exchanged.
func (b *joinBlock) collectRight(j *parser.Join, lo int) (on []*pendingCond, next int, err error) {
	mid := lo + countSources(j.Left)
	if on, next, err = b.collect(j.Right, mid, false); err != nil {
		return nil, 0, err
	}
	if err := b.checkLateral(mid, next, b.all()); err != nil { // before the left side is part of it
		return nil, 0, err
	}
	if _, _, err = b.collect(j.Left, lo, true); err != nil {
		return nil, 0, err
	}
	b.items[len(b.items)-1].joinOuter(b.joinConditions(j, lo, next), setOf(mid, mid+1))
	return on, next, nil
}

// addItem adds a part of FROM as one item, and returns the number of the source behind it.
func (b *joinBlock) addItem(from parser.Source, lo int, leaf bool) (next int) {
	next = lo + countSources(from)
	it := &joinItem{from: from, lo: lo, hi: next, set: setOf(lo, next), leaf: leaf}
	if leaf {
		if it.lateral = b.sources[lo].lateral; it.lateral != nil {
			it.after = it.lateral.reads(b.coreScope)
		}
	}
	b.items = append(b.items, it)
	return next
}

// joinOuter makes the item the one of an outer join that may have no row, any of the other side's
// sources being other.
func (it *joinItem) joinOuter(on []*pendingCond, other itemSet) {
	it.outer, it.on = true, on
	for _, w := range on {
		it.after |= w.needs &^ it.set
	}
	if it.after == 0 {
		it.after = other
	}
}

// waits reports whether the item can only be joined to what it reads.
func (it *joinItem) waits() bool { return it.outer || it.lateral != nil }

// kind is how the item is joined to those before it.
func (it *joinItem) kind() parser.JoinKind {
	if it.outer {
		return parser.LeftJoin
	}
	return parser.InnerJoin
}

// joinGroup joins items, one after the other.
func (b *joinBlock) joinGroup(items []*joinItem) (joined, error) {
	all, err := b.item(items[0])
	for _, it := range items[1:] {
		if err != nil {
			return joined{}, err
		}
		var rel joined
		if rel, err = b.item(it); err != nil {
			return joined{}, err
		}
		switch {
		case it.lateral != nil:
			all, err = b.lateral(all, rel, it)
		case it.outer:
			all, err = b.left(all, rel, it.on)
		case b.linked(rel.set, all.set) && rel.set.first() < all.set.first():
			all, err = b.inner(rel, all) // rows of the table that FROM names first stream
		default:
			all, err = b.inner(all, rel)
		}
	}
	return all, err
}

// item compiles an item by itself.
func (b *joinBlock) item(it *joinItem) (joined, error) {
	conds := b.conds
	if it.outer { // WHERE would drop rows of it before they are joined, instead of rows of the result
		conds = append(slices.Clone(it.on), b.deduceOn(it)...)
	}
	if it.leaf {
		return b.placeInLeaf(it.lo, conds)
	}
	if j := it.from.(*parser.Join); j.Kind == parser.FullJoin {
		return b.full(j, it.lo, conds)
	}
	return b.joinBlock(it.from, it.lo, conds)
}

// full compiles a FULL JOIN. Nothing may drop rows of its sides before they are joined.
func (b *joinBlock) full(j *parser.Join, lo int, conds []*pendingCond) (joined, error) {
	mid := lo + countSources(j.Left)
	on := b.joinConditions(j, lo, mid+countSources(j.Right))
	left, err := b.joinBlock(j.Left, lo, nil)
	if err != nil {
		return joined{}, err
	}
	right, err := b.joinBlock(j.Right, mid, nil)
	if err != nil {
		return joined{}, err
	}
	p, rel := newJoin(left, right, parser.FullJoin)
	if err := b.joinKeys(p, on, left, right); err != nil {
		return rel, err
	}
	if p.conds, err = b.joinRest(on, rel, &p.texts); err != nil {
		return rel, err
	}
	p.where, err = b.joinRest(conds, rel, &p.whereTexts)
	return rel, err
}

// inner joins two parts of FROM. The conditions that are about nothing else are decided by the
// join.
func (b *joinBlock) inner(left, right joined) (joined, error) {
	p, rel := newJoin(left, right, parser.InnerJoin)
	keys := slices.Concat(b.conds, b.deduced(left.set, right.set))
	if err := b.joinKeys(p, keys, left, right); err != nil {
		return rel, err
	}
	if len(p.keys) == 0 && remade(right.relation) {
		return b.lateral(left, right, &joinItem{})
	}
	var err error
	p.conds, err = b.joinRest(b.conds, rel, &p.texts)
	return rel, err
}

// left joins two parts of FROM by LEFT JOIN. Conditions on its result stand above it.
func (b *joinBlock) left(left, right joined, on []*pendingCond) (joined, error) {
	p, rel := newJoin(left, right, parser.LeftJoin)
	if err := b.joinKeys(p, on, left, right); err != nil {
		return rel, err
	}
	if len(p.keys) == 0 && remade(right.relation) {
		return b.lateral(left, right, &joinItem{outer: true, on: on})
	}
	var err error
	if p.conds, err = b.joinRest(on, rel, &p.texts); err != nil {
		return rel, err
	}
	p.where, err = b.joinRest(b.conds, rel, &p.whereTexts)
	return rel, err
}

func newJoin(left, right joined, kind parser.JoinKind) (*joinRelation, joined) {
	p := newJoinRelation(left.relation, right.relation, kind)
	return p, joined{
		relation: p, layout: slices.Concat(left.layout, right.layout), set: left.set | right.set,
	}
}

// joinKeys finds the equalities between the sides of a join.
// They choose candidates; the conditions themselves are evaluated again on the joined row.
func (b *joinBlock) joinKeys(p *joinRelation, conds []*pendingCond, left, right joined) error {
	for _, w := range conds {
		if err := b.busy(compileWork); err != nil {
			return err
		}
		if w.used || !w.links(left.set, right.set) {
			continue
		}
		eq := w.e.(*parser.Binary)
		l, r := eq.X, eq.Y
		if !w.sides[0].within(left.set) {
			l, r = r, l
		}
		x, err := b.part(left, w).onScope().compile(l)
		if err != nil {
			return err
		}
		y, err := b.part(right, w).onScope().compile(r)
		if err != nil {
			return err
		}
		if key, ok := newJoinKey(x, y); ok {
			p.noteStreams(b.coreScope, w, len(p.keys))
			p.keys = append(p.keys, key)
			p.texts = append(p.texts, exprText(w.e))
		}
	}
	return nil
}

// links reports whether the condition is an equality between something of the one and something of
// the other.
func (w *pendingCond) links(a, b itemSet) bool {
	if !w.equality || w.sides[0] == 0 || w.sides[1] == 0 {
		return false
	}
	return w.sides[0].within(a) && w.sides[1].within(b) || w.sides[0].within(b) && w.sides[1].within(a)
}

// joinRest compiles the conditions that are about the joined row and have no place yet.
func (b *joinBlock) joinRest(
	conds []*pendingCond, rel joined, texts *[]string,
) ([]condition, error) {
	var list []condition
	for _, w := range conds {
		if err := b.busy(compileWork); err != nil {
			return nil, err
		}
		if w.used || !w.needs.within(rel.set) || w.opaque && w.clause == "WHERE" {
			continue
		}
		x, err := b.part(rel, w).onScope().compile(w.e)
		if err != nil {
			return nil, err
		}
		list = append(list, x.Condition())
		*texts = append(*texts, conjunctText(w.e))
		w.used = true
	}
	return counted(list), nil
}
