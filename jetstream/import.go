package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/eventfold/eventfold/engine"
)

// importBytes is how much content is published at once, about.
const importBytes = 4 << 20

// Import copies a log into a bucket, with every position, version, id and time: that of a store in a
// directory that is to go on as a cluster. Nobody may append to either meanwhile. The stream must be
// empty, or hold a beginning of the log, as an Import that was interrupted leaves it: then it goes on
// there. Config.Local is not needed. report, if it is not nil, is called at the beginning and now and then
// with how many events are there, and how many there will be.
//
// Several of one log may run at once: what one has published the others find and go on behind.
//
// The way back is Export; and the Local directory of a node that was closed is a store.
func Import(ctx context.Context, c Config, from engine.ReadIndex, report func(done, all engine.Position)) error {
	c.Local = "" // which errors would tell of
	if err := c.check(); err != nil {
		return err
	}
	life, end := context.WithCancelCause(ctx)
	defer end(nil)
	s := &Store{cfg: c, batches: make(chan struct{}, 1), life: life, end: end}
	if err := s.reachStream(ctx); err != nil {
		return err
	}
	defer s.conn.Close()
	i := &importing{s: s, from: from}
	if err := i.begin(ctx); err != nil {
		return err
	}
	if report == nil {
		report = func(done, all engine.Position) {}
	}
	report(i.head, from.Head())
	return i.copy(ctx, report)
}

// reachStream connects, and opens the stream.
func (s *Store) reachStream(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.openTimeout())
	defer cancel()
	if s.conn, err = s.cfg.connect(ctx, s.life); err != nil {
		return err
	}
	if err = checkVersion(s.conn.ConnectedServerVersion()); err == nil {
		s.js, err = js.New(s.conn)
	}
	if err == nil {
		err = s.openStream(ctx)
	}
	if err != nil {
		s.conn.Close()
	}
	return err
}

// An importing is one Import.
type importing struct {
	s    *Store
	from engine.ReadIndex
	head engine.Position // of the stream
}

// begin finds where the stream ends, and that it is a beginning of the log.
func (i *importing) begin(ctx context.Context) error {
	last, err := i.last(ctx)
	if err != nil {
		return err
	}
	if engine.Position(last) > i.from.Head() {
		return i.otherLog(fmt.Sprintf("holds %d events, which is more than the log that is copied", last))
	}
	return i.goOn(ctx, engine.Position(last))
}

// goOn goes on at a position: what is before it must be a beginning of the log.
func (i *importing) goOn(ctx context.Context, at engine.Position) error {
	if i.head = at; at == 0 {
		return nil
	}
	c := i.from.ReadAll(ctx, at-1, engine.Forwards)
	defer c.Close()
	if !c.Next() {
		return errors.Join(c.Err(), fmt.Errorf("eventfold: the log that is copied has no event at position %d", at-1))
	}
	return i.compare(ctx, c.Event())
}

// last asks the leader for the last sequence.
func (i *importing) last(ctx context.Context) (last uint64, err error) { return i.s.insistOnLast(ctx) }

// noLeaderYet makes errNoLeader an error that may pass.
func noLeaderYet(err error) error {
	if errors.Is(err, errNoLeader) {
		return nats.ErrNoResponders
	}
	return err
}

// compare compares an event with the message at its place.
func (i *importing) compare(ctx context.Context, e *engine.Event) error {
	var m *js.RawStreamMsg
	err := i.s.cfg.insist(ctx, func(ctx context.Context) (err error) {
		m, err = i.s.stream.GetMsg(ctx, uint64(e.Position)+1)
		return err
	})
	if err == nil && m.Header.Get(headerID) != e.ID.String() {
		err = i.otherLog(fmt.Sprintf("has another event at position %d", e.Position))
	}
	return err
}

func (i *importing) otherLog(reason string) error {
	return &ConfigError{"stream " + i.s.cfg.stream(), reason + ": choose a bucket that is not there yet"}
}

