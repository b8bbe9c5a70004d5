package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventfold/eventfold/engine"
)

// A Sender publishes one attempt of an append.
type Sender func(ctx context.Context, messages []*nats.Msg) error

// Between puts something between the store and the servers: what it returns is the answer if it is
// an error. It is called before the first append.
func (s *Store) Between(f func(send Sender) Sender) {
	publish := s.publish
	s.send = func(ctx context.Context, messages []*nats.Msg) (answer ack, err error) {
		err = f(func(ctx context.Context, messages []*nats.Msg) (err error) {
			answer, err = publish(ctx, messages)
			return err
		})(ctx, messages)
		return answer, err
	}
}

// BeforeApply has the local copy fail with the errors that fail returns. It is called before the
// first append.
func (s *Store) BeforeApply(fail func() error) {
	apply := s.applyTo
	s.applyTo = func(ctx context.Context, events []engine.Event, salt [32]byte) error {
		if err := fail(); err != nil {
			return err
		}
		return apply(ctx, events, salt)
	}
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
