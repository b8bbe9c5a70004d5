package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// A Sender publishes one attempt of an append.
type Sender func(ctx context.Context, messages []*nats.Msg) error

// Between puts something between the store and the servers: what it returns is the answer if it is
// an error. It is called before the first append.
func (s *Store) Between(f func(send Sender) Sender) {
	s.attempt = func(ctx context.Context, messages []*nats.Msg, alone bool) (answer ack, err error) {
		err = f(func(ctx context.Context, messages []*nats.Msg) (err error) {
			answer, err = s.publish(ctx, messages, alone)
			return err
		})(ctx, messages)
		return answer, err
	}
}

// BeforeApply has the local copy fail with the errors that fail returns. It is called before the
// first append.
func (s *Store) BeforeApply(fail func() error) {
	apply := s.applyTo
	s.applyTo = func(ctx context.Context, appends []filestore.Applied) (int, error) {
		if err := fail(); err != nil {
			return 0, err
		}
		return apply(ctx, appends)
	}
}

// Attempt is one of an append of n events to a stream whose last event has a sequence, 0 for none. Its
// versions are from 0.
func (c *Config) Attempt(stream string, n int, last uint64, event func(k int) engine.NewEvent) (messages []*nats.Msg) {
	p := part{of: n, salt: newSalt()}
	for k := range n {
		p.number = k + 1
		e := event(k)
		messages = append(messages, c.message(stream, &e, engine.Version(k), p))
	}
	messages[0].Header.Set(expectSubject, strconv.FormatUint(last, 10))
	return messages
}

// PublishTogether publishes attempts as one batch, and returns the place of the last event of each. As
// nobody tries again, it waits for the answer as long as the store is open.
func (s *Store) PublishTogether(attempts ...[]*nats.Msg) (places []engine.Position, err error) {
	var c crowd
	for _, messages := range attempts {
		c.add(memberOf(messages))
	}
	c.tell(s.exchange(s.life, c.messages))
	for _, m := range c.members {
		<-m.done
		places, err = append(places, engine.Position(m.answer.Sequence)-1), m.err
	}
	return places, err
}

// PublishLater has an attempt wait to be published, as of somebody who does not wait for the answer.
func (s *Store) PublishLater(messages []*nats.Msg) (publish func() error) {
	var c crowd
	c.add(memberOf(messages))
	return func() error {
		c.tell(s.exchange(s.life, c.messages))
		return c.members[0].err
	}
}

// MayGoTogether reports whether two attempts may be published as one batch.
func MayGoTogether(a, b []*nats.Msg) bool {
	var c crowd
	c.add(memberOf(a))
	return c.takes(memberOf(b))
}

// Refusal is the answer of a server that says that the last sequence is another one.
func Refusal() error { return &apiError{Code: 400, ErrCode: 10071, Description: "wrong last sequence"} }

// IsRefusal reports whether an answer is one of a server that says no.
func IsRefusal(err error) bool { return errors.As(err, new(*apiError)) }

// Message is that of an event that is an append by itself.
func (c *Config) Message(stream string, e *engine.NewEvent, v engine.Version) *nats.Msg {
	return c.message(stream, e, v, part{number: 1, of: 1, salt: newSalt()})
}

// Event is the event of a message.
func (c *Config) Event(m *nats.Msg, sequence uint64, at time.Time) (engine.Event, error) {
	e, _, err := c.event(m, sequence, at)
	return e, err
}

// Recorded gives the event of a message a time that is known, as that of one that was copied.
func Recorded(m *nats.Msg, at time.Time) {
	m.Header.Set(headerTime, strconv.FormatInt(at.UnixMicro(), 10))
	seal(m)
}

// Believe gives a message the checksum that it should have as it came.
func Believe(m *nats.Msg) { seal(m) }

// CheckVersion is checkVersion.
var CheckVersion = checkVersion

// ServerFindings are the findings about a server that answers so.
func ServerFindings(bucket, answer string) []Finding {
	var a serverAnswer
	if err := json.Unmarshal([]byte(answer), &a); err != nil {
		panic(err)
	}
	a.asked, a.came = time.Now(), time.Now()
	findings, _ := (&Config{Bucket: bucket}).serverFindings(a)
	return findings
}

// AskServers asks as a store's user, and returns the names of the servers that have answered, and how
// many there should be.
func (s *Store) AskServers(ctx context.Context, patience time.Duration) (names []string, expected int, err error) {
	answers, expected, err := askServers(ctx, s.conn, patience)
	for _, a := range answers {
		names = append(names, a.Server.Name)
	}
	return names, expected, err
}

// WritesWait is how long the store waits for a server to read.
func (s *Store) WritesWait() time.Duration { return s.conn.Opts.FlusherTimeout }
