package eventfold

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"reflect"

	"github.com/eventfold/eventfold/engine"
)

// A Loader loads the state of streams, and keeps snapshots of it, so that a long stream is not
// folded from its beginning every time.
type Loader[S any] struct {
	// Fold gets each event with the state before it, the zero value of S at first.
	Fold func(S, Event) (S, error)
	// Name says which states these are, and Code of which version the code of Fold and S is: a
	// snapshot of another one is ignored, and replaced.
	Name string
	Code int
	// Snapshots are where they are kept; nil keeps none.
	Snapshots *Snapshots
	// Every is how many events are folded behind a snapshot before the next is written. 0 means 100.
	Every int
	// Report, if not nil, is told when a snapshot could not be read or written; the state is then
	// folded without it. Otherwise Load returns the error.
	Report func(error)
}

// defaultEvery is how many events there are between snapshots.
const defaultEvery = 100

// Load returns the state of a stream and the version of its last event, as the function [Load] does.
// A transaction is given neither snapshots nor makes any, because its own events may be rolled back.
func (a Loader[S]) Load(ctx context.Context, db Querier, stream string) (S, Version, error) {
	if a.Snapshots == nil || inTransaction(db) {
		return Load(ctx, db, stream, a.Fold)
	}
	if a.Name == "" {
		var none S
		return none, NoVersion, fault(ErrConfig, "load", "a Loader with Snapshots has a Name")
	}
	from, err := a.Snapshots.read(ctx, db, a.Name, a.Code, stream)
	if err = a.reported(err); err != nil {
		var none S
		return none, NoVersion, err
	}
	state, last, folded, err := a.fold(ctx, db, stream, from)
	if errors.Is(err, errOtherSnapshot) {
		from = &snapshot{erasures: from.erasures}
		state, last, folded, err = a.fold(ctx, db, stream, from)
	}
	if err != nil {
		var none S
		return none, NoVersion, err
	}
	if from != nil && folded >= otherwise(a.Every, defaultEvery) {
		if err := a.reported(a.write(ctx, stream, state, last, from.erasures)); err != nil {
			return state, last.Version, err
		}
	}
	return state, last.Version, nil
}

// reported hands an error about snapshots to Report, if there is one.
func (a Loader[S]) reported(err error) error {
	if err == nil || a.Report == nil {
		return err
	}
	a.Report(err)
	return nil
}

var errOtherSnapshot = errors.New("eventfold: the snapshot is not of this stream")

// fold goes on where a snapshot is, nil or one without state being the beginning, and returns the
// last event and how many were folded. The event that the snapshot ends with must be there, in a
// store that was replaced by another one it is not.
func (a Loader[S]) fold(ctx context.Context, db Querier, stream string,
	from *snapshot) (state S, last Event, folded int, err error) {
	last.Version = NoVersion
	query, args := `SELECT event FROM $all WHERE stream = ?`, []any{stream}
	behind := from != nil && from.state != ""
	if behind {
		query, args = query+` AND version >= ?`, append(args, int64(from.version))
		if err := json.Unmarshal([]byte(from.state), &state); err != nil {
			return state, last, 0, errOtherSnapshot
		}
	}
	first := behind
	err = eachEvent(ctx, db, query, args, func(e Event) (err error) {
		last = e
		if first {
			first = false
			if e.Version != from.version || e.ID.String() != from.id {
				return errOtherSnapshot
			}
			return nil
		}
		folded++
		state, err = a.Fold(state, e)
		return err
	})
	if err == nil && first { // the stream has become shorter
		err = errOtherSnapshot
	}
	return state, last, folded, err
}

