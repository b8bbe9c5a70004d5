package watermill

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/eventfold/eventfold"
)

// A SubscriberConfig says what is delivered. The zero value delivers every event of a topic to every
// subscription, from the first one on.
type SubscriberConfig struct {
	// Group is the consumer group whose checkpoints are kept; "" for none.
	Group string
	// Checkpoints keep how far the group has come. They must be given with a Group, and not without,
	// and be comparable, as pointers are.
	Checkpoints Checkpoints
	// From is the position at which a subscription without a group begins, and a group that has no
	// checkpoint yet.
	From eventfold.Position
	// NackDelay is the time between a Nack and the next delivery. 0 means DefaultNackDelay.
	NackDelay time.Duration
	// RetryDelay is the time between an error, of the store or of the checkpoints, and the next
	// attempt. 0 means DefaultRetryDelay.
	RetryDelay time.Duration
	// Logger is told of errors, after which the subscription tries again. nil means none.
	Logger watermill.LoggerAdapter
}

// The delays of a SubscriberConfig without them.
const (
	DefaultNackDelay  = 100 * time.Millisecond
	DefaultRetryDelay = time.Second
)

// A Subscriber delivers the events of an eventfold store as messages. Any number of goroutines may
// use it.
type Subscriber struct {
	db     *sql.DB
	config SubscriberConfig
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu      sync.Mutex // protects closed, and running from growing after it
	closed  bool
	running sync.WaitGroup // subscriptions
}

var _ message.Subscriber = (*Subscriber)(nil)

// NewSubscriber returns a subscriber to the store of db, which remains the caller's to close.
func NewSubscriber(db *sql.DB, config SubscriberConfig) (*Subscriber, error) {
	if (config.Group == "") != (config.Checkpoints == nil) {
		return nil, errors.New("eventfold: SubscriberConfig has one of Group and Checkpoints without the other")
	}
	if c := config.Checkpoints; c != nil && !reflect.TypeOf(c).Comparable() {
		return nil, fmt.Errorf("eventfold: checkpoints of type %T cannot be compared; give a pointer", c)
	}
	if config.NackDelay == 0 {
		config.NackDelay = DefaultNackDelay
	}
	if config.RetryDelay == 0 {
		config.RetryDelay = DefaultRetryDelay
	}
	if config.Logger == nil {
		config.Logger = watermill.NopLogger{}
	}
	s := &Subscriber{db: db, config: config}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Subscribe returns the channel on which the events of a stream come, or those of all streams for
// the topic $all. It is closed when ctx ends, with Close, and when the database is closed. The
// stream need not exist yet. An event must be acknowledged before the next one comes.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if topic == "" {
		return nil, errors.New("eventfold: a topic without a name")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	sub := &subscription{
		Subscriber: s, topic: topic, out: make(chan *message.Message),
		logger: s.config.Logger.With(watermill.LogFields{"topic": topic, "group": s.config.Group}),
	}
	s.running.Add(1)
	go func() { // ends with ctx or Close, which waits for it
		defer s.running.Done()
		defer stop()
		defer cancel()
		defer close(sub.out)
		sub.run(ctx)
	}()
	return sub.out, nil
}

// Close ends all subscriptions, waits for them, and closes their channels. A message that was
// acknowledged before it is called is not delivered to the group again; one that was not, is. It does not
// close the database.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
	return nil
}

// A subscription is one call of Subscribe. Its fields belong to its goroutine.
type subscription struct {
	*Subscriber
	topic  string
	out    chan *message.Message
	logger watermill.LoggerAdapter

	saved int64 // the group's checkpoint, as it was last known
}

