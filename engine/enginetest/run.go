// Package enginetest is the contract of package engine as tests, for every engine: call [Run] with
// a function that opens an empty store. [Model] is the simplest store that keeps the contract,
// [Differential] compares any other with it.
package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
)

// Run runs the contract against stores that open opens. Every call of open gives an empty store,
// which Run closes.
func Run(t *testing.T, open func(t *testing.T) engine.Store) {
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			defer func() { assert.NoError(t, s.Close(), "Close") }()
			c.test(&run{T: t, store: s, ctx: t.Context()})
		})
	}
	t.Run("as the Model", func(t *testing.T) { Differential(t, open, 2, 200) })
}

var contract = []struct {
	name string
	test func(r *run)
}{
	{"first append", (*run).firstAppend},
	{"sequential appends", (*run).sequential},
	{"concurrent appends", (*run).concurrent},
	{"what comes back", (*run).comesBack},
	{"slices are not kept", (*run).slicesNotKept},
	{"expected versions", (*run).expectedVersions},
	{"several streams", (*run).severalStreams},
	{"versions inside a batch", (*run).versionsInBatch},
	{"all failed checks", (*run).allFailedChecks},
	{"guards", (*run).guards},
	{"conditions", (*run).conditions},
	{"conditions inside a batch", (*run).conditionsInBatch},
	{"events without places", (*run).unplacedEvents},
	{"conditions with a function", (*run).conditionFunctions},
	{"one of many wins", (*run).oneWins},
	{"retries", (*run).retries},
	{"duplicates", (*run).duplicates},
	{"shape before ids", (*run).shapeBeforeIDs},
	{"ids before expectations", (*run).idsBeforeExpectations},
	{"invalid input", (*run).invalid},
	{"too large", (*run).tooLarge},
	{"read all", (*run).readAll},
	{"read stream", (*run).readStream},
	{"scan", (*run).scan},
	{"scan of streams", (*run).scanStreams},
	{"batches", (*run).batches},
	{"columns", (*run).columns},
	{"streams", (*run).streams},
	{"types", (*run).types},
	{"a read index stays", (*run).indexStays},
	{"earlier heads", (*run).at},
	{"time does not go back", (*run).time},
	{"wait", (*run).wait},
	{"wait for some events", (*run).waitFor},
	{"contexts", (*run).contexts},
	{"erased events have no content", (*run).erasedContent},
	{"an index taken before an erasure", (*run).erasedBefore},
	{"conditions on what was erased", (*run).erasedConditions},
	{"retries of what was erased", (*run).erasedRetries},
	{"an erasure tried again", (*run).erasureRetried},
	{"an erasure in a batch", (*run).erasureInBatch},
	{"erasures that overlap", (*run).erasuresOverlap},
	{"what cannot be erased", (*run).notErasable},
	{"what an erasure tells", (*run).erasureTold},
	{"a forgotten subject", (*run).forgottenSubject},
	{"a long erasure", (*run).longErasure},
	{"erasures wake who waits", (*run).erasureWakes},
	{"definitions of views", (*run).definitions},
	{"what cannot be defined", (*run).notDefinable},
	{"stats", (*run).stats},
	{"close", (*run).close},
	{"close under load", (*run).closeUnderLoad},
}

// A run is one test of the contract on one store.
type run struct {
	*testing.T
	store engine.Store
	ctx   context.Context
}

func event(typ string) engine.NewEvent {
	return engine.NewEvent{Type: typ, Payload: []byte(`{"type":"` + typ + `"}`)}
}

func one(stream, typ string, expect ...engine.Expectation) engine.Append {
	return engine.Append{Stream: stream, Expect: expect, Events: []engine.NewEvent{event(typ)}}
}

// must appends and wants it to succeed.
func (r *run) must(batch ...engine.Append) engine.Appended {
	r.Helper()
	done, err := r.store.Append(r.ctx, batch...)
	require.NoError(r, err)
	return done
}

// fill appends n events to streams a, b and c in turn, of types x and y in turn.
func (r *run) fill(n int) []engine.Event {
	r.Helper()
	for i := range n {
		e := event([]string{"x", "y"}[i%2])
		if i%5 == 0 {
			e.Tags = []string{"five"}
		}
		r.must(engine.Append{Stream: []string{"a", "b", "c"}[i%3], Events: []engine.NewEvent{e}})
	}
	return r.all()
}

