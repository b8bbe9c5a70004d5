package eventfold

import (
	"context"
	"database/sql"
	"time"
)

// park writes down an event that Handle has refused, and moves the checkpoint behind it.
func (r *runner) park(ctx context.Context, e Event, next Position, cause error) error {
	return r.p.persist(ctx, func() error {
		return r.moving(ctx, next, []Event{e}, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO eventfold_parked
				(name, version, position, stream, type, attempts, parked_at, error, retry_asked)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)`,
				r.p.Name, r.p.Version, int64(e.Position), e.Stream, e.Type, r.p.Attempts, micros(time.Now()), cause.Error())
			return err
		})
	})
}

// retryParked handles the parked events for which that was asked.
func (r *runner) retryParked(ctx context.Context) error {
	asked := map[Position]int{} // the attempts
	var order []Position
	rows, err := r.p.Target.QueryContext(ctx, `SELECT position, attempts FROM eventfold_parked
		WHERE name = $1 AND version = $2 AND retry_asked = 1 ORDER BY position LIMIT 1000`, r.p.Name, r.p.Version)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var p Position
		var attempts int
		if err := rows.Scan(&p, &attempts); err != nil {
			return err
		}
		asked[p] = attempts
		order = append(order, p)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	rows.Close() // a database with one connection needs it
	for _, p := range order {
		if err := r.retryOne(ctx, p, asked[p]); err != nil {
			return err
		}
	}
	return nil
}

// retryOne handles a parked event, and keeps it parked if it is refused again.
func (r *runner) retryOne(ctx context.Context, p Position, attempts int) error {
	e, err := eventAt(ctx, r.events, p)
	if err != nil {
		return err
	}
	if e.Position == NoPosition {
		return fault(ErrConfig, "project", "position %d was parked, and the store has no event there", p)
	}
	refused := error(nil)
	err = r.moving(ctx, r.at.next, nil, func(tx *sql.Tx) error {
		ok, err := execOne(ctx, tx, `DELETE FROM eventfold_parked
			WHERE name = $1 AND version = $2 AND position = $3 AND retry_asked = 1`, r.p.Name, r.p.Version, int64(p))
		if err != nil || !ok {
			return err // somebody has taken it away
		}
		refused = r.handle(ctx, tx, Delivery{Event: e, Replay: r.at.replays(p), Attempt: attempts + 1})
		return refused
	})
	if refused == nil || ctx.Err() != nil {
		return err
	}
	_, err = r.p.Target.ExecContext(ctx, `UPDATE eventfold_parked SET attempts = $1, error = $2, retry_asked = 0
		WHERE name = $3 AND version = $4 AND position = $5`,
		attempts+1, refused.Error(), r.p.Name, r.p.Version, int64(p))
	return err
}

// eventAt reads one event; its position is NoPosition if there is none.
func eventAt(ctx context.Context, db Querier, p Position) (e Event, err error) {
	e.Position = NoPosition
	query := `SELECT event FROM $all WHERE position = ?`
	err = eachEvent(ctx, db, query, []any{int64(p)}, func(found Event) error {
		e = found
		return nil
	})
	return e, err
}
