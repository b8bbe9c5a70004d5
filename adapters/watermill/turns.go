package watermill

import (
	"context"
	"database/sql"
	"sync"
)

// A turnKey is what one subscription of the process delivers at a time.
type turnKey struct {
	place any // where the checkpoints are kept
	checkpointKey
}

// placeOf tells where checkpoints are kept, which is one place for all SQLCheckpoints of a table.
func placeOf(c Checkpoints) any {
	if c, ok := c.(*SQLCheckpoints); ok {
		return struct {
			db    *sql.DB
			table string
		}{c.db, c.config.Table}
	}
	return c
}

// A turn is held by one subscription; others wait for it.
type turn struct {
	token chan struct{} // holds one while nobody has the turn
	users int           // those who hold it or wait
}

var turns = struct {
	sync.Mutex // protects all, and users of each
	all        map[turnKey]*turn
}{all: map[turnKey]*turn{}}

// enter waits until no other subscription of the group and topic delivers. leave lets the next one
// in.
func enter(ctx context.Context, c Checkpoints, key checkpointKey) (leave func(), err error) {
	k := turnKey{placeOf(c), key}
	turns.Lock()
	t := turns.all[k]
	if t == nil {
		t = &turn{token: make(chan struct{}, 1)}
		t.token <- struct{}{}
		turns.all[k] = t
	}
	t.users++
	turns.Unlock()
	gone := func() {
		turns.Lock()
		defer turns.Unlock()
		if t.users--; t.users == 0 {
			delete(turns.all, k)
		}
	}
	select {
	case <-t.token:
		return func() { t.token <- struct{}{}; gone() }, nil
	case <-ctx.Done():
		gone()
		return nil, ctx.Err()
	}
}
