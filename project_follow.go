package eventfold

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

const (
	// batchBytes is how much of payloads a batch holds before it is handled.
	batchBytes = 4 << 20
	// idleDelay is how long the checkpoint may stay behind events that do not concern the
	// projection, so that a busy store does not keep the read model's database busy, too.
	idleDelay = 50 * time.Millisecond
	// choresEvery is how often the runner looks for what people have asked for.
	choresEvery = time.Second
	// seenEvery is how often a runner with nothing to do says that it is there.
	seenEvery = 10 * time.Second
)

// A followed is a row of the events' query: an event, or how far everything was looked at; or the
// error that the query has ended with.
type followed struct {
	event    Event
	progress bool
	err      error
}

// following runs the query of the events behind a position.
func (p Projection) following(ctx context.Context, db Querier, after Position) (*sql.Rows, error) {
	args := append(slices.Clone(p.Args), int64(after))
	return db.QueryContext(ctx, p.Query+"\nFOLLOW PROGRESS AFTER ?", args...)
}

// read runs the query of the events behind a position, and sends its rows until ctx ends.
func (r *runner) read(ctx context.Context, after Position, rows chan<- followed) error {
	from, err := r.p.following(ctx, r.events, after)
	if err != nil {
		return err
	}
	defer from.Close()
	columns, err := from.Columns()
	if err != nil {
		return err
	}
	if len(columns) != 2 {
		return fault(ErrConfig, "project", "the query of projection %s selects %d columns, not just event: "+
			"write SELECT event FROM ...", r.p.Name, len(columns)-1)
	}
	for from.Next() {
		var row followed
		if err := from.Scan(&row.event, &row.progress); err != nil {
			return fmt.Errorf("eventfold: the query of projection %s has to select event: %w", r.p.Name, err)
		}
		select {
		case rows <- row:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return from.Err()
}

// follow handles events from the checkpoint on, until ctx ends or the checkpoint was moved by
// another runner.
func (r *runner) follow(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	rows := make(chan followed)
	behind := r.at.next - 1 // which is this goroutine's to read
	go func() {             // ends with ctx, for which the function below waits
		defer close(rows)
		if err := r.read(ctx, behind, rows); err != nil {
			select {
			case rows <- followed{err: err}:
			case <-ctx.Done():
			}
		}
	}()
	defer func() { // also where Handle ends its goroutine, as a test that fails does
		stop()
		for range rows { // until the reader has ended
		}
	}()
	return r.work(ctx, rows)
}

// work handles what comes out of rows. It returns errEnded when they end by themselves.
func (r *runner) work(ctx context.Context, rows <-chan followed) error {
	batch := &batch{limit: r.p.Batch}
	chores := time.NewTicker(choresEvery)
	defer chores.Stop()
	var idle <-chan time.Time // is set while passed waits to be written
	passed := r.at.next       // what was looked at, and concerns nobody
	if err := r.p.persist(ctx, func() error { return r.retryParked(ctx) }); err != nil {
		return err
	}
	for {
		select {
		case row, ok := <-rows:
			switch {
			case row.err != nil:
				return row.err
			case ctx.Err() != nil:
				return ctx.Err()
			case !ok:
				return r.finish(ctx, batch, passed)
			}
			passed = row.event.Position + 1
			switch full := batch.add(row); {
			case full:
				if err := r.deliver(ctx, batch.events, passed); err != nil {
					return err
				}
				batch.clear()
			case row.progress && idle == nil && passed > r.at.next:
				idle = time.After(idleDelay)
			}
		case <-idle:
			idle = nil
			if len(batch.events) > 0 || passed <= r.at.next {
				continue // deliver moves the checkpoint, or has moved it
			}
			if err := r.deliver(ctx, nil, passed); err != nil {
				return err
			}
		case <-chores.C:
			if err := r.chores(ctx); err != nil {
				return err
			}
		}
	}
}

// finish handles what is left of a query that has ended by itself.
func (r *runner) finish(ctx context.Context, left *batch, passed Position) error {
	if passed > r.at.next {
		if err := r.deliver(ctx, left.events, passed); err != nil {
			return err
		}
	}
	return errEnded
}

// A batch gathers the events of one transaction.
type batch struct {
	limit  int // events
	bytes  int
	events []Event
}

// add takes a row, and reports whether what is gathered is to be handled now: it is enough, or
// nothing more is there.
func (b *batch) add(row followed) bool {
	if row.progress {
		return len(b.events) > 0
	}
	b.events = append(b.events, row.event)
	b.bytes += len(row.event.Payload) + len(row.event.Metadata)
	return len(b.events) >= b.limit || b.bytes >= batchBytes
}

func (b *batch) clear() {
	clear(b.events) // which keep the blocks that they were read from
	b.events, b.bytes = b.events[:0], 0
}

// chores does what people have asked for meanwhile, and says that the runner is there.
func (r *runner) chores(ctx context.Context) error {
	return r.p.persist(ctx, func() error {
		c, there, err := readCheckpoint(ctx, r.p.Target, r.p.Name, r.p.Version)
		switch {
		case err != nil:
			return err
		case !there || c.resetAsked || c.next != r.at.next:
			return errMoved
		case time.Since(r.seenAt) >= seenEvery:
			if err := r.move(ctx, r.at.next); err != nil {
				return err
			}
		}
		return r.retryParked(ctx)
	})
}
