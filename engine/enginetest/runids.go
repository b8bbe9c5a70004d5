package enginetest

import (
	"bytes"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
)

// identified returns an event with an id: version 7 ids are ordered in time, version 4 ids are not,
// and both must be found.
func identified(typ string, v4 bool) engine.NewEvent {
	e := event(typ)
	e.ID = uuid.Must(uuid.NewV7())
	if v4 {
		e.ID = uuid.New()
	}
	e.Metadata, e.Tags = []byte(`{"m":1}`), []string{"t2", "t1"}
	return e
}

func (r *run) retries() {
	for _, v4 := range []bool{false, true} {
		head := len(r.all())
		batch := []engine.Append{
			{Stream: "a", Events: []engine.NewEvent{identified("x", v4), identified("y", v4)}},
			{Stream: "b", Events: []engine.NewEvent{identified("x", v4)}},
		}
		first := r.must(batch...)
		r.must(one("a", "later"))
		again := r.must(batch...)
		assert.True(r, again.Duplicate)
		assert.Equal(r, first.Events, again.Events, "the original places")
		assert.True(r, first.RecordedAt.Equal(again.RecordedAt))
		assert.Len(r, r.all(), head+4)
		assert.True(r, r.must(engine.Append{
			Stream: "a",
			Events: batch[0].Events,
		}).Duplicate, "these events, if not all of that append")
	}
}

func (r *run) duplicates() {
	for _, v4 := range []bool{false, true} {
		stored := []engine.NewEvent{identified("x", v4), identified("y", v4), identified("z", v4)}
		fresh := identified("n", v4)
		done := r.must(engine.Append{Stream: "a", Events: stored})
		head := len(r.all())
		with := func(change func(e *engine.NewEvent)) []engine.NewEvent {
			e := stored[1]
			change(&e)
			return []engine.NewEvent{stored[0], e, stored[2]}
		}
		tests := []struct {
			name   string
			stream string
			events []engine.NewEvent
			kind   engine.DuplicateKind
			which  int // of the stored events the error names; -1 if several could be named
		}{
			{"another type", "a", with(func(e *engine.NewEvent) { e.Type = "w" }), engine.DifferentContent, 1},
			{"another payload", "a", with(func(e *engine.NewEvent) {
				e.Payload = []byte("w")
			}), engine.DifferentContent, 1},
			{"an empty payload", "a", with(func(e *engine.NewEvent) {
				e.Payload = []byte{}
			}), engine.DifferentContent, 1},
			{"no payload", "a", with(func(e *engine.NewEvent) { e.Payload = nil }), engine.DifferentContent, 1},
			{"other metadata", "a", with(func(e *engine.NewEvent) { e.Metadata = nil }), engine.DifferentContent, 1},
			{"other tags", "a", with(func(e *engine.NewEvent) { e.Tags = []string{"t1"} }), engine.DifferentContent, 1},
			{"another stream", "b", stored, engine.DifferentStream, -1},
			{"one new", "a", []engine.NewEvent{stored[0], stored[1], stored[2], fresh}, engine.Partial, -1},
			{"a new one first", "a", []engine.NewEvent{fresh, stored[0]}, engine.Partial, 0},
			{"one without an id", "a", []engine.NewEvent{stored[0], event("x")}, engine.Partial, 0},
			{"another order", "a", []engine.NewEvent{stored[1], stored[0], stored[2]}, engine.Reordered, -1},
			{"one left out", "a", []engine.NewEvent{stored[0], stored[2]}, engine.Reordered, -1},
			{"one twice", "a", []engine.NewEvent{stored[0], stored[0]}, engine.RepeatedID, 0},
		}
		for _, tt := range tests {
			_, err := r.store.Append(r.ctx, engine.Append{Stream: tt.stream, Events: tt.events})
			var duplicate *engine.DuplicateEventError
			require.ErrorAs(r, err, &duplicate, tt.name)
			assert.Equal(r, tt.kind, duplicate.Kind, tt.name)
			if tt.which >= 0 {
				assert.Equal(r, stored[tt.which].ID, duplicate.ID, tt.name)
			}
			if tt.kind != engine.RepeatedID {
				assert.Equal(r, "a", duplicate.Stream, tt.name)
				at := duplicate.Position - done.Events[0].Position
				require.True(r, at >= 0 && int(at) < len(stored), tt.name)
				assert.Equal(r, stored[at].ID, duplicate.ID, tt.name)
			}
		}
		_, err := r.store.Append(r.ctx, engine.Append{Stream: "a", Events: []engine.NewEvent{fresh, fresh}})
		assert.ErrorAs(r, err, new(*engine.DuplicateEventError), "twice a new one")
		assert.Len(r, r.all(), head)
		same := stored[1]
		same.Tags = []string{"t1", "t2"}
		assert.True(r, r.must(engine.Append{
			Stream: "a",
			Events: []engine.NewEvent{same},
		}).Duplicate, "the order of tags tells nothing")
		r.must(engine.Append{Stream: "a", Events: []engine.NewEvent{fresh}})
	}
}

