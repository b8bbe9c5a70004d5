package engine

import (
	"context"
	"errors"
)

// MaxConflicts is how many of the events that break a condition are reported.
const MaxConflicts = 10

// Conflicts returns the first events of an index, at or after a position, that break the condition,
// at most MaxConflicts of them. It reads no more columns of the others than the condition asks for.
func Conflicts(ctx context.Context, index ReadIndex, c *Condition, from Position) (found []Event, err error) {
	what := c.Where
	what.From = max(what.From, c.After+1, from)
	what.Direction, what.Limit = Forwards, 0
	if what.From >= index.Head() || what.To > 0 && what.From >= what.To {
		return nil, nil
	}
	cursor := index.Scan(ctx, what, c.Columns)
	defer func() {
		if cerr := cursor.Close(); err == nil {
			err = cerr
		}
	}()
	for b := cursor.Next(); b != nil; b = cursor.Next() {
		for i := range b.Len {
			if c.Match != nil {
				if match, err := c.Match(b, i); err != nil {
					return nil, err
				} else if !match {
					continue
				}
			}
			e, err := eventAt(ctx, index, b.Positions[i])
			if err != nil {
				return nil, err
			}
			if found = append(found, e); len(found) == MaxConflicts {
				return found, nil
			}
		}
	}
	return found, cursor.Err()
}

// eventAt returns the event at a position.
func eventAt(ctx context.Context, index ReadIndex, p Position) (Event, error) {
	c := index.ReadAll(ctx, p, Forwards)
	defer c.Close()
	if !c.Next() {
		return Event{}, errors.Join(c.Err(), ctx.Err())
	}
	return *c.Event(), nil
}
