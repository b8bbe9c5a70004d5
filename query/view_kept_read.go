package query

import (
	"context"
	"errors"
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/sabotage"
)

// A keptRead is one reading of a keptView.
type keptRead struct {
	kept     *keptView
	g        *groupedRows
	now      engine.ReadIndex // the store as it is, which shows nothing that is erased
	head     engine.Position  // of the statement's snapshot
	erasures engine.Version   // that now knows of
	room     int64            // bytes that the levels leave of what the view may take
}

// fillKept makes the group table of a materialised view. done is false if that cannot be done from
// what is kept, and everything is to be read.
func (g *groupedRows) fillKept() (done bool, err error) {
	kept := g.ex.session.kept(g.plan.view)
	if kept == nil || kept.tooLarge.Load() != nil || g.ex.mustRead() {
		return false, nil
	}
	r := &keptRead{kept: kept, g: g, head: g.ex.index.Head(), now: g.ex.session.Store.ReadIndex()}
	if r.now.Head() < r.head { // the store is closed
		return false, nil
	}
	if r.erasures, err = erasuresOf(r.now); err != nil {
		return false, err
	}
	snapshot := g.lasting
	if tx := g.ex.session.Tx; tx != nil {
		snapshot = tx.index
	}
	if snapshot != nil {
		if seen, err := erasuresOf(snapshot); err != nil || seen != r.erasures {
			return false, err // what has been erased since is there as it was
		}
	}
	kept.wanted.Store(true)
	if err := r.load(); err != nil {
		return false, err
	}
	levels, err := r.levels()
	if err != nil || levels == nil {
		return false, err
	}
	return g.tookOver(r.combine(levels))
}

// tookOver ends what fillKept has done. FOLLOW has copied the groups: if they are too many for the
// memory of a query, done is false, because the conditions may leave few of them.
func (g *groupedRows) tookOver(failed error) (done bool, err error) {
	if g.lasting == nil {
		return true, failed
	}
	g.dropOwn()
	var spent *MemoryError
	if errors.As(failed, &spent) {
		g.table.keep.release()
		g.table = newGroupTable(g.plan, g.ex.budget)
		return false, nil
	}
	return true, failed
}

// dropOwn lets go of groups of a materialised view that only this statement uses.
func (g *groupedRows) dropOwn() {
	if g.own != nil {
		g.own.release()
		g.own.budget.close()
		g.own = nil
	}
}

// keptReading begins a reading of a view by itself, as of an index. The caller ends it.
func (s *Session) keptReading(
	ctx context.Context, set *viewSet, v *viewDefinition, index engine.ReadIndex,
) (*keptRead, error) {
	sel, err := v.parse()
	if err != nil {
		return nil, err
	}
	c := &statementCompiler{catalog: storeCatalog{views: set}, functions: s.Settings.Functions, ctx: ctx}
	plan, err := c.expandView(v, sel)
	if err == nil {
		err = errors.Join(c.err, plan.keepable)
	}
	if err != nil {
		return nil, err // which whoever reads it is told
	}
	c.finish()
	kept := s.kept(v)
	if kept == nil {
		return nil, engine.ErrNoDerived
	}
	group := plan.cores[0].group
	group.view = v
	ex := &execution{ctx: ctx, session: s, now: s.now(), index: index}
	ex.limitMemory(s)
	r := &keptRead{kept: kept, g: &groupedRows{plan: group, ex: ex}, now: index}
	r.erasures, err = erasuresOf(index)
	return r, err
}

// end ends a reading of a view by itself.
func (r *keptRead) end() {
	_ = r.g.close() // which never fails
	r.g.ex.end()
}

// mustRead reports whether the open transaction has erased anything, which it alone does not see, or
// is serializable and has to note what is read.
func (ex *execution) mustRead() bool {
	tx := ex.session.Tx
	return tx != nil && (len(tx.erased) > 0 || tx.reads != nil)
}