func (r *run) idsBeforeExpectations() {
	e := identified("x", false)
	r.must(engine.Append{Stream: "a", Expect: []engine.Expectation{engine.NoStream}, Events: []engine.NewEvent{e}})
	r.must(one("a", "y"))
	again := r.must(engine.Append{
		Stream: "a",
		Expect: []engine.Expectation{engine.NoStream},
		Events: []engine.NewEvent{e},
	})
	assert.True(r, again.Duplicate, "a retry succeeds although its expectation does not hold any more")
	_, err := r.store.Append(r.ctx, engine.Append{
		Stream: "b",
		Expect: []engine.Expectation{engine.StreamExists},
		Events: []engine.NewEvent{e},
	})
	assert.ErrorAs(r, err, new(*engine.DuplicateEventError))
}

func (r *run) shapeBeforeIDs() {
	e := identified("x", false)
	beyond := &engine.Condition{After: 1000}
	for _, events := range [][]engine.NewEvent{{e}, {e, e}} {
		_, err := r.store.Append(r.ctx, engine.Append{
			Stream: "a",
			Expect: []engine.Expectation{beyond},
			Events: events,
		})
		assert.ErrorAs(r, err, new(*engine.InvalidError), "%d events", len(events))
	}
	assert.Empty(r, r.all())
}

func (r *run) invalid() {
	many := make([]string, engine.MaxTags+1)
	for i := range many {
		many[i] = strings.Repeat("t", i+1)
	}
	good := event("t")
	with := func(change func(e *engine.NewEvent)) []engine.NewEvent {
		e := good
		change(&e)
		return []engine.NewEvent{good, e}
	}
	tags := func(tags ...string) []engine.NewEvent { return with(func(e *engine.NewEvent) { e.Tags = tags }) }
	typ := func(typ string) []engine.NewEvent { return with(func(e *engine.NewEvent) { e.Type = typ }) }
	tests := []struct {
		name   string
		stream string
		events []engine.NewEvent
		event  int
		field  string
	}{
		{"an empty stream", "", []engine.NewEvent{good}, -1, "stream"},
		{"a long stream", strings.Repeat("s", engine.MaxStreamSize+1), []engine.NewEvent{good}, -1, "stream"},
		{"a stream that is not UTF-8", "a\xff", []engine.NewEvent{good}, -1, "stream"},
		{"a stream that begins with $", "$all", []engine.NewEvent{good}, -1, "stream"},
		{"a stream with a NUL", "a\x00", []engine.NewEvent{good}, -1, "stream"},
		{"an empty type", "s", typ(""), 1, "type"},
		{"a long type", "s", typ(strings.Repeat("t", engine.MaxTypeSize+1)), 1, "type"},
		{"a type that is not UTF-8", "s", typ("\xff"), 1, "type"},
		{"too many tags", "s", tags(many...), 1, "tags"},
		{"an empty tag", "s", tags("a", ""), 1, "tags"},
		{"a long tag", "s", tags(strings.Repeat("t", engine.MaxTagSize+1)), 1, "tags"},
		{"a tag twice", "s", tags("a", "b", "a"), 1, "tags"},
	}
	for _, tt := range tests {
		_, err := r.store.Append(r.ctx, one("first", "t"), engine.Append{Stream: tt.stream, Events: tt.events})
		var invalid *engine.InvalidError
		if !assert.ErrorAs(r, err, &invalid, tt.name) {
			continue
		}
		assert.Equal(r, 1, invalid.Append, tt.name)
		assert.Equal(r, tt.event, invalid.Event, tt.name)
		assert.Equal(r, tt.field, invalid.Field, tt.name)
		assert.NotEmpty(r, invalid.Reason, tt.name)
	}
	assert.Empty(r, r.all())
	r.must(engine.Append{Stream: strings.Repeat("s", engine.MaxStreamSize), Events: []engine.NewEvent{
		{Type: strings.Repeat("t", engine.MaxTypeSize), Tags: many[:engine.MaxTags]},
	}})
}

// The store is opened with the default limit.
func (r *run) tooLarge() {
	fits := engine.NewEvent{Type: "t", Payload: make([]byte, engine.DefaultMaxEventSize-1)}
	over := fits
	over.Payload = append(bytes.Clone(fits.Payload), 0)
	_, err := r.store.Append(r.ctx, one("a", "t"), engine.Append{Stream: "a", Events: []engine.NewEvent{over}})
	var large *engine.TooLargeError
	require.ErrorAs(r, err, &large)
	assert.Equal(r, &engine.TooLargeError{
		What:   "event",
		Size:   engine.DefaultMaxEventSize + 1,
		Limit:  engine.DefaultMaxEventSize,
		Append: 1,
	}, large)
	assert.Empty(r, r.all())
	r.must(engine.Append{Stream: "a", Events: []engine.NewEvent{fits}})
	assert.Len(r, r.all(), 1, "the next append works")

	many := make([]engine.NewEvent, engine.MaxAppendSize/(engine.DefaultMaxEventSize-1)+1)
	for i := range many {
		many[i] = fits
	}
	_, err = r.store.Append(r.ctx, engine.Append{Stream: "a", Events: many})
	require.ErrorAs(r, err, &large)
	assert.Equal(r, "append", large.What)
	assert.EqualValues(r, engine.MaxAppendSize, large.Limit)
	assert.Greater(r, large.Size, large.Limit)
	assert.Equal(r, engine.Position(1), r.store.ReadIndex().Head())
}
