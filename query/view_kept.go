package query

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine"
)

// A keptView is what this process keeps of a materialised view: its groups, in levels that follow
// each other along the log. A reader takes the levels that end within its snapshot and groups what
// comes behind them itself, so that it sees exactly its snapshot, and leaves what it has grouped as
// one more level.
//
// Groups of a level never change once it is there: readers use them without a lock.
type keptView struct {
	budget budget // of the levels

	mu       sync.Mutex // protects all below; never held while events are read, or garbage is collected
	levels   []*keptLevel
	erasures engine.Version                    // of the store's own stream, up to which the levels know what is erased
	tooLarge atomic.Pointer[ViewTooLargeError] // it was given up
	gone     bool                              // nobody finds it any more: nothing is to be kept in it
	saved    engine.Position                   // where what was loaded, or kept beside the log, ends; 0 for nothing
	thrown   int64                             // bytes of groups that were let go of since mu is held

	loading chan struct{} // holds one: whoever looks for what is kept beside the log
	loaded  atomic.Bool   // somebody has looked
	wanted  atomic.Bool   // a statement has read the view
}

// DefaultViewMemory is what the groups of a materialised view may take in a process, in bytes.
const DefaultViewMemory = 256 << 20

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
		views.attach(s.Store)
		k = &keptView{erasures: engine.NoVersion, loading: make(chan struct{}, 1)}
		limit := s.Settings.ViewMemory
		if limit <= 0 {
			limit = DefaultViewMemory
		}
		k.budget.set(&Settings{Memory: limit, Shared: s.Settings.Shared})
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

// takeOld takes out what is kept of views that are gone, or defined otherwise. The caller holds mu, and
// drops it when he no longer does.
func (v *Views) takeOld() (old []*keptView) {
	newest := v.newest()
	for position, k := range v.kept {
		current := func(d *viewDefinition) bool { return d.position == position }
		if newest == nil || !slices.ContainsFunc(newest.list(), current) {
			delete(v.kept, position)
			old = append(old, k)
		}
	}
	return old
}

// dropAll lets go of views of which nobody finds anything any more.
func dropAll(list []*keptView) {
	for _, k := range list {
		k.drop()
	}
}

// unlock ends the holding of mu. What was let go of meanwhile may run the garbage collector, for which
// nobody else is to wait. Where nothing is left, nothing of the store's memory is kept back for it.
func (k *keptView) unlock() {
	thrown := k.thrown
	k.thrown = 0
	if len(k.levels) == 0 && k.budget.held.Load() == 0 {
		k.budget.close()
	}
	k.mu.Unlock()
	k.budget.discard(thrown)
}

// letGo gives back the memory of a table of this view's budget. The caller holds mu.
func (k *keptView) letGo(t *groupTable) { k.thrown += t.keep.giveBack() }

// endLocked is where what is kept ends.
func (k *keptView) endLocked() engine.Position {
	if n := len(k.levels); n > 0 {
		return k.levels[n-1].to
	}
	return 0
}

// end is where what is kept ends.
func (k *keptView) end() engine.Position {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.endLocked()
}

// forgotten reports whether what was kept beside the log up to a position is not there any more.
func (k *keptView) forgotten(end engine.Position) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.saved < end
}

// unsaved tells how many groups there are, and how many events behind what is kept beside the log.
func (k *keptView) unsaved() (groups, behind int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range k.levels {
		groups, behind = groups+int64(len(l.table.groups)), int64(l.to-k.saved)
	}
	return groups, behind
}

// unload gives back the memory. What is kept beside the log is looked for again when it is needed.
func (k *keptView) unload() {
	k.mu.Lock()
	defer k.unlock()
	saved := k.saved
	k.resetLocked(0)
	k.saved = saved
	k.loaded.Store(false)
}

// drop lets go of everything, for good.
func (k *keptView) drop() {
	k.mu.Lock()
	defer k.unlock()
	k.gone = true
	k.resetLocked(0)
}

// resetLocked drops the levels that know of events at or behind a position.
func (k *keptView) resetLocked(from engine.Position) {
	n := len(k.levels)
	for n > 0 && k.levels[n-1].to > from {
		n--
		k.letGo(k.levels[n].table)
	}
	k.levels = slices.Clone(k.levels[:n])
	k.tooLarge.Store(nil)
	if k.saved > from {
		k.saved = 0
	}
}
