package enginetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
)

func (r *run) conditions() {
	events := r.fill(20)
	typeX := engine.Filter{Types: []string{"x"}}
	for _, c := range []*engine.Condition{
		{After: 18, Where: typeX},
		{After: engine.NoPosition, Where: engine.Filter{Types: []string{"z"}}},
		{After: 19},
		{After: engine.NoPosition, Where: engine.Filter{Streams: []string{}}},
		{After: 15, Where: engine.Filter{Tags: []string{"five"}}},
	} {
		r.must(engine.Append{Stream: "a", Expect: []engine.Expectation{c}})
	}
	c := &engine.Condition{After: 2, Where: typeX, Text: "no x"}
	_, err := r.store.Append(r.ctx, one("a", "x", c))
	var conflict *engine.ConflictError
	require.ErrorAs(r, err, &conflict)
	require.Len(r, conflict.Checks, 1)
	check := conflict.Checks[0]
	assert.Equal(r, engine.Position(20), conflict.Head)
	assert.Same(r, c, check.Condition)
	assert.Equal(r, "a", check.Stream)
	want := []engine.Event{events[4], events[6], events[8], events[10], events[12], events[14], events[16], events[18]}
	assert.Equal(r, want, check.Conflicts)
	_, err = r.store.Append(r.ctx, one("a", "x", &engine.Condition{After: engine.NoPosition}))
	require.ErrorAs(r, err, &conflict)
	assert.Equal(r, events[:10], conflict.Checks[0].Conflicts, "the first ten")

	_, err = r.store.Append(r.ctx, one("a", "x"), one("a", "x", &engine.Condition{After: 20}))
	var invalid *engine.InvalidError
	require.ErrorAs(r, err, &invalid, "after an event that does not exist")
	assert.Equal(r, "condition", invalid.Field)
	assert.Equal(r, 1, invalid.Append)
}

// conditionsInBatch holds that the conditions of an append see the events of the appends before it
// in the same batch, and not its own.
func (r *run) conditionsInBatch() {
	r.fill(6)
	none := &engine.Condition{After: engine.NoPosition, Where: engine.Filter{Types: []string{"new"}}}
	twice := engine.Append{
		Stream: "a",
		Expect: []engine.Expectation{none},
		Events: []engine.NewEvent{event("new"), event("new")},
	}
	given := event("new")
	given.ID, given.Tags = uuid.New(), []string{"t", "s"}

	_, err := r.store.Append(r.ctx, one("a", "other"), engine.Append{
		Stream: "b",
		Events: []engine.NewEvent{given},
	}, twice)
	var conflict *engine.ConflictError
	require.ErrorAs(r, err, &conflict, "an earlier append has one")
	require.Len(r, conflict.Checks, 1)
	assert.Equal(r, []engine.Event{{
		Position: engine.NoPosition, Stream: "b", Version: engine.NoVersion, ID: given.ID, Type: "new",
		Payload: given.Payload, JSON: true,
		Metadata: []byte(`{}`), Tags: []string{"s", "t"},
	}}, conflict.Checks[0].Conflicts, "which has no place yet")
	assert.Equal(r, 2, conflict.Checks[0].Append)
	assert.True(r, conflict.Checks[0].Hopeless())
	assert.ErrorContains(r, err, "earlier event of the same transaction")
	require.Len(r, r.all(), 6)

	r.must(engine.Append{Stream: "b", Events: []engine.NewEvent{event("other")}}, one("a", "other", &engine.Condition{
		After: engine.NoPosition, Where: engine.Filter{Types: []string{"other"}}, LogOnly: true}))
	guard := engine.Append{Stream: "a", Expect: []engine.Expectation{none}}
	_, err = r.store.Append(r.ctx, twice, guard)
	assert.ErrorAs(r, err, &conflict, "a guard behind it")
	r.must(guard, twice)
	_, err = r.store.Append(r.ctx, twice)
	assert.ErrorAs(r, err, &conflict)
}

