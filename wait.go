package eventfold

import (
	"context"
	"errors"
	"time"
)

// WaitFor returns when the read model of p has everything up to a position, such as that of an event
// which was just appended, so that one reads one's own writes. It is exact, because positions are
// assigned in the order of commits: whoever is beyond a position has had all events before it. It
// does not wait for events that p.Query does not select, but always until the projection has begun, so
// that its tables are there. db is the store.
//
// It returns ctx's error if that ends first, and a [*ProjectionError] if the projection has stopped
// by itself before the position. An event that was parked has been passed. A runner whose process was
// killed, or that never began, tells nobody: give ctx a deadline, and where Project runs in the same
// process one that ends with it.
func WaitFor(ctx context.Context, db Querier, p Projection, position Position) error {
	p, err := p.normal()
	if err != nil {
		return err
	}
	looked, made := NoPosition-1, false
	for delay := time.Millisecond; ; delay = min(2*delay, 50*time.Millisecond) {
		var c checkpoint
		begun := false
		if made = made || there(ctx, p.Target, checkpointProbe); made {
			if c, begun, err = p.checkpoint(ctx); err != nil {
				return ended(ctx, err)
			}
		}
		switch {
		case !begun: // its tables are not there
		case c.next > position:
			return nil
		case c.stoppedAt != 0:
			return &ProjectionError{Name: p.Name, Version: p.Version, Position: c.next, Err: errors.New(c.err)}
		case c.next != looked:
			looked = c.next
			concerns, err := p.selects(ctx, db, c.next, position)
			if err != nil || !concerns {
				return ended(ctx, err)
			}
		}
		if err := sleep(ctx, delay); err != nil {
			return err
		}
	}
}

// selects reports whether the query of p selects an event from next to last.
func (p Projection) selects(ctx context.Context, db Querier, next, last Position) (selects bool, err error) {
	rows, err := p.following(ctx, db, next-1)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	if rows.Next() { // an event, or the progress that tells that there is none
		var e Event
		var progress bool
		if err := rows.Scan(&e, &progress); err != nil {
			return false, err
		}
		selects = !progress && e.Position <= last
	}
	return selects, rows.Err()
}
