package query

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/parser"
)

// A Tx is an open transaction: a snapshot taken when it began, and appends that are buffered until Commit writes all of
// them or none. It holds no lock and needs no closing. One goroutine uses it.
type Tx struct {
	store    engine.Store
	index    engine.ReadIndex // the snapshot
	readOnly bool
	textual  bool // begun by BEGIN as text, and so ended by text
	appends  []engine.Append
	events   []ownEvent                // the buffered events, in order
	versions map[string]engine.Version // of the streams that have buffered events
	size     int64                     // bytes of the buffered events, about as encoded
	saved    []savepoint
	done     bool
	appended engine.Appended

	// What appends refers to. It is written once, so that rows that are being read may refer to it, too.
	texts     textHeap
	newEvents []engine.NewEvent
	expect    []engine.Expectation
}

// ErrTxDone is returned by Commit and by statements when the transaction has ended.
var ErrTxDone = errors.New("the transaction has ended")

// An ownEvent is a buffered event of a transaction as its own reads see it.
type ownEvent struct {
	stream  string
	version engine.Version
	event   *engine.NewEvent
}

// appendTo adds the event to a batch. Its position and time are not known yet.
func (e *ownEvent) appendTo(b *engine.Batch) {
	b.Len++
	b.Positions = append(b.Positions, engine.NoPosition)
	b.Streams = append(b.Streams, e.stream)
	b.Versions = append(b.Versions, e.version)
	b.IDs = append(b.IDs, e.event.ID)
	b.Types = append(b.Types, e.event.Type)
	b.Payloads = append(b.Payloads, e.event.Payload)
	b.JSON = append(b.JSON, validJSON(e.event.Payload))
	b.Metadata = append(b.Metadata, bytesOf(metadataText(e.event.Metadata)))
	b.Tags = append(b.Tags, e.event.Tags)
	b.Times = append(b.Times, 0)
	b.Redacted = append(b.Redacted, false)
}

// A savepoint remembers how much a transaction has buffered.
type savepoint struct {
	name     string
	appends  int
	events   int
	size     int64
	versions map[string]engine.Version
}

// Begin starts a transaction on the store as it is now. A read-only one refuses INSERT and EXPECT.
func Begin(store engine.Store, readOnly bool) *Tx {
	return &Tx{store: store, index: store.ReadIndex(), readOnly: readOnly, versions: map[string]engine.Version{}}
}

// Commit appends everything that is buffered, all or nothing, and ends the transaction whatever comes of it.
// Errors are the store's, a *engine.ConflictError with every check that failed first among them.
func (tx *Tx) Commit(ctx context.Context) error {
	if tx.done {
		return ErrTxDone
	}
	tx.done = true
	if len(tx.appends) == 0 {
		return ctx.Err()
	}
	var err error
	tx.appended, err = tx.store.Append(ctx, tx.appends...)
	return err
}

// Appended returns what Commit has written.
func (tx *Tx) Appended() engine.Appended { return tx.appended }

