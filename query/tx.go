package query

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
)

// A Tx is an open transaction: a snapshot taken when it began, and appends that are buffered until
// Commit writes all of them or none. It holds no lock. One that is serializable holds memory of the
// store's queries until Commit or Rollback. One goroutine uses it.
type Tx struct {
	store    engine.Store
	index    engine.ReadIndex // the snapshot, without the content of what is erased
	readOnly bool
	textual  bool // begun by BEGIN as text, and so ended by text
	appends  []engine.Append
	erasures []ownErasure
	erased   engine.Spans // by them
	events   []ownEvent   // the buffered events, in order
	streams  ownStreams
	size     int64 // bytes of the buffered events and erasures, about as encoded
	saved    []savepoint
	cuts     []cut
	told     []int // of each erasure that was committed: which of the events appended tells of it
	done     bool
	appended engine.Appended
	undo     []undoStream // what the statement that is being added has changed in streams
	reads    *txReads     // nil unless it is serializable and can write

	// What appends refers to. It is written once, so that rows that are being read may refer to it,
	// too.
	texts     textHeap
	newEvents []engine.NewEvent
	expect    []engine.Expectation
	receipts  []Receipt
}

// An undoStream is what streams had for a stream before it was changed.
type undoStream struct {
	stream string
	before ownStream
	known  bool
}

// A cut is what a rollback to a savepoint has left.
type cut struct{ events, erasures int }

// ErrTxDone is returned by Commit and by statements when the transaction has ended.
var ErrTxDone = errors.New("the transaction has ended")

// A savepoint remembers how much a transaction has buffered.
type savepoint struct {
	name     string
	appends  int
	events   int
	erasures int
	erased   engine.Spans
	size     int64
	streams  ownStreams
}

// Begin starts a transaction on the store as it is now. A read-only one refuses INSERT, ERASE
// and EXPECT.
func Begin(store engine.Store, readOnly bool) *Tx {
	return &Tx{store: store, index: store.ReadIndex(), readOnly: readOnly, streams: ownStreams{}}
}

// BeginSerializable is Begin for a transaction whose Commit also checks that every statement of it
// would have given the same if it had run then. One that only reads needs no check: its snapshot is
// what one moment was like.
func BeginSerializable(store engine.Store, readOnly bool) *Tx {
	tx := Begin(store, readOnly)
	if !readOnly {
		tx.reads = newTxReads(tx.index.Head())
	}
	return tx
}

// Commit appends everything that is buffered, all or nothing, and ends the transaction whatever
// comes of it. Errors are the store's, a *engine.ConflictError with every check that failed first
// among them.
func (tx *Tx) Commit(ctx context.Context) error {
	if tx.done {
		return ErrTxDone
	}
	tx.done = true
	defer tx.endReads()
	batch := tx.batch()
	if len(batch) == 0 {
		return ctx.Err()
	}
	defer tx.forget()
	if err := tx.reads.failed(); err != nil {
		return err
	}
	next := len(tx.events)
	for _, e := range tx.erasures {
		tx.told, next = append(tx.told, next), next+e.parts
	}
	var err error
	tx.appended, err = tx.store.Append(ctx, tx.reads.guard(batch)...)
	return tx.reads.explain(err)
}

// Appended returns what Commit has written.
func (tx *Tx) Appended() engine.Appended { return tx.appended }

// Rollback drops what is buffered and ends the transaction. It may be called at any time, again,
// too.
func (tx *Tx) Rollback() {
	tx.done = true
	tx.endReads()
	tx.forget()
}

// endReads lets go of what was noted of reads.
func (tx *Tx) endReads() {
	tx.reads.end()
	tx.reads = nil
}

// forget lets go of what was buffered. Receipts may keep the transaction for longer.
func (tx *Tx) forget() {
	tx.appends, tx.events, tx.erasures, tx.saved, tx.undo = nil, nil, nil, nil, nil
	tx.texts, tx.newEvents, tx.expect, tx.receipts = textHeap{}, nil, nil, nil
}

