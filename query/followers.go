package query

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eventfold/eventfold/engine"
)

// Followers are the statements with FOLLOW that run on a store in this process, for $followers. The
// zero value is empty and ready; a nil one knows of none. Any number of goroutines may use it.
type Followers struct {
	mu   sync.Mutex // protects the fields below
	last int64
	list map[int64]*follower
}

// A follower is one statement with FOLLOW, from its first row until its rows are closed.
type follower struct {
	id     int64
	text   string // of the statement
	source string // the table that it reads
	since  time.Time

	next   atomic.Int64  // the position behind what it was given or has passed over
	waiter engine.Waiter // which passes over more while it waits; nil for none
	rows   atomic.Int64  // events that it was given
}

// gave notes a row.
func (f *follower) gave(p engine.Position) {
	f.next.Store(int64(p) + 1)
	f.rows.Add(1)
}

// passed notes that everything before next has been given or passed over.
func (f *follower) passed(next engine.Position) { f.next.Store(int64(next)) }

// reached returns the position behind what it was given or has passed over.
func (f *follower) reached() engine.Position {
	next := engine.Position(f.next.Load())
	if f.waiter != nil {
		next = max(next, f.waiter.Passed())
	}
	return next
}

// enter notes a new follower that begins at position next and waits with waiter, which may be
// nil.
func (f *Followers) enter(
	text, source string, now time.Time, next engine.Position, waiter engine.Waiter,
) *follower {
	one := &follower{text: text, source: source, since: now, waiter: waiter}
	one.passed(next)
	if f == nil {
		return one
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.list == nil {
		f.list = map[int64]*follower{}
	}
	f.last++
	one.id = f.last
	f.list[one.id] = one
	return one
}

// leave forgets a follower. It may be called twice.
func (f *Followers) leave(one *follower) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.list, one.id)
}

// all returns the followers in the order of their beginnings.
func (f *Followers) all() []*follower {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]*follower, 0, len(f.list))
	for _, one := range f.list {
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b *follower) int { return cmp.Compare(a.id, b.id) })
	return list
}

// lag returns how far the one that is furthest behind is behind the head, 0 if there is none.
func (f *Followers) lag(head engine.Position) int64 {
	most := int64(0)
	for _, one := range f.all() {
		most = max(most, int64(head-one.reached()))
	}
	return most
}
