package filestore

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
)

// takeErased erases in the copy what the file ERASED of the source names: what a ledger that was
// applied there has erased. The log does not tell of it, so that no frame does. The copy gets a file
// ERASED, too.
//
// Both have the same chain up to the copy's head, so that the events are the same and their seals
// need not be compared.
func (s *Standby) takeErased(ctx context.Context, index *readIndex) error {
	theirs := index.view.erased
	if theirs == nil {
		return nil
	}
	v := s.dest.view.Load()
	named := theirs.Events.Within(engine.Span{From: v.segments[0].base, To: s.end.next})
	next := &format.Erased{Store: v.store, Events: named}
	if ours := v.erased; ours != nil {
		if ours.Done && len(missing(named, ours.Events)) == 0 {
			return nil
		}
		next.Events = named.Union(ours.Events)
	}
	if len(next.Events) == 0 {
		return nil
	}
	if err := writeErasedFile(s.dest.fs, s.dest.dir, next); err != nil {
		return err
	}
	if err := s.dest.showErased(ctx, next); err != nil {
		return err
	}
	return s.dest.eraser.carryOut(ctx)
}