// write keeps a state, unless it may have been folded of what was erased since.
func (a Loader[S]) write(ctx context.Context, stream string, state S, last Event, erasures int64) error {
	text, err := json.Marshal(state)
	if err != nil {
		return fault(ErrValue, "load", "a snapshot of %s: %w", a.Name, err)
	}
	var back S
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(state, back) {
		return fault(ErrValue, "load", "a snapshot of %s does not come back as it was from JSON; export the fields "+
			"of %T, give it the methods MarshalJSON and UnmarshalJSON, or keep no snapshots", a.Name, state)
	}
	s := snapshot{version: last.Version, id: last.ID.String(), state: string(text), erasures: erasures}
	return a.Snapshots.write(ctx, a.Name, a.Code, stream, s)
}

// Snapshots are states of streams in a database of yours, SQLite or PostgreSQL: there, and not in
// the store, because they can be replaced and removed. They may hold what events say about people.
// An erasure that names an event of a snapshot removes it, and so do all snapshots go when a subject
// is forgotten: whoever loads a state through the Snapshots sees to that first, and Sweep does it at
// once. Call Sweep behind ERASE and FORGET SUBJECT where the database must not hold a snapshot until
// the next Load.
type Snapshots struct{ target *sql.DB }

// A snapshot is a row of the table.
type snapshot struct {
	version  Version // of the last event that is in it
	id       string  // of that event
	state    string  // JSON; "" for none
	erasures int64   // events of $erasures that were there before the events were read
}

// snapshotTables are the tables of snapshots; eventfold_snapshots_swept has one row, with the number
// of events of $erasures that have been seen to.
var snapshotTables = []string{
	`CREATE TABLE IF NOT EXISTS eventfold_snapshots (
	name     TEXT   NOT NULL,
	stream   TEXT   NOT NULL,
	code     BIGINT NOT NULL,
	version  BIGINT NOT NULL,
	event_id TEXT   NOT NULL,
	state    TEXT   NOT NULL,
	PRIMARY KEY (stream, name))`,
	`CREATE TABLE IF NOT EXISTS eventfold_snapshots_swept (
	id       BIGINT NOT NULL PRIMARY KEY,
	erasures BIGINT NOT NULL)`,
	`INSERT INTO eventfold_snapshots_swept (id, erasures) VALUES (1, 0) ON CONFLICT (id) DO NOTHING`,
}

const snapshotProbe = `SELECT a.name FROM eventfold_snapshots AS a, eventfold_snapshots_swept AS b WHERE b.id = 2`

// OpenSnapshots makes the tables of snapshots in a database, if they are not there. All snapshots in
// them are of one store.
func OpenSnapshots(ctx context.Context, target *sql.DB) (*Snapshots, error) {
	if target == nil {
		return nil, fault(ErrConfig, "load", "there is no database for the snapshots")
	}
	if err := makeTables(ctx, target, snapshotTables, snapshotProbe); err != nil {
		return nil, err
	}
	_, err := target.ExecContext(ctx, snapshotTables[len(snapshotTables)-1]) // a process may have died before it
	return &Snapshots{target}, err
}

// read returns the snapshot of a stream, one without state if there is none, when all erasures that
// there are have been seen to.
func (s *Snapshots) read(ctx context.Context, db Querier, name string, code int, stream string) (*snapshot, error) {
	erasures, err := erasuresOf(ctx, db)
	if err != nil {
		return nil, err
	}
	if _, err := s.sweep(ctx, db, erasures); err != nil {
		return nil, err
	}
	found := snapshot{erasures: erasures}
	err = s.target.QueryRowContext(ctx, `SELECT version, event_id, state FROM eventfold_snapshots
		WHERE stream = $1 AND name = $2 AND code = $3`, stream, name, code).
		Scan(&found.version, &found.id, &found.state)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return &found, err
}