// writable refuses to write into a transaction that cannot.
func (tx *Tx) writable(pos parser.Pos) error {
	switch {
	case tx.done:
		return ErrTxDone
	case tx.readOnly:
		return errorf(ReadOnly, pos, "the transaction is read-only")
	}
	return nil
}

// stream returns a stream as it is with the buffered events.
func (tx *Tx) stream(name string) (ownStream, error) {
	if s, ok := tx.streams[name]; ok {
		return s, nil
	}
	v, ok, err := tx.index.StreamVersion(name)
	if err != nil || !ok {
		v = engine.NoVersion
	}
	return ownStream{last: v}, err
}

// setStream changes a stream until the statement is retracted.
func (tx *Tx) setStream(name string, s ownStream) {
	before, known := tx.streams[name]
	if s == before && known {
		return
	}
	tx.undo = append(tx.undo, undoStream{name, before, known})
	tx.streams[name] = s
}

// add buffers the appends of one statement, all or none of them, after checking what can be checked
// now: that fails early what Commit would refuse. It copies appends and the lists in them, but not
// the texts.
func (tx *Tx) add(ctx context.Context, appends []engine.Append) error {
	size, err := tx.sizeWith(appends)
	if err != nil {
		return err
	}
	before := len(tx.events)
	tx.undo = tx.undo[:0]
	failed, err := tx.number(ctx, appends)
	if err == nil && len(failed) > 0 {
		err = tx.refuse(ctx, appends, failed)
	}
	if err != nil {
		tx.retract(before)
		return err
	}
	for i := range appends {
		appends[i].Expect = keepIn(&tx.expect, appends[i].Expect)
	}
	tx.appends, tx.size = append(tx.appends, appends...), size
	return nil
}

// refuse returns the conflict, unless the appends may be a retry: of that, Commit decides.
func (tx *Tx) refuse(
	ctx context.Context, appends []engine.Append, failed []engine.FailedCheck,
) error {
	known, err := tx.knowsID(ctx, appends)
	if err != nil || known {
		return err
	}
	for i := range failed {
		tx.reads.noteFailed(&failed[i])
	}
	return &engine.ConflictError{Head: tx.index.Head(), Checks: failed}
}

// number buffers the events of appends with the versions that they will have if nobody else
// appends, and returns the expectations that do not hold. Versions see what is buffered before
// their append; conditions see what the statements before have buffered, because the rows of one
// INSERT are one decision.
func (tx *Tx) number(
	ctx context.Context, appends []engine.Append,
) (failed []engine.FailedCheck, err error) {
	earlier := tx.events
	for i := range appends {
		a := &appends[i]
		s, err := tx.stream(a.Stream)
		if err != nil {
			return nil, err
		}
		for k, e := range a.Expect {
			f, err := tx.checkOne(ctx, earlier, a.Stream, s.last, e)
			if err != nil {
				return nil, err
			}
			if f != nil {
				f.Append, f.Check = len(tx.appends)+i, k
				failed = append(failed, *f)
			} else if v, ok := e.(engine.ExpectedVersion); ok {
				s.pinned = s.pinned || v.Pins()
			}
		}
		tx.buffer(a, &s)
		tx.setStream(a.Stream, s)
	}
	return failed, nil
}

// buffer takes over the events of an append to the stream.
func (tx *Tx) buffer(a *engine.Append, s *ownStream) {
	if len(a.Events) == 0 {
		return
	}
	a.Events = keepIn(&tx.newEvents, a.Events)
	for j := range a.Events {
		e := &a.Events[j]
		if len(e.Tags) > 0 {
			e.Tags = sortedTags(e.Tags)
		}
		s.last++
		tx.events = append(tx.events, ownEvent{stream: a.Stream, version: s.last, event: e})
	}
}

// retract takes back what a statement has done that is refused: the events from number n on, which
// nobody has read.
func (tx *Tx) retract(n int) {
	clear(tx.events[n:])
	tx.events = tx.events[:n]
	for _, u := range slices.Backward(tx.undo) {
		if u.known {
			tx.streams[u.stream] = u.before
		} else {
			delete(tx.streams, u.stream)
		}
	}
}