// unplacedEvents holds what filters and functions make of the events of earlier appends of the same
// batch.
func (r *run) unplacedEvents() {
	events := r.fill(6)
	given, last := uuid.New(), events[5]
	for _, tt := range []struct {
		name  string
		what  engine.Filter
		after engine.Position
		sees  bool
	}{
		{"everything after the last position", engine.Filter{}, 5, true},
		{"from a position that is to come", engine.Filter{From: 100}, 5, true},
		{"to a position", engine.Filter{To: 100}, 5, false},
		{"since", engine.Filter{Since: last.RecordedAt}, 5, false},
		{"before", engine.Filter{Before: last.RecordedAt.Add(time.Hour)}, 5, false},
		{"a least version", engine.Filter{MinVersion: 1}, 5, false},
		{"a greatest version", engine.Filter{MaxVersion: 9, HasMaxVersion: true}, 5, false},
		{"its stream", engine.Filter{Streams: []string{"own"}}, engine.NoPosition, true},
		{"the prefix of its stream", engine.Filter{Prefix: "ow"}, engine.NoPosition, true},
		{"another stream", engine.Filter{Streams: []string{"b", "c"}}, 5, false},
		{"its tags", engine.Filter{Tags: []string{"own", "mine"}}, engine.NoPosition, true},
		{"an alternative", engine.Filter{Any: []engine.Alternative{{Types: []string{"nil"}}, {Tags: []string{"mine"}}}},
			engine.NoPosition, true},
		{"its id", engine.Filter{IDs: []uuid.UUID{given}}, engine.NoPosition, true},
		{"the nil id", engine.Filter{IDs: []uuid.UUID{uuid.Nil}}, engine.NoPosition, false},
	} {
		first, second := event("mine"), event("mine")
		first.Tags, first.ID = []string{"own", "mine"}, given
		c := &engine.Condition{After: tt.after, Where: tt.what}
		_, err := r.store.Append(r.ctx, engine.Append{Stream: "own", Events: []engine.NewEvent{first, second}},
			one("x", "refused", &engine.Condition{After: 5, Where: engine.Filter{Types: []string{"mine"}}}, c))
		var conflict *engine.ConflictError
		require.ErrorAs(r, err, &conflict, tt.name)
		assert.Equal(r, tt.sees, len(conflict.Checks) == 2, tt.name)
	}
	c := &engine.Condition{After: 5, Columns: engine.ColAll, Match: func(b *engine.Batch, row int) (bool, error) {
		assert.Equal(r, engine.NoPosition, b.Positions[row])
		assert.Equal(r, engine.NoVersion, b.Versions[row])
		assert.Equal(r, uuid.Nil, b.IDs[row])
		assert.Zero(r, b.Times[row])
		return b.Types[row] == "match", nil
	}}
	_, err := r.store.Append(r.ctx, one("own", "match"), one("x", "refused", c))
	assert.ErrorAs(r, err, new(*engine.ConflictError))
	r.must(one("own", "mine"), one("x", "taken", c))
}

func (r *run) conditionFunctions() {
	events := r.fill(12)
	calls := 0
	c := &engine.Condition{
		After: 1, Where: engine.Filter{Streams: []string{"a"}}, Columns: engine.ColVersion | engine.ColType,
		Match: func(b *engine.Batch, row int) (bool, error) {
			calls++
			return b.Versions[row] == 2 && b.Types[row] == "x", nil
		},
	}
	_, err := r.store.Append(r.ctx, one("a", "x", c))
	var conflict *engine.ConflictError
	require.ErrorAs(r, err, &conflict)
	assert.Equal(r, []engine.Event{events[6]}, conflict.Checks[0].Conflicts)
	assert.GreaterOrEqual(r, calls, 2)
	c.After = 6
	r.must(one("a", "x", c))

	broken := errors.New("broken")
	c.Match = func(*engine.Batch, int) (bool, error) { return false, broken }
	_, err = r.store.Append(r.ctx, one("a", "x", c))
	assert.ErrorIs(r, err, broken)
	assert.Len(r, r.all(), 13)
	r.must(one("a", "x"))
}

// Of many who read the same and append under the same condition, exactly one wins.
func (r *run) oneWins() {
	for round := range 20 {
		kind := fmt.Sprint("t", round)
		version := engine.Version(round - 1)
		c := &engine.Condition{After: engine.NoPosition, Where: engine.Filter{Types: []string{kind}}}
		for _, expect := range []engine.Expectation{engine.Exact(version), c} {
			stream := fmt.Sprintf("s%T", expect)
			var wg sync.WaitGroup
			var mu sync.Mutex
			won := 0
			for range 8 {
				wg.Go(func() {
					_, err := r.store.Append(r.ctx, one(stream, kind+stream, expect), one(stream+"also", kind))
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						won++
					} else {
						assert.ErrorAs(r, err, new(*engine.ConflictError))
					}
				})
			}
			wg.Wait()
			require.Equal(r, 1, won, "%T", expect)
			kind += "again"
			c.Where.Types = []string{kind}
		}
	}
}
