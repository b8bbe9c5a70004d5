package enginetest

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
)

// What an engine.Eraser promises. Other stores skip these tests. An eraser appends, at a moment of
// its own, the event that tells that an erasure is done, so that all of them look past the stream
// of erasures.

// eraser returns the store if it can erase; otherwise the test is skipped.
func (r *run) eraser() engine.Eraser {
	s, ok := r.store.(engine.Eraser)
	if !ok {
		r.Skip("the store is no engine.Eraser")
	}
	return s
}

// erasing is an append that erases.
func erasing(events ...engine.Span) engine.Append {
	return engine.Append{Erase: &engine.Erasure{Events: events, Reason: "test", Actor: "enginetest"}}
}

// erased returns events as they are once those of the spans have been erased.
func erased(events []engine.Event, gone engine.Spans) []engine.Event {
	events = slices.Clone(events)
	for i := range events {
		if e := &events[i]; gone.Has(e.Position) {
			e.Payload, e.Metadata, e.JSON, e.Redacted = nil, []byte("{}"), false, true
		}
	}
	return events
}

// others leaves out the events that tell of erasures.
func others(events []engine.Event) []engine.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e engine.Event) bool {
		return e.Stream == engine.ErasuresStream
	})
}

// fillRich appends n events with all that an event can have.
func (r *run) fillRich(n int) []engine.Event {
	for i := range n {
		e := identified([]string{"x", "y"}[i%2], i%3 == 0)
		if i%5 == 0 {
			e.Payload = []byte{0, byte(i)}
		}
		r.must(engine.Append{Stream: []string{"a", "b", "c"}[i%3], Events: []engine.NewEvent{e}})
	}
	return r.all()
}

func (r *run) erasedContent() {
	r.eraser()
	before := r.fillRich(30)
	old := r.store.ReadIndex()
	gone := engine.Spans{{From: 0, To: 1}, {From: 4, To: 9}, {From: 29, To: 30}}
	r.must(erasing(gone...))
	want := erased(before, gone)
	assert.Equal(r, want, others(r.all()))
	index := r.store.ReadIndex()
	for h := engine.Position(0); h <= 30; h++ {
		r.readsAs(index.At(h), want[:h])
	}
	assert.Equal(r, r.typesOf(old), r.typesOf(index.At(30)), "types stay")
	assert.Equal(r, r.streamsOf(old), r.streamsOf(index.At(30)), "streams stay")
}

// readsAs wants the index to have these events and no others, in every way of reading.
func (r *run) readsAs(index engine.ReadIndex, want []engine.Event) {
	r.Helper()
	model := ModelOf(want).ReadIndex()
	filters := []engine.Filter{
		{}, {Direction: engine.Backwards}, {Streams: []string{"a", "c"}}, {Types: []string{"y"}},
		{Tags: []string{"t1"}}, {Prefix: "b"}, {From: 3, To: 7}, {MinVersion: 2},
		{Any: []engine.Alternative{{Types: []string{"x"}}, {Streams: []string{"b"}}}},
	}
	for _, e := range want {
		filters = append(filters, engine.Filter{IDs: []uuid.UUID{e.ID}}, engine.Filter{Since: e.RecordedAt})
		assert.Equal(r, []engine.Event{e}, r.drain(index.ReadAll(r.ctx, e.Position, engine.Forwards))[:1])
		v, ok, err := index.StreamVersion(e.Stream)
		wantV, wantOK, _ := model.StreamVersion(e.Stream)
		require.NoError(r, err)
		assert.Equal(r, []any{wantV, wantOK}, []any{v, ok})
	}
	for _, f := range filters {
		require.NoError(r, sameScan(r.ctx, model, index, f))
		only, err := eventsOf(index.Scan(r.ctx, f, engine.ColAll))
		require.NoError(r, err)
		r.columnsAgree(index, f, only)
	}
	for _, dir := range directions {
		ordered := directed(want, dir, func(e *engine.Event) int { return cmp.Compare(e.Position, 15) })
		assert.Equal(r, ordered, r.drain(index.ReadAll(r.ctx, 15, dir)))
		for _, stream := range []string{"a", "b", "c"} {
			require.NoError(r, sameEvents(stream, model.ReadStream(r.ctx, stream, 4, dir),
				index.ReadStream(r.ctx, stream, 4, dir)))
		}
	}
}

