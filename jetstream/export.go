package jetstream

import (
	"context"
	"errors"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

// exportReports is how often an Export tells how far it is.
const exportReports = 100 * time.Millisecond

// Export brings the copy of a bucket in the directory Config.Local up to what the stream holds now,
// and returns its head: a receipt that holds for every node. The directory may be missing or empty,
// or hold a copy that was made before, by an earlier Export that was interrupted, or by a node that
// was closed; that of a node that is open is an *engine.LockedError at once. Afterwards it is a store, and
// can become a node's. Nothing is published, not even that an erasure has been carried out, so that a
// user who may only read can export.
//
// report, if it is not nil, is called now and then with how many events are there, and how many there
// will be. OpenTimeout bounds how long no event may come.
func Export(
	ctx context.Context, c Config, report func(done, all engine.Position),
) (head engine.Head, err error) {
	c.Create = false
	if err := c.checkNode(); err != nil {
		return head, err
	}
	s := newStore(c)
	s.busy = -1 // a node does not close soon
	if err = s.export(ctx, report); err == nil {
		head, err = s.Head()
	}
	return head, errors.Join(err, s.shut(engine.ErrClosed))
}

// export takes over what the stream holds.
func (s *Store) export(ctx context.Context, report func(done, all engine.Position)) error {
	opening, cancel := context.WithTimeout(ctx, s.cfg.openTimeout())
	defer cancel()
	if err := s.openCopy(opening); err != nil {
		return err
	}
	last, err := s.insistOnLast(opening)
	if err != nil {
		return err
	}
	s.hear(last)
	s.applyTo = s.orEnd(s.applyTo)
	s.follow.Go(s.run) // ends with life
	all := engine.Position(last)
	head, came := s.head(), time.Now()
	for {
		if report != nil {
			report(min(head, all), all)
		}
		if head >= all {
			return nil
		}
		if err := s.reachFor(ctx, all-1, exportReports); err != nil {
			return err
		}
		if now := s.head(); now > head {
			head, came = now, time.Now()
		} else if time.Since(came) > s.cfg.openTimeout() {
			return s.cfg.unreachable(context.DeadlineExceeded, nil)
		}
	}
}

// An applyFunc writes appends, as Replica.ApplyAll does.
type applyFunc func(ctx context.Context, appends []filestore.Applied) (int, error)

// orEnd ends the store's life with an error that is of this machine, such as that of a full disk: a node
// waits until it passes, and who exports wants to know.
func (s *Store) orEnd(apply applyFunc) applyFunc {
	return func(ctx context.Context, appends []filestore.Applied) (int, error) {
		done, err := apply(ctx, appends)
		if err != nil && !refused(err) && ctx.Err() == nil {
			s.fail(err)
		}
		return done, err
	}
}

// reachFor is reach for no longer than a while, which is no error.
func (s *Store) reachFor(ctx context.Context, p engine.Position, while time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, while)
	defer cancel()
	err := s.reach(waiting, p)
	if err != nil && ctx.Err() == nil && s.life.Err() == nil && waiting.Err() != nil {
		return nil
	}
	return err
}

// insistOnLast asks the leader for the last sequence until there is an answer.
func (s *Store) insistOnLast(ctx context.Context) (last uint64, err error) {
	err = s.cfg.insist(ctx, func(ctx context.Context) (err error) {
		last, err = s.last(ctx)
		return noLeaderYet(err)
	})
	return last, err
}