// all reads the whole log.
func (r *run) all() []engine.Event {
	r.Helper()
	return r.drain(r.store.ReadIndex().ReadAll(r.ctx, 0, engine.Forwards))
}

func (r *run) drain(c engine.Cursor) []engine.Event {
	r.Helper()
	events, err := drain(c)
	require.NoError(r, err)
	return events
}

// drain reads a cursor to its end and closes it.
func drain(c engine.Cursor) ([]engine.Event, error) {
	defer c.Close()
	var events []engine.Event
	for c.Next() {
		events = append(events, *c.Event())
	}
	if err := c.Err(); err != nil {
		return events, err
	}
	return events, c.Close()
}

func (r *run) firstAppend() {
	assert.Equal(r, engine.Position(0), r.store.ReadIndex().Head())
	assert.Empty(r, r.all())
	before := time.Now().Add(-time.Microsecond)
	done := r.must(one("s", "t"))
	require.Len(r, done.Events, 1)
	assert.Equal(r, engine.Position(0), done.Events[0].Position)
	assert.Equal(r, engine.Version(0), done.Events[0].Version)
	assert.Equal(r, uuid.Version(7), done.Events[0].ID.Version(), "the store assigns a UUIDv7")
	assert.False(r, done.Duplicate)
	assert.False(r, done.RecordedAt.Before(before.Truncate(time.Microsecond)))
	assert.Equal(r, engine.Position(1), r.store.ReadIndex().Head())
}

func (r *run) sequential() {
	ids := map[uuid.UUID]bool{}
	for i := range 3 {
		done := r.must(one("s", "t"))
		assert.Equal(r, engine.Position(i), done.Events[0].Position)
		assert.Equal(r, engine.Version(i), done.Events[0].Version)
		ids[done.Events[0].ID] = true
	}
	assert.Len(r, ids, 3)
	assert.Equal(r, engine.Version(0), r.must(one("other", "t")).Events[0].Version)
	done := r.must(engine.Append{Stream: "s", Events: []engine.NewEvent{event("a"), event("b")}})
	assert.Equal(r, []engine.Position{4, 5}, []engine.Position{done.Events[0].Position, done.Events[1].Position})
	assert.Equal(r, []engine.Version{3, 4}, []engine.Version{done.Events[0].Version, done.Events[1].Version})
}

func (r *run) concurrent() {
	const writers, each = 100, 5
	var mu sync.Mutex
	positions := map[engine.Position]bool{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				done, err := r.store.Append(r.ctx, one(fmt.Sprint("s", w), "t", engine.Exact(engine.Version(i-1))))
				if !assert.NoError(r, err) {
					return
				}
				head := r.store.ReadIndex().Head()
				mu.Lock()
				positions[done.Events[0].Position] = true
				mu.Unlock()
				assert.Greater(r, head, done.Events[0].Position, "an append that has returned is visible")
				assert.Equal(r, engine.Version(i), done.Events[0].Version)
			}
		})
	}
	wg.Wait()
	assert.Len(r, positions, writers*each, "positions are unique")
	events := r.all()
	require.Len(r, events, writers*each)
	next := map[string]engine.Version{}
	for i, e := range events {
		assert.Equal(r, engine.Position(i), e.Position, "positions have no gaps")
		assert.Equal(r, next[e.Stream], e.Version, "versions have no gaps")
		next[e.Stream]++
	}
}

