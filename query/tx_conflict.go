package query

import (
	"context"
	"slices"

	"github.com/eventfold/eventfold/engine"
)

// mostConflicts is how many of the events that break a condition are reported.
const mostConflicts = 10

// conflicts returns the first events of a snapshot that break a condition.
func conflicts(ctx context.Context, index engine.ReadIndex, c *engine.Condition) (found []engine.Event, err error) {
	what := c.Where
	what.From = max(what.From, c.After+1)
	cursor := index.Scan(ctx, what, engine.ColAll)
	defer func() {
		if cerr := cursor.Close(); err == nil {
			err = cerr
		}
	}()
	for b := cursor.Next(); b != nil; b = cursor.Next() {
		for i := range b.Len {
			match := c.Match == nil
			if !match {
				if match, err = c.Match(b, i); err != nil {
					return nil, err
				}
			}
			if match {
				var e engine.Event
				fillEvent(&e, &tableBatch{events: b}, i)
				if found = append(found, e); len(found) == mostConflicts {
					return found, nil
				}
			}
		}
	}
	return found, cursor.Err()
}

// ownConflicts adds the buffered events that break a condition. The condition sees them as a SELECT would. COMMIT does
// not ask again: what an event is does not change any more, and one that is rolled back takes the statements after it
// along.
func (tx *Tx) ownConflicts(ctx context.Context, c *engine.Condition, own []ownEvent, found []engine.Event) ([]engine.Event, error) {
	for i := range own {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		e := &own[i]
		if !namesPass(&c.Where, e) {
			continue
		}
		b := new(engine.Batch)
		tx.streams.add(b, e)
		match, err := c.Match(b, 0)
		if err != nil {
			return nil, err
		}
		if match {
			var event engine.Event
			fillEvent(&event, &tableBatch{events: b, pending: true}, 0)
			if found = append(found, event); len(found) == mostConflicts {
				break
			}
		}
	}
	return found, nil
}

// namesPass reports whether an event has a stream, a type and the tags that a filter asks for, all of which are known
// of it.
func namesPass(f *engine.Filter, e *ownEvent) bool {
	return (f.Streams == nil || slices.Contains(f.Streams, e.stream)) &&
		(f.Types == nil || slices.Contains(f.Types, e.event.Type)) &&
		!slices.ContainsFunc(f.Tags, func(tag string) bool { return !slices.Contains(e.event.Tags, tag) })
}