// run delivers until ctx ends or the database is closed.
func (s *subscription) run(ctx context.Context) {
	if s.config.Group != "" {
		leave, err := enter(ctx, s.config.Checkpoints, checkpointKey{s.config.Group, s.topic})
		if err != nil {
			return
		}
		defer leave()
	}
	next := int64(s.config.From)
	for ctx.Err() == nil {
		err := s.deliver(ctx, &next)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, eventfold.ErrClosed) || isClosed(s.db):
			s.logger.Error("the database is closed", err, nil)
			return
		case err != nil && !errors.Is(err, ErrMoved):
			s.logger.Error("the subscription is interrupted", err, watermill.LogFields{"position": next})
			pause(ctx, s.config.RetryDelay)
		}
	}
}

// isClosed tells whether a database is closed, for which database/sql has an error but no name. It
// asks for a connection under a context that has ended, which is what an open database complains of.
func isClosed(db *sql.DB) bool {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	conn, err := db.Conn(ended)
	if err == nil {
		conn.Close()
	}
	return err != nil && !errors.Is(err, context.Canceled)
}

// pause waits, but not longer than ctx lasts.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// deliver follows the topic from the checkpoint, or from next, which it moves on.
func (s *subscription) deliver(ctx context.Context, next *int64) error {
	if s.config.Group != "" {
		saved, err := s.config.Checkpoints.Load(ctx, s.config.Group, s.topic)
		if err != nil {
			return fmt.Errorf("load the checkpoint: %w", err)
		}
		s.saved = saved
		if *next = saved; saved == 0 { // nothing was acknowledged yet
			*next = int64(s.config.From)
		}
	}
	rows, err := s.follow(ctx, *next)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var e eventfold.Event
		if err := rows.Scan(&e); err != nil {
			return err
		}
		if err := s.one(ctx, e); err != nil {
			return err
		}
		*next = int64(e.Position) + 1
	}
	return rows.Err()
}

// follow begins the query that gives the events of the topic, those that are there and those to
// come.
func (s *subscription) follow(ctx context.Context, next int64) (*sql.Rows, error) {
	if s.topic == "$all" {
		return s.db.QueryContext(ctx, `SELECT event FROM $all WHERE position >= ? FOLLOW`, next)
	}
	return s.db.QueryContext(ctx, `SELECT event FROM $all WHERE stream = ? AND position >= ? FOLLOW`, s.topic, next)
}

// one delivers an event until it is acknowledged, and saves that it is.
func (s *subscription) one(ctx context.Context, e eventfold.Event) error {
	for {
		acked, err := s.send(ctx, e)
		if err != nil {
			return err
		}
		if acked {
			return s.save(ctx, int64(e.Position)+1)
		}
		pause(ctx, s.config.NackDelay)
	}
}

// send delivers an event once, and waits for the answer.
func (s *subscription) send(ctx context.Context, e eventfold.Event) (acked bool, err error) {
	d := delivery{event: e, group: s.config.Group, topic: s.topic, from: s.saved}
	its, cancel := context.WithCancel(context.WithValue(ctx, deliveryKey{}, d))
	defer cancel()
	m := messageOf(its, &e)
	select {
	case s.out <- m:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	select {
	case <-m.Acked():
		return true, nil
	case <-m.Nacked():
		return false, nil
	case <-ctx.Done():
	}
	select { // of two things that have happened, the acknowledgement counts
	case <-m.Acked():
		return true, nil
	default:
		return false, ctx.Err()
	}
}

// save moves the group's checkpoint. If the handler has moved it already that is as well.
func (s *subscription) save(ctx context.Context, next int64) error {
	if s.config.Group == "" {
		return nil
	}
	// a message that is acknowledged stays so although the subscription ends meanwhile
	ctx = context.WithoutCancel(ctx)
	group, from := s.config.Group, s.saved
	err := s.config.Checkpoints.Save(ctx, group, s.topic, from, next)
	if errors.Is(err, ErrMoved) {
		now, again := s.config.Checkpoints.Load(ctx, group, s.topic)
		if again == nil && now == next {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("save the checkpoint %d: %w", next, err)
	}
	s.saved = next
	return nil
}
