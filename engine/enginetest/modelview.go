package enginetest

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/eventfold/eventfold/engine"
)

// A modelView is the Model as it was at some moment.
type modelView struct {
	m      *Model
	events []engine.Event // never changes
}

// usable returns why nothing can be read.
func (v *modelView) usable(ctx context.Context) error {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	if v.m.closed {
		return engine.ErrClosed
	}
	return ctx.Err()
}

func (v *modelView) Head() engine.Position { return engine.Position(len(v.events)) }

func (v *modelView) At(h engine.Position) engine.ReadIndex { return &modelView{v.m, v.events[:h:h]} }

func (v *modelView) StreamVersion(stream string) (engine.Version, bool, error) {
	if err := v.usable(context.Background()); err != nil {
		return engine.NoVersion, false, err
	}
	return v.version(stream)
}

func (v *modelView) version(stream string) (engine.Version, bool, error) {
	for _, e := range slices.Backward(v.events) {
		if e.Stream == stream {
			return e.Version, true, nil
		}
	}
	return engine.NoVersion, false, nil
}

func (v *modelView) ReadAll(ctx context.Context, from engine.Position, dir engine.Direction) engine.Cursor {
	return &modelCursor{v: v, ctx: ctx, events: directed(v.events, dir, func(e *engine.Event) int {
		return cmp.Compare(e.Position, from)
	})}
}

func (v *modelView) ReadStream(
	ctx context.Context, stream string, from engine.Version, dir engine.Direction,
) engine.Cursor {
	events := v.selected(engine.Filter{Streams: []string{stream}})
	if len(events) == 0 {
		return &modelCursor{v: v, ctx: ctx, err: &engine.StreamNotFoundError{Stream: stream}}
	}
	return &modelCursor{v: v, ctx: ctx, events: directed(events, dir, func(e *engine.Event) int {
		return cmp.Compare(e.Version, from)
	})}
}

// directed returns the events on the side of a place that a reader in that direction comes to see.
func directed(events []engine.Event, dir engine.Direction, compare func(*engine.Event) int) []engine.Event {
	var found []engine.Event
	for i := range events {
		if c := compare(&events[i]); c == 0 || (c > 0) == (dir == engine.Forwards) {
			found = append(found, events[i])
		}
	}
	if dir == engine.Backwards {
		slices.Reverse(found)
	}
	return found
}

func (v *modelView) Scan(ctx context.Context, what engine.Filter, columns engine.ColumnSet) engine.BatchCursor {
	return &modelBatches{v: v, ctx: ctx, events: v.selected(what), columns: columns}
}

func (v *modelView) Count(ctx context.Context, what engine.Filter) (int64, error) {
	return int64(len(v.selected(what))), v.usable(ctx)
}

// selected returns the events that pass a filter, in its direction.
func (v *modelView) selected(what engine.Filter) []engine.Event {
	var found []engine.Event
	for i := range v.events {
		if what.Passes(&v.events[i]) {
			found = append(found, v.events[i])
		}
	}
	if what.Direction == engine.Backwards {
		slices.Reverse(found)
	}
	return found
}

func (v *modelView) Streams(ctx context.Context, prefix string) engine.StreamCursor {
	found := map[string]*engine.StreamInfo{}
	for _, e := range v.events {
		if !strings.HasPrefix(e.Stream, prefix) {
			continue
		}
		s := found[e.Stream]
		if s == nil {
			s = &engine.StreamInfo{Stream: e.Stream, FirstPosition: e.Position, CreatedAt: e.RecordedAt}
			found[e.Stream] = s
		}
		s.Events++
		s.Version, s.LastPosition, s.UpdatedAt = e.Version, e.Position, e.RecordedAt
	}
	c := &modelStreams{v: v, ctx: ctx}
	for _, s := range found {
		c.streams = append(c.streams, *s)
	}
	slices.SortFunc(c.streams, func(a, b engine.StreamInfo) int { return cmp.Compare(a.Stream, b.Stream) })
	return c
}

func (v *modelView) Types(ctx context.Context) ([]engine.TypeInfo, error) {
	found := map[string]engine.TypeInfo{}
	for _, e := range v.events {
		t, known := found[e.Type]
		if !known {
			t = engine.TypeInfo{Type: e.Type, FirstPosition: e.Position}
		}
		t.Events++
		t.LastPosition = e.Position
		found[e.Type] = t
	}
	var types []engine.TypeInfo
	for _, t := range found {
		types = append(types, t)
	}
	slices.SortFunc(types, func(a, b engine.TypeInfo) int { return cmp.Compare(a.Type, b.Type) })
	return types, v.usable(ctx)
}

// A modelCursor hands out events that have been selected.
type modelCursor struct {
	v      *modelView
	ctx    context.Context
	events []engine.Event
	event  engine.Event
	err    error
}

func (c *modelCursor) Next() bool {
	if c.err == nil {
		c.err = c.v.usable(c.ctx)
	}
	if c.err != nil || len(c.events) == 0 {
		return false
	}
	c.event, c.events = c.events[0], c.events[1:]
	return true
}

func (c *modelCursor) Event() *engine.Event { return &c.event }
func (c *modelCursor) Err() error           { return c.err }
func (c *modelCursor) Close() error         { c.events = nil; return nil }

// modelBatches hands out batches.
type modelBatches struct {
	v       *modelView
	ctx     context.Context
	events  []engine.Event
	columns engine.ColumnSet
	err     error
}

func (c *modelBatches) Next() *engine.Batch {
	if c.err == nil {
		c.err = c.v.usable(c.ctx)
	}
	if c.err != nil || len(c.events) == 0 {
		return nil
	}
	n := min(len(c.events), 1024)
	b := batchOf(c.events[:n], c.columns)
	c.events = c.events[n:]
	return b
}

func (c *modelBatches) Err() error             { return c.err }
func (c *modelBatches) Examined() (int64, int) { return int64(len(c.v.events)), 0 }
func (c *modelBatches) Close() error           { c.events = nil; return nil }

// modelStreams hands out streams.
type modelStreams struct {
	v       *modelView
	ctx     context.Context
	streams []engine.StreamInfo
	stream  engine.StreamInfo
	err     error
}

func (c *modelStreams) Next() bool {
	if c.err == nil {
		c.err = c.v.usable(c.ctx)
	}
	if c.err != nil || len(c.streams) == 0 {
		return false
	}
	c.stream, c.streams = c.streams[0], c.streams[1:]
	return true
}

func (c *modelStreams) Stream() engine.StreamInfo { return c.stream }
func (c *modelStreams) Err() error                { return c.err }
func (c *modelStreams) Close() error              { c.streams = nil; return nil }
