package jetstream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/eventfold/eventfold/engine"
)

// Read reads what the servers hold, without a copy: every event of a bucket from the first one to the
// one that was the last when Read began, as a node has it that has not erased anything. Checksums,
// positions, versions and the parts of appends are checked, so that a whole Read proves what the server
// that was read from holds; the error is a *DamagedError where something is missing or was altered.
// Versions take memory: about 100 bytes for each stream of events. Config.Local is not needed. all, if
// it is not nil, is called at the beginning with how many events there will be.
//
// Servers that go away are waited for as long as OpenTimeout without an event.
func Read(ctx context.Context, c Config, all func(events engine.Position)) iter.Seq2[engine.Event, error] {
	return func(yield func(engine.Event, error) bool) {
		c := c
		c.Create, c.Local = false, ""
		if err := c.check(); err != nil {
			yield(engine.Event{}, err)
			return
		}
		s := newStore(c)
		defer s.shut(engine.ErrClosed)
		r := &reading{s: s, next: 1, versions: map[string]engine.Version{}, yield: yield}
		if err := r.all(ctx, all); err != nil && !errors.Is(err, errSeenEnough) {
			yield(engine.Event{}, err)
		}
	}
}

// A reading is one Read.
type reading struct {
	s        *Store
	next     uint64 // the sequence that comes next
	last     uint64
	run      []engine.Event // of an append whose last part has not come
	micros   int64          // of the last event that was given
	versions map[string]engine.Version
	yield    func(engine.Event, error) bool
}

// errSeenEnough is why a reading ends that nobody wants to go on.
var errSeenEnough = errors.New("eventfold: nobody wants more events")

// all reads until the last event, beginning anew where servers go away.
func (r *reading) all(ctx context.Context, all func(events engine.Position)) error {
	opening, cancel := context.WithTimeout(ctx, r.s.cfg.openTimeout())
	defer cancel()
	err := r.s.reachStream(opening)
	if err == nil {
		r.last, err = r.s.insistOnLast(opening)
	}
	if err != nil {
		return err
	}
	if all != nil {
		all(engine.Position(r.last))
	}
	came, pause := time.Now(), minFollowPause
	for r.unread() {
		before := r.next
		err := r.some(ctx)
		if r.next > before {
			came, pause = time.Now(), minFollowPause
		}
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		case permanent(err), errors.Is(err, errSeenEnough):
			return err
		case time.Since(came) > r.s.cfg.openTimeout():
			return r.s.cfg.unreachable(context.DeadlineExceeded, err)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, maxFollowPause)
	}
	return nil
}

// unread reports whether there is more to come, also if the last event is none of the end of an append.
func (r *reading) unread() bool { return r.next <= r.last || len(r.run) > 0 }

// some reads with one consumer until the last event, or until something goes wrong. What had come of
// an append is read again.
func (r *reading) some(ctx context.Context) error {
	r.next -= uint64(len(r.run))
	r.run = nil
	c, err := r.s.stream.OrderedConsumer(ctx, js.OrderedConsumerConfig{
		DeliverPolicy: js.DeliverByStartSequencePolicy, OptStartSeq: r.next, MaxResetAttempts: 1})
	if err != nil {
		return err
	}
	messages, err := c.Messages(js.PullMaxMessagesWithBytesLimit(followMessages, followBytes),
		js.PullExpiry(followExpiry), js.PullHeartbeat(followHeartbeat))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for r.unread() {
		m, err := next(ctx, messages)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return errStalled
		}
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if meta.Sequence.Stream > r.next {
			return r.s.hole(ctx, r.next)
		}
		if meta.Sequence.Stream < r.next {
			continue // once more
		}
		if err := r.take(&nats.Msg{Subject: m.Subject(), Header: m.Headers(), Data: m.Data()}, meta.Timestamp); err != nil {
			return err
		}
	}
	return nil
}

// take takes the next message.
func (r *reading) take(m *nats.Msg, at time.Time) error {
	sequence := r.next
	e, p, err := r.s.cfg.event(m, sequence, at)
	if err != nil {
		return r.s.damaged(sequence, "holds what is no event", err)
	}
	if p.number != len(r.run)+1 {
		return r.s.damaged(sequence, fmt.Sprintf("holds part %d of %d of an append where part %d should be",
			p.number, p.of, len(r.run)+1), nil)
	}
	if r.next++; p.number == 1 {
		r.micros = max(r.micros, e.RecordedAt.UnixMicro()) // an append has one time
	}
	e.RecordedAt = time.UnixMicro(r.micros).UTC()
	if len(e.Metadata) == 0 {
		e.Metadata = []byte("{}")
	}
	if r.run = append(r.run, e); p.number < p.of {
		return nil
	}
	return r.give()
}

// give hands an append out that is whole.
func (r *reading) give() error {
	run := r.run
	r.run = nil
	for _, e := range run {
		want := engine.Version(0)
		if v, ok := r.versions[e.Stream]; ok {
			want = v + 1
		}
		if e.Version != want {
			return r.s.damaged(uint64(e.Position)+1, fmt.Sprintf("holds version %d of stream %q where version %d should be",
				e.Version, e.Stream, want), nil)
		}
		r.versions[e.Stream] = e.Version
		if !r.yield(e, nil) {
			return errSeenEnough
		}
	}
	return nil
}
