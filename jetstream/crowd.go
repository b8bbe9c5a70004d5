package jetstream

import (
	"context"
	"slices"

	"github.com/nats-io/nats.go"
)

// Appends that want to be published while others are on their way wait for these, and are published
// together then, as one batch: one entry of the servers' logs, one sync, one answer. The batch is stored
// as a whole or not at all, and each append in it has its own conditions, so that for each of them it is
// one attempt like any other: if it is refused, because of whichever of them, each is decided about again
// by itself, and published alone.

// Bounds of what is published together.
const (
	publishers = 16 // how many of them are on their way at once; two of larger crowds were slower with 16 clients
	crowdBytes = 4 << 20
)

// A member is the first attempt of an append, which waits to be published.
type member struct {
	messages []*nats.Msg
	subjects map[string]bool
	size     int
	answer   ack // read after done
	err      error
	done     chan struct{} // closed when there is an answer
}

// memberOf makes a member. Its messages keep nothing of the caller's, who may not wait for the answer and
// then write into what he has given.
func memberOf(messages []*nats.Msg) *member {
	m := &member{messages: messages, subjects: map[string]bool{}, done: make(chan struct{})}
	for _, message := range messages {
		message.Data = slices.Clone(message.Data)
		m.subjects[message.Subject] = true
		m.size += message.Size()
	}
	return m
}

// publish publishes one attempt of an append, with others or alone, and waits for the answer. After any
// error it may have been stored, or be stored yet, unless it matches errNotSent.
func (s *Store) publish(ctx context.Context, messages []*nats.Msg, alone bool) (ack, error) {
	if ctx.Err() != nil {
		return ack{}, notSent(ctx)
	}
	if alone {
		return s.request(ctx, messages)
	}
	m := memberOf(messages)
	select {
	case s.members <- m:
	case <-ctx.Done():
		return ack{}, notSent(ctx)
	}
	select {
	case <-m.done:
		return m.answer, m.err
	case <-ctx.Done():
		return ack{}, ctx.Err()
	}
}

// publishing publishes what wants to be, until the store's life ends.
func (s *Store) publishing() {
	var c crowd
	for {
		select {
		case m := <-s.members:
			c.add(m)
		case <-s.life.Done():
			return
		}
		for len(c.members) > 0 {
			next := s.gather(&c)
			s.send(&c)
			c = crowd{}
			if next != nil {
				c.add(next)
			}
		}
	}
}

// A crowd is what is published together. Who publishes it owns it.
type crowd struct {
	members  []*member
	messages []*nats.Msg
	subjects map[string]bool
	size     int
}

func (c *crowd) add(m *member) {
	if c.subjects == nil {
		c.subjects = map[string]bool{}
	}
	for subject := range m.subjects {
		c.subjects[subject] = true
	}
	c.members = append(c.members, m)
	c.messages = append(c.messages, m.messages...)
	c.size += m.size
}

// takes reports whether a member may be published with the others. None of its streams is one of theirs,
// which may only be where somebody has not waited for the answer.
func (c *crowd) takes(m *member) bool {
	for subject := range m.subjects {
		if c.subjects[subject] {
			return false
		}
	}
	return len(c.messages)+len(m.messages) <= maxEvents && c.size+m.size <= crowdBytes
}

// gather adds those who wait. It returns one that has to go with the next crowd, if there is one.
func (s *Store) gather(c *crowd) *member {
	for {
		select {
		case m := <-s.members:
			if !c.takes(m) {
				return m
			}
			c.add(m)
		default:
			return nil
		}
	}
}

// send publishes a crowd, and tells each member its answer.
func (s *Store) send(c *crowd) { c.tell(s.request(s.life, c.messages)) }

// tell tells each member its answer.
func (c *crowd) tell(answer ack, err error) {
	behind := len(c.messages)
	for _, m := range c.members {
		behind -= len(m.messages)
		m.answer, m.err = answer, err
		m.answer.Sequence -= min(answer.Sequence, uint64(behind))
		close(m.done)
	}
}
