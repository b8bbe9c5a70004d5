package query

import (
	"context"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// ownConflicts adds the buffered events that break a condition. The condition sees them as a SELECT
// would. COMMIT does not ask again: what an event is does not change any more, and one that is
// rolled back takes the statements after it along.
func (tx *Tx) ownConflicts(
	ctx context.Context, c *engine.Condition, own []ownEvent, found []engine.Event,
) ([]engine.Event, error) {
	for i := range own {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		e := &own[i]
		u := tx.streams.event(e)
		if !c.Where.Passes(&u) {
			continue
		}
		b := new(engine.Batch)
		tx.streams.add(b, e)
		match, err := c.Match(b, 0)
		if err != nil {
			return nil, err
		}
		if match {
			one := expr.Batch{Events: b, Pending: true}
			if found = append(found, eventOf(&one, 0)); len(found) == engine.MaxConflicts {
				break
			}
		}
	}
	return found, nil
}
