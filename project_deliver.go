package eventfold

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// A refusal is an error of Handle.
type refusal struct {
	index int // of the event in its batch
	err   error
}

func (f *refusal) Error() string { return f.err.Error() }
func (f *refusal) Unwrap() error { return f.err }

// deliver handles events and moves the checkpoint to next. An event that is refused is tried again
// in a transaction of its own.
func (r *runner) deliver(ctx context.Context, events []Event, next Position) error {
	for {
		err := r.transact(ctx, events, next, 1)
		var refused *refusal
		if !errors.As(err, &refused) {
			return err
		}
		i, last := refused.index, refused.index == len(events)-1
		if i > 0 { // what stands before it is done
			if err := r.deliver(ctx, events[:i], events[i].Position); err != nil {
				return err
			}
		}
		behind := events[i].Position + 1
		if last {
			behind = next
		}
		if err := r.insist(ctx, events[i], behind, refused.err); err != nil || last {
			return err
		}
		events = events[i+1:]
	}
}

// insist tries an event that was refused once until Attempts are used up.
func (r *runner) insist(ctx context.Context, e Event, next Position, err error) error {
	for tried := 1; tried < r.p.Attempts; tried++ {
		if err := r.p.wait(ctx, tried); err != nil {
			return err
		}
		again := r.transact(ctx, []Event{e}, next, tried+1)
		var refused *refusal
		if !errors.As(again, &refused) {
			return again
		}
		err = refused.err
	}
	if ctx.Err() != nil { // which may be what Handle has returned
		return ctx.Err()
	}
	if r.p.OnFailure == Park {
		return r.park(ctx, e, next, err)
	}
	failed := &ProjectionError{Name: r.p.Name, Version: r.p.Version, Position: e.Position,
		Stream: e.Stream, Type: e.Type, Attempts: r.p.Attempts, Err: err}
	return errors.Join(failed, r.tell(ctx, failed))
}

// tell writes down why the projection stops before an event.
func (r *runner) tell(ctx context.Context, failed *ProjectionError) error {
	return r.p.persist(ctx, func() error {
		_, err := r.p.Target.ExecContext(ctx, `UPDATE eventfold_projections SET stopped_at = $1, error = $2
			WHERE name = $3 AND version = $4 AND next_position = $5`,
			micros(time.Now()), failed.Err.Error(), r.p.Name, r.p.Version, int64(r.at.next))
		return err
	})
}

// tellOther writes down why the projection stops where that is no event, if that can be written, and
// unless another runner has done the last work and so may go on: whoever waits for the read model
// is told instead of waiting for ever.
func (r *runner) tellOther(ctx context.Context, why error) {
	if errors.As(why, new(*ProjectionError)) { // told
		return
	}
	_, _ = r.p.Target.ExecContext(ctx, `UPDATE eventfold_projections SET stopped_at = $1, error = $2
		WHERE name = $3 AND version = $4 AND (owner = $5 OR seen_at < $6)`, // or nobody else runs
		micros(time.Now()), why.Error(), r.p.Name, r.p.Version, r.id,
		micros(time.Now().Add(-6*seenEvery))) // why is what the caller must know
}

// transact handles events and moves the checkpoint in one transaction, again where the database has
// failed. Its error is a *refusal if Handle has.
func (r *runner) transact(ctx context.Context, events []Event, next Position, attempt int) error {
	return r.p.persist(ctx, func() error {
		return r.moving(ctx, next, events, func(tx *sql.Tx) error {
			for i, e := range events {
				d := Delivery{Event: e, Replay: r.at.replays(e.Position), Attempt: attempt}
				if err := r.handle(ctx, tx, d); err != nil {
					return &refusal{i, err}
				}
			}
			return nil
		})
	})
}

// move moves the checkpoint, or says that the runner is there.
func (r *runner) move(ctx context.Context, next Position) error {
	return r.moving(ctx, next, nil, func(*sql.Tx) error { return nil })
}

// moving moves the checkpoint in the transaction in which f writes. The checkpoint comes first, so
// that its row is locked, and whoever else would handle the same events waits, and then finds it
// moved. The last of events is noted.
func (r *runner) moving(ctx context.Context, next Position, events []Event, f func(tx *sql.Tx) error) error {
	now, before, mark := time.Now(), r.at, r.at
	if len(events) > 0 {
		last := events[len(events)-1]
		mark.markAt, mark.markID = last.Position, last.ID.String()
	}
	err := inTx(ctx, r.p.Target, func(tx *sql.Tx) error {
		ok, err := execOne(ctx, tx, `UPDATE eventfold_projections SET next_position = $1, mark_position = $2,
			mark_id = $3, owner = $4, seen_at = $5, stopped_at = 0, error = ''
			WHERE name = $6 AND version = $7 AND next_position = $8 AND reset_asked = 0`, int64(next),
			int64(mark.markAt), mark.markID, r.id, micros(now), r.p.Name, r.p.Version, int64(r.at.next))
		switch {
		case err != nil:
			return err
		case !ok:
			return errMoved
		}
		if err := r.lead(ctx, tx, next); err != nil {
			return err
		}
		return f(tx)
	})
	if err != nil {
		r.at = before
		return err
	}
	r.at.next, r.at.owner, r.seenAt = next, r.id, now
	r.at.markAt, r.at.markID = mark.markAt, mark.markID
	return nil
}

// handle calls Handle. A panic of it is an error, which would otherwise come again whenever the
// program is started.
func (r *runner) handle(ctx context.Context, tx *sql.Tx, d Delivery) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("eventfold: a panic of Handle: %v\n%s", v, debug.Stack())
		}
	}()
	return r.p.Handle(ctx, tx, d)
}
