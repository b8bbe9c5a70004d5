package filestore

import (
	"context"
	"errors"
	"fmt"

	"github.com/eventfold/eventfold/engine"
)

// A chore is something that the eraser asks of the writer.
type chore struct {
	do   func(w *writer) error
	done chan error // holds one
}

// askWriter has the writer do something between two groups, and returns its error. When ctx ends
// nobody waits for it any more: the writer may be waiting for who has asked.
func (s *FileStore) askWriter(ctx context.Context, do func(w *writer) error) error {
	c := &chore{do: do, done: make(chan error, 1)}
	select {
	case s.writer.chores <- c:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// order has the writer, which holds the lock, do something, and returns its error. It is not abandoned
// half way: the writer always answers. Nobody closes the store meanwhile.
func (s *FileStore) order(ctx context.Context, do func(w *writer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return engine.ErrClosed
	}
	err := s.askWriter(context.WithoutCancel(ctx), do)
	if errors.Is(err, errSwapRefused) {
		if moved := s.ended(); moved != nil {
			return moved
		}
		return engine.ErrPoisoned
	}
	return err
}

// chore does what the eraser asks.
func (w *writer) chore(c *chore) {
	if w.log == nil || w.poison != nil {
		c.done <- errSwapRefused
		return
	}
	c.done <- c.do(w)
}

// settleLog makes everything that was written durable.
func (w *writer) settleLog() error {
	if w.log.durable.offset < w.log.end.offset {
		w.syncLate()
	}
	if w.poison != nil {
		return errSwapRefused
	}
	return nil
}

// prepareSuccessor begins to make the successor of the last segment, which is seg, so that nobody
// has to wait for it when it is needed. The channel is closed when it is made. It returns nil if
// there is nothing to wait for.
func (w *writer) prepareSuccessor(seg *segment) (ready <-chan struct{}) {
	l := w.log
	if l.last() != seg || l.named != nil {
		return nil
	}
	capacity := l.usualCapacity(l.end.offset) // it is completed early
	if l.prepared != nil && l.prepared.capacity > capacity {
		l.dropNext()
	}
	if l.prepared == nil {
		l.prepared = l.beginNext(capacity)
	}
	l.prepared.pace.raise(l.prepared.capacity)
	return l.prepared.done
}

// completeSegment completes the last segment, if that is still seg.
func (w *writer) completeSegment(seg *segment) error {
	l := w.log
	if l.last() != seg {
		return nil
	}
	l.noticeNext()
	err := w.rotate(0, l.now(w.s))
	switch {
	case w.poison != nil:
		return errSwapRefused
	case err != nil:
		return err
	}
	l.promise(0)
	l.settle()
	w.s.indexer.add(l.segments[len(l.segments)-2])
	return nil
}

// rotate completes the last segment and begins the next one, which has room for n bytes of records.
// An error says what to answer to those whose events were to be written; after one without poison
// it can be repeated.
func (w *writer) rotate(n int, micros int64) error {
	l := w.log
	if err := w.inPlace(); err != nil { // the next segment would get its name elsewhere
		return err
	}
	if l.durable.offset < l.end.offset {
		if err := l.sync(); err != nil {
			return w.poisoned(err)
		}
	}
	if poison, err := l.rotate(n, micros); poison {
		w.poisoned(err)
		if w.hasMoved() {
			return w.refusal()
		}
		return fmt.Errorf("%w: %w", engine.ErrPoisoned, err) // the group itself was not written
	} else if err != nil {
		return writeError("append", err) // the next one may succeed
	}
	if err := w.anchorSegment(); err != nil {
		return w.poisoned(err)
	}
	w.s.publish(l.logState, engine.Position(w.s.durable.Load()), nil)
	return nil
}

// appendOwn appends to a stream that only the store appends to, and waits until it is durable. If
// the events are stored already it has nothing to do. When ctx ends nobody waits for the outcome.
func (s *FileStore) appendOwn(ctx context.Context, a engine.Append) error {
	r, err := s.request(ctx, []engine.Append{a}, true)
	if err == nil {
		err = s.enqueue(ctx, r)
	}
	if err != nil {
		r.release()
		return err
	}
	select {
	case <-r.done:
		err = r.err
		r.release()
	case <-ctx.Done(): // the writer, which has the request, may be waiting for this goroutine
		return ctx.Err()
	}
	var duplicate *engine.DuplicateEventError
	if errors.As(err, &duplicate) && duplicate.Kind == engine.DifferentContent {
		return nil // it was told before, in other words
	}
	return err
}
