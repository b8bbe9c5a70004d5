package eventfold

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Projection is a read model that [Project] keeps up to date: tables of a database of yours, made
// of the events of a store.
type Projection struct {
	// Name names the projection in its database, and Version its code and its tables. A projection
	// that has to be computed in another way gets a greater Version and tables of its own: it is
	// built beside the old one, which goes on until nobody runs it any more.
	Name    string
	Version int

	// Target is the database of the read model: SQLite, PostgreSQL, or another that takes $1 for a
	// parameter. The checkpoint is in it, in the table eventfold_projections, and moves in the
	// transaction in which Handle writes.
	Target *sql.DB

	// Query selects the events, as the pseudo-column event and nothing else. "" means
	// SELECT event FROM $all. Project adds FOLLOW to it; it has no LIMIT. Args are its arguments.
	Query string
	Args  []any

	// Setup makes the tables of this version, empty: it removes what is in them. It is called in the
	// transaction that makes the checkpoint, once when the version is new, and again after
	// [ResetProjection]. [Statements] makes one of SQL. nil does nothing; then the projection cannot be
	// reset.
	Setup func(ctx context.Context, tx *sql.Tx) error

	// Handle takes one event into the read model. What it writes with tx happens exactly once,
	// however often the process is killed. What it does elsewhere may happen again, and is to be
	// left out if the Delivery says Replay. It neither commits tx nor rolls it back. [HandleTyped]
	// makes one that takes Go values.
	Handle func(ctx context.Context, tx *sql.Tx, d Delivery) error

	// Attempts is how often an event is given to Handle, and how often a transaction of Target is
	// tried, before that has failed. 0 means 3, 1 means that nothing is tried again.
	Attempts int
	// Backoff is how long the second attempt waits; each further one waits twice as long, up to
	// thirty seconds. 0 means 100 milliseconds.
	Backoff time.Duration
	// OnFailure says what becomes of an event that Handle has refused Attempts times.
	OnFailure OnFailure

	// Batch is how many events one transaction takes at most. 0 means 500.
	Batch int
	// Standby is how long a runner watches the checkpoint of another one stand still, while there
	// are events to handle, before it takes the work over. 0 means five seconds.
	Standby time.Duration
}

// A Delivery is an event as Handle gets it. Redacted is set in events whose content was erased.
type Delivery struct {
	Event
	// Replay is set where what Handle does outside of the read model, such as sending a mail, is not
	// to be done: an earlier version of the projection has had the event before this one took over,
	// a later one has taken over since, or the projection was reset. Each event is given without
	// Replay to one version only.
	Replay bool
	// Attempt is 1 at first, and more where Handle has failed before.
	Attempt int
}

// An OnFailure says what becomes of an event that Handle refuses.
type OnFailure uint8

// What becomes of an event that Handle refuses.
const (
	// Stop ends Project with a [*ProjectionError]. The checkpoint stays before the event, which is
	// the first that the next Project tries.
	Stop OnFailure = iota
	// Park writes the event's place and the error to the table eventfold_parked and goes on.
	// [ParkedEvents] lists them, [RetryParked] has them tried again.
	Park
)

// A ProjectionError tells why a projection has stopped.
type ProjectionError struct {
	Name     string
	Version  int
	Position Position // of the event that Handle has refused, or the next one
	Stream   string   // the event's, as its type and the attempts; "" and 0 where it is not read any more
	Type     string
	Attempts int
	Err      error // what Handle has returned, or its text, if another process or an earlier run was told
}

// Error tells of the event and of the error of Handle.
func (e *ProjectionError) Error() string {
	event := ""
	if e.Stream != "" {
		event = fmt.Sprintf(", %s in stream %q, after %d attempts", e.Type, e.Stream, e.Attempts)
	}
	return fmt.Sprintf("eventfold: projection %s, version %d, has stopped at position %d%s: %v",
		e.Name, e.Version, e.Position, event, e.Err)
}

// Unwrap returns the error of Handle.
func (e *ProjectionError) Unwrap() error { return e.Err }

// The defaults of a Projection.
const (
	defaultAttempts = 3
	defaultBackoff  = 100 * time.Millisecond
	maxBackoff      = 30 * time.Second
	defaultBatch    = 500
	defaultStandby  = 5 * time.Second
	maxNameSize     = 255
)

// normal returns the projection with its defaults, or says what is missing.
func (p Projection) normal() (Projection, error) {
	switch {
	case p.Name == "" || len(p.Name) > maxNameSize:
		return p, fault(ErrConfig, "project", "the name of a projection has 1 to %d bytes", maxNameSize)
	case p.Version < 0 || p.Attempts < 0 || p.Batch < 0 || p.Backoff < 0 || p.Standby < 0:
		return p, fault(ErrConfig, "project", "a number of projection %s is below zero", p.Name)
	case p.Target == nil:
		return p, fault(ErrConfig, "project", "projection %s has no Target, the database of its read model", p.Name)
	case p.OnFailure > Park:
		return p, fault(ErrConfig, "project", "projection %s has no such OnFailure: %d", p.Name, p.OnFailure)
	}
	p.Query = strings.TrimRight(p.Query, "; \t\r\n")
	if p.Query == "" {
		p.Query = "SELECT event FROM $all"
	}
	p.Attempts = otherwise(p.Attempts, defaultAttempts)
	p.Backoff = otherwise(p.Backoff, defaultBackoff)
	p.Batch = otherwise(p.Batch, defaultBatch)
	p.Standby = otherwise(p.Standby, defaultStandby)
	return p, nil
}

// otherwise returns n, or what stands for it where it is 0.
func otherwise[N int | time.Duration](n, d N) N {
	if n == 0 {
		return d
	}
	return n
}

// wait sleeps before the attempt behind so many others, or until ctx ends.
func (p Projection) wait(ctx context.Context, attempts int) error {
	d := p.Backoff
	for ; attempts > 1 && d < maxBackoff; attempts-- {
		d *= 2
	}
	return sleep(ctx, min(d, maxBackoff))
}

// persist runs what talks with the database of the read model, again where that has failed.
func (p Projection) persist(ctx context.Context, f func() error) error {
	for attempt := 1; ; attempt++ {
		err := f()
		var refused *refusal
		if err == nil || errors.Is(err, errMoved) || errors.As(err, &refused) || ctx.Err() != nil ||
			attempt >= p.Attempts {
			return err
		}
		if err := p.wait(ctx, attempt); err != nil {
			return err
		}
	}
}

// checkpoint reads the projection's checkpoint, again where the database has failed; there is false
// if it has none.
func (p Projection) checkpoint(ctx context.Context) (c checkpoint, there bool, err error) {
	err = p.persist(ctx, func() (err error) {
		c, there, err = readCheckpoint(ctx, p.Target, p.Name, p.Version)
		return err
	})
	return c, there, err
}