// last returns the places of the n events that were buffered last, as far as they are known.
func (tx *Tx) last(n int) []engine.Placed {
	placed := make([]engine.Placed, n)
	for i := range placed {
		e := &tx.events[len(tx.events)-n+i]
		placed[i] = engine.Placed{
			Position: engine.NoPosition, Version: tx.streams.version(e), ID: e.event.ID,
		}
	}
	return placed
}

// eventHead is about what the store adds to an event's texts.
const eventHead = 48

// sizeWith returns the size of the buffer with the appends, or refuses what Commit would find too
// large.
func (tx *Tx) sizeWith(appends []engine.Append) (int64, error) {
	size := tx.size
	for k := range appends {
		a := &appends[k]
		for i := range a.Events {
			e := &a.Events[i]
			size += int64(eventHead + len(a.Stream) + len(e.Type) + len(e.Payload) + len(e.Metadata))
			for _, t := range e.Tags {
				size += int64(len(t) + 1)
			}
		}
	}
	if size > engine.MaxAppendSize {
		return 0, &engine.TooLargeError{What: "append", Size: size, Limit: engine.MaxAppendSize}
	}
	return size, nil
}

// knowsID reports whether the snapshot has one of the ids that the appends give.
func (tx *Tx) knowsID(ctx context.Context, appends []engine.Append) (bool, error) {
	var ids []uuid.UUID
	for _, a := range appends {
		for i := range a.Events {
			if id := a.Events[i].ID; id != uuid.Nil {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		return false, nil
	}
	n, err := tx.index.Count(ctx, engine.Filter{IDs: ids})
	return n > 0, err
}

// checkOne tests one expectation of a stream that is at version actual, in front of which the
// transaction has buffered the earlier events. It returns nil if it holds.
func (tx *Tx) checkOne(
	ctx context.Context, earlier []ownEvent, stream string, actual engine.Version, e engine.Expectation,
) (*engine.FailedCheck, error) {
	switch e := e.(type) {
	case engine.ExpectedVersion:
		if !e.Holds(actual) {
			return &engine.FailedCheck{Stream: stream, Expected: e, Actual: actual}, nil
		}
	case *engine.Condition:
		found, err := engine.Conflicts(ctx, tx.index, e, 0)
		if err == nil && len(found) < engine.MaxConflicts {
			found, err = tx.ownConflicts(ctx, e, earlier, found)
		}
		if err != nil || len(found) == 0 {
			return nil, err
		}
		return &engine.FailedCheck{Stream: stream, Condition: e, Conflicts: found}, nil
	}
	return nil, nil
}

func (tx *Tx) save(name string) {
	tx.saved = append(tx.saved, savepoint{
		name: name, appends: len(tx.appends), events: len(tx.events), size: tx.size,
		erasures: len(tx.erasures), erased: tx.erased, streams: maps.Clone(tx.streams),
	})
}

// findSavepoint returns the youngest savepoint with the name, -1 if there is none.
func (tx *Tx) findSavepoint(name string) int {
	for i := len(tx.saved) - 1; i >= 0; i-- {
		if sameName(tx.saved[i].name, name) {
			return i
		}
	}
	return -1
}

// rollbackTo drops what was buffered after savepoint i, which stays. Rows that are still being read
// keep what they see.
func (tx *Tx) rollbackTo(i int) {
	p := &tx.saved[i]
	tx.reads.noteDropped(tx.appends[p.appends:])
	tx.appends = append([]engine.Append(nil), tx.appends[:p.appends]...)
	tx.events = append([]ownEvent(nil), tx.events[:p.events]...)
	tx.erasures = append([]ownErasure(nil), tx.erasures[:p.erasures]...)
	tx.showErased(p.erased)
	tx.size = p.size
	tx.streams = maps.Clone(p.streams)
	tx.saved = tx.saved[:i+1]
	tx.cuts = append(tx.cuts, cut{p.events, p.erasures})
}
