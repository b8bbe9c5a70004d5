package query

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/sabotage"
	"github.com/eventfold/eventfold/query/internal/expr"
	"github.com/eventfold/eventfold/query/internal/value"
)

// A keptView is what this process keeps of a materialised view: its groups, in levels that follow
// each other along the log. A reader takes the levels that end within its snapshot and groups what
// comes behind them itself, so that it sees exactly its snapshot, and leaves what it has grouped as
// one more level.
//
// Groups of a level never change once it is there: readers use them without a lock.
type keptView struct {
	budget budget

	mu       sync.Mutex // protects all below; never held while events are read
	levels   []*keptLevel
	erasures engine.Version // of the store's own stream, up to which the levels know what is erased
	tooLarge atomic.Bool    // it was given up; see explain
}

// A keptLevel is the groups of the events of a range of positions.
type keptLevel struct {
	from, to engine.Position // inclusive, exclusive
	table    *groupTable
}

// defaultViewMemory is what the groups of a materialised view may take in a process, in bytes.
const defaultViewMemory = 256 << 20

// kept returns what is kept of a view, nil if nothing can be: it is of an open transaction, or nobody
// remembers anything.
func (s *Session) kept(v *viewDefinition) *keptView {
	views := s.Settings.Views
	if views == nil || v.position == engine.NoPosition {
		return nil
	}
	views.mu.Lock()
	defer views.mu.Unlock()
	k, newest := views.kept[v.position], views.newest()
	if k != nil || newest == nil {
		return k
	}
	if now := newest.find(v.name); now != nil && now.position == v.position {
		k = &keptView{erasures: engine.NoVersion}
		k.budget.set(&Settings{Memory: defaultViewMemory, Shared: s.Settings.Shared})
		if views.kept == nil {
			views.kept = map[engine.Position]*keptView{}
		}
		views.kept[v.position] = k
	}
	return k
}

// newest returns the set of the greatest version, nil for none. The caller holds mu.
func (v *Views) newest() (newest *viewSet) {
	for _, s := range v.sets {
		if newest == nil || s.version > newest.version {
			newest = s
		}
	}
	return newest
}

// dropOld lets go of what is kept of views that are gone, or defined otherwise. The caller holds mu.
func (v *Views) dropOld() {
	newest := v.newest()
	for position, k := range v.kept {
		current := func(d *viewDefinition) bool { return d.position == position }
		if newest == nil || !slices.ContainsFunc(newest.list(), current) {
			delete(v.kept, position)
			k.reset(0)
		}
	}
}

// reset drops the levels that know of events at or behind a position.
func (k *keptView) reset(from engine.Position) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.resetLocked(from)
}

func (k *keptView) resetLocked(from engine.Position) {
	n := len(k.levels)
	for n > 0 && k.levels[n-1].to > from {
		n--
		k.levels[n].table.keep.release()
	}
	k.levels = slices.Clone(k.levels[:n])
	k.tooLarge.Store(false)
	if n == 0 {
		k.budget.close()
	}
}

// A keptRead is one reading of a keptView.
type keptRead struct {
	kept     *keptView
	g        *groupedRows
	now      engine.ReadIndex // the store as it is, which shows nothing that is erased
	head     engine.Position  // of the statement's snapshot
	erasures engine.Version   // that now knows of
}

// fillKept makes the group table of a materialised view. done is false if that cannot be done from
// what is kept, and everything is to be read.
func (g *groupedRows) fillKept() (done bool, err error) {
	kept := g.ex.session.kept(g.plan.view)
	if kept == nil || kept.tooLarge.Load() || g.ex.mustRead() {
		return false, nil
	}
	r := &keptRead{kept: kept, g: g, head: g.ex.index.Head(), now: g.ex.session.Store.ReadIndex()}
	if r.now.Head() < r.head { // the store is closed
		return false, nil
	}
	if r.erasures, err = erasuresOf(r.now); err != nil {
		return false, err
	}
	if tx := g.ex.session.Tx; tx != nil {
		if seen, err := erasuresOf(tx.index); err != nil || seen != r.erasures {
			return false, err // what has been erased since the transaction sees as it was
		}
	}
	levels, err := r.levels()
	if err != nil || levels == nil {
		return false, err
	}
	return true, r.combine(levels)
}

// erasuresOf returns the version of the stream that tells of erasures.
func erasuresOf(index engine.ReadIndex) (engine.Version, error) {
	version, some, err := index.StreamVersion(engine.ErasuresStream)
	if !some {
		version = engine.NoVersion
	}
	return version, err
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
		r.kept.reset(0)
		r.kept.tooLarge.Store(true)
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
	r.kept.mu.Lock()
	seen := r.kept.erasures
	r.kept.mu.Unlock()
	first := engine.Position(math.MaxInt64)
	if seen < r.erasures {
		var err error
		if first, err = firstErased(r.g.ex.ctx, r.now, seen); err != nil {
			return nil, err
		}
	}
	k := r.kept
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.erasures < r.erasures && !sabotage.On(sabotage.ViewStale) {
		k.resetLocked(first)
		k.erasures = r.erasures
	}
	n := len(k.levels)
	for n > 0 && k.levels[n-1].to > r.head && !sabotage.On(sabotage.ViewAhead) {
		n--
	}
	return k.levels[:n:n], nil
}

// firstErased returns the first position that is named by what the store tells of erasures behind a
// version of its stream.
func firstErased(ctx context.Context, index engine.ReadIndex, seen engine.Version) (engine.Position, error) {
	first := engine.Position(math.MaxInt64)
	c := index.ReadStream(ctx, engine.ErasuresStream, seen+1, engine.Forwards)
	defer c.Close()
	for c.Next() {
		if e := c.Event(); e.Type == engine.ErasedType {
			told, err := engine.ParseErased(e.Payload)
			if err != nil {
				return 0, err
			}
			if len(told.Events) > 0 {
				first = min(first, told.Events[0].From)
			}
		}
	}
	return first, c.Err()
}

