package filestore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// A Replica is a store that holds what a log elsewhere says, event by event: the local copy of a
// cluster's log. It decides about appends as the store of that log would, and writes nothing but
// what Apply gives it, at the places where the log has it.
//
// What it holds is made durable now and then, as with SyncInterval: what a crash takes of it comes
// again from the log. Decide may be called by any number of goroutines, also during an Apply, of
// which there is one at a time.
type Replica struct {
	store *FileStore
	limit int // of the size of an event that is appended, in bytes

	carrying sync.Mutex // held while erasures are carried out
}

// A Decision is about one append. Its Batch is given; Decide fills in the rest.
type Decision struct {
	Batch []engine.Append
	// Own says that Batch is what CarryOut has returned, of a stream that is the store's own.
	Own bool
	// Stored is the Batch as it is to be written: its notes have their streams and events, every event
	// has an id, the same in every Decide, and sorted tags.
	Stored []engine.Append
	// Outcome has the places that the events would get behind Head, or, if it is a Duplicate, those
	// that they have.
	Outcome engine.Appended
	Head    engine.Position

	own bool // some of it is a note
	ids []uuid.UUID
}

// OpenReplica opens the store in directory dir, which need not be there, and takes its write lock.
// The options are those of the store, but for the way to sync.
func OpenReplica(ctx context.Context, dir string, o Options) (*Replica, error) {
	o.ReadOnly, o.Sync = false, SyncInterval
	o.applying = true // nothing may be appended that the log does not have
	if err := o.fill(); err != nil {
		return nil, err
	}
	limit := o.MaxEventSize
	o.MaxEventSize = engine.MaxEventLimit // what the log has was within the limit of who appended it
	store, err := Open(dir, o)
	if err != nil {
		return nil, err
	}
	if err := store.startWriting(ctx); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &Replica{store: store, limit: limit}, nil
}

// Store is the replica for reading. Nobody may append to it or close it.
func (r *Replica) Store() *FileStore { return r.store }

// Close closes the store. What was applied is durable then.
func (r *Replica) Close() error { return r.store.Close() }

// Decide says what would become of an append to the log as it is here: its errors are those of
// Store.Append, in the same order. With tried set it first looks for the events under the ids that
// an earlier Decide has given them: they may have been written since.
func (r *Replica) Decide(ctx context.Context, d *Decision, tried bool) error {
	if r.store.closed.Load() {
		return engine.ErrClosed
	}
	q, err := r.prepare(ctx, d)
	defer q.release()
	if err != nil {
		return err
	}
	retry, err := r.retryOf(ctx, d, tried)
	defer retry.release()
	if err != nil {
		return err
	}
	return r.ask(ctx, func(w *writer) error {
		for _, q := range []*request{retry, q} {
			w.group.begin(w.log.now(r.store))
			w.admit(q)
			d.Outcome, d.Head = q.result, w.log.end.next
			w.group.drop(errOnlyDecided)
			if q.err != nil || q.result.Duplicate {
				return q.err
			}
		}
		return nil
	})
}

// prepare returns the request for the batch of a decision. It is to be released after an error, too.
func (r *Replica) prepare(ctx context.Context, d *Decision) (*request, error) {
	q := requests.Get().(*request)
	batch, err := r.begin(ctx, d)
	if err != nil {
		return q, err
	}
	q.own, q.made = d.own, d.ids
	if err := r.store.fillRequest(ctx, q, batch); err != nil {
		return q, err
	}
	d.note(q)
	return q, nil
}

// retryOf returns the request that finds the events of a decision if they are stored; it offers
// none if nothing was tried.
func (r *Replica) retryOf(ctx context.Context, d *Decision, tried bool) (*request, error) {
	q := requests.Get().(*request)
	if !tried {
		return q, nil
	}
	batch := slices.Clone(d.Stored)
	for i := range batch {
		batch[i].Expect = nil
	}
	return q, r.store.fillRequest(ctx, q, batch)
}

// errOnlyDecided is why a group is dropped that was never to be written.
var errOnlyDecided = errors.New("eventfold: the append was only decided about")

// begin checks the streams of the batch, and gives its notes theirs, once: what they get must be the
// same every time.
func (r *Replica) begin(ctx context.Context, d *Decision) ([]engine.Append, error) {
	if d.ids != nil {
		return d.Batch, nil
	}
	if d.Own {
		d.own = true
		return d.Batch, nil
	}
	batch, own, err := r.store.resolve(ctx, d.Batch)
	if err != nil {
		return nil, err
	}
	d.own = own
	return batch, r.checkSizes(batch)
}

