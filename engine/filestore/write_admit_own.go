package filestore

import (
	"bytes"
	"context"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/google/uuid"
)

// ownConflicts adds the events of the request's appends before number n that break the condition.
// They have no places yet, as the comment of Condition tells, so that it does not matter what the
// log is like when the request comes to the writer.
func (r *request) ownConflicts(
	ctx context.Context, c *engine.Condition, n int, found []engine.Event,
) ([]engine.Event, error) {
	m, some := ownMatcher(c)
	if !some {
		return found, nil
	}
	rest, looked := r.records, 0
	for i := range r.batch[:n] {
		for j := range r.batch[i].Events {
			if looked++; looked%256 == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			own, err := r.unplaced(rest, i, j)
			if err != nil {
				return nil, err
			}
			record := rest[:own.Size]
			rest = rest[own.Size:]
			if m.ids != nil && own.ID == uuid.Nil || !m.passes(&own) {
				continue
			}
			if own, err = r.unplaced(bytes.Clone(record), i, j); err != nil {
				return nil, err
			}
			broken, e, err := matchEvent(c, engine.NoPosition, &own)
			if err != nil {
				return nil, err
			}
			if broken {
				e.RecordedAt = time.Time{}
				if found = append(found, e); len(found) == engine.MaxConflicts {
					return found, nil
				}
			}
		}
	}
	return found, nil
}

// ownMatcher returns the matcher for events without places; some is false if none can pass.
func ownMatcher(c *engine.Condition) (m matcher, some bool) {
	what := c.Where
	if what.To > 0 || what.MinVersion > 0 || what.HasMaxVersion || !what.Since.IsZero() || !what.Before.IsZero() {
		return matcher{}, false
	}
	what.MinVersion = engine.NoVersion
	return newMatcher(&what), true
}

// unplaced decodes the record of event j of append i, which stands at the beginning of b, without
// what is not known of it.
func (r *request) unplaced(b []byte, i, j int) (logEvent, error) {
	rec, err := format.DecodeRecord(b)
	if err != nil {
		return logEvent{}, err
	}
	rec.Version, rec.AddMicros = engine.NoVersion, 0
	rec.ID = r.batch[i].Events[j].ID
	return logEvent{Record: rec}, nil
}
