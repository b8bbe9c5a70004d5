package query

import (
	"cmp"
	"slices"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/value"
)

// What an erasure does to groups that have counted what it has erased.
//
// An erasure is told by events of the store's own stream, which are below the head of every index
// that was taken after it, and name only events before themselves. An index whose head is beyond
// such an event shows nothing of what it names. So who has added the events before a position, and
// looks in every index at the erasures that are told of since the index before it, finds each of
// them once, and knows which of the events that it has added were something else when it added
// them: those before its position that the erasure names. What is added after that is read from
// this index or a later one, and is as it is for good.
//
// An index may hide what an erasure names before its head reaches the event that tells of it: then
// the groups were made without the content already, are made so once more, and nobody is told of a
// row that is as it was. The parts of an erasure of very many events are of one commit, so that an
// index has all or none of them; each names events of its own, and would do alone. A transaction
// that appends and erases has its events in one commit as well: the erasure names only events before
// it, and what it appends is read like anything else.

// erasedColumns are those of an event that an erasure changes.
const erasedColumns = engine.ColPayload | engine.ColMetadata | engine.ColRedacted

// erasuresVersion is the version of the stream that tells of erasures.
func erasuresVersion(index engine.ReadIndex) (engine.Version, error) {
	v, ok, err := index.StreamVersion(engine.ErasuresStream)
	if !ok {
		v = engine.NoVersion
	}
	return v, err
}

// An erasedSet is which events are no longer what they were.
type erasedSet struct {
	spans engine.Spans
	all   bool // it may be any: a key was destroyed, with which values in all of them may be sealed
}

// readErasures computes again what an index no longer gives as it was when it was added.
func (l *liveRows) readErasures(index engine.ReadIndex) error {
	set, err := l.erasedSince(index)
	if err != nil || set == nil {
		return err
	}
	defer l.dropSpans(set)
	groups, all, err := l.hit(index, set)
	if err != nil || !all && len(groups) == 0 {
		return err
	}
	if all {
		groups = nil
		for _, g := range l.events.table.groups {
			groups = append(groups, g.live)
		}
	}
	return l.redo(index, groups, all)
}

// readResumed finds out of which groups something was erased that whoever goes on from AFTER may
// have been told of. The groups are made of an index that does not show it any more.
func (l *liveRows) readResumed(index engine.ReadIndex) error {
	set, err := l.erasedSince(index)
	if err != nil || set == nil {
		return err
	}
	defer l.dropSpans(set)
	groups, all, err := l.hit(index, set)
	switch {
	case err != nil:
		return err
	case all && !l.stable:
		e := errorf(BadValue, l.pos, "events that the groups had counted were erased after position %d, "+
			"and nobody knows any more which groups these were", l.after-1)
		e.Hint = "begin again without AFTER"
		return e
	case all:
		for _, g := range l.events.table.groups {
			groups = append(groups, g.live)
		}
	}
	for _, live := range groups {
		live.shown, live.unsure = true, true
		if err := l.touch(l.events, live.group); err != nil {
			return err
		}
	}
	return nil
}

// erasedSince returns what was erased since the index before of the events that were added, nil for
// nothing.
func (l *liveRows) erasedSince(index engine.ReadIndex) (*erasedSet, error) {
	from := l.seen
	l.seen = index.Head()
	if l.table.columnSet()&erasedColumns == 0 {
		return nil, nil
	}
	version, err := erasuresVersion(index)
	if err != nil || version == l.version {
		return nil, err
	}
	l.version = version
	set := &erasedSet{}
	what := engine.Filter{From: from, Streams: []string{engine.ErasuresStream}}
	c := index.Scan(l.ex.ctx, what, engine.ColType|engine.ColPayload)
	for b := c.Next(); b != nil && err == nil; b = c.Next() {
		for i := 0; i < b.Len && err == nil; i++ {
			err = l.addErased(set, b.Types[i], b.Payloads[i])
		}
	}
	if cerr := c.Err(); err == nil {
		err = cerr
	}
	if cerr := c.Close(); err == nil {
		err = cerr
	}
	if err != nil || !set.all && len(set.spans) == 0 {
		l.dropSpans(set)
		return nil, err
	}
	set.sort()
	return set, nil
}

