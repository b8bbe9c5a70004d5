package engine

import (
	"context"
	"io"
)

// A Subscription reads the events that pass a filter: first those that are stored, then, for as
// long as it is asked, those that are appended. It misses none and gives none twice. Between
// history and live it tells once that it has caught up.
//
//	s := engine.Subscribe(ctx, store, engine.Filter{From: next}, engine.ColAll)
//	defer s.Close()
//	for {
//		b, err := s.Next()
//		switch {
//		case err != nil:
//			return err
//		case b == nil:
//			ready() // everything that was stored has been seen
//		default:
//			use(b)
//		}
//	}
//
// It uses nothing but the contract, so it works with every Store. It has no goroutine: events wait
// in the store until Next asks for them, so a slow subscriber holds nobody up. One goroutine uses
// it.
type Subscription struct {
	ctx     context.Context
	store   Store
	what    Filter // From is behind the last event that was given
	columns ColumnSet
	waiter  Waiter // for what it selects, or for everything

	cursor   BatchCursor // over the events below end; nil if they have all been given
	end      Position
	eachHead bool     // to be told
	told     Position // what.From when it was told last that everything was given; -1 before that
	err      error
}

// Subscribe returns a Subscription from position what.From on. With what.To the subscription ends
// there. what.Direction and what.Limit count for nothing. The context governs every Next.
func Subscribe(ctx context.Context, store Store, what Filter, columns ColumnSet) *Subscription {
	what.Direction, what.Limit, what.From = Forwards, 0, max(what.From, 0)
	return &Subscription{
		ctx: ctx, store: store, what: what, columns: columns, waiter: Await(store, what), told: -1,
	}
}

// TellEachHead makes Next tell not only the first time that it has given everything that is stored,
// but whenever it has and would wait, once for each head of the log. Then every commit wakes it,
// also one that it does not select from. It is called before the first Next.
func (s *Subscription) TellEachHead() {
	s.eachHead = true
	s.waiter = Await(s.store, Filter{To: s.what.To})
}

// Reached returns the position behind everything that was given, or looked at and passed over: a
// Subscription from there on would repeat nothing and miss nothing. Whoever calls Next calls it.
func (s *Subscription) Reached() Position { return s.what.From }

// Waiter returns what Next waits with, which tells anybody how far it has passed over what it does
// not select.
func (s *Subscription) Waiter() Waiter { return s.waiter }

// Next returns the next batch of events, waiting for it if need be. Once, when it has given
// everything that is stored, it returns nil without an error: the subscription has caught up. The
// batch is good until the next call.
//
// The error is ctx.Err() when the context has ended, [ErrClosed] when the store has been closed,
// [io.EOF] when everything before what.To has been given. After an error Next returns it again.
func (s *Subscription) Next() (*Batch, error) {
	for s.err == nil {
		if b := s.stored(); b != nil {
			return b, nil
		}
		if s.err != nil || s.open() {
			continue
		}
		if s.told < 0 || s.eachHead && s.told != s.what.From {
			s.told = s.what.From
			return nil, nil
		}
		if s.ended() {
			s.err = io.EOF
		} else {
			s.what.From, s.err = s.waiter.Wait(s.ctx, s.what.From)
		}
	}
	return nil, s.err
}

// stored returns the next batch of the open cursor. It returns nil without one, at its end, and
// after an error.
func (s *Subscription) stored() *Batch {
	if s.cursor == nil {
		return nil
	}
	if b := s.cursor.Next(); b != nil {
		s.what.From = b.Positions[b.Len-1] + 1
		return b
	}
	if s.err = s.cursor.Err(); s.err == nil {
		s.what.From = max(s.what.From, s.end)
		s.err = s.Close()
	}
	return nil
}

// open opens a cursor over what has been stored since the last one, and reports whether there is
// anything.
func (s *Subscription) open() bool {
	index := s.store.ReadIndex()
	if s.ended() || index.Head() <= s.what.From {
		return false
	}
	s.end = index.Head()
	s.cursor = index.Scan(s.ctx, s.what, s.columns)
	return true
}

// ended reports whether everything before what.To has been given.
func (s *Subscription) ended() bool { return s.what.To > 0 && s.what.From >= s.what.To }

// Close releases what the subscription holds. It may be called twice.
func (s *Subscription) Close() error {
	if s.cursor == nil {
		return nil
	}
	c := s.cursor
	s.cursor = nil
	return c.Close()
}