// levels returns the levels up to the statement's head. It returns nil if there is too much for the
// memory that a view may take, or if what is kept begins behind the head.
func (r *keptRead) levels() ([]*keptLevel, error) {
	levels, err := r.begin()
	if err != nil {
		return nil, err
	}
	from := engine.Position(0)
	if n := len(levels); n > 0 {
		from = levels[n-1].to
	}
	if from >= r.head {
		return levels, nil
	}
	if from == 0 && r.behind() {
		return nil, nil // nothing of it can be used
	}
	table, err := r.read(from)
	var spent *MemoryError
	if errors.As(err, &spent) && !spent.Store {
		r.kept.giveUp(r.g.plan.view.name, table, from)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r.publish(append(slices.Clone(levels), &keptLevel{from, r.head, table}))
}

// behind reports whether what is kept is ahead of the statement's snapshot.
func (r *keptRead) behind() bool {
	r.kept.mu.Lock()
	defer r.kept.mu.Unlock()
	n := len(r.kept.levels)
	return n > 0 && r.kept.levels[n-1].to > r.head
}

// begin drops what has been erased, and returns the levels that end within the snapshot.
func (r *keptRead) begin() ([]*keptLevel, error) {
	k := r.kept
	if err := k.forget(r.g.ex.ctx, r.now, r.erasures, nil); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	r.room = k.budget.limit
	for _, l := range k.levels {
		r.room -= l.table.keep.taken
	}
	n := len(k.levels)
	for n > 0 && k.levels[n-1].to > r.head && !sabotage.On(sabotage.ViewAhead) {
		n--
	}
	return k.levels[:n:n], nil
}

// read groups the events from a position up to the head. That takes what room the levels leave, however
// many others do the same at the moment: whether a view is too large does not depend on who reads it.
// The groups have a budget of their own until they are published. After an error the table holds nothing.
func (r *keptRead) read(from engine.Position) (*groupTable, error) {
	b := &budget{}
	b.set(&Settings{Memory: max(r.room, 1), Shared: r.kept.budget.store})
	b.text = r.kept.budget.text
	ex := &execution{ctx: r.g.ex.ctx, session: r.g.ex.session, now: r.g.ex.now, index: r.now.At(r.head),
		budget: b, counters: r.g.ex.counters, since: from, keeping: true}
	defer ex.end()
	g := &groupedRows{plan: r.g.plan, ex: ex, table: newGroupTable(r.g.plan, b)}
	if err := g.read(); err != nil {
		g.table.keep.release()
		b.close()
		return g.table, err
	}
	return g.table, nil
}

// publish leaves the last of the levels for others, unless they are ahead by now or know of an
// erasure that this reading does not: then only its statement uses it, and gives it back.
func (r *keptRead) publish(levels []*keptLevel) ([]*keptLevel, error) {
	k, last := r.kept, levels[len(levels)-1]
	k.mu.Lock()
	defer k.unlock()
	if k.gone || k.erasures != r.erasures || k.endLocked() != last.from {
		r.g.own = last.table.keep
		return levels, nil
	}
	if !last.table.keep.moveTo(&k.budget) {
		return levels, nil
	}
	next := append(slices.Clone(k.levels), last)
	if sabotage.On(sabotage.ViewBatchTwice) {
		next = append(next, last)
	}
	k.levels = k.joinLevels(next)
	return levels, nil
}

// joinLevels joins levels of about one size, so that there are few. The caller holds mu.
func (k *keptView) joinLevels(levels []*keptLevel) []*keptLevel {
	for n := len(levels); n > 1 && levels[n-1].size()*2 >= levels[n-2].size(); n-- {
		joined, err := levels[n-2].join(levels[n-1], &k.budget)
		if err != nil {
			k.letGo(joined.table)
			break // there is no room for both at once: they stay apart
		}
		k.letGo(levels[n-2].table)
		k.letGo(levels[n-1].table)
		levels = append(levels[:n-2:n-2], joined)
	}
	return levels
}
