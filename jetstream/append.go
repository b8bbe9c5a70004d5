package jetstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// Bounds of trying.
const (
	minPause = time.Millisecond
	maxPause = 500 * time.Millisecond
	// contendedAfter is how many attempts of an append for which the whole log must stand still are
	// refused before it gets ErrContended.
	contendedAfter = 32
	// confirmPause is how long a node waits before it asks again whether there is not what is expected.
	confirmPause = 100 * time.Millisecond
	// syncPatience bounds a look at the leader between two attempts.
	syncPatience = 2 * time.Second
	// fresh is how old the local copy may be when it says that an id is not stored yet: the servers
	// know the ids of duplicateWindow, which is much longer, even of a leader that leads no more.
	fresh = time.Minute
)

// A try is one append on its way.
//
// It is decided about by the local copy, which holds a beginning of the log. What it is published
// with makes the servers store it only behind the head of that decision, its base: of each stream
// that it writes to, or of the whole log. Hence of all attempts on one base at most one is ever
// stored, and none once the local copy shows that something else has come behind the base. That is
// why no answer of a server but an acknowledgement matters: the append is decided about again, on
// the log as it is by then, where its own events are found by their ids if they were stored.
type try struct {
	d     *filestore.Decision
	given bool // some event came with its id
	whole bool // the base is the whole log
	tried bool // something was published
	base  engine.Position
	times int   // of publishing
	last  error // that the servers have answered with
}

// Append implements engine.Store. If ctx ends when something was published and its outcome is not
// known, the error matches engine.ErrOutcomeUnknown; the same append with the same ids settles it.
// An append has at most 1,000 events. An erasure reaches every node's copy, never the servers' disks:
// see docs/cluster.md.
func (s *Store) Append(ctx context.Context, batch ...engine.Append) (engine.Appended, error) {
	done, err := s.append(ctx, &filestore.Decision{Batch: batch})
	if err == nil {
		s.count(&done)
	}
	return done, err
}

// append appends what is to be decided about.
func (s *Store) append(ctx context.Context, d *filestore.Decision) (engine.Appended, error) {
	if s.closed.Load() { // a Close that waits lets nobody through the gate
		return engine.Appended{}, engine.ErrClosed
	}
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed.Load() {
		return engine.Appended{}, engine.ErrClosed
	}
	if err := s.Err(); err != nil {
		return engine.Appended{}, err
	}
	if err := ctx.Err(); err != nil {
		return engine.Appended{}, err
	}
	t := &try{d: d}
	if err := t.look(); err != nil {
		return engine.Appended{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.life, func() { cancel(context.Cause(s.life)) })()
	unlock, err := s.locks.lock(ctx, t.streams())
	if err == nil {
		defer unlock()
		var done engine.Appended
		if done, err = s.try(ctx, t); err == nil {
			return done, nil
		}
	}
	return engine.Appended{}, t.explain(ctx, err)
}

// count counts an append that was acknowledged.
func (s *Store) count(done *engine.Appended) {
	s.appends.Add(1)
	if !done.Duplicate {
		s.appended.Add(int64(len(done.Events)))
	}
}

// explain makes an error that says what has become of the append.
func (t *try) explain(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
		err = withAnswer(context.Cause(ctx), t.last)
	}
	definite := errors.Is(err, ErrContended) || errors.Is(err, engine.ErrOutcomeUnknown) ||
		errors.As(err, new(*engine.ConflictError)) || errors.As(err, new(*engine.DuplicateEventError))
	if t.tried && !definite {
		return fmt.Errorf("%w: %w", engine.ErrOutcomeUnknown, err)
	}
	return err
}

// look refuses what cannot be appended here, and says what has to stand still for it: where an
// expectation is about more than the streams that are written to, that is the whole log.
func (t *try) look() error {
	events := 0
	written := t.streams()
	for i := range t.d.Batch {
		a := &t.d.Batch[i]
		events += len(a.Events)
		t.given = t.given || slices.ContainsFunc(a.Events, func(e engine.NewEvent) bool { return e.ID != uuid.Nil })
		for _, expect := range a.Expect {
			switch e := expect.(type) {
			case engine.ExpectedVersion:
				t.whole = t.whole || e != engine.Any && !slices.Contains(written, streamOf(a))
			case *engine.Condition:
				t.whole = t.whole || e != nil && !within(e.Where.Streams, written)
			}
		}
	}
	if events > maxEvents {
		return &engine.TooLargeError{What: "append of many events", Size: int64(events), Limit: maxEvents}
	}
	return nil
}

