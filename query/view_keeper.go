package query

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
)

// A viewKeeper keeps the groups of materialized views beside the log, in the process that writes the
// log: when enough events have come, and when it is closed. It works in a goroutine of its own that
// runs while there is something to do; whoever appends only looks at a number.
type viewKeeper struct {
	views   *Views
	session *Session // the goroutine's
	store   engine.Deriver
	least   engine.Position // events for which anything is kept
	due     atomic.Int64    // from this position on there may be something to do; its complement while that is being done

	ctx     context.Context // ends with close
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex // protects what follows
	active bool       // the goroutine runs
	again  bool       // it is to look once more
	closed bool

	// The goroutine's.
	version engine.Version                    // of the views whose names are the only ones that are kept
	ends    map[engine.Position]keptElsewhere // by the positions of definitions
}

// keptElsewhere is what a keeper remembers of what is kept beside the log of a view.
type keptElsewhere struct {
	end    engine.Position
	groups int64
}

// Groups are kept beside the log once there are so many events behind those that are: the file is
// written as a whole, so that the work for an event is bounded by having at least as many events as
// groups. Closing writes what is little enough.
const (
	minKeepEvents  = 64 << 10
	keepAtOnce     = 1 << 20 // events that are grouped before the next are looked at
	closeKeepShare = 64      // groups for each event, for which closing writes a file
)

// Keep has the groups of materialized views kept beside the log of a store that can, and made for it
// in the background, until Close. It is for the settings of the store's connections, and does nothing
// in a process that does not append.
func (v *Views) Keep(store engine.Store, settings Settings) {
	d, ok := Offers[engine.Deriver](store)
	if !ok {
		return
	}
	settings.Views = v
	k := &viewKeeper{
		views: v, session: &Session{Store: store, Settings: settings}, store: d, least: minKeepEvents,
		version: engine.NoVersion, ends: map[engine.Position]keptElsewhere{},
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	v.keeper.Store(k)
}

// Appended tells that events were appended in this process, and the position of the last one. defined
// tells that a view was among them. It does not wait.
func (v *Views) Appended(last engine.Position, defined bool) {
	k := v.keeper.Load()
	if k == nil {
		return
	}
	due := k.due.Load()
	if due < 0 { // a round runs
		due = ^due
	}
	if defined || int64(last) >= due {
		k.start()
	}
}

// start has the goroutine look for what is to be done.
func (k *viewKeeper) start() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.again = true
	if k.active || k.closed {
		return
	}
	k.active = true
	k.running.Go(k.run) // ends when nothing is to be done, or with close, which waits
}

// close ends the goroutine, and writes what is worth it.
func (k *viewKeeper) close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.cancel()
	k.running.Wait()
	k.last()
}

func (k *viewKeeper) run() {
	for k.more() {
		during := k.due.Load()
		if during >= 0 {
			during = ^during
		}
		k.due.Store(during)
		k.due.CompareAndSwap(during, k.round()) // unless somebody has erased meanwhile, and stored 0
	}
}

// more reports whether somebody has asked since it was asked last.
func (k *viewKeeper) more() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.active = k.again && k.ctx.Err() == nil
	k.again = false
	return k.active
}

// round looks at every view once, and returns the position from which on it is to be called again. What
// has failed is tried again then: nothing depends on it.
func (k *viewKeeper) round() (due int64) {
	due = math.MaxInt64
	if !k.store.MayDerive() {
		return 0
	}
	index := k.session.Store.ReadIndex()
	set, err := k.views.at(k.ctx, index)
	if err != nil {
		return int64(index.Head()) + minKeepEvents
	}
	k.removeOthers(set)
	for _, v := range set.list() {
		if v.kind != materializedView || k.ctx.Err() != nil {
			continue
		}
		next, err := k.look(set, v, index)
		if err != nil {
			next = tryAgain(index.Head(), err)
		}
		due = min(due, int64(next))
	}
	return due
}

// tryAgain is the position from which on what has failed at a head is tried again: soon if the log has
// only moved on, later if all of it may have been read in vain.
func tryAgain(head engine.Position, err error) engine.Position {
	if errors.Is(err, engine.ErrStaleDerived) {
		return head + minKeepEvents
	}
	return head + max(minKeepEvents, head/4)
}

