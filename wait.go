package eventfold

import (
	"context"
	"errors"
	"fmt"
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
//
// A read model that was made of another store than db is an error, [ErrConfig]; one that has more
// than there is in db, which may be a copy that is behind, is waited with until db has it, too.
func WaitFor(ctx context.Context, db Querier, p Projection, position Position) error {
	p, err := p.normal()
	if err != nil {
		return err
	}
	w := waiting{events: db, p: p, position: position, looked: NoPosition - 1}
	for delay := time.Millisecond; ; delay = min(2*delay, 50*time.Millisecond) {
		reached, err := w.look(ctx)
		if reached {
			return nil
		}
		if err == nil {
			err = sleep(ctx, delay)
		}
		if err != nil {
			return w.why(ended(ctx, err))
		}
	}
}

// A waiting is one WaitFor.
type waiting struct {
	events   Querier
	p        Projection
	position Position

	made   bool     // the tables are there
	looked Position // where the checkpoint was when selects was last asked
	ahead  error    // that the read model has more than the store, as of the last look
}

// look reports whether the read model has everything that is waited for.
func (w *waiting) look(ctx context.Context) (reached bool, err error) {
	if w.made = w.made || there(ctx, w.p.Target, checkpointProbe); !w.made {
		return false, nil
	}
	c, begun, err := w.p.checkpoint(ctx)
	switch {
	case err != nil || !begun:
		return false, err
	case c.next > w.position:
		return w.confirm(ctx, c)
	case c.stoppedAt != 0:
		return false, &ProjectionError{Name: w.p.Name, Version: w.p.Version, Position: c.next, Err: errors.New(c.err)}
	case c.next == w.looked:
		return false, nil
	}
	w.looked = c.next
	concerns, err := w.p.selects(ctx, w.events, c.next, w.position)
	if concerns || err != nil {
		return false, err
	}
	return w.confirm(ctx, c)
}

// confirm reports whether a read model that says it has everything has it of this store. Another
// store's is an error.
func (w *waiting) confirm(ctx context.Context, c checkpoint) (reached bool, err error) {
	ahead, err := w.p.aheadOf(ctx, w.events, c)
	if err != nil {
		return false, err
	}
	switch w.ahead = ahead; {
	case ahead != nil:
		w.looked = NoPosition - 1 // all is asked again when the store has more
		return false, nil
	case c.markAt != NoPosition:
		err = w.p.checkMark(ctx, w.events, c)
	case c.next > 0:
		err = w.p.checkEmpty(ctx, w.events, min(w.position, c.next-1))
	}
	return err == nil, err
}

// why is what has ended the wait, and what it has waited for if that is not the runner.
func (w *waiting) why(err error) error {
	if w.ahead != nil {
		return fmt.Errorf("%w: %w", err, w.ahead)
	}
	return err
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