// within reports whether a condition looks at some streams only, all of which are written to.
func within(streams, written []string) bool {
	return len(streams) > 0 && !slices.ContainsFunc(streams, func(s string) bool { return !slices.Contains(written, s) })
}

// streamOf is the stream that an append writes to.
func streamOf(a *engine.Append) string {
	if note := a.Note(); note != nil {
		return note.OwnStream()
	}
	return a.Stream
}

// streams are those that the batch writes to, in order.
func (t *try) streams() (names []string) {
	for i := range t.d.Batch {
		if a := &t.d.Batch[i]; len(a.Events) > 0 || a.Note() != nil {
			names = append(names, streamOf(a))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// try decides and publishes until one of both has an outcome.
func (s *Store) try(ctx context.Context, t *try) (engine.Appended, error) {
	for {
		if err := s.decide(ctx, t); err != nil {
			return engine.Appended{}, err
		}
		if t.d.Outcome.Duplicate || len(t.d.Outcome.Events) == 0 {
			t.d.Outcome.Duplicate = t.d.Outcome.Duplicate && !t.tried
			return t.d.Outcome, nil
		}
		if t.whole && t.times >= contendedAfter && t.d.Head > t.base {
			return engine.Appended{}, ErrContended // the last base has gone, and with it every attempt
		}
		messages, err := s.messages(ctx, t)
		if err != nil {
			return engine.Appended{}, err
		}
		t.times++
		t.base = t.d.Head
		done, err := s.attempt(ctx, messages, t.whole || t.times > 1)
		t.tried = t.tried || !errors.Is(err, errNotSent)
		if err == nil && !done.Duplicate {
			return s.placed(ctx, t, done)
		}
		if err := s.pause(ctx, t, err); err != nil {
			return engine.Appended{}, err
		}
	}
}

// decide decides about the append by the local copy. Where the answer may be due to the copy being
// behind, it is brought up to date first, and asked again.
func (s *Store) decide(ctx context.Context, t *try) error {
	old := t.given && time.Since(time.Unix(0, s.synced.Load())) > fresh
	if old || !t.tried && t.guards() {
		if err := s.catchUp(ctx, &t.last); err != nil {
			return err
		}
	}
	err := s.replica.Decide(ctx, t.d, t.tried)
	if t.tried || !mayBeBehind(err) {
		return err // after a try, it is because of what has come behind the base
	}
	if err := s.catchUp(ctx, &t.last); err != nil {
		return err
	}
	if err = s.replica.Decide(ctx, t.d, t.tried); !isAhead(err) {
		return err
	}
	// Who was the leader and has slept answers once more with what it knew, and learns in the next
	// moment that it leads no more.
	if err := sleep(ctx, confirmPause); err != nil {
		return err
	}
	if err := s.catchUp(ctx, &t.last); err != nil {
		return err
	}
	return s.replica.Decide(ctx, t.d, t.tried)
}

// isAhead reports whether an append was refused because it expects more than there is. That other
// events are in its way, on the other hand, is so for ever.
func isAhead(err error) bool {
	var conflict *engine.ConflictError
	return errors.As(err, &conflict) && slices.ContainsFunc(conflict.Checks, func(c engine.FailedCheck) bool {
		v, exact := c.Expected.Version()
		return c.Condition == nil && (exact && c.Actual < v || c.Expected == engine.StreamExists)
	})
}

// mayBeBehind reports whether a refusal may be due to the local copy being behind: another node may
// have appended what is expected, and a condition or an erasure may name a position that is not here yet.
func mayBeBehind(err error) bool {
	var invalid *engine.InvalidError
	return errors.As(err, new(*engine.ConflictError)) ||
		errors.As(err, &invalid) && (invalid.Field == "condition" || invalid.Field == "erasure")
}

// guards reports whether the append writes nothing, so that no server will look at it.
func (t *try) guards() bool { return len(t.streams()) == 0 }

// messages are those of one attempt.
func (s *Store) messages(ctx context.Context, t *try) (messages []*nats.Msg, err error) {
	p := part{of: len(t.d.Outcome.Events), salt: newSalt()}
	met := map[string]bool{}
	for i := range t.d.Stored {
		a := &t.d.Stored[i]
		for j := range a.Events {
			k := len(messages)
			version := t.d.Outcome.Events[k].Version
			p.number = k + 1
			m := s.cfg.message(a.Stream, &a.Events[j], version, p)
			if s.cfg.tooLarge(m, s.conn.MaxPayload()) {
				return nil, &engine.TooLargeError{What: "event's message", Size: int64(m.Size()), Limit: s.conn.MaxPayload()}
			}
			if t.isGiven(i, j) {
				m.Header.Set(messageID, a.Events[j].ID.String())
			}
			if !met[a.Stream] && !t.whole {
				last, err := s.lastOf(ctx, a.Stream, version-1)
				if err != nil {
					return nil, err
				}
				m.Header.Set(expectSubject, strconv.FormatUint(last, 10))
			}
			met[a.Stream] = true
			messages = append(messages, m)
		}
	}
	messages[0].Header.Set(expectStream, s.cfg.stream())
	if t.whole {
		messages[0].Header.Set(expectLast, strconv.FormatInt(int64(t.d.Head), 10))
	}
	return messages, nil
}

// isGiven reports whether an event came with its id. The events of notes did not, as far as that
// matters: theirs are made of what they tell.
func (t *try) isGiven(i, j int) bool {
	a := &t.d.Batch[i]
	return a.Note() == nil && a.Events[j].ID != uuid.Nil
}

// tooLarge reports whether the servers would refuse the message.
func (c *Config) tooLarge(m *nats.Msg, limit int64) bool { return int64(m.Size())+1024 > limit }

// lastOf returns the sequence of a stream's event, 0 for NoVersion.
func (s *Store) lastOf(ctx context.Context, stream string, v engine.Version) (uint64, error) {
	if v == engine.NoVersion {
		return 0, nil
	}
	c := s.ReadIndex().ReadStream(ctx, stream, v, engine.Backwards)
	defer c.Close()
	if !c.Next() {
		return 0, errors.Join(c.Err(), fmt.Errorf("eventfold: stream %q has no version %d", stream, v))
	}
	return uint64(c.Event().Position) + 1, nil
}

// placed waits until the local copy shows what was acknowledged, and returns its places.
func (s *Store) placed(ctx context.Context, t *try, done ack) (engine.Appended, error) {
	s.hear(done.Sequence)
	events := t.d.Outcome.Events
	last := engine.Position(done.Sequence) - 1
	if err := s.reach(ctx, last); err != nil {
		return engine.Appended{}, err
	}
	e, err := s.eventAt(ctx, last)
	if err != nil {
		return engine.Appended{}, err
	}
	if e.ID != events[len(events)-1].ID || e.Version != events[len(events)-1].Version {
		err := s.damaged(done.Sequence, "has another event than the one that was acknowledged there", nil)
		s.fail(err)
		return engine.Appended{}, err
	}
	for i := range events {
		events[i].Position = last - engine.Position(len(events)-1-i)
	}
	return engine.Appended{Events: events, RecordedAt: e.RecordedAt}, nil
}

// pause waits after an attempt that was not acknowledged, longer each time, and brings the local
// copy up to date if the servers let it: what it shows then decides.
func (s *Store) pause(ctx context.Context, t *try, err error) error {
	if permanent(err) {
		return err
	}
	if err != nil && ctx.Err() == nil {
		t.last = err
	}
	longest := min(minPause<<min(t.times-1, 20), maxPause)
	if err := sleep(ctx, rand.N(longest)+time.Microsecond); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, syncPatience)
	defer cancel()
	if err := s.sync(bounded); err != nil && (ctx.Err() != nil || permanent(err)) {
		return err
	}
	return nil
}
