package crashtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
)

// An Oracle remembers what a store has promised, and tells whether a store that opens after a crash
// keeps it:
//
//	P1  every acknowledged event is there, at its place, byte for byte
//	P2  positions and the versions of every stream have no gaps
//	P3  an append is there entirely or not at all
//	P4  nothing is there that was refused or never tried; what one client tried one after the other
//	    is there up to some point
//	P5  what a reader has seen is still there
//	P6  the indexes answer as a reading of the whole log does
//	P7  the chain goes on
//	P8  the store opens without help after every crash,
//	P9  and fails loudly, naming the range, after damage of what was promised
//	P10 opening it again changes nothing
//	P11 what an erasure in the log names has no content, and nothing else lacks it; once it is done
//	    no file holds a piece of it
//
// Check holds P1 to P5 and the first half of P11, CheckErased the other half; the others need more
// than a list of events: the Explorer holds P7, P8 and P10, the suites P6 and P9.
//
// An Oracle may be used by any number of goroutines.
type Oracle struct {
	mu       sync.Mutex // protects all below, and the attempts
	attempts []*attempt
	byID     map[uuid.UUID]*attempt
	seen     engine.Position // readers have seen every event before it
	order    []uuid.UUID     // ids of events known to be at these positions: those of a log that was read
	receipt  *engine.Head    // the last one; nil for none
	inOrder  bool            // one client tried all of it, one after the other
	changes  int             // of all above
}

type outcome uint8

const (
	unknown outcome = iota // tried: it may be there
	acked                  // it must be there
	refused                // it must not be there
)

// An attempt is one append.
type attempt struct {
	number  int
	batch   []engine.Append
	outcome outcome
	done    engine.Appended // of acked ones
}

// NewOracle returns an Oracle that knows of an empty store. inOrder tells that the appends come
// from one client.
func NewOracle(inOrder bool) *Oracle {
	return &Oracle{byID: map[uuid.UUID]*attempt{}, inOrder: inOrder}
}

// Append appends to the store and remembers the outcome. Every event must have an id of its own
// that was never used.
func (o *Oracle) Append(ctx context.Context, s engine.Store, batch ...engine.Append) (engine.Appended, error) {
	n := o.Try(told(batch))
	done, err := s.Append(ctx, batch...)
	switch {
	case err == nil:
		o.Acked(n, done)
	case !errors.Is(err, engine.ErrOutcomeUnknown):
		o.Refused(n)
	}
	return done, err
}

// Try notes that an append is about to be tried, and returns its number.
func (o *Oracle) Try(batch []engine.Append) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.changes++
	a := &attempt{number: len(o.attempts), batch: batch}
	o.attempts = append(o.attempts, a)
	eachEvent(batch, func(_ string, e *engine.NewEvent) {
		if e.ID == uuid.Nil || o.byID[e.ID] != nil {
			panic("crashtest: an event for an Oracle needs an id of its own")
		}
		o.byID[e.ID] = a
	})
	return a.number
}

// Acked notes that an append was acknowledged.
func (o *Oracle) Acked(number int, done engine.Appended) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.changes++
	a := o.attempts[number]
	a.outcome, a.done = acked, done
	if n := len(done.Events); n > 0 {
		o.seen = max(o.seen, done.Events[n-1].Position+1)
	}
}

// Refused notes that an append was refused: it must not be there.
func (o *Oracle) Refused(number int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.changes++
	o.attempts[number].outcome = refused
}

func eachEvent(batch []engine.Append, do func(stream string, e *engine.NewEvent)) {
	for i := range batch {
		for j := range batch[i].Events {
			do(batch[i].Stream, &batch[i].Events[j])
		}
	}
}

// See notes that a reader has seen every event before head.
func (o *Oracle) See(head engine.Position) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if head > o.seen {
		o.seen = head
		o.changes++
	}
}

// Seen returns how many events readers have seen.
func (o *Oracle) Seen() engine.Position {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen
}

