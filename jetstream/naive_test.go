package jetstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/jetstream"
)

// A naive client does what a client of JetStream does that believes its servers: a refusal is proof
// that nothing was stored, and what a consumer gives is the stream. The tests of what must not be
// believed fail with it.
type naive struct {
	config jetstream.Config
	api    js.JetStream
	after  func(err error) error // what the client gets to see of an answer
}

func (n *naive) stream(ctx context.Context) (js.Stream, error) {
	return n.api.Stream(ctx, "EF_"+n.config.Bucket)
}

// append appends an event behind the last one of its stream.
func (n *naive) append(ctx context.Context, stream string, id uuid.UUID) error {
	for {
		s, err := n.stream(ctx)
		if err != nil {
			return err
		}
		version, last := engine.NoVersion, uint64(0)
		m := n.config.Message(stream, &engine.NewEvent{ID: id, Type: "t", Payload: []byte("1")}, 0)
		before, err := s.GetLastMsgForSubject(ctx, m.Subject)
		if err == nil {
			v, _ := strconv.Atoi(before.Header.Get("Ef-Version"))
			version, last = engine.Version(v), before.Sequence
		} else if !errors.Is(err, js.ErrMsgNotFound) {
			return err
		}
		m = n.config.Message(stream, &engine.NewEvent{ID: id, Type: "t", Payload: []byte("1")}, version+1)
		_, err = n.api.PublishMsg(ctx, m, js.WithExpectLastSequencePerSubject(last))
		if err = n.after(err); err == nil {
			return nil
		}
	}
}

// read reads all events as the stream's leader gives them, one behind the other, whatever their
// checksums are.
func (n *naive) read(ctx context.Context) (events []engine.Event, err error) {
	for next := uint64(1); ; {
		ask := fmt.Sprintf(`{"seq":%d,"next_by_subj":"ef.%s.>"}`, next, n.config.Bucket)
		answer, err := n.api.Conn().RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET.EF_"+n.config.Bucket, []byte(ask))
		if err != nil {
			return nil, err
		}
		var a struct {
			Error   *js.APIError `json:"error"`
			Message struct {
				Subject  string    `json:"subject"`
				Sequence uint64    `json:"seq"`
				Header   []byte    `json:"hdrs"`
				Data     []byte    `json:"data"`
				Time     time.Time `json:"time"`
			} `json:"message"`
		}
		if err := json.Unmarshal(answer.Data, &a); err != nil {
			return nil, err
		}
		if a.Error != nil && a.Error.ErrorCode == js.JSErrCodeMessageNotFound {
			return events, nil // there is no next one
		}
		if a.Error != nil {
			return nil, a.Error
		}
		m := &nats.Msg{Subject: a.Message.Subject, Data: a.Message.Data}
		m.Header, err = nats.DecodeHeadersMsg(a.Message.Header)
		if err != nil {
			return nil, err
		}
		jetstream.Believe(m)
		e, err := n.config.Event(m, a.Message.Sequence, a.Message.Time)
		if err != nil {
			return nil, err
		}
		events, next = append(events, e), a.Message.Sequence+1
	}
}
