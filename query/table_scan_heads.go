package query

import (
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/query/internal/expr"
)

// headBatches are a row for each stream, which stands for all of its events. Its column stream is
// known, and if edges are asked for, it is two: the stream's first event, and its last one, which
// stands for all but the first. Between them lie the versions, positions and times of the others.
type headBatches struct {
	streams engine.StreamCursor
	edges   bool
	batch   expr.Batch
	events  engine.Batch
}

func (h *headBatches) next() (*expr.Batch, error) {
	weights := h.batch.Weights[:0]
	h.events.Reset()
	for h.events.Len < batchRows-1 && h.streams.Next() {
		s := h.streams.Stream()
		n := s.Events
		if h.edges && n > 1 {
			h.add(s.Stream, s.Version-engine.Version(n)+1, s.FirstPosition, s.CreatedAt)
			weights = append(weights, 1)
			n--
		}
		h.add(s.Stream, s.Version, s.LastPosition, s.UpdatedAt)
		weights = append(weights, n)
	}
	if err := h.streams.Err(); err != nil || h.events.Len == 0 {
		return nil, err
	}
	h.batch = expr.Batch{Len: h.events.Len, Events: &h.events, Weights: weights, Serial: h.batch.Serial + 1}
	return &h.batch, nil
}

func (h *headBatches) add(stream string, v engine.Version, p engine.Position, at time.Time) {
	b := &h.events
	b.Streams, b.Versions, b.Positions = append(b.Streams, stream), append(b.Versions, v), append(b.Positions, p)
	b.Times = append(b.Times, at.UnixMicro())
	b.Len++
}

func (h *headBatches) close() error { return h.streams.Close() }

// withoutTimes lets a list of streams do without times, if it can.
func withoutTimes(c engine.StreamCursor) {
	if t, ok := c.(engine.Timeless); ok {
		t.WithoutTimes()
	}
}