// checkSizes refuses events that are larger than what may be appended.
func (r *Replica) checkSizes(batch []engine.Append) error {
	for i := range batch {
		for j := range batch[i].Events {
			if size := format.EventSize(&batch[i].Events[j]); size > int64(r.limit) {
				return &engine.TooLargeError{What: "event", Size: size, Limit: int64(r.limit), Append: i, Event: j}
			}
		}
	}
	return nil
}

// note keeps what the first Decide has made.
func (d *Decision) note(q *request) {
	if d.ids != nil {
		return
	}
	d.Batch = q.batch
	d.ids = make([]uuid.UUID, 0, len(q.events))
	d.Stored = slices.Clone(q.batch)
	for i := range d.Stored {
		a := &d.Stored[i]
		a.Erase, a.Define = nil, nil
		a.Events = slices.Clone(a.Events)
		for j := range a.Events {
			e := &a.Events[j]
			e.ID = q.events[len(d.ids)].ID
			if len(e.Tags) > 0 {
				e.Tags = slices.Sorted(slices.Values(e.Tags))
			}
			d.ids = append(d.ids, e.ID)
		}
	}
}

// Apply writes the events of one append of the log. They must be the next ones: their positions
// follow the head, their versions their streams. Their time is that of the first, or that of the
// event before if it is earlier.
//
// Whatever is random in what is written is made of the salt, which is the append's, and as secret as
// its events: two replicas that are given the same events with the same salts have the same chain,
// and a receipt of one holds for the other.
//
// From an event on that tells of an erasure the replica hides what it names, and CarryOut destroys
// it. One that tells that an erasure is done is written when that is so here.
func (r *Replica) Apply(ctx context.Context, events []engine.Event, salt [32]byte) error {
	own, err := checkApply(events)
	if err != nil {
		return err
	}
	erased, done, err := erasedBy(events)
	if err != nil {
		return err
	}
	if done {
		if _, err := r.CarryOut(ctx); err != nil {
			return err
		}
	}
	f := r.fill(ctx, &Applied{Events: events, Salt: salt}, own)
	defer f.q.release()
	if f.err != nil {
		return f.err
	}
	err = r.ask(ctx, func(w *writer) error { return w.apply(f.q, events, f.nonce) })
	if err == nil && len(erased) > 0 {
		_ = r.store.deriveds.forget(ctx, erased) // what fails is done before the erasure is
	}
	return err
}

// Applied is an append of the log, as Apply takes it.
type Applied struct {
	Events []engine.Event
	Salt   [32]byte
}

// ApplyAll is Apply of several appends, one after the other, with less work between them. It returns how
// many of them were written: with an error it is about the next one.
func (r *Replica) ApplyAll(ctx context.Context, appends []Applied) (done int, err error) {
	for done < len(appends) && err == nil {
		n := 0
		for n < len(appends)-done && !isAboutErasures(appends[done+n].Events) {
			n++
		}
		if n == 0 {
			if err = r.Apply(ctx, appends[done].Events, appends[done].Salt); err == nil {
				done++
			}
			continue
		}
		n, err = r.applyPlain(ctx, appends[done:done+n])
		done += n
	}
	return done, err
}

// isAboutErasures reports whether something has to be done before or after events are written.
func isAboutErasures(events []engine.Event) bool {
	return slices.ContainsFunc(events, func(e engine.Event) bool { return e.Stream == engine.ErasuresStream })
}

// applyPlain asks the writer once for appends that are about no erasures.
func (r *Replica) applyPlain(ctx context.Context, appends []Applied) (done int, err error) {
	all := make([]filled, 0, len(appends))
	defer func() {
		for _, f := range all {
			f.q.release()
		}
	}()
	for i := range appends {
		own, err := checkApply(appends[i].Events)
		f := r.fill(ctx, &appends[i], own)
		if err != nil {
			f.err = err
		}
		all = append(all, f)
	}
	err = r.ask(ctx, func(w *writer) error {
		for i, f := range all {
			if f.err != nil {
				return f.err
			}
			if err := w.apply(f.q, appends[i].Events, f.nonce); err != nil {
				return err
			}
			done++
		}
		return nil
	})
	return done, err
}

// A filled request is ready for the writer, unless there is an error. It is to be released after an
// error, too.
type filled struct {
	q     *request
	nonce uint64
	err   error
}

func (r *Replica) fill(ctx context.Context, a *Applied, own bool) filled {
	q := requests.Get().(*request)
	q.own = own
	nonce := q.salted(a.Salt, len(a.Events))
	err := r.store.fillRequest(ctx, q, importBatch(a.Events))
	if err == nil && q.eraseRecords(a.Events) {
		q.seal()
	}
	return filled{q, nonce, err}
}

