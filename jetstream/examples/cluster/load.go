package main

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/eventfold/eventfold"
)

// A load is clients that append, and what they were told.
type load struct {
	stop func()
	work sync.WaitGroup

	mu      sync.Mutex
	placed  map[int64]string // the id of each event that was acknowledged, by its position
	last    time.Time        // of the last acknowledgement
	longest time.Duration    // between two of them
	err     error            // of the first client that has failed
}

// newLoad has clients append until end is called.
func newLoad(ctx context.Context, db *sql.DB, clients int) *load {
	stopping := make(chan struct{})
	l := &load{placed: map[int64]string{}, stop: sync.OnceFunc(func() { close(stopping) })}
	for n := range clients {
		l.work.Go(func() {
			if err := l.client(ctx, db, fmt.Sprint("account-", n), stopping); err != nil {
				l.fail(err)
			}
		})
	}
	return l
}

// end ends the load. What was being appended is acknowledged first.
func (l *load) end() error {
	l.stop()
	l.work.Wait()
	return l.err
}

// client appends one event behind the other to a stream that nobody else appends to.
func (l *load) client(ctx context.Context, db *sql.DB, stream string, stopping <-chan struct{}) error {
	for version := eventfold.NoVersion; ; version++ {
		select {
		case <-stopping:
			return nil
		default:
		}
		id := uuid.NewString()
		result, err := db.ExecContext(ctx, `INSERT INTO $all (stream, id, type, payload) VALUES (?, ?, 'Deposited', '{"amount": 1}')
			EXPECTING VERSION ?`, stream, id, version)
		if err != nil {
			return err
		}
		position, err := result.LastInsertId()
		if err != nil {
			return err
		}
		l.note(position, id)
	}
}

// note notes an acknowledgement.
func (l *load) note(position int64, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !l.last.IsZero() {
		l.longest = max(l.longest, now.Sub(l.last))
	}
	l.placed[position], l.last = id, now
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
	}
}

// acknowledged is how many events were acknowledged by now.
func (l *load) acknowledged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.placed)
}

// silence is the longest time without an acknowledgement.
func (l *load) silence() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.longest
}

// await waits until so many events are acknowledged, or a client has failed.
func (l *load) await(ctx context.Context, events int) error {
	for {
		l.mu.Lock()
		done, err := len(l.placed) >= events, l.err
		l.mu.Unlock()
		if done || err != nil {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// pause waits a moment before one looks again.
func pause(ctx context.Context) error {
	select {
	case <-time.After(20 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
