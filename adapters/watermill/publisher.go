package watermill

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
)

// A PublisherConfig says what messages become. The zero value is what most programs want.
type PublisherConfig struct {
	// ID gives the id of a message's event, uuid.Nil to let the store give one. nil means IDPerTopic.
	ID func(topic string, m *message.Message) uuid.UUID
	// Type gives the type of a message's event. nil means TypeOfName.
	Type func(m *message.Message) string
}

// A Publisher appends messages to an eventfold store. Any number of goroutines may use it.
type Publisher struct {
	db     *sql.DB
	config PublisherConfig

	mu      sync.Mutex // protects closed, and running from growing after it
	closed  bool
	running sync.WaitGroup // calls of Publish
}

var _ message.Publisher = (*Publisher)(nil)

// ErrClosed is the error of a Publisher or Subscriber that has been closed.
var ErrClosed = errors.New("eventfold: the publisher or subscriber is closed")

// NewPublisher returns a publisher that appends to the store of db, which remains the caller's to
// close.
func NewPublisher(db *sql.DB, config PublisherConfig) *Publisher {
	if config.ID == nil {
		config.ID = IDPerTopic
	}
	if config.Type == nil {
		config.Type = TypeOfName
	}
	return &Publisher{db: db, config: config}
}

// insert appends one event to the stream that is its first argument.
const insert = `INSERT INTO ? (id, type, payload, metadata) VALUES (?, ?, ?, ?)`

// Publish appends the messages to the stream topic, all of them or none, and returns when they are
// durable. It goes on although the context of a message has ended. An error of the store is an
// *eventfold.Error; after one that matches eventfold.ErrOutcomeUnknown publish the same messages
// again, all of them and in the same order, which stores nothing twice if each has a UUID.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	if err := p.begin(); err != nil {
		return err
	}
	defer p.running.Done()
	if len(messages) == 0 {
		return nil
	}
	list := make([][]any, len(messages))
	for i, m := range messages {
		args, err := p.arguments(topic, m)
		if err != nil {
			return fmt.Errorf("eventfold: publish to %q: %w", topic, err)
		}
		list[i] = args
	}
	// the values of the context are for tracing; its end is not the message's
	ctx := context.WithoutCancel(messages[0].Context())
	if len(list) == 1 {
		_, err := p.db.ExecContext(ctx, insert, list[0]...)
		return err
	}
	return p.together(ctx, list)
}

// begin counts a call of Publish, unless the publisher is closed.
func (p *Publisher) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	p.running.Add(1)
	return nil
}

// arguments are what insert takes for a message.
func (p *Publisher) arguments(topic string, m *message.Message) ([]any, error) {
	id := p.config.ID(topic, m)
	metadata, err := metadataOf(m, id)
	if err != nil {
		return nil, err
	}
	var given any
	if id != uuid.Nil {
		given = id
	}
	return []any{topic, given, p.config.Type(m), []byte(m.Payload), metadata}, nil
}

// together appends several events in one transaction, which is one append.
func (p *Publisher) together(ctx context.Context, list [][]any) error {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	statement, err := tx.PrepareContext(ctx, insert)
	if err != nil {
		return err
	}
	defer statement.Close()
	for _, args := range list {
		if _, err := statement.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Close waits for the calls of Publish that run, and refuses others. It does not close the database.
func (p *Publisher) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.running.Wait()
	return nil
}