// read groups the events from a position up to the head, with the memory of the view.
func (r *keptRead) read(from engine.Position) (*groupTable, error) {
	ex := &execution{ctx: r.g.ex.ctx, session: r.g.ex.session, now: r.g.ex.now, index: r.now.At(r.head),
		budget: &r.kept.budget, counters: r.g.ex.counters, since: from, keeping: true}
	defer ex.end()
	g := &groupedRows{plan: r.g.plan, ex: ex, table: newGroupTable(r.g.plan, ex.budget)}
	if err := g.read(); err != nil {
		g.table.keep.release()
		return nil, err
	}
	return g.table, nil
}

// publish leaves the last of the levels for others, unless they are ahead by now or know of an
// erasure that this reading does not. It joins levels of about one size, so that there are few.
func (r *keptRead) publish(levels []*keptLevel) ([]*keptLevel, error) {
	k, last := r.kept, levels[len(levels)-1]
	k.mu.Lock()
	defer k.mu.Unlock()
	end := engine.Position(0)
	if n := len(k.levels); n > 0 {
		end = k.levels[n-1].to
	}
	if k.erasures != r.erasures || end != last.from {
		last.table.keep.release() // only this statement uses it
		return levels, nil
	}
	next := append(slices.Clone(k.levels), last)
	if sabotage.On(sabotage.ViewBatchTwice) {
		next = append(next, last)
	}
	for n := len(next); n > 1 && next[n-1].size()*2 >= next[n-2].size(); n-- {
		joined, err := next[n-2].join(next[n-1], &k.budget)
		if err != nil {
			joined.table.keep.release()
			break // there is no room for both at once: they stay apart
		}
		next[n-2].table.keep.release()
		next[n-1].table.keep.release()
		next = append(next[:n-2:n-2], joined)
	}
	k.levels = next
	return levels, nil
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
		size := int64(len(key)) + 128 + int64(len(g.aggs))*aggStateSize + int64(len(g.keys)*valueSize)
		for i := range g.aggs {
			size += g.aggs[i].size()
		}
		for _, v := range g.keys {
			size += int64(len(v.S))
		}
		return t.keep.account(size)
	}
	for i, a := range t.plan.aggs {
		from := g.aggs[i]
		if err := a.def.merge(&into.aggs[i], &from, a); err != nil {
			return err
		}
	}
	return nil
}

// keyOf appends the key under which a group with these values is found.
func (t *groupTable) keyOf(key []byte, values []value.Value) []byte {
	for i, v := range values {
		key = value.AppendKey(key, v, t.plan.keys[i].Collate)
	}
	return key
}

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
	if key, ok, err := g.keptKey(); ok || err != nil {
		return r.combineKey(levels, key, err)
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
	for i, a := range t.plan.aggs {
		from := later.aggs[i]
		if err := a.def.merge(&sum.aggs[i], &from, a); err != nil {
			return nil, err
		}
	}
	return sum, t.keep.account(128 + int64(len(sum.aggs))*aggStateSize)
}

// combineKey gives the statement the group of one key.
func (r *keptRead) combineKey(levels []*keptLevel, key []byte, err error) error {
	if err != nil {
		return err
	}
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

// A keptEqual is a condition of the query on a materialised view: a GROUP BY expression equals what
// does not depend on the view's row.
type keptEqual struct {
	slot    int
	operand *expr.Expr
}

// keptKey returns the key of the only group that can pass the query's conditions; ok is false if
// there may be several.
func (g *groupedRows) keptKey() (key []byte, ok bool, err error) {
	if len(g.plan.equals) == 0 {
		return nil, false, nil
	}
	values, given := make([]value.Value, len(g.plan.keys)), 0
	for _, eq := range g.plan.equals {
		en := g.ex.env(g.outer)
		v := eq.operand.Eval(en)
		if en.Err != nil || v.Kind != value.String || values[eq.slot].Kind != value.Null {
			continue // the condition itself decides, and tells what is wrong
		}
		values[eq.slot], given = v, given+1
	}
	if given < len(values) {
		return nil, false, g.ex.ctx.Err()
	}
	return g.table.keyOf(nil, values), true, nil
}

// explainKept tells what is kept, and how much is to be read behind it. It is false if nothing can be
// used of it.
func (g *groupPlan) explainKept(x *explainer) bool {
	kept := x.ex.session.kept(g.view)
	if kept == nil {
		return false
	}
	kept.mu.Lock()
	defer kept.mu.Unlock()
	head, to, groups := x.ex.index.Head(), engine.Position(0), 0
	for _, l := range kept.levels {
		if l.to <= head {
			to, groups = l.to, groups+len(l.table.groups)
		}
	}
	switch {
	case kept.tooLarge.Load():
		x.step("kept", "nothing: its groups need more than %d bytes", kept.budget.limit)
	case to == 0:
		x.step("kept", "nothing yet")
	default:
		x.step("kept", "%d groups of positions [0, %d], %d events behind them", groups, to-1, head-to)
	}
	return true
}

// A keptReport is what $views tells of a keptView.
type keptReport struct {
	rows, bytes, lag int64
	tooLarge         bool
}

// report tells what is kept as of a head.
func (k *keptView) report(head engine.Position) (r keptReport) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r.lag, r.bytes, r.tooLarge = int64(head), k.budget.held.Load(), k.tooLarge.Load()
	for _, l := range k.levels {
		r.rows += int64(len(l.table.groups))
		r.lag = max(0, int64(head-l.to))
	}
	return r
}