// salted gives the request salts for n events, and returns a nonce: all of them made of one salt.
func (r *request) salted(salt [32]byte, n int) (nonce uint64) {
	source := rand.NewChaCha8(salt)
	r.salts = make([]byte, n*format.SaltSize)
	_, _ = source.Read(r.salts) // it never fails
	return max(1, source.Uint64())
}

// apply writes the events of a request, which is for nothing else, as one frame.
func (w *writer) apply(q *request, events []engine.Event, nonce uint64) error {
	if head := w.head(); head != events[0].Position {
		return fmt.Errorf("eventfold: the replica ends before position %d and is given the event at %d",
			head, events[0].Position)
	}
	w.group.begin(max(events[0].RecordedAt.UnixMicro(), w.log.end.micros))
	w.group.foreign = &format.FrameHeader{Kind: format.FrameEvents, Nonce: nonce}
	defer func() { w.group.foreign = nil }()
	q.state.Store(requestQueued)
	w.claim(q)
	if err := misplaced(q, events); err != nil {
		w.group.drop(err)
		return err
	}
	w.commit()
	<-q.done
	return q.err
}

// erasedBy returns what events erase, and whether one of them tells that an erasure is done.
func erasedBy(events []engine.Event) (erased engine.Spans, done bool, err error) {
	for i := range events {
		e := &events[i]
		if e.Stream != engine.ErasuresStream {
			continue
		}
		t, ok, err := tell(e.Position, e.Type, e.Payload)
		if err != nil {
			return nil, false, &engine.FormatError{File: e.Stream, Reason: err.Error()}
		}
		if ok {
			erased, done = erased.Union(t.erased.Events), done || t.done != uuid.Nil
		}
	}
	return erased, done, nil
}

// CarryOut destroys what the erasures name that the log tells of and that are not done: no file of
// the replica holds it when it returns without an error. It returns the append with which the log is
// told so, once for all replicas, without events if there is nothing to tell; it is the same
// whichever of them makes it. It may be called by any number of goroutines.
func (r *Replica) CarryOut(ctx context.Context) (done engine.Append, err error) {
	r.carrying.Lock()
	defer r.carrying.Unlock()
	done.Stream = engine.ErasuresStream
	e := r.store.view.Load().erasures
	if e == nil {
		return done, nil
	}
	if err := r.store.eraser.settle(ctx, e); err != nil {
		return done, err
	}
	for _, o := range e.open {
		if tell := (engine.ErasureDone{Erasure: o.id}); !o.foreign && len(done.Events) < maxDone {
			done.Events = append(done.Events, tell.NewEvent())
		}
	}
	return done, nil
}

// ownTypes are the types of events of ErasuresStream.
var ownTypes = []string{engine.ErasedType, engine.ErasureDoneType, engine.ForgottenType}

// checkApply reports whether the events are of the stores' own streams, and refuses those that would
// have to be carried out.
func checkApply(events []engine.Event) (own bool, err error) {
	for i := range events {
		e := &events[i]
		switch {
		case e.Stream == engine.ViewsStream, e.Stream == engine.ErasuresStream && slices.Contains(ownTypes, e.Type):
			own = true
		case e.Stream == "" || e.Stream[0] == '$':
			return false, &engine.FormatError{File: e.Stream, Reason: fmt.Sprintf(
				"has an event of the type %s, which a replica cannot carry out; a later version may", e.Type)}
		default:
			if err := checkStream(e.Stream, i); err != nil {
				return false, err
			}
		}
	}
	return own, nil
}

// misplaced returns an error if the request was refused, or would write the events elsewhere than
// they are.
func misplaced(q *request, events []engine.Event) error {
	if q.err != nil {
		return q.err
	}
	if q.result.Duplicate {
		return &engine.DuplicateEventError{ID: events[0].ID, Kind: engine.RepeatedID, Stream: events[0].Stream,
			Position: q.result.Events[0].Position}
	}
	for i, e := range q.result.Events {
		if e.Version != events[i].Version {
			return &engine.FormatError{File: events[i].Stream, Reason: fmt.Sprintf(
				"has version %d at position %d of the log, and is at %d here", events[i].Version, events[i].Position, e.Version-1)}
		}
	}
	return nil
}

// ask has the writer do something, which it always answers.
func (r *Replica) ask(ctx context.Context, do func(w *writer) error) error {
	s := r.store
	s.gate.RLock()
	defer s.gate.RUnlock()
	return s.order(ctx, do)
}
