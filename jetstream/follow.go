package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// How the follower asks for messages, and how long it waits before it tries again.
const (
	followMessages  = 1000
	followBytes     = 32 << 20
	followExpiry    = 5 * time.Second
	followHeartbeat = time.Second
	followIdle      = 5 * time.Second // longer than it takes to miss a heartbeat
	minFollowPause  = 10 * time.Millisecond
	maxFollowPause  = time.Second
)

// run takes the stream into the local copy until the store's life ends.
func (s *Store) run() {
	pause := minFollowPause
	for s.life.Err() == nil {
		before := s.head()
		err := s.take(s.life)
		if s.life.Err() != nil {
			return
		}
		if permanent(err) {
			s.fail(err)
			return
		}
		if s.head() > before {
			pause = minFollowPause
		}
		if sleep(s.life, pause) != nil {
			return
		}
		pause = min(2*pause, maxFollowPause)
	}
}

// permanent reports whether trying again cannot help.
func permanent(err error) bool {
	return errors.As(err, new(*DamagedError)) || errors.Is(err, engine.ErrPoisoned) ||
		errors.Is(err, engine.ErrClosed) || errors.As(err, new(*engine.MovedError)) ||
		errors.As(err, new(*engine.CorruptError)) || errors.Is(err, nats.ErrConnectionClosed) ||
		errors.Is(err, js.ErrConnectionClosed)
}

// errConsumerReplaced is why the follower begins anew: the stream may be another one by now.
var errConsumerReplaced = errors.New("eventfold: the stream's consumer was replaced")

// errStalled is why the follower begins anew: there is more in the stream, and it does not come.
var errStalled = errors.New("eventfold: the stream's consumer gives no messages")

// take follows the stream until something goes wrong. It begins with the last event of the local
// copy, which shows whether the stream still is the one that the copy is of.
func (s *Store) take(ctx context.Context) error {
	own := uint64(s.head())
	t := taker{s: s, own: own, next: max(1, own)}
	c, err := s.stream.OrderedConsumer(ctx, js.OrderedConsumerConfig{
		DeliverPolicy:    js.DeliverByStartSequencePolicy,
		OptStartSeq:      t.next,
		MaxResetAttempts: 1, // run tries again, and can be ended
	})
	if err != nil {
		return err
	}
	messages, err := c.Messages(js.PullMaxMessagesWithBytesLimit(followMessages, followBytes),
		js.PullExpiry(followExpiry), js.PullHeartbeat(followHeartbeat))
	if err != nil {
		return err
	}
	defer messages.Stop()
	applying := s.newApplier(ctx)
	t.to = applying
	err = s.collect(applying.ctx, c, messages, &t)
	if failed := applying.end(); failed != nil {
		return failed
	}
	return err
}

// collect takes messages until something goes wrong.
func (s *Store) collect(ctx context.Context, c js.Consumer, messages js.MessagesContext, t *taker) error {
	name := c.CachedInfo().Name
	for {
		m, err := next(ctx, messages)
		if c.CachedInfo().Name != name {
			return errConsumerReplaced
		}
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			if s.known.Load() >= t.next {
				return errStalled
			}
			continue // nothing was to come
		}
		if err != nil {
			return err
		}
		if err := t.take(ctx, m); err != nil {
			return err
		}
	}
}

// next waits for a message for some time only, so that who waits can look at the consumer.
func next(ctx context.Context, messages js.MessagesContext) (js.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, followIdle)
	defer cancel()
	return messages.Next(js.NextContext(ctx))
}

// A taker collects the events of an append and gives them to who applies them.
type taker struct {
	s    *Store
	to   *applier
	own  uint64 // the last sequence that the local copy held at the beginning
	next uint64 // the sequence that comes next
	run  []engine.Event
	salt [32]byte // of the append that run is of
}

// take takes the message that has come.
func (t *taker) take(ctx context.Context, m js.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	t.s.hear(meta.Sequence.Stream + meta.NumPending)
	message := &nats.Msg{Subject: m.Subject(), Header: m.Headers(), Data: m.Data()}
	return t.add(ctx, message, meta.Sequence.Stream, meta.Timestamp)
}

// add takes the message with a sequence.
func (t *taker) add(ctx context.Context, m *nats.Msg, sequence uint64, at time.Time) error {
	switch {
	case sequence > t.next:
		return t.s.hole(ctx, t.next)
	case sequence <= t.own:
		t.next = max(t.next, sequence+1)
		return t.s.compare(ctx, m, sequence)
	case sequence < t.next:
		return nil // once more
	}
	t.next++
	e, p, err := t.s.cfg.event(m, sequence, at)
	if err != nil {
		return t.s.damaged(sequence, "holds what is no event", err)
	}
	if p.number != len(t.run)+1 {
		return t.s.damaged(sequence, fmt.Sprintf("holds part %d of %d of an append where part %d should be",
			p.number, p.of, len(t.run)+1), nil)
	}
	if p.number == 1 {
		t.salt = p.salt
	}
	if t.run = append(t.run, e); p.number < p.of {
		return nil
	}
	run := filestore.Applied{Events: t.run, Salt: t.salt}
	t.run = nil
	return t.to.give(run)
}

// compare compares a message with the event that the local copy has in its place. A stream that was
// deleted and made anew, or restored, has another one there.
func (s *Store) compare(ctx context.Context, m *nats.Msg, sequence uint64) error {
	e, err := s.eventAt(ctx, engine.Position(sequence)-1)
	if err != nil {
		return err
	}
	if m.Header.Get(headerID) != e.ID.String() {
		return s.damaged(sequence, "has another event than the local copy", nil)
	}
	return nil
}

// refused reports whether an error is about the events that were given.
func refused(err error) bool {
	return errors.As(err, new(*engine.FormatError)) || errors.As(err, new(*engine.InvalidError)) ||
		errors.As(err, new(*engine.TooLargeError)) || errors.As(err, new(*engine.DuplicateEventError))
}

// hole finds out about a sequence that was left out: another server may have it.
func (s *Store) hole(ctx context.Context, sequence uint64) error {
	const tries = 5
	for n := range tries {
		_, err := s.stream.GetMsg(ctx, sequence)
		if err == nil {
			return fmt.Errorf("eventfold: message %d was left out, and is there", sequence)
		}
		if !errors.Is(err, js.ErrMsgNotFound) {
			return err
		}
		if err := sleep(ctx, minFollowPause<<n); err != nil {
			return err
		}
	}
	return s.damaged(sequence, "has lost a message that others follow", nil)
}

func (s *Store) damaged(sequence uint64, reason string, err error) error {
	return &DamagedError{Stream: s.cfg.stream(), Position: engine.Position(sequence) - 1, Reason: reason, Err: err}
}