// write keeps a snapshot, unless erasures have been seen to that it may not know of. The row of
// their number is locked meanwhile: a sweep either comes before, or finds the snapshot.
func (s *Snapshots) write(ctx context.Context, name string, code int, stream string, of snapshot) error {
	return inTx(ctx, s.target, func(tx *sql.Tx) error {
		ok, err := execOne(ctx, tx, `UPDATE eventfold_snapshots_swept SET erasures = erasures
			WHERE id = 1 AND erasures <= $1`, of.erasures)
		if err != nil || !ok {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO eventfold_snapshots (name, stream, code, version, event_id, state)
			VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (stream, name) DO UPDATE SET
			code = excluded.code, version = excluded.version, event_id = excluded.event_id, state = excluded.state`,
			name, stream, code, int64(of.version), of.id, of.state)
		return err
	})
}

// Sweep removes the snapshots that hold what erasures of the store have named since the last time,
// and returns how many.
func (s *Snapshots) Sweep(ctx context.Context, db Querier) (removed int, err error) {
	erasures, err := erasuresOf(ctx, db)
	if err != nil {
		return 0, err
	}
	return s.sweep(ctx, db, erasures)
}

// sweep sees to the erasures up to a number.
func (s *Snapshots) sweep(ctx context.Context, db Querier, erasures int64) (removed int, err error) {
	var swept int64
	err = s.target.QueryRowContext(ctx, `SELECT erasures FROM eventfold_snapshots_swept WHERE id = 1`).Scan(&swept)
	if err != nil || swept == erasures {
		return 0, err
	}
	named, all, err := namedSince(ctx, db, swept)
	if err != nil {
		return 0, err
	}
	err = inTx(ctx, s.target, func(tx *sql.Tx) error {
		ok, err := execOne(ctx, tx, `UPDATE eventfold_snapshots_swept SET erasures = $1 WHERE id = 1 AND erasures = $2`,
			erasures, swept)
		if err != nil || !ok { // somebody else sees to them
			return err
		}
		if all || swept > erasures {
			removed, err = rowsChanged(tx.ExecContext(ctx, `DELETE FROM eventfold_snapshots`))
			return err
		}
		for stream, version := range named {
			n, err := rowsChanged(tx.ExecContext(ctx,
				`DELETE FROM eventfold_snapshots WHERE stream = $1 AND version >= $2`, stream, int64(version)))
			if err != nil {
				return err
			}
			removed += n
		}
		return nil
	})
	return removed, err
}

// erasuresOf is the number of events in the stream $erasures.
func erasuresOf(ctx context.Context, db Querier) (n int64, err error) {
	query := `SELECT events FROM $streams WHERE stream = '$erasures'`
	err = each(ctx, db, query, nil, func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n, err
}

// maxNamed is of how many streams a sweep removes the snapshots one by one.
const maxNamed = 10_000

// namedSince returns the streams, each with the first version, whose events were erased since so
// many events of $erasures; all is true where every stream may be concerned: a subject was
// forgotten, or there are too many to name.
func namedSince(ctx context.Context, db Querier, swept int64) (named map[string]Version, all bool, err error) {
	var spans []engine.Span
	query := `SELECT event FROM $all WHERE stream = ? AND version >= ?`
	err = eachEvent(ctx, db, query, []any{engine.ErasuresStream, swept}, func(e Event) error {
		all = all || e.Type == engine.ForgottenType
		if e.Type != engine.ErasedType {
			return nil
		}
		erased, err := engine.ParseErased(e.Payload)
		spans = append(spans, erased.Events...)
		return err
	})
	named = map[string]Version{}
	for _, span := range spans {
		if all = all || len(named) > maxNamed || len(spans) > maxNamed; all || err != nil {
			break
		}
		err = nameStreams(ctx, db, span, named)
	}
	return named, all, err
}

// nameStreams adds the streams of erased events, each with the first version.
func nameStreams(ctx context.Context, db Querier, span engine.Span, named map[string]Version) error {
	query := `SELECT stream, MIN(version) FROM $all WHERE position >= ? AND position < ? AND redacted GROUP BY stream`
	return each(ctx, db, query, []any{int64(span.From), int64(span.To)}, func(rows *sql.Rows) error {
		var stream string
		var version Version
		if err := rows.Scan(&stream, &version); err != nil {
			return err
		}
		if first, ok := named[stream]; !ok || version < first {
			named[stream] = version
		}
		return nil
	})
}
