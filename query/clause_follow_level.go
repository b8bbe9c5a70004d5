package query

import (
	"slices"

	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A followLevel is groups that FOLLOW keeps, and what is made of the row of one of them. The lowest
// level groups events; one above it, the rows that are made of the groups below: a SELECT over a view
// that groups has one level if it filters and computes, and two if it groups by itself.
type followLevel struct {
	group  *groupPlan
	steps  []followStep    // at least one; the last has no results
	within []*viewRelation // in whose definitions its GROUP BY stands, the innermost first
}

// A followStep lets a row pass and computes with it.
type followStep struct {
	conds   []condition
	results []*expr.Expr    // nil where the row stays as it is; one of them is nil if nobody reads it
	within  []*viewRelation // in whose definitions it stands, the innermost first
}

// then adds a step to what is made of the groups below. Where there are none it has nothing to do:
// the relation itself filters and computes with events.
func (s *followedSource) then(conds []condition, results []*expr.Expr) {
	if n := len(s.levels); n > 0 {
		top := s.levels[n-1]
		top.steps = append(top.steps, followStep{conds: counted(conds), results: results})
	}
}

// add adds a level, the groups of a core, of which results are computed; nil if that is not for it to
// do.
func (s *followedSource) add(core *corePlan, results []*expr.Expr) {
	s.then(core.group.where, nil)
	first := followStep{conds: counted(core.having), results: results}
	s.levels = append(s.levels, &followLevel{group: core.group, steps: []followStep{first}})
}

// enter tells that all that there is stands in the definition of a view.
func (s *followedSource) enter(view *viewRelation) {
	s.views = slices.Insert(s.views, 0, view)
	for _, l := range s.levels {
		l.within = append(l.within, view)
		for i := range l.steps {
			l.steps[i].within = append(l.steps[i].within, view)
		}
	}
}

// faultWithin gives an error its place in the definitions of views.
func faultWithin(within []*viewRelation, err error) error {
	for _, v := range within {
		err = v.view.fault(err, v.pos)
	}
	return err
}

// A liveLevel is a followLevel while it is followed. One goroutine uses it.
type liveLevel struct {
	*followLevel
	table *groupTable
	envs  []*expr.Env     // of the steps
	rows  [][]value.Value // which they read, with room for pseudo-columns at the end
	dirty []*liveGroup    // groups that may have changed; those of the highest level are the batch
	gone  bool            // some of them are
}

func newLiveLevel(ex *execution, f *followLevel) *liveLevel {
	l := &liveLevel{followLevel: f}
	row := make([]value.Value, len(f.group.keys)+len(f.group.aggs)+followValues)
	for _, step := range f.steps {
		l.envs, l.rows = append(l.envs, ex.env(nil)), append(l.rows, row)
		if step.results != nil {
			row = make([]value.Value, len(step.results)+followValues)
		}
	}
	return l
}

// rowOf computes the row that is made of a group, which is the current one of the environment until
// the next call. pass is false if a condition does not hold for it. Of a group that is gone the row has
// the key, NULL for what is aggregated, and no condition is asked.
func (l *liveLevel) rowOf(g *group, gone bool) (en *expr.Env, pass bool, err error) {
	row := l.rows[0]
	clear(row)
	copy(row, g.keys)
	for i := range l.steps {
		step := &l.steps[i]
		en = l.envs[i]
		en.Begin()
		if i == 0 && !gone {
			if err := l.aggregates(row, g, en); err != nil {
				return nil, false, faultWithin(l.within, err)
			}
		}
		en.Row.Values = l.rows[i]
		if pass = gone || allTrue(step.conds, en); !pass || en.Err != nil {
			return nil, false, faultWithin(step.within, en.Err)
		}
		for at, e := range step.results {
			if e != nil {
				l.rows[i+1][at] = e.Eval(en)
			}
		}
		if en.Err != nil {
			return nil, false, faultWithin(step.within, en.Err)
		}
	}
	return en, true, nil
}

// aggregates computes what has been aggregated of a group.
func (l *liveLevel) aggregates(row []value.Value, g *group, en *expr.Env) error {
	for i, a := range l.group.aggs {
		v, err := a.result(&g.aggs[a.state], en)
		if err != nil {
			return err
		}
		row[len(g.keys)+i] = v
	}
	return nil
}

// rise takes what has changed in a level to the groups of the one above it. Those of which some row
// has changed, come or gone are added up anew of all their rows: what an aggregate has added it cannot
// take back.
func (l *liveRows) rise(below, above *liveLevel) error {
	for i, live := range below.dirty {
		if i%batchRows == 0 && l.ex.ctx.Err() != nil {
			return l.ex.ctx.Err()
		}
		live.dirty = false
		if err := l.move(live, below, above); err != nil {
			return err
		}
	}
	below.endBatch(l)
	if len(above.group.keys) == 0 && len(above.table.groups) == 0 {
		g, err := above.table.insert("", nil)
		if err != nil {
			return err
		}
		if err := l.touch(above, g); err != nil {
			return err
		}
	}
	if len(above.dirty) == 0 {
		return nil
	}
	for _, live := range above.dirty {
		above.restart(live)
	}
	for i, g := range below.table.groups {
		if i%batchRows == 0 && l.ex.ctx.Err() != nil {
			return l.ex.ctx.Err()
		}
		if up := g.live.above; up == nil || !up.redone {
			continue
		}
		if err := l.addAgain(g, below, above); err != nil {
			return err
		}
	}
	above.finish(above.dirty)
	return nil
}

// move finds out in which group of the level above the row of a group is now.
func (l *liveRows) move(live *liveGroup, below, above *liveLevel) error {
	old := live.above
	live.above = nil
	if old != nil {
		if err := l.touch(above, old.group); err != nil {
			return err
		}
	}
	if live.gone {
		return nil
	}
	en, pass, err := below.rowOf(live.group, false)
	if !pass || err != nil {
		return err
	}
	up, err := above.table.find(en)
	if err != nil {
		return faultWithin(above.within, err)
	}
	if err := l.touch(above, up); err != nil {
		return err
	}
	live.above = up.live
	return nil
}

// addAgain adds the row of a group to the one above it that is being added up anew. What a function of
// the program gives may be something else than when move asked it: the row may be gone then, but stays
// in the group in which it was found to be.
func (l *liveRows) addAgain(g *group, below, above *liveLevel) error {
	en, pass, err := below.rowOf(g, false)
	if !pass || err != nil {
		g.live.above = nil
		return err
	}
	up, err := above.table.find(en)
	switch {
	case err != nil:
	case up.live == nil || !up.live.redone:
		err = l.touch(above, up) // which takes away a group that was made for nothing
		up = g.live.above.group
	case !up.live.counted && !looksSame(above.table.values, up.keys):
		up, err = l.replace(above, up)
	}
	if err == nil {
		up.live.counted, g.live.above = true, up.live
		err = above.table.aggregate(up, en)
	}
	return faultWithin(above.within, err)
}

// restart empties a group that is to be computed again. finish ends that.
func (l *liveLevel) restart(live *liveGroup) {
	for i := range live.group.aggs {
		l.table.keep.drop(live.group.aggs[i].whole())
	}
	live.group.aggs = make([]aggState, len(l.group.aggs))
	live.redone, live.counted = true, false
}

// finish tells which of the groups that were computed again are gone.
func (l *liveLevel) finish(groups []*liveGroup) {
	for _, live := range groups {
		live.redone = false
		live.gone = !live.counted && len(l.group.keys) > 0
		l.gone = l.gone || live.gone
	}
}

// endBatch makes room for the next batch, and forgets the groups that are gone.
func (l *liveLevel) endBatch(rows *liveRows) {
	if l.gone {
		rows.removeGone(l)
	}
	clear(l.dirty)
	l.dirty, l.gone = l.dirty[:0], false
}
