package jetstream

import (
	"context"
	"time"
)

// A Lag tells how far a node is behind the log.
type Lag struct {
	// Events is how many events the node has heard of that its copy does not hold. A node that is cut
	// off hears of none: then Asked is what tells.
	Events int64
	// Synced is when the copy was last known to hold all that the stream's leader had.
	Synced time.Time
	// Asked is when the leader was last asked and has answered. A node asks every two seconds, and
	// whenever an append makes it.
	Asked time.Time
}

// askInterval is how often a node asks the leader how far the log is.
const askInterval = 2 * time.Second

// Lag returns how far this node is behind. $stats tells the same.
func (s *Store) Lag() Lag {
	return Lag{Events: max(0, int64(s.known.Load())-int64(s.head())), Synced: timeAt(s.synced.Load()),
		Asked: timeAt(s.asked.Load())}
}

// timeAt is a time in nanoseconds, the zero time for 0.
func timeAt(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos)
}

// ask asks the leader now and then, until the store's life ends: for Lag, and because what is
// missing in the stream is to be noticed also while nothing is appended.
func (s *Store) ask() {
	for sleep(s.life, askInterval) == nil {
		ctx, cancel := context.WithTimeout(s.life, askInterval)
		_ = s.sync(ctx) // damage has ended the store's life
		cancel()
	}
}
