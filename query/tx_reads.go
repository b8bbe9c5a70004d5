package query

import (
	"slices"
	"strings"
	"sync"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/internal/sabotage"
	"github.com/eventfold/eventfold/parser"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// Limits of what a serializable transaction notes of its reads. Beyond them reads are taken together
// to one that covers them all.
const (
	maxReads       = 64       // tables of statements, with the arguments that their conditions need
	maxReadFilters = 16       // of one of them: it is opened for every row of another one
	maxReadNames   = 1000     // in one list of streams, types or ids
	maxReadTotal   = 10_000   // in all lists together
	maxReadArgs    = 64 << 10 // bytes of the arguments of a condition
)

// readContent are the columns of events that an erasure changes.
const readContent = engine.ColPayload | engine.ColMetadata | engine.ColRedacted

// txReads are what the statements of a serializable transaction have looked at: an event that comes
// behind the snapshot and is among them would have changed what some statement gave, so that COMMIT
// refuses it. What lies before the end of the snapshot never changes, but for what is erased; so
// nothing is noted of a scan that reads forwards and stops before it has come to that end.
//
// A nil *txReads is that of a transaction that is not serializable.
type txReads struct {
	head engine.Position // of the snapshot

	mu      sync.Mutex // protects what follows: rows may be read from several goroutines
	closed  bool       // COMMIT has asked
	sets    []*readSet
	names   int         // in all lists of the sets
	memory  readMemory  // of the sets
	content engine.Span // positions of which content was read, and some between them
	by      readPlace   // who has read content first
}

// A readPlace is where in which statement something was read.
type readPlace struct {
	text string // of the statement, "" if it is not known
	pos  parser.Pos
}

// A readSet is what one table of a statement has looked at, in all its executions if the filters
// say everything, in one execution otherwise.
type readSet struct {
	place   readPlace
	scan    *tableScan    // nil if it is not known
	run     *watchedIndex // the execution, if there is match
	filters []engine.Filter
	columns engine.ColumnSet                             // that match needs
	match   func(b *engine.Batch, row int) (bool, error) // nil: all that passes a filter
}

func newTxReads(head engine.Position) *txReads {
	r := &txReads{head: head}
	r.memory.begin()
	return r
}

// watch returns the index through which a statement of a session with these settings reads, which notes
// whatever is read.
func (r *txReads) watch(index engine.ReadIndex, s *Settings) engine.ReadIndex {
	if r == nil {
		return index
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.memory.limit(s)
	return &watchedIndex{ReadIndex: index, reads: r}
}

// note adds what a table has looked at.
func (r *txReads) note(s *seenScan) {
	if s.run.past || s.filter.To > 0 && s.filter.To <= r.head { // no event that comes passes
		return
	}
	f, some := comingEvents(s.filter, r.head)
	if !some {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.added(r.setOf(s).add(f))
	}
}

// noteFailed adds an expectation that has failed: the program knows that it does not hold.
func (r *txReads) noteFailed(f *engine.FailedCheck) {
	if f.Condition != nil {
		r.noteExpected(f.Stream, f.Condition)
		return
	}
	r.noteExpected(f.Stream, f.Expected)
}

// noteDropped adds the expectations of statements that are rolled back: the program knows that they
// have held, and COMMIT will not ask.
func (r *txReads) noteDropped(appends []engine.Append) {
	for _, a := range appends {
		for _, e := range a.Expect {
			r.noteExpected(a.Stream, e)
		}
	}
}

// noteExpected adds what an expectation looks at that is not part of COMMIT.
func (r *txReads) noteExpected(stream string, e engine.Expectation) {
	if r == nil || sabotage.On(sabotage.SerialExpectation) {
		return
	}
	set := &readSet{place: readPlace{text: "EXPECTING"}}
	switch e := e.(type) {
	case engine.ExpectedVersion:
		if e == engine.Any {
			return
		}
		set.filters = []engine.Filter{{Streams: []string{strings.Clone(stream)}}}
	case *engine.Condition:
		set.place.text, set.filters = e.Text, []engine.Filter{e.Where}
		set.columns, set.match = e.Columns, orBroken(e.Match)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.addSet(set)
		r.added(sizeOfNames(set.filters))
	}
}

// noteContent adds that payloads or metadata of events before end were read, which an erasure may
// take away. Without an end they are those of events to come, too: one that has come and did not
// pass a condition may do so when it has been erased before COMMIT.
func (r *txReads) noteContent(f *engine.Filter, end engine.Position, place readPlace) {
	x := engine.Span{From: f.From, To: end}
	if f.To > 0 {
		x.To = min(x.To, f.To)
	}
	if x.From >= x.To || sabotage.On(sabotage.SerialErasure) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.content.From >= r.content.To {
		r.content, r.by = x, place
		return
	}
	r.content = engine.Span{From: min(r.content.From, x.From), To: max(r.content.To, x.To)}
}

// setOf returns the set to which a scan belongs.
func (r *txReads) setOf(s *seenScan) *readSet {
	matched := !s.exact && s.scan != nil && len(s.scan.alone) > 0 && sizeOfArgs(s.ex.args) <= maxReadArgs
	for _, set := range r.sets {
		if set.place == s.place && set.scan == s.scan && (set.match != nil) == matched &&
			(!matched || set.run == s.run) {
			return set
		}
	}
	set := &readSet{place: s.place, scan: s.scan}
	if matched {
		set.run, set.columns = s.run, s.scan.columnSet()
		set.match = orBroken(matcher(s.ex, s.scan.alone))
	}
	r.addSet(set)
	if matched {
		r.memory.hold(matcherSize + int64(sizeOfArgs(s.ex.args)))
	}
	return set
}

// addSet adds a set, whose names are added behind it.
func (r *txReads) addSet(set *readSet) {
	size := setSize
	if !slices.ContainsFunc(r.sets, func(s *readSet) bool { return s.place.text == set.place.text }) {
		size += int64(len(set.place.text))
	}
	r.sets = append(r.sets, set)
	r.memory.hold(size)
}

// added counts names that were added to the sets. Without the memory for them nothing is noted any
// more, and the transaction cannot be committed.
func (r *txReads) added(n noted) {
	r.names += n.names
	r.memory.hold(n.bytes)
	r.bound()
	if r.memory.spent != nil {
		r.closed, r.sets = true, nil
		r.memory.release()
	}
}

// orBroken takes an event of which a condition cannot tell for one that passes: the SELECT would
// fail, too.
func orBroken(
	match func(*engine.Batch, int) (bool, error),
) func(*engine.Batch, int) (bool, error) {
	if match == nil {
		return nil
	}
	return func(b *engine.Batch, row int) (bool, error) {
		passes, err := match(b, row)
		return passes || err != nil, nil
	}
}

// bound takes all sets together if there are too many.
func (r *txReads) bound() {
	if len(r.sets) <= maxReads && r.names <= maxReadTotal {
		return
	}
	last := r.sets[len(r.sets)-1]
	all := &readSet{place: last.place, scan: last.scan}
	for i, set := range r.sets {
		for k := range set.filters {
			if i+k == 0 {
				all.filters = append(all.filters, ownFilter(set.filters[k]))
				continue
			}
			unite(&all.filters[0], &set.filters[k])
		}
	}
	n := sizeOfNames(all.filters)
	r.sets, r.names = nil, n.names
	r.memory.release()
	r.addSet(all)
	r.memory.hold(n.bytes)
}

// add adds a filter and returns what was added to lists.
func (s *readSet) add(f engine.Filter) (added noted) {
	for i := range s.filters {
		if alike(&s.filters[i], &f) {
			return unite(&s.filters[i], &f)
		}
	}
	s.filters = append(s.filters, ownFilter(f))
	added = sizeOfNames(s.filters[len(s.filters)-1:])
	if len(s.filters) <= maxReadFilters {
		return added
	}
	before := sizeOfNames(s.filters)
	for i := range s.filters[1:] {
		unite(&s.filters[0], &s.filters[i+1])
	}
	clear(s.filters[1:])
	s.filters = s.filters[:1]
	now := sizeOfNames(s.filters)
	added.add(noted{now.names - before.names, now.bytes - before.bytes}) // less than nothing, mostly
	return added
}

// sizeOfArgs is about what arguments hold, in bytes.
func sizeOfArgs(args []expr.Argument) (n int) {
	for i := range args {
		n += len(args[i].S)
		if list := args[i].List; list != nil {
			for _, v := range list.Values {
				n += len(v.S) + 32
			}
		}
	}
	return n
}
