package eventfold

import (
	"context"

	"github.com/eventfold/eventfold/engine"
)

// A lookup is a search for the store of a lease, which asks the disk, and the disk may not answer. All
// who want the store meanwhile wait for the same one, each no longer than his context lasts.
type lookup struct {
	done chan struct{} // closed when the fields below are set

	// without a reference, and nil if the lease has a store now
	closing *openStore
	err     error
}

// begin returns the store with a reference for the caller, perhaps still opening. If closing is
// set, there is no reference.
func (l *lease) begin(ctx context.Context) (s *openStore, closing bool, err error) {
	for {
		s, look, err := l.current()
		if s != nil || err != nil {
			return s, false, err
		}
		select {
		case <-look.done:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
		if look.closing != nil || look.err != nil {
			return look.closing, look.closing != nil, look.err
		}
	}
}

// current returns the store with a reference for the caller, or the lookup that is to be waited for.
func (l *lease) current() (*openStore, *lookup, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, nil, engine.ErrClosed
	case l.store != nil:
		l.store.retain()
		return l.store, nil, nil
	case l.looking == nil:
		l.looking = &lookup{done: make(chan struct{})}
		go l.look(l.looking) // ends when the disk answers
	}
	return nil, l.looking, nil
}

// look gives the lease its store.
func (l *lease) look(look *lookup) {
	defer close(look.done)
	s, closing, err := l.find(l.config)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looking = nil
	switch {
	case err != nil:
		look.err = err
	case closing:
		look.closing = s
	case l.closed: // nobody wants it any more
		s.abandon()
	default:
		l.store = s
	}
}

// A check is a comparison of a store with what the Config of a lease expects, which asks the disk, and
// the disk may not answer. All who connect meanwhile wait for the same one.
type check struct {
	store *openStore
	done  chan struct{} // closed when err is set
	err   error
}

// check compares the store, to which the caller has a reference, with what the Config expects.
func (l *lease) check(ctx context.Context, s *openStore) error {
	if (l.config.Expect == (engine.Head{}) || l.checked.Load()) && l.config.Keyring == nil {
		return nil
	}
	c := l.checkOf(s)
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// checkOf returns the check of the store that is running, which begins if there is none.
func (l *lease) checkOf(s *openStore) *check {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.checking == nil || l.checking.store != s {
		s.retain()
		l.checking = &check{store: s, done: make(chan struct{})}
		go l.run(l.checking) // ends when the disk answers
	}
	return l.checking
}

// run checks, and tells all who wait.
func (l *lease) run(c *check) {
	c.err = l.checkHead(c.store)
	if c.err == nil {
		c.err = l.checkKeyring(c.store)
	}
	l.mu.Lock()
	if l.checking == c {
		l.checking = nil
	}
	l.mu.Unlock()
	c.store.abandon() // first: who waits closes the store if this is an error
	close(c.done)
}