// Receive notes a receipt: a head of the store that everything acknowledged is before. From now on
// the store must continue it.
func (o *Oracle) Receive(h engine.Head) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.receipt = &h
	o.changes++
}

// Receipt returns the last receipt, nil if there is none.
func (o *Oracle) Receipt() *engine.Head {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.receipt
}

// Clone returns the Oracle as it is now.
func (o *Oracle) Clone() *Oracle {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := &Oracle{
		attempts: make([]*attempt, len(o.attempts)), byID: make(map[uuid.UUID]*attempt, len(o.byID)),
		seen: o.seen, order: slices.Clone(o.order), receipt: o.receipt, inOrder: o.inOrder,
	}
	for i, a := range o.attempts {
		copied := *a
		c.attempts[i] = &copied
		eachEvent(a.batch, func(_ string, e *engine.NewEvent) { c.byID[e.ID] = &copied })
	}
	return c
}

// Counts returns how many appends were tried and how many of them acknowledged.
func (o *Oracle) Counts() (tried, ackedAppends int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range o.attempts {
		if a.outcome == acked {
			ackedAppends++
		}
	}
	return len(o.attempts), ackedAppends
}

// Check reads the whole log and tells whether it keeps what was promised. What it finds it takes as
// promised from then on: it has seen it. What it does not find must not come back.
//
// The store may append by itself meanwhile (`$erasure-done`) and readers see that: what they had seen
// before the log was read must be in it.
func (o *Oracle) Check(ctx context.Context, s engine.Store) error {
	seen := o.Seen()
	events, err := readAll(ctx, s)
	if err != nil {
		return fmt.Errorf("the log cannot be read: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if int(seen) > len(events) {
		return fmt.Errorf("P5: a reader has seen %d events, %d are there", seen, len(events))
	}
	if err := o.check(events); err != nil {
		return err
	}
	o.adopt(events)
	return nil
}

// Peek checks like Check, but takes nothing for promised beyond what it has seen.
func (o *Oracle) Peek(ctx context.Context, s engine.Store) error {
	return o.Clone().Check(ctx, s)
}

func readAll(ctx context.Context, s engine.Store) ([]engine.Event, error) {
	index := s.ReadIndex()
	c := index.ReadAll(ctx, 0, engine.Forwards)
	defer c.Close()
	var events []engine.Event
	for c.Next() {
		events = append(events, *c.Event())
	}
	if err := c.Err(); err != nil {
		return events, err
	}
	if int(index.Head()) != len(events) {
		return events, fmt.Errorf("%d events of %d were read", len(events), index.Head())
	}
	return events, nil
}

func (o *Oracle) check(events []engine.Event) error {
	if err := checkNumbers(events); err != nil {
		return err
	}
	for i, id := range o.order {
		if i >= len(events) || events[i].ID != id {
			return fmt.Errorf("P5: event %s was at position %d and is not there", id, i)
		}
	}
	gone, err := goneOf(events)
	if err != nil {
		return err
	}
	there := make([]bool, len(o.attempts))
	for at := 0; at < len(events); {
		if isDone(&events[at]) { // the store itself appends it, at any time
			at++
			continue
		}
		a := o.byID[events[at].ID]
		if a == nil {
			return fmt.Errorf("P4: nobody appended event %s at position %d", events[at].ID, at)
		}
		n, err := a.checkWhole(events[at:], gone)
		if err != nil {
			return err
		}
		if there[a.number] {
			return fmt.Errorf("P3: append %d is there twice, at position %d again", a.number, at)
		}
		there[a.number] = true
		at += n
	}
	return o.checkOutcomes(there)
}

// checkNumbers holds P2.
func checkNumbers(events []engine.Event) error {
	next := map[string]engine.Version{}
	for i := range events {
		e := &events[i]
		if e.Position != engine.Position(i) {
			return fmt.Errorf("P2: the event at place %d has position %d", i, e.Position)
		}
		if e.Version != next[e.Stream] {
			return fmt.Errorf("P2: position %d has version %d of %s, expected %d", i, e.Version, e.Stream,
				next[e.Stream])
		}
		next[e.Stream]++
		if i > 0 && e.RecordedAt.Before(events[i-1].RecordedAt) {
			return fmt.Errorf("P2: position %d was recorded before the one before it", i)
		}
	}
	return nil
}

// checkWhole checks that the events begin with all of the append's, as they were given and where
// they were acknowledged.
func (a *attempt) checkWhole(events []engine.Event, gone engine.Spans) (n int, err error) {
	eachEvent(a.batch, func(stream string, given *engine.NewEvent) {
		if err != nil {
			return
		}
		if n >= len(events) || events[n].ID != given.ID {
			err = fmt.Errorf("P3: append %d is only there in part: event %d is missing", a.number, n)
			return
		}
		e := &events[n]
		if what := difference(e, stream, given, gone.Has(e.Position)); what != "" {
			err = fmt.Errorf("P1: event %s at position %d has another %s than was given", e.ID, e.Position, what)
			return
		}
		if a.outcome == acked {
			p := a.done.Events[n]
			if p.Position != e.Position || p.Version != e.Version || !a.done.RecordedAt.Equal(e.RecordedAt) {
				err = fmt.Errorf("P1: event %s was acknowledged at position %d as version %d, and is at %d as %d",
					e.ID, p.Position, p.Version, e.Position, e.Version)
				return
			}
		}
		n++
	})
	return n, err
}

// checkOutcomes holds P1 and P4 for whole appends.
func (o *Oracle) checkOutcomes(there []bool) error {
	hole := -1
	for i, a := range o.attempts {
		events := 0
		eachEvent(a.batch, func(string, *engine.NewEvent) { events++ })
		switch {
		case events == 0:
		case a.outcome == acked && !there[i]:
			return fmt.Errorf("P1: append %d was acknowledged at position %d and is not there", i,
				a.done.Events[0].Position)
		case a.outcome == refused && there[i]:
			return fmt.Errorf("P4: append %d was refused and is there", i)
		case a.outcome == unknown && !there[i] && hole < 0:
			hole = i
		case o.inOrder && there[i] && hole >= 0:
			return fmt.Errorf("P4: append %d is there, but append %d, which was tried before, is not", i, hole)
		}
	}
	return nil
}

// adopt takes what was read for promised.
func (o *Oracle) adopt(events []engine.Event) {
	o.changes++
	o.seen = max(o.seen, engine.Position(len(events)))
	places := make(map[uuid.UUID]int, len(events))
	for i := range events {
		places[events[i].ID] = i
	}
	for i := len(o.order); i < len(events); i++ {
		o.order = append(o.order, events[i].ID)
	}
	for _, a := range o.attempts {
		if a.outcome != unknown {
			continue
		}
		a.outcome = refused
		a.done = engine.Appended{}
		eachEvent(a.batch, func(_ string, given *engine.NewEvent) {
			if i, ok := places[given.ID]; ok {
				e := &events[i]
				a.outcome, a.done.RecordedAt = acked, e.RecordedAt
				a.done.Events = append(a.done.Events, engine.Placed{Position: e.Position, Version: e.Version, ID: e.ID})
			}
		})
	}
}

// version tells when the Oracle has changed.
func (o *Oracle) version() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changes
}

func (o *Oracle) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.attempts)
}

// Extend adds the attempts that later has beyond o's, as tried.
func (o *Oracle) Extend(later *Oracle) {
	later.mu.Lock()
	defer later.mu.Unlock()
	for _, a := range later.attempts[len(o.attempts):] {
		tried := &attempt{number: a.number, batch: a.batch}
		o.attempts = append(o.attempts, tried)
		eachEvent(a.batch, func(_ string, e *engine.NewEvent) { o.byID[e.ID] = tried })
	}
}
