package eventfold

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Project keeps the read model of p up to date with the store db until ctx ends, whose error it then
// returns. Other errors are those of the store, of the database of the read model when it has failed
// p.Attempts times, and a [*ProjectionError] if Handle has refused an event and p says Stop. After
// any of them Project may be called again; nothing is lost, and nothing is done twice. A query that
// ends by itself, because it asks for position < 9, ends Project without an error.
//
// Every event that p.Query selects is handled exactly once, in the order of positions, in
// transactions of up to p.Batch events that move the checkpoint as well. Of several that run the
// same version of a projection, in one process or several, one works: whoever finds that the
// checkpoint was moved by another one stands by until that stands still.
//
// A greater Version is built beside the one that is there. It gets events with Replay set until it
// has come to where the old one is; from there on it gets them without, and the old one with.
func Project(ctx context.Context, db Querier, p Projection) error {
	p, err := p.normal()
	if err != nil {
		return err
	}
	if p.Handle == nil {
		return fault(ErrConfig, "project", "projection %s has no Handle", p.Name)
	}
	if err := makeTables(ctx, p.Target, projectionTables, projectionProbe); err != nil {
		return err
	}
	r := &runner{events: db, p: p, id: uuid.NewString()}
	for {
		err := r.begin(ctx)
		if err == nil {
			err = r.follow(ctx)
		}
		if errors.Is(err, errMoved) {
			err = r.standBy(ctx)
		}
		if errors.Is(err, errEnded) {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			r.tellOther(ctx, err)
			return err // also where ctx ends as soon as that is told
		}
		if err != nil {
			return ctx.Err()
		}
	}
}

// ended returns ctx's error if ctx has ended, which may be why err is what it is.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// errEnded tells that the query of a projection has ended by itself.
var errEnded = errors.New("eventfold: the query has ended")

// errMoved tells a runner that the checkpoint is not where it has left it.
var errMoved = errors.New("eventfold: the checkpoint was moved by another runner")

// A runner runs one Projection. It belongs to the goroutine of Project.
type runner struct {
	events Querier
	p      Projection
	id     string     // names the runner in the table
	at     checkpoint // as this runner has left it
	seenAt time.Time  // when it was last written
}

// begin reads the checkpoint, and makes it if there is none, or if a reset was asked for.
func (r *runner) begin(ctx context.Context) error {
	err := r.p.persist(ctx, func() error {
		there, err := r.look(ctx)
		if err == nil && !there {
			err = inTx(ctx, r.p.Target, func(tx *sql.Tx) error { return r.create(ctx, tx) })
			if err == nil {
				return nil
			}
			if found, other := r.look(ctx); found && other == nil { // another runner has just made it
				err = nil
			}
		}
		if err != nil {
			return err
		}
		if r.at.resetAsked {
			return inTx(ctx, r.p.Target, func(tx *sql.Tx) error { return r.reset(ctx, tx) })
		}
		_, err = r.p.Target.ExecContext(ctx, `UPDATE eventfold_projections
			SET began_position = next_position, began_at = $1, resettable = $2, stopped_at = 0, error = ''
			WHERE name = $3 AND version = $4`, micros(time.Now()), flag(r.p.Setup != nil), r.p.Name, r.p.Version)
		return err
	})
	if err != nil {
		return err
	}
	return r.sameStore(ctx)
}

// look reads the checkpoint; there is false if there is none.
func (r *runner) look(ctx context.Context) (there bool, err error) {
	r.at, there, err = readCheckpoint(ctx, r.p.Target, r.p.Name, r.p.Version)
	return there, err
}

// sameStore checks that the read model was made of this store, and of this history of it.
func (r *runner) sameStore(ctx context.Context) error {
	ahead, err := r.p.aheadOf(ctx, r.events, r.at)
	if err == nil {
		err = ahead
	}
	if err == nil {
		err = r.p.checkMark(ctx, r.events, r.at)
	}
	return err
}

