package eventfold

import (
	"context"
	"database/sql"
	"errors"
)

// lead finds out in which range of positions this version gives events without Replay, in the
// transaction that moves its checkpoint to next. A version that has caught up with the one before it
// takes over where that is: its range ends, and this one's begins.
//
// The row of the other version is locked by what changes it, so that it has moved as far as it will
// with the range that it had. Every transaction locks its own row first and that of a lesser version
// then, so that no two wait for each other. Where there is no other version, the name is locked, so
// that of several which begin at once one is the first.
func (r *runner) lead(ctx context.Context, tx *sql.Tx, next Position) error {
	own, there, err := readCheckpoint(ctx, tx, r.p.Name, r.p.Version)
	if err != nil || !there {
		return err
	}
	r.at.liveFrom, r.at.liveUntil = own.liveFrom, own.liveUntil
	if own.liveFrom != NoPosition {
		return nil
	}
	version, at, err := r.leader(ctx, tx)
	if err == nil && version == noLeader { // or it is about to become one, and cannot be seen yet
		if err = lockName(ctx, tx, r.p.Name); err == nil {
			version, at, err = r.leader(ctx, tx)
		}
	}
	if err != nil || version > r.p.Version {
		return err // or a later version has taken over, so that this one never will
	}
	from := Position(0)
	if version != noLeader {
		if at > next {
			return nil
		}
		if from, err = r.takeOver(ctx, tx, version); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE eventfold_projections SET live_from = $1 WHERE name = $2 AND version = $3`,
		int64(from), r.p.Name, r.p.Version)
	r.at.liveFrom = from
	return err
}

// noLeader is the version that has the lead where none has it.
const noLeader = -1

// livePosition is up to where a version has given events without Replay: one that was reset is
// behind that.
const livePosition = `CASE WHEN next_position > live_from THEN next_position ELSE live_from END`

// leader returns which version gives events without Replay, and where it is.
func (r *runner) leader(ctx context.Context, tx *sql.Tx) (version int, next Position, err error) {
	err = tx.QueryRowContext(ctx, `SELECT version, `+livePosition+` FROM eventfold_projections
		WHERE name = $1 AND live_from >= 0 AND live_until < 0`, r.p.Name).Scan(&version, &next)
	if errors.Is(err, sql.ErrNoRows) {
		return noLeader, 0, nil
	}
	return version, next, err
}

// takeOver ends the range of another version, and returns where.
func (r *runner) takeOver(ctx context.Context, tx *sql.Tx, version int) (from Position, err error) {
	ok, err := execOne(ctx, tx, `UPDATE eventfold_projections SET live_until = `+livePosition+`
		WHERE name = $1 AND version = $2 AND live_from >= 0 AND live_until < 0`, r.p.Name, version)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, errors.New("eventfold: another version of the projection has taken over meanwhile")
	}
	err = tx.QueryRowContext(ctx, `SELECT live_until FROM eventfold_projections WHERE name = $1 AND version = $2`,
		r.p.Name, version).Scan(&from)
	return from, err
}