func (r *run) comesBack() {
	id := uuid.New()
	given := []engine.NewEvent{
		{Type: "null"},
		{Type: "empty", Payload: []byte{}},
		{Type: "json", Payload: []byte(` {"a": [1, 2]} `), Metadata: []byte(`{"by":"me"}`)},
		{Type: "bytes", Payload: []byte("\x00\xff{"), ID: id, Tags: []string{"z", "a", "m"}},
		{Type: "big", Payload: bytes.Repeat([]byte("0123456789abcdef"), 4000)},
		{Type: strings.Repeat("t", engine.MaxTypeSize), Payload: []byte(`1`)},
	}
	stream := strings.Repeat("ü", 127) + "!"
	done := r.must(engine.Append{Stream: stream, Events: given})
	events := r.all()
	require.Len(r, events, len(given))
	for i, e := range events {
		g := given[i]
		assert.Equal(r, engine.Position(i), e.Position)
		assert.Equal(r, engine.Version(i), e.Version)
		assert.Equal(r, stream, e.Stream)
		assert.Equal(r, g.Type, e.Type)
		assert.Equal(r, g.Payload == nil, e.Payload == nil, "NULL is not empty: %s", g.Type)
		assert.True(r, bytes.Equal(g.Payload, e.Payload), g.Type)
		assert.Equal(r, done.Events[i].ID, e.ID)
		assert.True(r, done.RecordedAt.Equal(e.RecordedAt))
		assert.Equal(r, time.UTC, e.RecordedAt.Location())
		assert.Zero(r, e.RecordedAt.Nanosecond()%1000, "whole microseconds")
		assert.False(r, e.Redacted)
	}
	assert.Equal(r, id, events[3].ID)
	assert.Equal(r, []string{"a", "m", "z"}, events[3].Tags, "tags are sorted")
	assert.Nil(r, events[0].Tags)
	assert.Equal(r, `{"by":"me"}`, string(events[2].Metadata))
	assert.Equal(r, `{}`, string(events[0].Metadata))
	var isJSON []bool
	for _, e := range events {
		isJSON = append(isJSON, e.JSON)
	}
	assert.Equal(r, []bool{false, false, true, false, false, true}, isJSON)
}

func (r *run) slicesNotKept() {
	e := engine.NewEvent{Type: "t", Payload: []byte("payload"), Metadata: []byte(`{"a":1}`), Tags: []string{"b", "a"}}
	tags := slices.Clone(e.Tags)
	r.must(engine.Append{Stream: "s", Events: []engine.NewEvent{e}})
	assert.Equal(r, tags, e.Tags, "the caller's tags are not sorted in place")
	copy(e.Payload, "XXXXXXX")
	copy(e.Metadata, "XXXXXXX")
	e.Tags[0] = "X"
	got := r.all()[0]
	assert.Equal(r, "payload", string(got.Payload))
	assert.Equal(r, `{"a":1}`, string(got.Metadata))
	assert.Equal(r, []string{"a", "b"}, got.Tags)
}

func (r *run) expectedVersions() {
	tests := []struct {
		name   string
		expect engine.ExpectedVersion
		fails  bool
		actual engine.Version // when it fails
	}{
		{"a stream that must exist and does not", engine.StreamExists, true, engine.NoVersion},
		{"a version of a stream that does not exist", engine.Exact(0), true, engine.NoVersion},
		{"no stream", engine.NoStream, false, 0},
		{"no stream again", engine.NoStream, true, 0},
		{"exactly there", engine.Exact(0), false, 0},
		{"ahead", engine.Exact(5), true, 1},
		{"behind", engine.Exact(0), true, 1},
		{"no version", engine.Exact(engine.NoVersion), true, 1},
		{"exists", engine.StreamExists, false, 0},
		{"any", engine.Any, false, 0},
	}
	head := engine.Position(0)
	for _, tt := range tests {
		_, err := r.store.Append(r.ctx, one("s", "t", tt.expect))
		if !tt.fails {
			require.NoError(r, err, tt.name)
			head++
			continue
		}
		var conflict *engine.ConflictError
		require.ErrorAs(r, err, &conflict, tt.name)
		assert.Equal(r, &engine.ConflictError{Head: head, Checks: []engine.FailedCheck{
			{Stream: "s", Expected: tt.expect, Actual: tt.actual},
		}}, conflict, tt.name)
	}
	assert.Len(r, r.all(), int(head), "what was refused is not there")
}

func (r *run) severalStreams() {
	r.must(one("a", "t"))
	_, err := r.store.Append(r.ctx, one("b", "t", engine.NoStream), one("a", "t", engine.NoStream))
	var conflict *engine.ConflictError
	require.ErrorAs(r, err, &conflict)
	assert.Equal(r, []engine.FailedCheck{{Append: 1, Stream: "a", Expected: engine.NoStream, Actual: 0}},
		conflict.Checks)
	assert.Len(r, r.all(), 1, "nothing of it is written")
	done := r.must(one("b", "t", engine.NoStream), one("a", "t", engine.Exact(0)), one("c", "t"))
	require.Len(r, done.Events, 3)
	for i, v := range []engine.Version{0, 1, 0} {
		assert.Equal(r, engine.Position(1+i), done.Events[i].Position)
		assert.Equal(r, v, done.Events[i].Version)
	}
	for _, e := range r.all()[1:] {
		assert.True(r, e.RecordedAt.Equal(done.RecordedAt), "one append has one time")
	}
}