// columnsAgree wants each column to be the same whether it is read alone or with all others.
func (r *run) columnsAgree(index engine.ReadIndex, f engine.Filter, want []engine.Event) {
	r.Helper()
	for _, column := range []engine.ColumnSet{engine.ColPayload, engine.ColMetadata, engine.ColRedacted} {
		c := index.Scan(r.ctx, f, column)
		n := 0
		for b := c.Next(); b != nil; b = c.Next() {
			for i := range b.Len {
				e := &want[n]
				switch column {
				case engine.ColPayload:
					assert.Equal(r, e.Payload, b.Payloads[i])
					assert.Equal(r, e.JSON, b.JSON[i])
				case engine.ColMetadata:
					assert.Equal(r, string(e.Metadata), string(b.Metadata[i]))
				case engine.ColRedacted:
					assert.Equal(r, e.Redacted, b.Redacted[i])
				}
				n++
			}
		}
		require.NoError(r, c.Err())
		require.NoError(r, c.Close())
	}
}

func (r *run) typesOf(index engine.ReadIndex) []engine.TypeInfo {
	types, err := index.Types(r.ctx)
	require.NoError(r, err)
	return types
}

func (r *run) streamsOf(index engine.ReadIndex) []engine.StreamInfo {
	streams, err := infos(index.Streams(r.ctx, ""))
	require.NoError(r, err)
	return streams
}

// erasedBefore: an index of before may go on showing the content or not, but nothing else, and it
// stays as it is.
func (r *run) erasedBefore() {
	r.eraser()
	before := r.fillRich(20)
	old := r.store.ReadIndex()
	gone := engine.Spans{{From: 5, To: 15}}
	r.must(erasing(gone...))
	assert.Equal(r, engine.Position(20), old.Head())
	for range 2 {
		for i, e := range r.drain(old.ReadAll(r.ctx, 0, engine.Forwards)) {
			if e.Redacted {
				assert.Equal(r, erased(before, gone)[i], e)
			} else {
				assert.Equal(r, before[i], e)
			}
		}
	}
}

// looksAt is a condition that no event with this payload breaks.
func looksAt(payload string) *engine.Condition {
	return &engine.Condition{
		After: engine.NoPosition, Columns: engine.ColPayload,
		Match: func(b *engine.Batch, i int) (bool, error) { return string(b.Payloads[i]) == payload, nil },
	}
}

func (r *run) erasedConditions() {
	r.eraser()
	secret := engine.NewEvent{Type: "x", Payload: []byte("secret"), Tags: []string{"t"}}
	r.must(engine.Append{Stream: "a", Events: []engine.NewEvent{secret}})
	guard := engine.Append{Stream: "b", Expect: []engine.Expectation{looksAt("secret")}}
	_, err := r.store.Append(r.ctx, guard)
	var conflict *engine.ConflictError
	require.ErrorAs(r, err, &conflict)
	r.must(erasing(engine.Span{From: 0, To: 1}))
	r.must(guard)
	byTag := &engine.Condition{After: engine.NoPosition, Where: engine.Filter{Tags: []string{"t"}}}
	_, err = r.store.Append(r.ctx, engine.Append{Stream: "b", Expect: []engine.Expectation{byTag}})
	require.ErrorAs(r, err, &conflict, "tags stay")
	require.Len(r, conflict.Checks[0].Conflicts, 1)
	assert.Nil(r, conflict.Checks[0].Conflicts[0].Payload, "an error shows no content either")
	_, err = r.store.Append(r.ctx, one("a", "y", engine.NoStream))
	require.ErrorAs(r, err, &conflict, "versions stay")
	r.must(one("a", "y", engine.Exact(0)))
}

