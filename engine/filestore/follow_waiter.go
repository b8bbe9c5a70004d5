package filestore

import (
	"context"

	"github.com/eventfold/eventfold/engine"
)

// A waiter is an engine.Waiter of a FileStore.
type waiter struct {
	s       *FileStore
	entries []newsEntry   // one for each thing that it waits for
	wake    chan struct{} // holds one

	// Protected by the mu of the store's news.
	listed bool            // in the lists: it waits and was not woken
	from   engine.Position // what it was told to wait for
	begin  engine.Position // nothing before it concerns the waiter; not kept up to date while it is listed
}

var _ engine.Awaiter = (*FileStore)(nil)

// Await implements engine.Awaiter.
func (s *FileStore) Await(what engine.Filter) engine.Waiter { return s.newWaiter(&what) }

func (s *FileStore) newWaiter(what *engine.Filter) *waiter {
	keys := newsKeys(what)
	w := &waiter{s: s, entries: make([]newsEntry, len(keys)), wake: make(chan struct{}, 1)}
	for i, key := range keys {
		w.entries[i] = newsEntry{key: key, waiter: w}
	}
	return w
}

// Wait returns nil when the head is beyond p, ctx.Err() when ctx ends first, ErrClosed when the
// store is closed, and a [*MovedError] when its names lead elsewhere.
func (s *FileStore) Wait(ctx context.Context, p engine.Position) error {
	if s.isBeyond(p) {
		return nil
	}
	_, err := s.newWaiter(&engine.Filter{}).Wait(ctx, p)
	return err
}

// isBeyond reports whether readers see the event at position p.
func (s *FileStore) isBeyond(p engine.Position) bool {
	return !s.closed.Load() && engine.Position(s.durable.Load()) > p
}

// Passed implements engine.Waiter.
func (w *waiter) Passed() engine.Position { return w.s.news.passed(w) }

// Wait implements engine.Waiter.
func (w *waiter) Wait(ctx context.Context, from engine.Position) (engine.Position, error) {
	if w.s.isBeyond(from) {
		return from, nil
	}
	for {
		begin, woken, err := w.once(ctx, from)
		if err != nil || woken && w.s.isBeyond(begin) {
			return begin, err
		}
		from = begin
	}
}

// once waits until it is woken, which may be to look whether the store has ended.
func (w *waiter) once(ctx context.Context, from engine.Position) (begin engine.Position, woken bool, err error) {
	s := w.s
	listed := s.news.enter(w, from)
	defer s.news.leave(w)
	if !listed || s.isBeyond(from) { // it came before it could wake anybody
		return from, true, s.ended()
	}
	if !s.writing.Load() {
		if err := s.catchUp(); err != nil {
			return from, false, err
		}
		s.lookout.begin(s)
	}
	if err := s.ended(); err != nil {
		return from, false, err
	}
	select {
	case <-w.wake:
		return w.wokenAt(), true, s.ended()
	case <-s.closing:
		return from, false, engine.ErrClosed
	case <-ctx.Done():
		return from, false, ctx.Err()
	}
}

// wokenAt returns where what it was woken for begins.
func (w *waiter) wokenAt() engine.Position {
	w.s.news.mu.Lock()
	defer w.s.news.mu.Unlock()
	return w.begin
}