func (r *run) versionsInBatch() {
	done := r.must(one("s", "t", engine.NoStream), one("s", "t", engine.Exact(0)), one("s", "t", engine.StreamExists))
	assert.Equal(r, engine.Version(2), done.Events[2].Version)
	_, err := r.store.Append(r.ctx, one("s", "t", engine.Exact(2)), one("s", "t", engine.Exact(2)))
	var conflict *engine.ConflictError
	require.ErrorAs(r, err, &conflict)
	assert.Equal(r, []engine.FailedCheck{{Append: 1, Stream: "s", Expected: engine.Exact(2), Actual: 3}},
		conflict.Checks)
}

func (r *run) allFailedChecks() {
	r.must(one("a", "t"), one("b", "t"))
	_, err := r.store.Append(r.ctx,
		one("a", "t", engine.StreamExists, engine.Exact(4)),
		one("b", "t", engine.Exact(0)),
		engine.Append{Stream: "c", Expect: []engine.Expectation{engine.StreamExists}})
	var conflict *engine.ConflictError
	require.ErrorAs(r, err, &conflict)
	assert.Equal(r, &engine.ConflictError{Head: 2, Checks: []engine.FailedCheck{
		{Append: 0, Check: 1, Stream: "a", Expected: engine.Exact(4), Actual: 0},
		{Append: 2, Check: 0, Stream: "c", Expected: engine.StreamExists, Actual: engine.NoVersion},
	}}, conflict)
}

func (r *run) guards() {
	r.must(one("a", "t"))
	done := r.must(engine.Append{Stream: "a", Expect: []engine.Expectation{engine.Exact(0)}})
	assert.Empty(r, done.Events, "a guard writes nothing")
	done = r.must(engine.Append{Stream: "a", Expect: []engine.Expectation{engine.Exact(0)}}, one("b", "t"))
	assert.Len(r, done.Events, 1)
	_, err := r.store.Append(r.ctx, engine.Append{
		Stream: "x",
		Expect: []engine.Expectation{engine.StreamExists},
	}, one("b", "t"))
	assert.ErrorAs(r, err, new(*engine.ConflictError))
	assert.Len(r, r.all(), 2)
}

func (r *run) close() {
	r.fill(3)
	index := r.store.ReadIndex()
	require.NoError(r, r.store.Close())
	require.NoError(r, r.store.Close(), "a second Close")
	_, err := r.store.Append(r.ctx, one("s", "t"))
	assert.ErrorIs(r, err, engine.ErrClosed)
	assert.ErrorIs(r, r.store.Wait(r.ctx, 0), engine.ErrClosed)
	for _, index := range []engine.ReadIndex{index, r.store.ReadIndex()} {
		_, err = drain(index.ReadAll(r.ctx, 0, engine.Forwards))
		assert.ErrorIs(r, err, engine.ErrClosed)
		_, err = drain(index.ReadStream(r.ctx, "a", 0, engine.Forwards))
		assert.ErrorIs(r, err, engine.ErrClosed)
		_, _, err = index.StreamVersion("a")
		assert.ErrorIs(r, err, engine.ErrClosed)
		b := index.Scan(r.ctx, engine.Filter{}, engine.ColAll)
		assert.Nil(r, b.Next())
		assert.ErrorIs(r, b.Err(), engine.ErrClosed)
		_, err = index.Count(r.ctx, engine.Filter{})
		assert.ErrorIs(r, err, engine.ErrClosed)
		_, err = index.Types(r.ctx)
		assert.ErrorIs(r, err, engine.ErrClosed)
		s := index.Streams(r.ctx, "")
		assert.False(r, s.Next())
		assert.ErrorIs(r, s.Err(), engine.ErrClosed)
	}
}

