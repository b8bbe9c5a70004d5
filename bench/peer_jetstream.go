package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A jetstreamStore is a NATS server in this process that syncs every message, with one subject per
// event stream.
type jetstreamStore struct {
	server *server.Server
	conn   *nats.Conn
	js     jetstream.JetStream
	events jetstream.Stream

	mu   sync.Mutex // protects last
	last map[string]uint64
}

func (s *jetstreamStore) open(dir string) (err error) {
	s.last = map[string]uint64{}
	s.server, err = server.NewServer(&server.Options{
		DontListen: true,
		JetStream:  true,
		StoreDir:   dir,
		SyncAlways: true,
		NoLog:      true,
		NoSigs:     true,
	})
	if err != nil {
		return err
	}
	s.server.Start()
	if !s.server.ReadyForConnections(30 * time.Second) {
		return errors.New("the NATS server does not start")
	}
	if s.conn, err = nats.Connect("", nats.InProcessServer(s.server)); err != nil {
		return err
	}
	if s.js, err = jetstream.New(s.conn); err != nil {
		return err
	}
	s.events, err = s.js.CreateOrUpdateStream(context.Background(), jetstream.StreamConfig{
		Name:        "events",
		Subjects:    []string{"e.>"},
		Storage:     jetstream.FileStorage,
		AllowDirect: true, // single messages are read as fast as they can be
	})
	return err
}

// useIDs implements identifier: the server knows the ids of the last two minutes, as it does unless
// it is told otherwise.
func (s *jetstreamStore) useIDs() {}

// withID hands over an id that the client has made.
func withID(e *event) []jetstream.PublishOpt {
	if e.id == uuid.Nil {
		return nil
	}
	return []jetstream.PublishOpt{jetstream.WithMsgID(e.id.String())}
}

func (s *jetstreamStore) append(ctx context.Context, _ int, e *event) error {
	subject := "e." + e.stream
	s.mu.Lock()
	last := s.last[subject]
	s.mu.Unlock()
	message := nats.NewMsg(subject)
	message.Data = e.encode(nil)
	options := append(withID(e), jetstream.WithExpectLastSequencePerSubject(last))
	ack, err := s.js.PublishMsg(ctx, message, options...)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.last[subject] = ack.Sequence
	s.mu.Unlock()
	return nil
}

// appendAll publishes without waiting for each answer. JetStream has no transaction here; it is
// what its users do to load.
func (s *jetstreamStore) appendAll(ctx context.Context, events []event) error {
	futures := make([]jetstream.PubAckFuture, len(events))
	for i := range events {
		e := &events[i]
		var err error
		if futures[i], err = s.js.PublishAsync("e."+e.stream, e.encode(nil), withID(e)...); err != nil {
			return err
		}
	}
	for i, future := range futures {
		select {
		case ack := <-future.Ok():
			s.mu.Lock()
			s.last["e."+events[i].stream] = ack.Sequence
			s.mu.Unlock()
		case err := <-future.Err():
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *jetstreamStore) scan(use func(*event)) error { return s.read("e.>", use) }

func (s *jetstreamStore) readStream(stream string, use func(*event)) error {
	return s.read("e."+stream, use)
}

func (s *jetstreamStore) readAt(n int64, use func(*event)) error {
	message, err := s.events.GetMsg(context.Background(), uint64(n)+1)
	if err != nil {
		return err
	}
	var e event
	if err := e.decode(message.Data); err != nil {
		return err
	}
	e.position = int64(message.Sequence)
	use(&e)
	return nil
}

func (s *jetstreamStore) read(subject string, use func(*event)) error {
	ctx := context.Background()
	config := jetstream.OrderedConsumerConfig{}
	if !strings.HasSuffix(subject, ">") {
		config.FilterSubjects = []string{subject}
	}
	consumer, err := s.js.OrderedConsumer(ctx, "events", config)
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(1000))
	if err != nil {
		return err
	}
	defer func() { // the server would keep it for a while, and has room for only so many
		messages.Stop()
		if info := consumer.CachedInfo(); info != nil {
			_ = s.js.DeleteConsumer(ctx, "events", info.Name)
		}
	}()
	for {
		message, err := messages.Next()
		if err != nil {
			return err
		}
		meta, err := message.Metadata()
		if err != nil {
			return err
		}
		var e event
		if err := e.decode(message.Data()); err != nil {
			return fmt.Errorf("sequence %d: %w", meta.Sequence.Stream, err)
		}
		e.position = int64(meta.Sequence.Stream)
		use(&e)
		if meta.NumPending == 0 {
			return nil
		}
	}
}

func (s *jetstreamStore) countByType() (map[string]int64, error) {
	counts := map[string]int64{}
	err := s.scan(func(e *event) { counts[e.typ]++ })
	return counts, err
}

func (s *jetstreamStore) countOfType(typ string) (int64, error) {
	counts, err := s.countByType()
	return counts[typ], err
}

func (s *jetstreamStore) sumByType() (map[string]int64, error) { return sumByScan(s.scan) }

func (s *jetstreamStore) close() error {
	s.conn.Close()
	s.server.Shutdown()
	s.server.WaitForShutdown()
	return nil
}
