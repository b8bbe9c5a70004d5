package jetstream

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore"
)

var (
	_ engine.Eraser  = (*Store)(nil)
	_ engine.Deriver = (*Store)(nil)
)

// An erasure is an event of the log like any other. Every node hides what it names when the event
// comes, and then destroys it in its own copy; the first that has done so tells the log, and the
// others have, too, before they take that over.

// carry carries out the erasures that the log tells of, until the store's life ends.
func (s *Store) carry() {
	for pause := minFollowPause; ; {
		err := s.carryOut(s.life)
		if err == nil {
			pause = minFollowPause
			if sleep(s.life, s.erasePace()) != nil {
				return
			}
			select {
			case <-s.erased:
				continue
			case <-s.life.Done():
				return
			}
		}
		if permanent(err) || sleep(s.life, pause) != nil {
			return // the follower meets it, too
		}
		pause = min(2*pause, maxFollowPause)
	}
}

// eraseApart is how long a node waits between two times that it carries erasures out, for each segment
// of its copy: each time may complete a segment, on every node at once, so that who erases what is new
// again and again would make very many.
const eraseApart = 10 * time.Millisecond

func (s *Store) erasePace() time.Duration {
	return eraseApart * time.Duration(s.replica.Store().Stats().Segments)
}

// carryOut destroys what is to be destroyed here, and tells the log. Another node may have told it.
func (s *Store) carryOut(ctx context.Context) error {
	for {
		done, err := s.replica.CarryOut(ctx)
		if err != nil || len(done.Events) == 0 {
			return err
		}
		for _, e := range done.Events {
			tell := engine.Append{Stream: done.Stream, Events: []engine.NewEvent{e}}
			if _, err := s.append(ctx, &filestore.Decision{Batch: []engine.Append{tell}, Own: true}); err != nil {
				return err
			}
		}
	}
}

// erases reports whether some event tells of an erasure of events.
func erases(run []engine.Event) bool {
	return slices.ContainsFunc(run, func(e engine.Event) bool {
		return e.Stream == engine.ErasuresStream && e.Type == engine.ErasedType
	})
}

// noticeErasure wakes carry.
func (s *Store) noticeErasure() {
	select {
	case s.erased <- struct{}{}:
	default:
	}
}

// Erasures implements engine.Eraser. They are done when the log says so, which it does of this node
// not before nothing is left in its copy. The servers keep what they have.
func (s *Store) Erasures(ctx context.Context) ([]engine.ErasureInfo, error) {
	if s.closed.Load() {
		return nil, engine.ErrClosed
	}
	return s.replica.Store().Erasures(ctx)
}

// Head is the end of the local copy and a value that depends on every event before it. It is the
// same on every node.
func (s *Store) Head() (engine.Head, error) { return s.replica.Store().Head() }

// Verify reads every byte of the local copy and checks it.
func (s *Store) Verify(ctx context.Context) (engine.VerifyReport, error) {
	return s.replica.Store().Verify(ctx)
}

// CheckHead returns a *engine.HeadError if the local copy has another log before a head than the
// one that the head is of.
func (s *Store) CheckHead(h engine.Head) error { return s.replica.Store().CheckHead(h) }

// Backup makes a backup of the local copy in a directory, from which another node can begin.
func (s *Store) Backup(ctx context.Context, dir string) (engine.BackupReport, error) {
	return s.replica.Store().Backup(ctx, dir)
}

// OnErase implements engine.Deriver: whoever keeps something that was derived from what is erased
// lets go of it, whichever node has erased it.
func (s *Store) OnErase(forget func(ctx context.Context, erased engine.Spans) error) (stop func()) {
	return s.replica.Store().OnErase(forget)
}

// MayDerive implements engine.Deriver. No files are kept beside a node's copy.
func (s *Store) MayDerive() bool { return false }

// WriteDerived implements engine.Deriver.
func (s *Store) WriteDerived(context.Context, string, engine.Derived, func(io.Writer) error) error {
	return engine.ErrReadOnly
}

// ReadDerived implements engine.Deriver.
func (s *Store) ReadDerived(context.Context, string, func(engine.Derived, io.Reader) error) error {
	return engine.ErrNoDerived
}

// RemoveDerived implements engine.Deriver.
func (s *Store) RemoveDerived(context.Context, func(string) bool) error { return nil }
