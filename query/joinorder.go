package query

import (
	"cmp"
	"slices"
)

// order puts the items of a block into the order in which they are joined: groups of items that equalities link, the largest
// first. Nothing links one group with another, so what joins them is a cross product, and comes last.
func (b *joinBlock) order() [][]*joinItem {
	for _, it := range b.items {
		it.constant = slices.ContainsFunc(b.conds, func(w *pendingCond) bool { return w.fixes(it.set) })
	}
	groups := b.groups()
	slices.SortStableFunc(groups, func(x, y []*joinItem) int { return cmp.Compare(len(y), len(x)) })
	for i := range groups {
		groups[i] = b.chain(groups[i])
	}
	return groups
}

// fixes reports whether the condition says that something of the sources equals a constant.
func (w *pendingCond) fixes(set sourceSet) bool {
	return w.equality && !w.used && w.needs != 0 && w.needs.within(set) && (w.sides[0] == 0 || w.sides[1] == 0)
}

// groups divides the items into those that equalities link, directly or over others, each in the order of FROM.
// The right side of a LEFT JOIN is in the group of what its ON reads.
func (b *joinBlock) groups() [][]*joinItem {
	var sets []sourceSet
	for _, it := range b.items {
		sets = append(sets, it.set|it.after)
	}
	for _, w := range b.conds {
		if w.equality && w.sides[0] != 0 && w.sides[1] != 0 {
			sets = append(sets, w.needs)
		}
	}
	var groups [][]*joinItem
	var seen sourceSet
	for _, it := range b.items {
		if it.set.overlaps(seen) {
			continue
		}
		set := closure(it.set, sets)
		seen |= set
		var group []*joinItem
		for _, other := range b.items {
			if other.set.overlaps(set) {
				group = append(group, other)
			}
		}
		groups = append(groups, group)
	}
	return groups
}

// closure adds to a set every one that overlaps it.
func closure(set sourceSet, sets []sourceSet) sourceSet {
	for grown := true; grown; {
		grown = false
		for _, s := range sets {
			if s.overlaps(set) && !s.within(set) {
				set, grown = set|s, true
			}
		}
	}
	return set
}

// chain puts the items of a group into order.
func (b *joinBlock) chain(items []*joinItem) []*joinItem {
	var list []*joinItem
	var done sourceSet
	for len(items) > 0 {
		best := 0
		for i := range items {
			if b.rank(items[i], done) > b.rank(items[best], done) {
				best = i
			}
		}
		list = append(list, items[best])
		done |= items[best].set
		items = slices.Delete(slices.Clone(items), best, best+1)
	}
	return list
}

// rank tells how good it is to join the item next, when done has been joined. Of several that are equally good, the first of FROM is.
func (b *joinBlock) rank(it *joinItem, done sourceSet) int {
	linked := done != 0 && b.linked(it.set, done)
	switch {
	case it.outer && (done == 0 || !it.after.within(done)):
		return 0 // not yet
	case it.outer:
		return 3
	case linked && it.constant:
		return 4
	case linked:
		return 3
	case it.constant:
		return 2
	}
	return 1 // a cross product
}

// linked reports whether an equality says which rows of the one belong to which of the other.
func (b *joinBlock) linked(x, y sourceSet) bool {
	for _, w := range b.conds {
		if w.links(x, y) {
			return true
		}
	}
	return b.equal.link(x, y)
}