func (r *run) erasedRetries() {
	r.eraser()
	for _, v4 := range []bool{false, true} {
		stored := []engine.NewEvent{identified("x", v4), identified("y", v4)}
		first := r.must(engine.Append{Stream: "a", Events: stored})
		at := first.Events[0].Position
		r.must(erasing(engine.Span{From: at, To: at + 1}))
		tests := []struct {
			name   string
			stream string
			change func(e *engine.NewEvent)
			kind   engine.DuplicateKind
			same   bool
		}{
			{"the same", "a", func(*engine.NewEvent) {}, 0, true},
			{"another payload", "a", func(e *engine.NewEvent) { e.Payload = []byte("w") }, 0, true},
			{"no payload", "a", func(e *engine.NewEvent) { e.Payload = nil }, 0, true},
			{"other metadata", "a", func(e *engine.NewEvent) { e.Metadata = []byte(`{"w":1}`) }, 0, true},
			{"another type", "a", func(e *engine.NewEvent) { e.Type = "w" }, engine.DifferentContent, false},
			{"other tags", "a", func(e *engine.NewEvent) { e.Tags = nil }, engine.DifferentContent, false},
			{"another stream", "b", func(*engine.NewEvent) {}, engine.DifferentStream, false},
		}
		for _, tt := range tests {
			e := stored[0]
			tt.change(&e)
			batch := engine.Append{Stream: tt.stream, Events: []engine.NewEvent{e, stored[1]}}
			done, err := r.store.Append(r.ctx, batch)
			if tt.same {
				require.NoError(r, err, tt.name)
				assert.True(r, done.Duplicate, tt.name)
				assert.Equal(r, first.Events, done.Events, tt.name)
				continue
			}
			var duplicate *engine.DuplicateEventError
			require.ErrorAs(r, err, &duplicate, tt.name)
			assert.Equal(r, tt.kind, duplicate.Kind, tt.name)
		}
		other := slices.Clone(stored)
		other[1].Payload = []byte("w")
		_, err := r.store.Append(r.ctx, engine.Append{Stream: "a", Events: other})
		var duplicate *engine.DuplicateEventError
		assert.ErrorAs(r, err, &duplicate, "what was not erased is compared")
	}
}

func (r *run) erasureRetried() {
	s := r.eraser()
	r.fillRich(10)
	e := erasing(engine.Span{From: 2, To: 4})
	e.Erase.ID = uuid.Must(uuid.NewV7())
	first := r.must(e)
	assert.Equal(r, e.Erase.ID, first.Events[0].ID)
	again := r.must(e)
	assert.True(r, again.Duplicate)
	assert.Equal(r, first.Events, again.Events)
	changed := *e.Erase
	changed.Events = engine.Spans{{From: 2, To: 5}}
	_, err := r.store.Append(r.ctx, engine.Append{Erase: &changed})
	var duplicate *engine.DuplicateEventError
	require.ErrorAs(r, err, &duplicate, "the id names another erasure")
	assert.False(r, r.all()[4].Redacted)
	list, err := s.Erasures(r.ctx)
	require.NoError(r, err)
	assert.Len(r, list, 1)
}

