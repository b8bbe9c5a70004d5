package query

import (
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A keptLevel is the groups of the events of a range of positions.
type keptLevel struct {
	from, to engine.Position // inclusive, exclusive
	table    *groupTable
}

// size is what joining a level costs.
func (l *keptLevel) size() int { return len(l.table.groups) + 1 }

// join returns a new level with the groups of both.
func (l *keptLevel) join(after *keptLevel, b *budget) (*keptLevel, error) {
	joined := &keptLevel{l.from, after.to, newGroupTable(l.table.plan, b)}
	err := joined.table.take(l.table)
	if err == nil {
		err = joined.table.take(after.table)
	}
	return joined, err
}

// take adds copies of another table's groups, which come after those that are there.
func (t *groupTable) take(after *groupTable) error {
	for _, g := range after.groups {
		if err := t.takeOne(g); err != nil {
			return err
		}
	}
	return nil
}

// takeOne adds a copy of a group. States that are kept are never changed in place, so that what they
// point to can be shared.
func (t *groupTable) takeOne(g *group) error {
	t.key = t.keyOf(t.key[:0], g.keys)
	into, ok := t.byKey[string(t.key)]
	if !ok {
		copied := &group{keys: g.keys, aggs: slices.Clone(g.aggs)}
		key := string(t.key)
		t.byKey[key] = copied
		t.groups = append(t.groups, copied)
		size := copied.size(len(key)) + int64(len(g.keys)*valueSize)
		for i := range g.aggs {
			size += g.aggs[i].size()
		}
		for _, v := range g.keys {
			size += int64(len(v.S))
		}
		return t.keep.account(size)
	}
	more := int64(0)
	for i, a := range t.plan.aggs {
		from, before := g.aggs[i], into.aggs[i].size()
		if err := a.def.merge(&into.aggs[i], &from, a); err != nil {
			return err
		}
		more += into.aggs[i].size() - before
	}
	if more <= 0 {
		t.keep.drop(-more)
		return nil
	}
	return t.keep.account(more)
}

// keyOf appends the key under which a group with these values is found.
func (t *groupTable) keyOf(key []byte, values []value.Value) []byte {
	for i, v := range values {
		key = value.AppendKey(key, v, t.plan.keys[i].Collate)
	}
	return key
}
