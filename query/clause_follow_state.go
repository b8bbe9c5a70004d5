package query

import (
	"unsafe"

	"github.com/eventfold/eventfold/engine"
)

// How the groups of FOLLOW come to be as of a position, and go on from there.

// liveGroupSize is what is held for a group beside the group itself: what was told of it, and its
// place in the batch.
const liveGroupSize = int64(unsafe.Sizeof(liveGroup{}) + unsafe.Sizeof(&liveGroup{}))

// advance makes the next batch. It waits if the batch before it is of the head of the log. more is
// false at the end of a range that ends.
func (l *liveRows) advance() (more bool, err error) {
	if !l.begun {
		l.begun, l.due = true, true
		return true, l.begin()
	}
	for l.reached < l.end {
		from, err := l.waiter.Wait(l.ex.ctx, l.reached)
		if err != nil {
			return false, err
		}
		l.reached = min(from, l.end) // nothing before it is of the groups
		if index := l.ex.session.Store.ReadIndex(); index.Head() > l.reached || l.reached == l.end {
			return true, l.read(index)
		}
	}
	return false, nil
}

// begin makes the groups of the snapshot, which are the first batch. With AFTER it makes them as
// they were after its position, in silence, and goes on from there.
func (l *liveRows) begin() error {
	index := l.ex.index
	if !l.resumes {
		return l.build(index, min(index.Head(), l.end))
	}
	l.reached = l.after
	if l.after >= l.end {
		return nil
	}
	for index.Head() < l.after { // a reader that is behind the one who has told the position
		if err := l.ex.session.Store.Wait(l.ex.ctx, l.after-1); err != nil {
			return err
		}
		index = l.ex.session.Store.ReadIndex()
	}
	if err := l.checkNow(l.ex, index); err != nil {
		return err
	}
	if err := l.build(index, l.after); err != nil {
		return err
	}
	for _, live := range l.top.dirty {
		if err := l.note(live); err != nil {
			return err
		}
	}
	l.top.dirty = l.top.dirty[:0]
	if err := l.readResumed(index); err != nil || index.Head() <= l.reached {
		return err
	}
	return l.read(index)
}

// build makes the groups of all events before a position, of which a materialised view may have kept
// some, and a batch of all of them.
func (l *liveRows) build(index engine.ReadIndex, to engine.Position) (err error) {
	l.ex.index = index.At(to)
	l.groups = &groupedRows{plan: l.events.group, ex: l.ex, lasting: index}
	if err := l.groups.build(); err != nil {
		return faultWithin(l.events.within, err)
	}
	l.events.table = l.groups.table
	for _, g := range l.events.table.groups {
		if err := l.touch(l.events, g); err != nil {
			return err
		}
	}
	for _, level := range l.levels[1:] {
		level.table = newGroupTable(level.group, l.ex.budget)
	}
	if err := l.riseAll(); err != nil {
		return err
	}
	l.reached, l.seen = to, to
	l.version, err = erasuresVersion(l.ex.index)
	return err
}

// riseAll takes what has changed in the groups of events up to those that are told.
func (l *liveRows) riseAll() error {
	for i, above := range l.levels[1:] {
		if err := l.rise(l.levels[i], above); err != nil {
			return err
		}
	}
	return nil
}

// read adds the events that an index has beyond those that were added before, and makes a batch of
// the groups that they have changed.
func (l *liveRows) read(index engine.ReadIndex) error {
	l.due = true
	to := min(index.Head(), l.end)
	if err := l.checkNow(l.ex, index.At(to)); err != nil {
		return err
	}
	if err := l.readErasures(index); err != nil {
		return err
	}
	table := l.events.table
	err := l.scan(index, nil, l.reached, to, func() error {
		g, err := table.find(l.event)
		if err == nil && g.live != nil && g.live.gone {
			g, err = l.comeBack(g)
		}
		if err == nil {
			err = l.touch(l.events, g)
		}
		if err != nil {
			return err
		}
		return table.aggregate(g, l.event)
	})
	l.reached = to
	if err != nil {
		return err
	}
	return l.riseAll()
}

// touch puts a group of a level into its batch.
func (l *liveRows) touch(level *liveLevel, g *group) error {
	live := g.live
	if live == nil {
		if err := l.keep.account(liveGroupSize); err != nil {
			return err
		}
		live = &liveGroup{group: g}
		g.live = live
	}
	if !live.dirty {
		live.dirty = true
		level.dirty = append(level.dirty, live)
	}
	return nil
}

// scan calls visit for every event of a range of positions that passes WHERE. The event is the
// current row of l.event, which is another one for every scan. narrower is asked for instead of
// what the bounds say, if it is not nil.
func (l *liveRows) scan(
	index engine.ReadIndex, narrower *engine.Filter, from, to engine.Position, visit func() error,
) error {
	if from >= to {
		return nil
	}
	ex := l.ex
	ex.index, ex.since = index.At(to), from
	defer ex.leave(ex.envs)
	l.event = ex.env(nil) // what one remembers of a row it would take for that of another scan's
	in, err := l.openEvents(narrower)
	ex.since = 0
	if err != nil {
		return faultWithin(l.events.within, err)
	}
	err = l.visitAll(filtered(in, l.events.group.where), visit)
	if cerr := in.close(); err == nil {
		err = cerr
	}
	return faultWithin(l.events.within, err)
}

// openEvents opens FROM. It keeps to what is narrower than its bounds.
func (l *liveRows) openEvents(narrower *engine.Filter) (rows, error) {
	if narrower == nil {
		return l.groups.open()
	}
	return l.table.openBounds(l.ex, scanBounds{Filter: *narrower, fleeting: l.events.group.fleeting})
}

func (l *liveRows) visitAll(in rows, visit func() error) error {
	for n := 1; ; n++ {
		l.event.Begin()
		ok, err := in.next(l.event)
		if !ok || err != nil {
			return err
		}
		if err := visit(); err != nil {
			return err
		}
		if n%batchRows == 0 {
			if err := l.ex.ctx.Err(); err != nil {
				return err
			}
		}
	}
}
