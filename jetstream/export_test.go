package jetstream

import (
	"context"

	"github.com/nats-io/nats.go"
)

// A Sender publishes one attempt of an append.
type Sender func(ctx context.Context, messages []*nats.Msg) error

// Between puts something between the store and the servers: what it returns is the answer if it is
// an error. It is called before the first append.
func (s *Store) Between(f func(send Sender) Sender) {
	var answer ack
	publish := s.publish
	between := f(func(ctx context.Context, messages []*nats.Msg) (err error) {
		answer, err = publish(ctx, messages)
		return err
	})
	s.send = func(ctx context.Context, messages []*nats.Msg) (ack, error) {
		err := between(ctx, messages)
		return answer, err
	}
}

// Refusal is the answer of a server that says that the last sequence is another one.
func Refusal() error { return &apiError{Code: 400, ErrCode: 10071, Description: "wrong last sequence"} }

// CheckVersion is checkVersion.
var CheckVersion = checkVersion