// addErased adds what an event of the store's own stream tells.
func (l *liveRows) addErased(set *erasedSet, typ string, payload []byte) error {
	switch typ {
	case engine.ForgottenType:
		set.all = set.all || l.reveals
	case engine.ErasedType:
		told, err := engine.ParseErased(payload)
		if err != nil {
			return err
		}
		part := told.Events.Within(engine.Span{From: 0, To: l.reached})
		set.spans = append(set.spans, part...)
		return l.keep.account(int64(len(part)) * spanSize)
	}
	return nil
}

// dropSpans gives back the memory of a set.
func (l *liveRows) dropSpans(set *erasedSet) {
	if n := int64(cap(set.spans)); n > 0 {
		l.keep.drop(int64(len(set.spans)) * spanSize)
	}
}

// sort makes the spans a set.
func (s *erasedSet) sort() {
	byFrom := func(a, b engine.Span) int { return cmp.Compare(a.From, b.From) }
	slices.SortFunc(s.spans, byFrom)
	n := 0
	for _, x := range s.spans {
		if n > 0 && x.From <= s.spans[n-1].To {
			s.spans[n-1].To = max(s.spans[n-1].To, x.To)
			continue
		}
		s.spans[n] = x
		n++
	}
	s.spans = s.spans[:n]
}

// hit returns the groups that have counted an event of the set. all tells that it may be any group:
// only where an event stays in its group can the group be known when the content is gone.
func (l *liveRows) hit(
	index engine.ReadIndex, set *erasedSet,
) (groups []*liveGroup, all bool, err error) {
	switch {
	case set.all:
		return nil, true, nil
	case !l.stable:
		all, err = l.mayHaveCounted(index, set.spans)
		return nil, all, err
	}
	from, to := set.spans[0].From, set.spans[len(set.spans)-1].To
	err = l.scan(index, nil, from, to, func() error {
		row := &l.event.Row
		if !set.spans.Has(row.Batch.Events.Positions[row.I]) {
			return nil
		}
		g, err := l.events.table.find(l.event)
		if err == nil {
			err = l.touch(l.events, g)
		}
		if err == nil && !g.live.redone {
			g.live.redone = true
			groups = append(groups, g.live)
		}
		return err
	})
	for _, live := range groups {
		live.redone = false
	}
	return groups, false, err
}

// mayHaveCounted reports whether an event of the set passes the bounds of the scan, which depend on
// nothing that can be erased.
func (l *liveRows) mayHaveCounted(index engine.ReadIndex, spans engine.Spans) (bool, error) {
	scan := l.table
	defer l.ex.leave(l.ex.envs)
	what, err := scan.narrow(l.ex, nil)
	if err != nil || what.empty {
		return false, err
	}
	f := scan.filter(what)
	f.From, f.To = max(f.From, spans[0].From), spans[len(spans)-1].To
	c := index.Scan(l.ex.ctx, f, 0)
	found := false
	for b := c.Next(); b != nil && !found; b = c.Next() {
		found = slices.ContainsFunc(b.Positions, spans.Has)
		if err := l.ex.ctx.Err(); err != nil {
			c.Close()
			return false, err
		}
	}
	err = c.Err()
	if cerr := c.Close(); err == nil {
		err = cerr
	}
	return found, err
}