func (r *run) contexts() {
	ended, cancel := context.WithCancel(r.ctx)
	cancel()
	_, err := r.store.Append(ended, one("s", "t"))
	assert.ErrorIs(r, err, context.Canceled)
	assert.Empty(r, r.all(), "an append whose context has ended before is not written")
	r.fill(5)
	index := r.store.ReadIndex()
	_, err = drain(index.ReadAll(ended, 0, engine.Forwards))
	assert.Equal(r, context.Canceled, err, "as it is")
	_, err = drain(index.ReadStream(ended, "a", 0, engine.Forwards))
	assert.ErrorIs(r, err, context.Canceled)
	b := index.Scan(ended, engine.Filter{}, engine.ColAll)
	assert.Nil(r, b.Next())
	assert.ErrorIs(r, b.Err(), context.Canceled)
	assert.NoError(r, b.Close())
	_, err = index.Count(ended, engine.Filter{Tags: []string{"five"}, Types: []string{"x"}})
	assert.ErrorIs(r, err, context.Canceled)
}

// Closing while many append: each append succeeds or gets ErrClosed, and those who wait are woken.
func (r *run) closeUnderLoad() {
	var wg sync.WaitGroup
	var mu sync.Mutex
	acked := 0
	for w := range 8 {
		wg.Go(func() {
			for {
				_, err := r.store.Append(r.ctx, one(fmt.Sprint("s", w), "t"))
				if err != nil {
					assert.ErrorIs(r, err, engine.ErrClosed)
					return
				}
				mu.Lock()
				acked++
				mu.Unlock()
			}
		})
	}
	wg.Go(func() { assert.ErrorIs(r, r.store.Wait(r.ctx, 1<<40), engine.ErrClosed) })
	require.NoError(r, r.store.Wait(r.ctx, 30))
	require.NoError(r, r.store.Close())
	wg.Wait()
	assert.GreaterOrEqual(r, acked, 31, "what was visible is acknowledged, also when the store closes")
}

func (r *run) wait() {
	r.fill(2)
	require.NoError(r, r.store.Wait(r.ctx, 1))
	require.NoError(r, r.store.Wait(r.ctx, engine.NoPosition))
	ended, cancel := context.WithCancel(r.ctx)
	waits := make(chan error, 1)
	go func() { waits <- r.store.Wait(ended, 2) }() // ended by cancel, awaited by the receive
	cancel()
	assert.ErrorIs(r, <-waits, context.Canceled)
	go func() { waits <- r.store.Wait(r.ctx, 2) }() // ended by the append, awaited by the receive
	r.must(one("s", "t"))
	assert.NoError(r, <-waits)
	assert.Equal(r, engine.Position(3), r.store.ReadIndex().Head())
}

// Who waits for some events is woken by these, wherever others were appended before, and told how far
// there were none.
func (r *run) waitFor() {
	r.fill(2)
	what := engine.Filter{Streams: []string{"mine"}}
	w := engine.Await(r.store, what)
	for round := range engine.Position(3) {
		from := r.store.ReadIndex().Head()
		woken := make(chan engine.Position, 1)
		go func() { // ends with the event that it waits for
			p := from
			for err := error(nil); err == nil; {
				if p, err = w.Wait(r.ctx, p); !assert.NoError(r, err) {
					break
				}
				what.From = p
				index := r.store.ReadIndex()
				n, err := index.Count(r.ctx, what)
				if !assert.NoError(r, err) || n > 0 {
					break
				}
				p = index.Head() // a store may wake for any commit
			}
			woken <- p
		}()
		for i := range round {
			r.must(one(fmt.Sprint("other-", i), "t"))
		}
		r.must(one("mine", "t"))
		p := <-woken
		assert.GreaterOrEqual(r, p, from)
		mine := r.store.ReadIndex().Head() - 1
		assert.LessOrEqual(r, p, mine, "the event is not passed over")
		assert.LessOrEqual(r, w.Passed(), mine, "and who looks is not told so, who may be told of more than Wait has returned")
	}
	ended, cancel := context.WithCancel(r.ctx)
	cancel()
	_, err := w.Wait(ended, r.store.ReadIndex().Head())
	assert.ErrorIs(r, err, context.Canceled)
}

func (r *run) stats() {
	r.fill(4)
	r.must(engine.Append{Stream: "s", Events: []engine.NewEvent{event("x"), event("y")}})
	assert.Equal(r, int64(6), r.store.Stats().Events)
}
