package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/eventfold/eventfold/engine"
)

// How the follower asks for messages, and how long it waits before it tries again.
const (
	followMessages  = 1000
	followBytes     = 32 << 20
	followExpiry    = 5 * time.Second
	followHeartbeat = time.Second
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
		errors.As(err, new(*engine.CorruptError))
}

// take follows the stream from the head of the local copy on until something goes wrong.
func (s *Store) take(ctx context.Context) error {
	c, err := s.stream.OrderedConsumer(ctx, js.OrderedConsumerConfig{
		DeliverPolicy: js.DeliverByStartSequencePolicy,
		OptStartSeq:   uint64(s.head()) + 1,
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
	t := taker{s: s, next: uint64(s.head()) + 1}
	for {
		m, err := messages.Next(js.NextContext(ctx))
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		s.hear(meta.Sequence.Stream + meta.NumPending)
		message := &nats.Msg{Subject: m.Subject(), Header: m.Headers(), Data: m.Data()}
		if err := t.add(ctx, message, meta.Sequence.Stream, meta.Timestamp); err != nil {
			return err
		}
	}
}

// A taker collects the events of an append and applies them.
type taker struct {
	s    *Store
	next uint64 // the sequence that comes next
	run  []engine.Event
}

// add takes the message with a sequence.
func (t *taker) add(ctx context.Context, m *nats.Msg, sequence uint64, at time.Time) error {
	if sequence < t.next {
		return nil // once more
	}
	if sequence > t.next {
		return t.s.hole(ctx, t.next)
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
	if t.run = append(t.run, e); p.number < p.of {
		return nil
	}
	run := t.run
	t.run = nil
	return t.s.apply(ctx, run)
}

// apply writes the events of one append.
func (s *Store) apply(ctx context.Context, run []engine.Event) error {
	err := s.replica.Apply(ctx, run)
	if err == nil || permanent(err) || errors.Is(err, engine.ErrFull) || ctx.Err() != nil {
		return err
	}
	return s.damaged(uint64(run[0].Position)+1, "holds what cannot be there", err)
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
