package watermill

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

// A SQLCheckpointsConfig says where checkpoints are kept. The zero value is right for SQLite and
// MySQL.
type SQLCheckpointsConfig struct {
	// Table is the name of the table, as SQL takes it. "" means watermill_checkpoints. It is created
	// by the first use, unless it is there.
	Table string
	// Placeholder writes the n-th placeholder, from 1. nil means ?; for PostgreSQL take [Dollar].
	Placeholder func(n int) string
}

// Dollar writes placeholders as PostgreSQL has them.
func Dollar(n int) string { return fmt.Sprintf("$%d", n) }

// SQLCheckpoints keep positions in a table of a database of the program, which is not the event
// store. Handlers that write to the same database can move the checkpoint together with their own
// work: see Move.
type SQLCheckpoints struct {
	db     *sql.DB
	config SQLCheckpointsConfig

	mu      sync.Mutex // protects created, and is held while the table is
	created bool
}

var _ Checkpoints = (*SQLCheckpoints)(nil)

// NewSQLCheckpoints returns checkpoints in a database, which remains the caller's to close. It
// touches nothing yet.
func NewSQLCheckpoints(db *sql.DB, config SQLCheckpointsConfig) *SQLCheckpoints {
	if config.Table == "" {
		config.Table = "watermill_checkpoints"
	}
	if config.Placeholder == nil {
		config.Placeholder = func(int) string { return "?" }
	}
	return &SQLCheckpoints{db: db, config: config}
}

// statement puts the table's name and placeholders into a text that has %s for the one and ? for
// the others.
func (c *SQLCheckpoints) statement(text string) string {
	parts := strings.Split(text, "?")
	var b strings.Builder
	for i, part := range parts {
		b.WriteString(strings.ReplaceAll(part, "%s", c.config.Table))
		if i < len(parts)-1 {
			b.WriteString(c.config.Placeholder(i + 1))
		}
	}
	return b.String()
}

// create makes the table, once.
func (c *SQLCheckpoints) create(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.created {
		return nil
	}
	_, err := c.db.ExecContext(ctx, c.statement(`CREATE TABLE IF NOT EXISTS %s (consumer_group VARCHAR(255) NOT NULL,
		topic VARCHAR(255) NOT NULL, next_position BIGINT NOT NULL, PRIMARY KEY (consumer_group, topic))`))
	c.created = err == nil
	return err
}

// Load implements Checkpoints.
func (c *SQLCheckpoints) Load(ctx context.Context, group, topic string) (int64, error) {
	if err := c.create(ctx); err != nil {
		return 0, err
	}
	next, err := c.load(ctx, group, topic)
	if !errors.Is(err, sql.ErrNoRows) {
		return next, err
	}
	_, err = c.db.ExecContext(ctx, c.statement(`INSERT INTO %s (consumer_group, topic, next_position) VALUES (?, ?, 0)`),
		group, topic)
	if next, again := c.load(ctx, group, topic); again == nil { // somebody else may have inserted it meanwhile
		return next, nil
	}
	return 0, err
}

func (c *SQLCheckpoints) load(ctx context.Context, group, topic string) (next int64, err error) {
	err = c.db.QueryRowContext(ctx, c.statement(`SELECT next_position FROM %s WHERE consumer_group = ? AND topic = ?`),
		group, topic).Scan(&next)
	return next, err
}

// An execer is a *sql.DB or a *sql.Tx.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (c *SQLCheckpoints) move(ctx context.Context, db execer, group, topic string, from, next int64) (bool, error) {
	result, err := db.ExecContext(ctx, c.statement(
		`UPDATE %s SET next_position = ? WHERE consumer_group = ? AND topic = ? AND next_position = ?`),
		next, group, topic, from)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// Save implements Checkpoints.
func (c *SQLCheckpoints) Save(ctx context.Context, group, topic string, from, next int64) error {
	moved, err := c.move(ctx, c.db, group, topic, from, next)
	if err == nil && !moved {
		err = ErrMoved
	}
	return err
}

// Move moves the checkpoint behind a message in a transaction of the handler, so that the handler's
// work and the checkpoint are stored together or not at all. If it reports false the work for this
// message is stored already: roll back, and acknowledge the message.
//
//	func handle(m *message.Message) error {
//		tx, err := ours.BeginTx(m.Context(), nil)
//		if err != nil {
//			return err
//		}
//		defer tx.Rollback()
//		fresh, err := checkpoints.Move(m.Context(), tx, m)
//		if err != nil || !fresh {
//			return err
//		}
//		... // the work, with tx
//		return tx.Commit()
//	}
//
// The message must come from a Subscriber with a group and these checkpoints, not from a copy.
func (c *SQLCheckpoints) Move(ctx context.Context, tx *sql.Tx, m *message.Message) (fresh bool, err error) {
	d, ok := m.Context().Value(deliveryKey{}).(delivery)
	if !ok || d.group == "" {
		return false, fmt.Errorf("eventfold: message %s was not delivered to a group, or is a copy", m.UUID)
	}
	return c.move(ctx, tx, d.group, d.topic, d.from, int64(d.event.Position)+1)
}