func (r *run) erasureInBatch() {
	s := r.eraser()
	before := r.fillRich(6)
	_, err := r.store.Append(r.ctx, one("a", "note"), erasing(engine.Span{From: 1, To: 3}),
		one("b", "note", engine.NoStream))
	var conflict *engine.ConflictError
	require.ErrorAs(r, err, &conflict)
	assert.Equal(r, before, r.all(), "nothing of the batch")
	done := r.must(one("a", "note"), erasing(engine.Span{From: 1, To: 3}),
		erasing(engine.Span{From: 5, To: 6}), one("b", "note", engine.Exact(1)))
	require.Len(r, done.Events, 4, "an event for each, in the order given")
	for i, p := range done.Events {
		assert.Equal(r, engine.Position(6+i), p.Position)
		assert.NotEqual(r, uuid.Nil, p.ID)
	}
	assert.Equal(r, erased(before, engine.Spans{{From: 1, To: 3}, {From: 5, To: 6}}), r.all()[:6])
	list, err := s.Erasures(r.ctx)
	require.NoError(r, err)
	require.Len(r, list, 2)
	assert.Equal(r, []uuid.UUID{done.Events[1].ID, done.Events[2].ID}, []uuid.UUID{list[0].ID, list[1].ID})
	// a guard beside an erasure is checked, too
	_, err = r.store.Append(r.ctx, erasing(engine.Span{From: 0, To: 1}),
		engine.Append{Stream: "a", Expect: []engine.Expectation{engine.NoStream}})
	require.ErrorAs(r, err, &conflict)
	assert.False(r, r.all()[0].Redacted)
}

func (r *run) erasuresOverlap() {
	s := r.eraser()
	before := r.fillRich(12)
	r.must(erasing(engine.Span{From: 2, To: 6}))
	r.must(erasing(engine.Span{From: 4, To: 8}))
	r.must(erasing(engine.Span{From: 2, To: 6}))
	assert.Equal(r, erased(before, engine.Spans{{From: 2, To: 8}}), others(r.all()))
	list, err := s.Erasures(r.ctx)
	require.NoError(r, err)
	assert.Len(r, list, 3)
	for _, e := range list {
		assert.EqualValues(r, 4, e.Events.Count())
	}
}

func (r *run) notErasable() {
	r.eraser()
	r.fillRich(5)
	done := r.must(erasing(engine.Span{From: 0, To: 1}))
	told := done.Events[0].Position
	long := make([]byte, engine.MaxReasonSize+1)
	for i := range long {
		long[i] = 'x'
	}
	id, err := uuid.NewV7()
	require.NoError(r, err)
	tests := []struct {
		name    string
		erasure engine.Erasure
	}{
		{"nothing", engine.Erasure{Reason: "r"}},
		{"beyond the head", engine.Erasure{Events: engine.Spans{{From: 1, To: 1000}}, Reason: "r"}},
		{"before the first", engine.Erasure{Events: engine.Spans{{From: -1, To: 1}}, Reason: "r"}},
		{"an empty span", engine.Erasure{Events: engine.Spans{{From: 1, To: 1}}, Reason: "r"}},
		{"out of order", engine.Erasure{Events: engine.Spans{{From: 3, To: 4}, {From: 1, To: 2}}, Reason: "r"}},
		{"spans that touch", engine.Erasure{Events: engine.Spans{{From: 1, To: 2}, {From: 2, To: 3}}, Reason: "r"}},
		{"an erasure itself", engine.Erasure{Events: engine.Spans{{From: told, To: told + 1}}, Reason: "r"}},
		{"no reason", engine.Erasure{Events: engine.Spans{{From: 1, To: 2}}}},
		{"a long reason", engine.Erasure{Events: engine.Spans{{From: 1, To: 2}}, Reason: string(long)}},
		{"a reason that is no text", engine.Erasure{Events: engine.Spans{{From: 1, To: 2}}, Reason: "\xff"}},
		{"a long actor", engine.Erasure{Events: engine.Spans{{From: 1, To: 2}}, Reason: "r", Actor: string(long)}},
		{"events and a subject", engine.Erasure{Events: engine.Spans{{From: 1, To: 2}}, Reason: "r", Subject: "s"}},
	}
	before := r.all()
	var invalid *engine.InvalidError
	for _, tt := range tests {
		tt.erasure.ID = id
		_, err := r.store.Append(r.ctx, one("a", "x"), engine.Append{Erase: &tt.erasure})
		require.ErrorAs(r, err, &invalid, tt.name)
		assert.Equal(r, 1, invalid.Append, tt.name)
	}
	whole := engine.Erasure{Events: engine.Spans{{From: 1, To: 2}}, Reason: "r"}
	for name, a := range map[string]engine.Append{
		"an erasure with a stream": {Stream: "a", Erase: &whole},
		"an erasure with events":   {Events: []engine.NewEvent{event("x")}, Erase: &whole},
		"the stream of erasures":   one(engine.ErasuresStream, engine.ErasedType),
	} {
		_, err := r.store.Append(r.ctx, a)
		require.ErrorAs(r, err, &invalid, name)
	}
	assert.Equal(r, others(before), others(r.all()), "nothing was erased or written")
}

