package watermill

import (
	"context"
	"errors"
	"sync"
)

// Checkpoints keep, for every group and topic, the position of the next event to deliver. Any number
// of goroutines may use them.
type Checkpoints interface {
	// Load returns the position, 0 if nothing has been saved.
	Load(ctx context.Context, group, topic string) (next int64, err error)
	// Save moves the position on, if it is still from. If it is not, somebody else has moved it, and
	// the error is ErrMoved.
	Save(ctx context.Context, group, topic string, from, next int64) error
}

// ErrMoved is the error of a checkpoint that is not where it was: another subscriber of the group,
// or the handler itself, has moved it.
var ErrMoved = errors.New("eventfold: the checkpoint of the group is not where it was")

// A checkpointKey is what there is one checkpoint for.
type checkpointKey struct{ group, topic string }

// MemoryCheckpoints keep positions as long as the program runs: for tests, and for stores in memory.
// The zero value is ready.
type MemoryCheckpoints struct {
	mu   sync.Mutex // protects next
	next map[checkpointKey]int64
}

var _ Checkpoints = (*MemoryCheckpoints)(nil)

// Load implements Checkpoints.
func (c *MemoryCheckpoints) Load(_ context.Context, group, topic string) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next[checkpointKey{group, topic}], nil
}

// Save implements Checkpoints.
func (c *MemoryCheckpoints) Save(_ context.Context, group, topic string, from, next int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := checkpointKey{group, topic}
	if c.next[key] != from {
		return ErrMoved
	}
	if c.next == nil {
		c.next = map[checkpointKey]int64{}
	}
	c.next[key] = next
	return nil
}