// create makes the checkpoint and the tables of a version that is new. The first of all versions is
// live from the beginning.
func (r *runner) create(ctx context.Context, tx *sql.Tx) error {
	if err := lockName(ctx, tx, r.p.Name); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO eventfold_projections (name, version, next_position, owner, live_from,
		live_until, mark_position, mark_id, began_position, began_at, seen_at, resettable, reset_asked,
		stopped_at, error)
		VALUES ($1, $2, 0, $3, -1, -1, -1, '', 0, $4, $5, $6, 0, 0, '')`,
		r.p.Name, r.p.Version, r.id, micros(time.Now()), micros(time.Now()), flag(r.p.Setup != nil))
	if err != nil {
		return fmt.Errorf("eventfold: make the checkpoint of projection %s: %w", r.p.Name, err)
	}
	r.at = checkpoint{owner: r.id, liveFrom: NoPosition, liveUntil: NoPosition, markAt: NoPosition}
	if err := r.lead(ctx, tx, 0); err != nil {
		return err
	}
	return r.setUp(ctx, tx)
}

// reset makes the read model as it was at the beginning. What was given without Replay is not given
// without it again.
func (r *runner) reset(ctx context.Context, tx *sql.Tx) error {
	if r.p.Setup == nil {
		return fault(ErrConfig, "project", "projection %s has no Setup any more, which a reset needs", r.p.Name)
	}
	head, err := headOf(ctx, r.events)
	if err != nil {
		return err
	}
	from := r.at.liveFrom
	if from != NoPosition { // the store may have been replaced by a shorter one
		from = min(max(from, r.at.next), head)
	}
	ok, err := execOne(ctx, tx, `UPDATE eventfold_projections SET next_position = 0, owner = $1, live_from = $2,
		mark_position = -1, mark_id = '', began_position = 0, began_at = $3, seen_at = $4, reset_asked = 0,
		stopped_at = 0, error = ''
		WHERE name = $5 AND version = $6 AND next_position = $7 AND reset_asked = 1`,
		r.id, int64(from), micros(time.Now()), micros(time.Now()), r.p.Name, r.p.Version, int64(r.at.next))
	if err != nil {
		return err
	}
	if !ok {
		return errMoved
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM eventfold_parked WHERE name = $1 AND version = $2`, r.p.Name, r.p.Version)
	if err != nil {
		return err
	}
	r.at = checkpoint{owner: r.id, liveFrom: from, liveUntil: r.at.liveUntil, markAt: NoPosition}
	return r.setUp(ctx, tx)
}

func (r *runner) setUp(ctx context.Context, tx *sql.Tx) error {
	if r.p.Setup == nil {
		return nil
	}
	if err := r.p.Setup(ctx, tx); err != nil {
		return fmt.Errorf("eventfold: Setup of projection %s, version %d: %w", r.p.Name, r.p.Version, err)
	}
	return nil
}

// standBy waits until the checkpoint needs this runner: it was this runner that has moved it and was
// not told, a reset was asked for, or it stands still although there are events behind it.
func (r *runner) standBy(ctx context.Context) error {
	since, next := time.Now(), NoPosition
	for {
		c, there, err := r.p.checkpoint(ctx)
		if err != nil || !there || c.owner == r.id || c.resetAsked {
			return err
		}
		head, err := headOf(ctx, r.events)
		if err != nil {
			return err
		}
		if c.next != next || c.next >= head {
			since, next = time.Now(), c.next
		}
		if time.Since(since) >= r.p.Standby {
			return nil
		}
		if err := sleep(ctx, max(r.p.Standby/10, time.Millisecond)); err != nil {
			return err
		}
	}
}

// headOf returns the next position of a store.
func headOf(ctx context.Context, db Querier) (Position, error) {
	last := NoPosition
	err := each(ctx, db, `SELECT COALESCE(MAX(position), -1) FROM $all`, nil, func(rows *sql.Rows) error {
		return rows.Scan(&last)
	})
	return last + 1, err
}