// Rollback drops what is buffered and ends the transaction. It may be called at any time, again, too.
func (tx *Tx) Rollback() {
	tx.done = true
	tx.appends, tx.events, tx.saved = nil, nil, nil
	tx.texts, tx.newEvents, tx.expect = textHeap{}, nil, nil
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

// version returns the version of a stream's last event, the buffered ones included.
func (tx *Tx) version(stream string) (engine.Version, error) {
	if v, ok := tx.versions[stream]; ok {
		return v, nil
	}
	v, ok, err := tx.index.StreamVersion(stream)
	if err != nil || !ok {
		return engine.NoVersion, err
	}
	return v, nil
}

// add buffers the appends of one statement, all or none of them, after checking what can be checked now: that fails early what Commit would
// refuse. It copies appends and the lists in them, but not the texts.
func (tx *Tx) add(ctx context.Context, appends []engine.Append) error {
	size, err := tx.sizeWith(appends)
	if err != nil {
		return err
	}
	known, err := tx.knowsID(ctx, appends)
	if err != nil {
		return err
	}
	before := len(tx.events)
	failed, err := tx.number(ctx, appends, !known) // of a retry, Commit decides
	if err == nil && failed != nil {
		err = &engine.ConflictError{Head: tx.index.Head(), Checks: failed}
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

// number buffers the events of appends with the versions that they will have. If check is set it tests their expectations and returns those that
// do not hold: versions against the snapshot and the buffer, conditions against the snapshot alone.
func (tx *Tx) number(ctx context.Context, appends []engine.Append, check bool) (failed []engine.FailedCheck, err error) {
	for i := range appends {
		a := &appends[i]
		last, err := tx.version(a.Stream)
		if err != nil {
			return nil, err
		}
		for k := 0; check && k < len(a.Expect); k++ {
			f, err := tx.checkOne(ctx, a.Stream, last, a.Expect[k])
			if err != nil {
				return nil, err
			}
			if f != nil {
				f.Append, f.Check = len(tx.appends)+i, k
				failed = append(failed, *f)
			}
		}
		if len(a.Events) == 0 {
			continue
		}
		a.Events = keepIn(&tx.newEvents, a.Events)
		for j := range a.Events {
			e := &a.Events[j]
			if len(e.Tags) > 0 {
				e.Tags = sortedTags(e.Tags)
			}
			last++
			tx.events = append(tx.events, ownEvent{stream: a.Stream, version: last, event: e})
		}
		tx.versions[a.Stream] = last
	}
	return failed, nil
}

// retract drops the events from number n on, which nobody has read.
func (tx *Tx) retract(n int) {
	for i := len(tx.events) - 1; i >= n; i-- {
		e := &tx.events[i]
		tx.versions[e.stream] = e.version - 1
		*e = ownEvent{}
	}
	tx.events = tx.events[:n]
}

// last returns the places of the n events that were buffered last. Their positions are not known.
func (tx *Tx) last(n int) []engine.Placed {
	placed := make([]engine.Placed, n)
	for i, e := range tx.events[len(tx.events)-n:] {
		placed[i] = engine.Placed{Position: engine.NoPosition, Version: e.version, ID: e.event.ID}
	}
	return placed
}

// eventHead is about what the store adds to an event's texts.
const eventHead = 48

// sizeWith returns the size of the buffer with the appends, or refuses what Commit would find too large.
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

// checkOne tests one expectation. It returns nil if it holds.
func (tx *Tx) checkOne(ctx context.Context, stream string, actual engine.Version, e engine.Expectation) (*engine.FailedCheck, error) {
	switch e := e.(type) {
	case engine.ExpectedVersion:
		if !e.Holds(actual) {
			return &engine.FailedCheck{Stream: stream, Expected: e, Actual: actual}, nil
		}
	case *engine.Condition:
		found, err := conflicts(ctx, tx.index, e)
		if err != nil || len(found) == 0 {
			return nil, err
		}
		return &engine.FailedCheck{Stream: stream, Condition: e, Conflicts: found}, nil
	}
	return nil, nil
}

// The statements BEGIN, COMMIT and ROLLBACK, as text.
type transactionStatement struct {
	kind parser.TransactionKind
	pos  parser.Pos
}

func (t *transactionStatement) query(ctx context.Context, s *Session, args []Value) (Rows, error) {
	return queryNothing(t, ctx, s, args)
}

func (t *transactionStatement) exec(ctx context.Context, s *Session, _ []Value) (Outcome, error) {
	none := Outcome{LastPosition: engine.NoPosition}
	if t.kind == parser.Begin {
		if s.Tx != nil {
			return none, errorf(BadStatement, t.pos, "a transaction is open already; transactions do not nest, SAVEPOINT does")
		}
		s.Tx = Begin(s.Store, false)
		s.Tx.textual = true
		return none, nil
	}
	tx := s.Tx
	switch {
	case tx == nil:
		return none, errorf(BadStatement, t.pos, "no transaction is open")
	case !tx.textual:
		return none, errorf(BadStatement, t.pos, "this transaction was begun with BeginTx: end it with its Commit or Rollback")
	}
	s.Tx = nil
	if t.kind == parser.Rollback {
		tx.Rollback()
		return none, nil
	}
	written := int64(len(tx.events))
	if err := tx.Commit(ctx); err != nil {
		return none, err
	}
	if n := len(tx.appended.Events); n > 0 {
		none.LastPosition, none.Duplicate = tx.appended.Events[n-1].Position, tx.appended.Duplicate
	}
	if !none.Duplicate {
		none.RowsAffected = written
	}
	return none, nil
}

// queryNothing runs a statement without rows through Query.
func queryNothing(p planner, ctx context.Context, s *Session, args []Value) (Rows, error) {
	if _, err := p.exec(ctx, s, args); err != nil {
		return nil, err
	}
	return listRows(nil, nil, s), nil
}

// A savepointStatement is SAVEPOINT, ROLLBACK TO or RELEASE.
type savepointStatement struct {
	kind parser.SavepointKind
	name string
	pos  parser.Pos
}

func (t *savepointStatement) query(ctx context.Context, s *Session, args []Value) (Rows, error) {
	return queryNothing(t, ctx, s, args)
}

func (t *savepointStatement) exec(_ context.Context, s *Session, _ []Value) (Outcome, error) {
	none := Outcome{LastPosition: engine.NoPosition}
	if s.Tx == nil {
		return none, errorf(BadStatement, t.pos, "a savepoint needs a transaction, and none is open")
	}
	if s.Tx.done {
		return none, ErrTxDone
	}
	if t.kind == parser.SavepointSet {
		s.Tx.save(t.name)
		return none, nil
	}
	i := s.Tx.findSavepoint(t.name)
	if i < 0 {
		return none, errorf(BadStatement, t.pos, "there is no savepoint %s", quoted(t.name))
	}
	if t.kind == parser.SavepointRelease {
		s.Tx.saved = s.Tx.saved[:i]
		return none, nil
	}
	s.Tx.rollbackTo(i)
	return none, nil
}

func (tx *Tx) save(name string) {
	versions := make(map[string]engine.Version, len(tx.versions))
	for stream, v := range tx.versions {
		versions[stream] = v
	}
	tx.saved = append(tx.saved, savepoint{name: name, appends: len(tx.appends), events: len(tx.events), size: tx.size, versions: versions})
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

// rollbackTo drops what was buffered after savepoint i, which stays. Rows that are still being read keep what they see.
func (tx *Tx) rollbackTo(i int) {
	p := &tx.saved[i]
	tx.appends = append([]engine.Append(nil), tx.appends[:p.appends]...)
	tx.events = append([]ownEvent(nil), tx.events[:p.events]...)
	tx.size = p.size
	tx.versions = make(map[string]engine.Version, len(p.versions))
	for stream, v := range p.versions {
		tx.versions[stream] = v
	}
	tx.saved = tx.saved[:i+1]
}