// copy publishes what the stream does not have. Where another Import of the log has come further it
// goes on behind that.
func (i *importing) copy(ctx context.Context, report func(done, all engine.Position)) error {
	for {
		err := i.copyFromHead(ctx, report)
		if !errors.Is(err, errOvertaken) {
			return err
		}
		last, err := i.last(ctx)
		if err != nil {
			return err
		}
		if err := i.goOn(ctx, min(engine.Position(last), i.from.Head())); err != nil {
			return err
		}
	}
}

// errOvertaken is why an Import looks anew where the stream ends.
var errOvertaken = errors.New("eventfold: somebody else has published the next events")

// copyFromHead publishes what is behind the head.
func (i *importing) copyFromHead(ctx context.Context, report func(done, all engine.Position)) error {
	c := i.from.ReadAll(ctx, i.head, engine.Forwards)
	defer c.Close()
	for more := true; more; {
		var events []engine.Event
		for size := 0; len(events) < maxEvents && size < importBytes; {
			if more = c.Next(); !more {
				break
			}
			e := *c.Event()
			if next := i.head + engine.Position(len(events)); e.Position != next {
				return &ConfigError{"the log that is copied", fmt.Sprintf("has no event at position %d: copy a whole one", next)}
			}
			events = append(events, e)
			size += len(e.Payload) + len(e.Metadata)
		}
		if err := i.publish(ctx, events); err != nil {
			return err
		}
		report(i.head, i.from.Head())
	}
	return c.Err()
}

// publish publishes events, which are the next ones, as one batch, until they are stored. Only behind
// the head are they stored, so that no attempt stores them twice.
func (i *importing) publish(ctx context.Context, events []engine.Event) error {
	if len(events) == 0 {
		return nil
	}
	messages := i.s.cfg.copies(events)
	for _, m := range messages {
		if i.s.cfg.tooLarge(m, i.s.conn.MaxPayload()) {
			return &engine.TooLargeError{What: "event's message", Size: int64(m.Size()), Limit: i.s.conn.MaxPayload()}
		}
	}
	messages[0].Header.Set(expectStream, i.s.cfg.stream())
	messages[0].Header.Set(expectLast, strconv.FormatInt(int64(i.head), 10))
	if err := i.insist(ctx, messages); err != nil {
		return err
	}
	i.head += engine.Position(len(events))
	return nil
}

// insist publishes a batch again and again until it is stored, for as long as opening may take. If the
// stream ends elsewhere by then it returns errOvertaken: the batch may be what is there.
func (i *importing) insist(ctx context.Context, messages []*nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, i.s.cfg.openTimeout())
	defer cancel()
	var answer error
	for pause := minFollowPause; ; pause = min(2*pause, maxFollowPause) {
		_, err := i.s.request(ctx, messages)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || permanent(err) {
			return withAnswer(err, answer)
		}
		answer = err
		last, err := i.last(ctx)
		if err != nil {
			return withAnswer(err, answer)
		}
		if engine.Position(last) != i.head { // or who has answered leads no more: then it is refused
			return errOvertaken
		}
		if err := sleep(ctx, pause); err != nil {
			return withAnswer(err, answer)
		}
	}
}

// copies are the messages of events, of which those of one time that follow each other are an append.
func (c *Config) copies(events []engine.Event) (messages []*nats.Msg) {
	for len(events) > 0 {
		n := 1
		for n < len(events) && events[n].RecordedAt.Equal(events[0].RecordedAt) {
			n++
		}
		p := part{of: n, salt: newSalt()}
		for k := range events[:n] {
			e := &events[k]
			p.number = k + 1
			m := c.unsealed(e.Stream, &engine.NewEvent{ID: e.ID, Type: e.Type, Tags: e.Tags, Payload: e.Payload,
				Metadata: e.Metadata}, e.Version, p)
			m.Header.Set(headerTime, strconv.FormatInt(e.RecordedAt.UnixMicro(), 10))
			if e.Redacted {
				m.Header.Set(headerErased, "1")
			}
			seal(m)
			messages = append(messages, m)
		}
		events = events[n:]
	}
	return messages
}
