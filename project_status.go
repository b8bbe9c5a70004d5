package eventfold

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// A ProjectionStatus is what the database of a read model tells of a projection.
type ProjectionStatus struct {
	Name    string
	Version int
	// Next is the next position that the runner reads: everything before it is in the read model,
	// except what is parked.
	Next Position
	// LiveFrom and LiveUntil say where events were given without Replay: from the one on, and before
	// the other. LiveFrom is NoPosition while the version is built, LiveUntil while no later version
	// has taken over.
	LiveFrom, LiveUntil Position
	Parked              int       // events that Handle has refused, and that were passed over
	Seen                time.Time // when a runner has last written; one that runs does every ten seconds
	Stopped             time.Time // when it has stopped by itself, with Error; zero if it has not
	Error               string    // why it has stopped
	Resettable          bool      // it has a Setup
	ResetAsked          bool      // it is to begin again, which its runner does within a second

	began     Position
	beganWhen time.Time
}

// Lag is the number of events of a store with so many events that the projection has not read.
func (s ProjectionStatus) Lag(head Position) int64 { return max(0, int64(head-s.Next)) }

// Rate is how many positions a second the runner has passed since it began, 0 if that is not known.
func (s ProjectionStatus) Rate() float64 {
	took := s.Seen.Sub(s.beganWhen).Seconds()
	if took <= 0 || s.Next <= s.began {
		return 0
	}
	return float64(s.Next-s.began) / took
}

// Left is how long the runner needs to come to head at its rate; known is false if the rate is not.
func (s ProjectionStatus) Left(head Position) (left time.Duration, known bool) {
	lag, rate := s.Lag(head), s.Rate()
	if lag == 0 {
		return 0, true
	}
	if rate == 0 {
		return 0, false
	}
	const longest = 100 * 365 * 24 * time.Hour
	return time.Duration(min(float64(lag)/rate*float64(time.Second), float64(longest))), true
}

// State says in a word what the projection does: stopped, resetting, building, live, or superseded
// by a later version. It does not tell whether a runner runs: Seen does.
func (s ProjectionStatus) State() string {
	switch {
	case !s.Stopped.IsZero():
		return "stopped"
	case s.ResetAsked:
		return "resetting"
	case s.LiveFrom == NoPosition:
		return "building"
	case s.LiveUntil != NoPosition:
		return "superseded"
	}
	return "live"
}

