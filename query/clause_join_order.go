package query

import (
	"cmp"
	"slices"
)

// order puts the items of a block into the order in which they are joined: groups of items that
// equalities link, the largest first. Nothing links one group with another, so what joins them is a
// cross product, and comes last.
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
func (w *pendingCond) fixes(set itemSet) bool {
	return w.equality && !w.used && w.needs != 0 && w.needs.within(set) &&
		(w.sides[0] == 0 || w.sides[1] == 0)
}

// groups divides the items into those that equalities link, directly or over others, each in the
// order of FROM. The right side of a LEFT JOIN is in the group of what its ON reads, and what reads
// other items in theirs.
func (b *joinBlock) groups() [][]*joinItem {
	var sets []itemSet
	for _, it := range b.items {
		sets = append(sets, it.set|it.after)
	}
	for _, w := range b.conds {
		if w.equality && w.sides[0] != 0 && w.sides[1] != 0 {
			sets = append(sets, w.needs)
		}
	}
	var groups [][]*joinItem
	var seen itemSet
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
func closure(set itemSet, sets []itemSet) itemSet {
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

// maxStarts is how many tables chain tries to begin with.
const maxStarts = 8

// chain puts the items of a group into order. If that takes a cross product, it looks whether
// beginning with another table does not.
func (b *joinBlock) chain(items []*joinItem) []*joinItem {
	best, crosses := b.chainFrom(b.best(items, 0), items)
	for i, it := range items[:min(len(items), maxStarts)] {
		if crosses == 0 {
			break
		}
		if it.waits() {
			continue
		}
		if list, n := b.chainFrom(i, items); n < crosses {
			best, crosses = list, n
		}
	}
	return best
}

// chainFrom puts items into order, of which number i is the first, and counts the cross products.
func (b *joinBlock) chainFrom(i int, items []*joinItem) (list []*joinItem, crosses int) {
	items = slices.Clone(items)
	for done := itemSet(0); ; i = b.best(items, done) {
		if len(list) > 0 && b.rank(items[i], done) < linkedRank {
			crosses++
		}
		list = append(list, items[i])
		done |= items[i].set
		if items = slices.Delete(items, i, i+1); len(items) == 0 {
			return list, crosses
		}
	}
}

// best returns the number of the item to join next, when done has been joined: of several that are
// equally good, the first of FROM.
func (b *joinBlock) best(items []*joinItem, done itemSet) int {
	best, most := 0, -1
	for i, it := range items {
		if r := b.rank(it, done); r > most {
			best, most = i, r
		}
	}
	return best
}

// The ranks of items.
const (
	notYet       = iota // an outer join or an item that reads what has not been joined
	crossRank           // a cross product
	constantRank        // one with something that equals a constant
	linkedRank
	bestRank // linked, and equals a constant
)

// rank tells how good it is to join the item next, when done has been joined.
func (b *joinBlock) rank(it *joinItem, done itemSet) int {
	switch {
	case it.waits() && (done == 0 || !it.after.within(done)):
		return notYet
	case it.waits():
		return linkedRank
	case done != 0 && b.linked(it.set, done):
		if it.constant {
			return bestRank
		}
		return linkedRank
	case it.constant:
		return constantRank
	}
	return crossRank
}

// linked reports whether an equality says which rows of the one belong to which of the other.
func (b *joinBlock) linked(x, y itemSet) bool {
	for _, w := range b.conds {
		if w.links(x, y) {
			return true
		}
	}
	return b.equal.link(x, y)
}