// removeOthers removes what is kept of views that are gone or defined otherwise.
func (k *viewKeeper) removeOthers(set *viewSet) {
	if set.version == k.version {
		return
	}
	names, positions := map[string]bool{}, map[engine.Position]bool{}
	for _, v := range set.byName {
		names[v.stateName()] = v.kind == materializedView
		positions[v.position] = true
	}
	if k.store.RemoveDerived(k.ctx, func(name string) bool { return names[name] }) != nil {
		return
	}
	k.version = set.version
	for position := range k.ends {
		if !positions[position] {
			delete(k.ends, position)
		}
	}
}

// look keeps a view beside the log if there are enough events for that, and returns the position from
// which on there are.
func (k *viewKeeper) look(set *viewSet, v *viewDefinition, index engine.ReadIndex) (next engine.Position, err error) {
	r, err := k.session.keptReading(k.ctx, set, v, index)
	if err != nil {
		return 0, err
	}
	defer r.end()
	if r.kept.tooLarge.Load() != nil {
		return noneErased, nil
	}
	end, known := k.ends[v.position]
	if !known || r.kept.forgotten(end.end) {
		end = keptElsewhere{end: r.g.plan.stateEnd(k.ctx, k.session, index)}
	}
	if index.Head()-end.end >= k.behind(end) {
		if end, err = k.keep(r, index); err != nil {
			return 0, err
		}
	}
	k.ends[v.position] = end
	return end.end + k.behind(end), nil
}

// behind is how many events there are to be behind what is kept before it is written anew.
func (k *viewKeeper) behind(e keptElsewhere) engine.Position {
	return max(k.least, engine.Position(e.groups))
}

// keep groups what has come up to the head, a part after the other so that others can use what is done,
// and keeps it beside the log. If no statement of this process has read the view, its memory is given
// back then, unless it is wanted soon: what could not be written because something was erased meanwhile
// is tried again.
func (k *viewKeeper) keep(r *keptRead, index engine.ReadIndex) (keptElsewhere, error) {
	if err := r.load(); err != nil {
		return keptElsewhere{}, err
	}
	for r.head < index.Head() {
		_ = r.g.close() // groups of the last part, if others were faster with it
		r.head = min(max(r.head, r.kept.end())+keepAtOnce, index.Head())
		levels, err := r.levels()
		if err != nil {
			return keptElsewhere{}, err
		}
		if levels == nil || r.kept.end() < r.head {
			return keptElsewhere{}, engine.ErrStaleDerived // erased, or gone ahead of the index, or too large
		}
	}
	end, err := k.write(k.ctx, r.kept, r.g.plan)
	if !r.kept.wanted.Load() && !errors.Is(err, engine.ErrStaleDerived) {
		r.kept.unload()
	}
	return end, err
}

// write keeps what is in memory of a view beside the log.
func (k *viewKeeper) write(ctx context.Context, kept *keptView, g *groupPlan) (end keptElsewhere, err error) {
	kept.mu.Lock()
	levels, d := slices.Clone(kept.levels), engine.Derived{Erasures: kept.erasures}
	kept.mu.Unlock()
	if len(levels) == 0 {
		return end, engine.ErrStaleDerived
	}
	for _, l := range levels {
		end.groups += int64(len(l.table.groups))
	}
	end.end = levels[len(levels)-1].to
	d.Position = end.end
	err = k.store.WriteDerived(ctx, g.view.stateName(), d, func(to io.Writer) error {
		return writeLevels(ctx, to, g.stateShape(), levels)
	})
	if err != nil {
		return keptElsewhere{}, err
	}
	kept.mu.Lock()
	defer kept.mu.Unlock()
	if kept.erasures == d.Erasures {
		kept.saved = end.end
	}
	return end, nil
}

// last writes, when everything else has ended, what statements have left in memory and is not beside
// the log, if there is enough of it for the size of the file.
func (k *viewKeeper) last() {
	if !k.store.MayDerive() {
		return
	}
	k.ctx = context.Background()
	index := k.session.Store.ReadIndex()
	set, err := k.views.at(k.ctx, index)
	if err != nil {
		return
	}
	for _, v := range set.list() {
		if v.kind != materializedView {
			continue
		}
		r, err := k.session.keptReading(k.ctx, set, v, index)
		if err != nil {
			continue
		}
		groups, behind := r.kept.unsaved()
		if behind > 0 && behind*closeKeepShare >= groups {
			_, err = k.write(k.ctx, r.kept, r.g.plan)
		}
		r.end()
		if errors.Is(err, engine.ErrClosed) {
			return
		}
	}
}
