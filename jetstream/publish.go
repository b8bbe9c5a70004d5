package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
)

// An ack is what a server says that has stored the messages of an attempt. The last one has
// Sequence.
type ack struct {
	Sequence  uint64
	Duplicate bool // no: it knows an id of them already
}

// The headers that the servers look at.
const (
	expectStream   = "Nats-Expected-Stream"
	expectLast     = "Nats-Expected-Last-Sequence"
	expectSubject  = "Nats-Expected-Last-Subject-Sequence"
	messageID      = "Nats-Msg-Id"
	batchID        = "Nats-Batch-Id"
	batchSequence  = "Nats-Batch-Sequence"
	batchCommit    = "Nats-Batch-Commit"
	answerPatience = 2 * time.Second // for one attempt
)

// errNotSent is the error of an attempt of which nothing has left this process.
var errNotSent = errors.New("eventfold: nothing was sent")

// notSent is errNotSent because ctx has ended.
func notSent(ctx context.Context) error { return fmt.Errorf("%w: %w", errNotSent, ctx.Err()) }

// request sends messages, several as one batch, and waits for the answer. After any error they may
// have been stored, or be stored yet, unless it matches errNotSent.
func (s *Store) request(ctx context.Context, messages []*nats.Msg) (ack, error) {
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	return s.exchange(ctx, messages)
}

// exchange is request, which waits as long as ctx lets it.
func (s *Store) exchange(ctx context.Context, messages []*nats.Msg) (ack, error) {
	last := messages[len(messages)-1]
	if len(messages) > 1 {
		select {
		case s.batches <- struct{}{}:
			defer func() { <-s.batches }()
		case <-ctx.Done():
			return ack{}, notSent(ctx)
		}
		id := uuid.NewString()
		for i, m := range messages {
			m.Header.Set(batchID, id)
			m.Header.Set(batchSequence, strconv.Itoa(i+1))
		}
		last.Header.Set(batchCommit, "1")
		for _, m := range messages[:len(messages)-1] {
			if err := s.conn.PublishMsg(m); err != nil {
				return ack{}, err
			}
		}
	}
	answer, err := s.conn.RequestMsgWithContext(ctx, last)
	if err != nil {
		return ack{}, err
	}
	return readAck(answer.Data, s.cfg.stream())
}

// readAck reads a server's answer.
func readAck(data []byte, stream string) (ack, error) {
	var a struct {
		Error     *apiError `json:"error"`
		Stream    string    `json:"stream"`
		Sequence  uint64    `json:"seq"`
		Duplicate bool      `json:"duplicate"`
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return ack{}, fmt.Errorf("nats: the answer to a publish: %w", err)
	}
	switch {
	case a.Error != nil:
		return ack{}, a.Error
	case a.Stream != stream || a.Sequence == 0:
		return ack{}, fmt.Errorf("nats: the answer to a publish is %q", data)
	}
	return ack{Sequence: a.Sequence, Duplicate: a.Duplicate}, nil
}
