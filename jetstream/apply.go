package jetstream

import (
	"context"

	"github.com/eventfold/eventfold/engine/filestore"
)

// Bounds of what waits to be applied, which is applied together: an append takes one of so many places,
// and another one for each so many bytes.
const (
	applyPlaces = 256
	placeBytes  = 128 << 10
	eventBytes  = 256 // of an event without anything
	tagBytes    = 16  // of a tag without its text
)

// An applier writes appends into the local copy in a goroutine of its own, so that the next ones are
// taken from the servers meanwhile: as many at once as have come by then.
type applier struct {
	s       *Store
	ctx     context.Context // ends with the store's life, or the first error
	cancel  context.CancelCauseFunc
	appends chan filestore.Applied
	places  chan struct{} // holds one for each place that is taken
	ended   chan struct{}
	err     error // read after ended
}

func (s *Store) newApplier(ctx context.Context) *applier {
	a := &applier{s: s, appends: make(chan filestore.Applied, applyPlaces), places: make(chan struct{}, applyPlaces),
		ended: make(chan struct{})}
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	go a.run() // until end
	return a
}

// give hands an append over, and waits while there is no place for it.
func (a *applier) give(run filestore.Applied) error {
	for range placesOf(run) {
		select {
		case a.places <- struct{}{}:
		case <-a.ctx.Done():
			return a.ctx.Err()
		}
	}
	a.appends <- run // there is room: it has a place
	return nil
}

// placesOf is how many places an append takes.
func placesOf(run filestore.Applied) int {
	size := 0
	for i := range run.Events {
		e := &run.Events[i]
		size += eventBytes + len(e.Stream) + len(e.Type) + len(e.Payload) + len(e.Metadata)
		for _, tag := range e.Tags {
			size += tagBytes + len(tag)
		}
	}
	return min(1+size/placeBytes, applyPlaces)
}

// end applies what was given, unless something has failed, and returns the error.
func (a *applier) end() error {
	close(a.appends)
	<-a.ended
	a.cancel(nil)
	return a.err
}

func (a *applier) run() {
	defer close(a.ended)
	for run := range a.appends {
		if a.err != nil {
			continue // it comes again
		}
		all := a.gather(run)
		if a.err = a.s.apply(a.ctx, all); a.err != nil {
			a.cancel(a.err)
		}
		for _, run := range all {
			for range placesOf(run) {
				<-a.places
			}
		}
	}
}

// gather adds those that have come, too.
func (a *applier) gather(run filestore.Applied) []filestore.Applied {
	all := []filestore.Applied{run}
	for {
		select {
		case run, ok := <-a.appends:
			if !ok {
				return all
			}
			all = append(all, run)
		default:
			return all
		}
	}
}

// apply writes appends. What the local copy refuses because of what it holds is damage of the stream;
// any other error is one of this machine, and may pass.
func (s *Store) apply(ctx context.Context, appends []filestore.Applied) error {
	done, err := s.applyTo(ctx, appends)
	for _, run := range appends[:done] {
		if erases(run.Events) {
			s.noticeErasure()
		}
	}
	if refused(err) {
		return s.damaged(uint64(appends[done].Events[0].Position)+1, "holds what cannot be there", err)
	}
	return err
}