// Projections returns what the database of read models tells of its projections, by name and
// version. A database in which [Project] has never run has no tables for them, which is an error of
// that database.
func Projections(ctx context.Context, target *sql.DB) (list []ProjectionStatus, err error) {
	rows, err := target.QueryContext(ctx, `SELECT p.name, p.version, p.next_position, p.live_from, p.live_until,
		p.began_position, p.began_at, p.seen_at, p.resettable, p.reset_asked, p.stopped_at, p.error,
		(SELECT COUNT(*) FROM eventfold_parked AS k WHERE k.name = p.name AND k.version = p.version)
		FROM eventfold_projections AS p ORDER BY p.name, p.version`)
	if err != nil {
		return nil, fmt.Errorf("eventfold: read the table eventfold_projections: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s ProjectionStatus
		var began, seen, resettable, asked, stopped int64
		err := rows.Scan(&s.Name, &s.Version, &s.Next, &s.LiveFrom, &s.LiveUntil, &s.began, &began, &seen,
			&resettable, &asked, &stopped, &s.Error, &s.Parked)
		if err != nil {
			return nil, err
		}
		s.beganWhen, s.Seen = time.UnixMicro(began).UTC(), time.UnixMicro(seen).UTC()
		s.Resettable, s.ResetAsked = resettable != 0, asked != 0
		if stopped != 0 {
			s.Stopped = time.UnixMicro(stopped).UTC()
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// A ParkedEvent is the place of an event that Handle has refused. Its content is in the store.
type ParkedEvent struct {
	Name       string // of the projection
	Version    int    // of the projection
	Position   Position
	Stream     string
	Type       string
	Attempts   int
	ParkedAt   time.Time
	Error      string // the last that Handle has returned
	RetryAsked bool   // the runner is to try it again, which it does within a second
}

// ParkedEvents returns the parked events of all versions of a projection, by version and position.
func ParkedEvents(ctx context.Context, target *sql.DB, name string) (list []ParkedEvent, err error) {
	rows, err := target.QueryContext(ctx, `SELECT name, version, position, stream, type, attempts, parked_at, error,
		retry_asked FROM eventfold_parked WHERE name = $1 ORDER BY version, position`, name)
	if err != nil {
		return nil, fmt.Errorf("eventfold: read the table eventfold_parked: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e ParkedEvent
		var at, asked int64
		err := rows.Scan(&e.Name, &e.Version, &e.Position, &e.Stream, &e.Type, &e.Attempts, &at, &e.Error, &asked)
		if err != nil {
			return nil, err
		}
		e.ParkedAt, e.RetryAsked = time.UnixMicro(at).UTC(), asked != 0
		list = append(list, e)
	}
	return list, rows.Err()
}

// RetryParked asks the runner of a projection to try parked events again, those at the positions, or
// all if none are given, and returns how many there are. A runner that runs does so within a second,
// in the order of positions; otherwise the next Project does. What is refused again stays parked.
func RetryParked(ctx context.Context, target *sql.DB, name string, version int, at ...Position) (n int, err error) {
	const ask = `UPDATE eventfold_parked SET retry_asked = 1 WHERE name = $1 AND version = $2`
	err = inTx(ctx, target, func(tx *sql.Tx) error {
		if len(at) == 0 {
			n, err = rowsChanged(tx.ExecContext(ctx, ask, name, version))
			return err
		}
		for _, p := range at {
			one, err := rowsChanged(tx.ExecContext(ctx, ask+` AND position = $3`, name, version, int64(p)))
			if err != nil {
				return err
			}
			n += one
		}
		return nil
	})
	return n, err
}

// rowsChanged is the number of rows that a statement has changed.
func rowsChanged(result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// ResetProjection asks the runner of a projection to begin again: it has Setup empty the read model
// and handles all events anew, those that it had before with Replay set. A runner that runs does so
// within a second; otherwise the next Project does. One without Setup is refused, and so is one that
// is not there.
func ResetProjection(ctx context.Context, target *sql.DB, name string, version int) error {
	return inTx(ctx, target, func(tx *sql.Tx) error {
		ok, err := execOne(ctx, tx, `UPDATE eventfold_projections SET reset_asked = 1
			WHERE name = $1 AND version = $2 AND resettable = 1`, name, version)
		if err != nil || ok {
			return err
		}
		return whyNot(ctx, tx, name, version, "has no Setup, which empties its read model")
	})
}

// DropProjection forgets the checkpoint of a version that nobody runs any more, and what it has
// parked. Its tables are yours to drop. The version that gives events without Replay is refused
// while there are others, because they could not know where it has left.
func DropProjection(ctx context.Context, target *sql.DB, name string, version int) error {
	return inTx(ctx, target, func(tx *sql.Tx) error {
		if err := lockName(ctx, tx, name); err != nil {
			return err
		}
		ok, err := execOne(ctx, tx, `DELETE FROM eventfold_projections WHERE name = $1 AND version = $2
			AND (live_from < 0 OR live_until >= 0 OR NOT EXISTS (SELECT 1 FROM eventfold_projections AS o
				WHERE o.name = $1 AND o.version <> $2))`, name, version)
		if err != nil {
			return err
		}
		if !ok {
			return whyNot(ctx, tx, name, version, "is live, and there are other versions")
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM eventfold_parked WHERE name = $1 AND version = $2`, name, version)
		return err
	})
}

// whyNot tells why a statement has not found the row of a projection.
func whyNot(ctx context.Context, tx *sql.Tx, name string, version int, otherwise string) error {
	_, there, err := readCheckpoint(ctx, tx, name, version)
	if err != nil {
		return err
	}
	if !there {
		otherwise = "is not in this database"
	}
	return fault(ErrArgument, "project", "projection %s, version %d, %s", name, version, otherwise)
}