func (r *run) erasureTold() {
	s := r.eraser()
	r.fillRich(9)
	gone := engine.Spans{{From: 1, To: 2}, {From: 4, To: 7}}
	done := r.must(erasing(gone...))
	require.Len(r, done.Events, 1)
	at := done.Events[0]
	assert.Equal(r, engine.Position(9), at.Position)
	e := r.all()[9]
	assert.Equal(r, []any{engine.ErasuresStream, engine.ErasedType, engine.Version(0), at.ID},
		[]any{e.Stream, e.Type, e.Version, e.ID})
	told, err := engine.ParseErased(e.Payload)
	require.NoError(r, err)
	assert.Equal(r, engine.Erased{
		Erasure: at.ID, Parts: 1, Total: 4, Events: gone, Reason: "test", Actor: "enginetest",
	}, told)
	info := r.doneErasure(s, at.ID)
	assert.Equal(r, gone, info.Events)
	assert.Equal(r, []any{at.Position, "test", "enginetest"}, []any{info.Position, info.Reason, info.Actor})
	assert.True(r, info.CreatedAt.Equal(done.RecordedAt))
	assert.False(r, info.DoneAt.Before(info.CreatedAt))
	assert.Empty(r, info.Pending)
	last := r.all()[10]
	assert.Equal(r, []any{engine.ErasuresStream, engine.ErasureDoneType}, []any{last.Stream, last.Type})
	finished, err := engine.ParseErasureDone(last.Payload)
	require.NoError(r, err)
	assert.Equal(r, at.ID, finished.Erasure)
	v, ok, err := r.store.ReadIndex().StreamVersion(engine.ErasuresStream)
	require.NoError(r, err)
	assert.Equal(r, []any{engine.Version(1), true}, []any{v, ok})
	assert.EqualValues(r, 11, r.store.Stats().Events)
}

// forgottenSubject: a destroyed key is told by one event, which is no erasure of events, leaves
// nothing to do, and hides nothing.
func (r *run) forgottenSubject() {
	s := r.eraser()
	forget := func(revision int64) engine.Append {
		return engine.Append{Erase: &engine.Erasure{
			ID: uuid.Must(uuid.NewV7()), Subject: "3f2a", Revision: revision, Reason: "test", Actor: "enginetest",
		}}
	}
	first := r.must(forget(1))
	before := r.fillRich(9)
	second := forget(2)
	done := r.must(one("a", "note"), second, erasing(engine.Span{From: 3, To: 5}))
	r.doneErasure(s, done.Events[2].ID)
	again := r.must(second)
	assert.True(r, again.Duplicate)
	assert.Equal(r, done.Events[1:2], again.Events)
	other := *second.Erase
	other.Actor = "somebody else"
	_, err := r.store.Append(r.ctx, engine.Append{Erase: &other})
	var duplicate *engine.DuplicateEventError
	require.ErrorAs(r, err, &duplicate)
	assert.Equal(r, []any{engine.DifferentContent, engine.ErasuresStream, done.Events[1].Position},
		[]any{duplicate.Kind, duplicate.Stream, duplicate.Position})

	all := r.all()
	assert.Equal(r, erased(before, engine.Spans{{From: 3, To: 5}}), all[:len(before)])
	for i, at := range []engine.Placed{first.Events[0], done.Events[1]} {
		e := all[at.Position]
		assert.Equal(r, []any{engine.ErasuresStream, engine.ForgottenType, engine.Version(i), at.ID, false},
			[]any{e.Stream, e.Type, e.Version, e.ID, e.Redacted})
		told, err := engine.ParseForgotten(e.Payload)
		require.NoError(r, err)
		assert.Equal(r, engine.Forgotten{
			Subject: "3f2a", Revision: int64(i + 1), Reason: "test", Actor: "enginetest",
		}, told)
	}
	list, err := s.Erasures(r.ctx)
	require.NoError(r, err)
	require.Len(r, list, 1, "nothing is to be done for it")
	assert.Equal(r, done.Events[2].ID, list[0].ID)
	var invalid *engine.InvalidError
	_, err = r.store.Append(r.ctx, erasing(engine.Span{From: 0, To: 1}))
	require.ErrorAs(r, err, &invalid, "it cannot be erased")
}