// redo computes groups again from the log, as the index shows it.
func (l *liveRows) redo(index engine.ReadIndex, groups []*liveGroup, all bool) error {
	table := l.events.table
	for _, live := range groups {
		l.events.restart(live)
		if err := l.touch(l.events, live.group); err != nil {
			return err
		}
	}
	var order []*group
	err := l.scan(index, l.only(groups), 0, l.reached, func() error {
		g, err := table.find(l.event)
		if err != nil || !all && (g.live == nil || !g.live.redone) {
			return err
		}
		if g.live != nil && g.live.redone && !g.live.counted && !looksSame(table.values, g.keys) {
			if g, err = l.replace(l.events, g); err != nil {
				return err
			}
			groups = append(groups, g.live)
		}
		if err := l.touch(l.events, g); err != nil {
			return err
		}
		if all && !g.live.counted {
			order = append(order, g)
		}
		g.live.counted = true
		return table.aggregate(g, l.event)
	})
	if all {
		l.events.reorder(order)
	}
	l.events.finish(groups)
	return err
}

// reorder puts the groups that were computed again into the order of their first rows, in which others
// may group them: of texts that a collation takes for equal the first one counts.
func (l *liveLevel) reorder(order []*group) {
	for _, g := range l.table.groups {
		if g.live == nil || !g.live.counted {
			order = append(order, g)
		}
	}
	l.table.groups = order
}

// looksSame reports whether two keys that are equal look the same, too: a collation takes A for a.
func looksSame(a, b []value.Value) bool {
	return slices.EqualFunc(a, b, func(v, w value.Value) bool {
		return v.Kind == w.Kind && v.N == w.N && v.F == w.F && v.S == w.S
	})
}

// replace puts a group with the key of the current row in the place of one whose key is that of a row
// which is no longer in it. For those who are told of them they are two.
func (l *liveRows) replace(level *liveLevel, g *group) (*group, error) {
	table := level.table
	other, err := table.insert(string(table.key), table.values)
	if err != nil {
		return nil, err
	}
	if err := l.touch(level, other); err != nil {
		return nil, err
	}
	g.live.gone, other.live.redone = true, g.live.redone
	return other, nil
}

// comeBack is for a group whose events were erased away, and which the current event is of.
func (l *liveRows) comeBack(g *group) (*group, error) {
	if !looksSame(l.events.table.values, g.keys) {
		return l.replace(l.events, g)
	}
	g.live.gone = false
	return g, nil
}

// fewGroups is up to how many streams or types a scan is told to look for.
const fewGroups = 1000

// only returns a filter for the events of few groups, if their streams or types are in the key. It
// returns nil if there is none that is narrower than the bounds.
func (l *liveRows) only(groups []*liveGroup) *engine.Filter {
	if !l.stable || len(groups) > fewGroups || l.streams < 0 && l.types < 0 {
		return nil
	}
	what, err := l.table.narrow(l.ex, nil)
	if err != nil || what.empty {
		return nil
	}
	f := what.filter(false)
	for _, x := range []struct {
		place int
		names *[]string
	}{{l.streams, &f.Streams}, {l.types, &f.Types}} {
		if x.place < 0 || *x.names != nil {
			continue
		}
		for _, live := range groups {
			*x.names = append(*x.names, live.group.keys[x.place].S)
		}
		slices.Sort(*x.names)
		*x.names = slices.Compact(*x.names)
	}
	return &f
}

// removeGone takes the groups of which nothing is left out of the table of their level.
func (l *liveRows) removeGone(level *liveLevel) {
	t := level.table
	t.groups = slices.DeleteFunc(t.groups, func(g *group) bool {
		if g.live == nil || !g.live.gone {
			return false
		}
		key := t.key[:0]
		for i, v := range g.keys {
			key = value.AppendKey(key, v, t.plan.keys[i].Collate)
		}
		if t.byKey[string(key)] == g { // otherwise another has its key by now
			delete(t.byKey, string(key))
		}
		t.key = key
		t.keep.forget(g.keys)
		t.keep.drop(g.size(len(key)))
		l.keep.drop(liveGroupSize)
		return true
	})
	t.recent = nil
}

// whole is how many bytes the state takes besides itself, with what it knows of DISTINCT.
func (s *aggState) whole() int64 {
	n := s.size()
	for key := range s.distinct {
		n += int64(len(key)) + keySize
	}
	return n
}
