package query

import (
	"slices"
)

// combine gives the statement the groups of all levels, and of the events of its transaction.
func (r *keptRead) combine(levels []*keptLevel) error {
	g := r.g
	own, err := r.own()
	if err != nil {
		return err
	}
	if own != nil {
		defer g.table.adopt(own)
		levels = append(slices.Clone(levels), &keptLevel{table: own})
	}
	key, ok, err := g.keptKey()
	switch {
	case err != nil:
		return err
	case g.lasting != nil:
		return r.copyLevels(levels, key, ok)
	case ok:
		return r.combineKey(levels, key)
	}
	if len(levels) == 1 {
		g.table.groups = levels[0].table.groups
		return nil
	}
	tail := newGroupTable(g.plan, g.ex.budget)
	defer g.table.adopt(tail)
	for _, l := range levels[1:] {
		if err := tail.take(l.table); err != nil {
			return err
		}
	}
	first := levels[0].table
	if err := g.table.keep.account(int64(len(first.groups)+len(tail.groups)) * 8); err != nil {
		return err
	}
	for i, one := range first.groups {
		if i%batchRows == 0 && g.ex.ctx.Err() != nil {
			return g.ex.ctx.Err()
		}
		if len(tail.groups) > 0 {
			g.table.key = g.table.keyOf(g.table.key[:0], one.keys)
			if later := tail.byKey[string(g.table.key)]; later != nil {
				if one, err = g.table.both(one, later); err != nil {
					return err
				}
			}
		}
		g.table.groups = append(g.table.groups, one)
	}
	for _, one := range tail.groups {
		g.table.key = g.table.keyOf(g.table.key[:0], one.keys)
		if first.byKey[string(g.table.key)] == nil {
			g.table.groups = append(g.table.groups, one)
		}
	}
	return nil
}

// adopt makes the table account for what another one of the same statement holds.
func (t *groupTable) adopt(other *groupTable) {
	t.keep.taken += other.keep.taken
	other.keep.taken = 0
}

// both returns a group that one is with what comes later.
func (t *groupTable) both(one, later *group) (*group, error) {
	sum := &group{keys: one.keys, aggs: slices.Clone(one.aggs)}
	size := sum.size(0)
	for i, a := range t.plan.aggs {
		from := later.aggs[i]
		if err := a.def.merge(&sum.aggs[i], &from, a); err != nil {
			return nil, err
		}
		size += sum.aggs[i].sums()
	}
	return sum, t.keep.account(size)
}

// combineKey gives the statement the group of one key.
func (r *keptRead) combineKey(levels []*keptLevel, key []byte) (err error) {
	table := r.g.table
	for _, l := range levels {
		one := l.table.byKey[string(key)]
		switch {
		case one == nil:
		case len(table.groups) == 0:
			table.groups = append(table.groups, one)
		default:
			if table.groups[0], err = table.both(table.groups[0], one); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyLevels gives a statement that goes on to add to them groups of its own: that of the key if only
// one is wanted, otherwise all.
func (r *keptRead) copyLevels(levels []*keptLevel, key []byte, one bool) error {
	table := r.g.table
	for _, l := range levels {
		if g := l.table.byKey[string(key)]; one && g != nil {
			if err := table.takeOne(g); err != nil {
				return err
			}
		} else if !one {
			if err := table.take(l.table); err != nil {
				return err
			}
		}
	}
	for i, g := range table.groups {
		if i%batchRows == 0 && r.g.ex.ctx.Err() != nil {
			return r.g.ex.ctx.Err()
		}
		for i := range g.aggs {
			g.aggs[i].detach()
		}
	}
	return nil
}

// detach makes a copy of a state one that may be added to: its sums and its text are no longer those of
// the other. The text is that of the value, or of one before it, which had one.
func (s *aggState) detach() {
	s.total.Detach()
	if s.squares != nil {
		squares := *s.squares
		squares.Detach()
		s.squares = &squares
	}
	if s.text != nil {
		s.text = nil
		s.set(s.value)
	}
}

// own groups the events of the open transaction, nil for none.
func (r *keptRead) own() (*groupTable, error) {
	if len(r.g.ex.own) == 0 {
		return nil, nil
	}
	ex := &execution{ctx: r.g.ex.ctx, session: r.g.ex.session, now: r.g.ex.now, index: r.g.ex.index,
		own: r.g.ex.own, streams: r.g.ex.streams, budget: r.g.ex.budget, counters: r.g.ex.counters, since: r.head,
		keeping: true}
	defer ex.end()
	g := &groupedRows{plan: r.g.plan, ex: ex, table: newGroupTable(r.g.plan, ex.budget)}
	return g.table, g.read()
}
