package eventfold

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query"
)

// A connStore is the store as one connection may use it. The time to wait for the write lock and
// the right to append belong to the connection, while the store is shared.
type connStore struct {
	engine.Store
	views       *query.Views // which are told of appends
	busyTimeout time.Duration
	readOnly    bool
}

// Unwrap returns the store itself.
func (s *connStore) Unwrap() engine.Store { return s.Store }

// Append appends. While another process holds the write lock, it tries again until the busy timeout
// or ctx ends.
func (s *connStore) Append(ctx context.Context, batch ...engine.Append) (engine.Appended, error) {
	if s.readOnly {
		return engine.Appended{}, engine.ErrReadOnly
	}
	appended, err := s.Store.Append(ctx, batch...)
	if err == nil {
		s.tell(appended, batch)
		return appended, nil
	}
	deadline := time.Now().Add(s.busyTimeout)
	waits := func(pause time.Duration) bool {
		return isLocked(err) && time.Now().Add(pause).Before(deadline)
	}
	for pause := minPause; waits(pause); pause = min(2*pause, maxPause) {
		if err := sleep(ctx, pause); err != nil {
			return engine.Appended{}, err
		}
		appended, err = s.Store.Append(ctx, batch...)
	}
	if err == nil {
		s.tell(appended, batch)
	}
	return appended, err
}

// tell tells the views of what was appended.
func (s *connStore) tell(appended engine.Appended, batch []engine.Append) {
	n := len(appended.Events)
	if n == 0 || appended.Duplicate {
		return
	}
	defines := func(a engine.Append) bool { return a.Define != nil }
	s.views.Appended(appended.Events[n-1].Position, slices.ContainsFunc(batch, defines))
}

// The times between two attempts to get the write lock.
const (
	minPause = time.Millisecond
	maxPause = 50 * time.Millisecond
)

func isLocked(err error) bool {
	var locked *engine.LockedError
	return errors.As(err, &locked)
}

// sleep returns ctx's error if it ends before the time is over.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