// doneErasure waits until the erasure is done.
func (r *run) doneErasure(s engine.Eraser, id uuid.UUID) engine.ErasureInfo {
	r.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		list, err := s.Erasures(r.ctx)
		require.NoError(r, err)
		i := slices.IndexFunc(list, func(e engine.ErasureInfo) bool { return e.ID == id })
		require.GreaterOrEqual(r, i, 0, "the erasure is listed as soon as it is accepted")
		if !list[i].DoneAt.IsZero() {
			return list[i]
		}
		require.True(r, time.Now().Before(deadline), "pending: %v", list[i].Pending)
	}
}

// longErasure is told by several events in one commit.
func (r *run) longErasure() {
	s := r.eraser()
	var batch engine.Append
	batch.Stream = "a"
	for range 1000 { // which is what every engine takes at once
		batch.Events = append(batch.Events, engine.NewEvent{Type: "x", Payload: []byte("1")})
	}
	for range 40 {
		r.must(batch)
	}
	var gone engine.Spans
	for p := engine.Position(0); p < 40_000; p += 2 {
		gone.Add(engine.Span{From: p, To: p + 1})
	}
	done := r.must(erasing(gone...))
	require.Greater(r, len(done.Events), 1)
	info := r.doneErasure(s, done.Events[0].ID)
	assert.Equal(r, gone, info.Events)
	assert.Equal(r, engine.Position(40_000), info.Position)
	c := r.store.ReadIndex().Scan(r.ctx, engine.Filter{Types: []string{"x"}}, engine.ColRedacted|engine.ColPayload)
	for b := c.Next(); b != nil; b = c.Next() {
		for i, p := range b.Positions {
			if b.Redacted[i] != (p%2 == 0) || (b.Payloads[i] == nil) != (p%2 == 0) {
				r.Fatalf("position %d: redacted %v, payload %q", p, b.Redacted[i], b.Payloads[i])
			}
		}
	}
	require.NoError(r, errors.Join(c.Err(), c.Close()))
}

func (r *run) erasureWakes() {
	r.eraser()
	r.fillRich(3)
	woken := make(chan error, 1)
	go func() { woken <- r.store.Wait(r.ctx, 3) }() // ends when the erasure is told, or with the test
	r.must(erasing(engine.Span{From: 0, To: 3}))
	select {
	case err := <-woken:
		assert.NoError(r, err)
	case <-time.After(time.Minute):
		r.Fatal("nobody was woken")
	}
	sub := engine.Subscribe(r.ctx, r.store, engine.Filter{Streams: []string{"a"}}, engine.ColAll)
	b, err := sub.Next()
	require.NoError(r, err)
	assert.True(r, b.Redacted[0], "who follows from the past gets the event without content")
	require.NoError(r, sub.Close())
}
