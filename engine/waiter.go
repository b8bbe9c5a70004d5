package engine

import (
	"context"
	"sync/atomic"
)

// An Awaiter is a Store that wakes who waits only for what can concern him, so that a commit does
// not cost more the more others follow other streams. The embedded store is one.
type Awaiter interface {
	// Await returns a Waiter for the events that the filter selects. From, Direction and Limit of
	// the filter do not matter.
	Await(what Filter) Waiter
}

// A Waiter waits for the events that a filter selects. It holds nothing while nobody waits, and
// needs no closing. One goroutine at a time calls Wait.
type Waiter interface {
	// Wait returns when there is an event at or behind position from that the filter may select,
	// or when the head has come to the filter's To. It returns a position at or behind from before
	// which there is none that it selects. The errors are those of [Store.Wait].
	Wait(ctx context.Context, from Position) (Position, error)
	// Passed returns a position up to which the last Wait has nothing to tell of: while it waits
	// that goes on with the log. Any goroutine may call it.
	Passed() Position
}

// Await returns a Waiter of the store, or of the one that it wraps. Where there is none it returns
// one that wakes for every commit.
func Await(store Store, what Filter) Waiter {
	for s := store; ; {
		if a, ok := s.(Awaiter); ok {
			return a.Await(what)
		}
		wrapper, ok := s.(interface{ Unwrap() Store })
		if !ok {
			return &plainWaiter{store: store}
		}
		s = wrapper.Unwrap()
	}
}

// A plainWaiter waits for every commit of a store.
type plainWaiter struct {
	store  Store
	passed atomic.Int64
}

func (w *plainWaiter) Wait(ctx context.Context, from Position) (Position, error) {
	w.passed.Store(int64(from))
	return from, w.store.Wait(ctx, from)
}

func (w *plainWaiter) Passed() Position { return Position(w.passed.Load()) }
