package filestore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/enginetest"
	"github.com/eventfold/eventfold/engine/filestore"
	"github.com/eventfold/eventfold/engine/vfs"
)

// A decidedStore is a store whose log is what a replica has decided.
type decidedStore struct {
	replica *filestore.Replica
	mu      sync.Mutex
}

func openDecided(t *testing.T, fs vfs.FS) *decidedStore {
	r, err := filestore.OpenReplica(t.Context(), "/replica", filestore.Options{FS: fs, SegmentSize: 64 << 10})
	require.NoError(t, err)
	return &decidedStore{replica: r}
}

func (s *decidedStore) Append(ctx context.Context, batch ...engine.Append) (engine.Appended, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &filestore.Decision{Batch: batch}
	if err := s.replica.Decide(ctx, d, false); err != nil || d.Outcome.Duplicate || len(d.Outcome.Events) == 0 {
		return d.Outcome, err
	}
	events := eventsOf(d, time.Now().UTC().Truncate(time.Microsecond))
	if err := s.replica.Apply(ctx, events, [32]byte{1}); err != nil {
		return engine.Appended{}, err
	}
	d.Outcome.RecordedAt = events[0].RecordedAt
	return d.Outcome, nil
}

// eventsOf are the events of a decision as the log would have them.
func eventsOf(d *filestore.Decision, at time.Time) (events []engine.Event) {
	for _, a := range d.Stored {
		for _, e := range a.Events {
			event := e.Unplaced(a.Stream)
			place := d.Outcome.Events[len(events)]
			event.Position, event.Version, event.ID, event.RecordedAt = place.Position, place.Version, place.ID, at
			events = append(events, event)
		}
	}
	return events
}

func (s *decidedStore) ReadIndex() engine.ReadIndex { return s.replica.Store().ReadIndex() }
func (s *decidedStore) Stats() engine.Stats         { return s.replica.Store().Stats() }
func (s *decidedStore) Close() error                { return s.replica.Close() }
func (s *decidedStore) Wait(ctx context.Context, p engine.Position) error {
	return s.replica.Store().Wait(ctx, p)
}

// Who appends what a replica has decided, and gives it to the replica, has a store that keeps the
// contract.
func TestReplicaDecidesAsTheStoreWould(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) engine.Store { return openDecided(t, vfs.NewMem()) })
}

// A decision that is asked for again finds what was written meanwhile, whose expectation does not
// hold any more, and what somebody else has written in its place.
func TestReplicaFindsWhatWasTried(t *testing.T) {
	r := openDecided(t, vfs.NewMem()).replica
	defer r.Close()
	try := func() *filestore.Decision {
		d := &filestore.Decision{Batch: []engine.Append{{Stream: "a", Expect: []engine.Expectation{engine.NoStream},
			Events: []engine.NewEvent{{Type: "t", Tags: []string{"z", "b"}}, {Type: "u"}}}}}
		require.NoError(t, r.Decide(t.Context(), d, false))
		return d
	}
	mine, theirs := try(), try()
	places := mine.Outcome.Events
	require.NoError(t, r.Decide(t.Context(), mine, true))
	assert.Equal(t, places, mine.Outcome.Events, "the ids stay")
	require.NoError(t, r.Apply(t.Context(), eventsOf(mine, time.Now()), [32]byte{1}))
	require.NoError(t, r.Decide(t.Context(), mine, true))
	assert.True(t, mine.Outcome.Duplicate)
	assert.Equal(t, places, mine.Outcome.Events)
	assert.ErrorAs(t, r.Decide(t.Context(), theirs, true), new(*engine.ConflictError))
}

func TestReplicaTakesOnlyWhatComesNext(t *testing.T) {
	fs := vfs.NewMem()
	r := openDecided(t, fs).replica
	at := time.Now().UTC().Truncate(time.Microsecond)
	event := func(p engine.Position, v engine.Version, stream string) engine.Event {
		return engine.Event{Position: p, Version: v, Stream: stream, ID: uuid.New(), Type: "t", RecordedAt: at}
	}
	first := event(0, 0, "a")
	require.NoError(t, r.Apply(t.Context(), []engine.Event{first}, [32]byte{1}))
	refused := map[string]engine.Event{
		"a gap":               event(2, 1, "a"),
		"a position twice":    event(0, 0, "b"),
		"a version left out":  event(1, 2, "a"),
		"a version twice":     event(1, 0, "a"),
		"an erasure":          event(1, 0, engine.ErasuresStream),
		"an unknown own name": event(1, 0, "$else"),
	}
	for name, e := range refused {
		assert.Error(t, r.Apply(t.Context(), []engine.Event{e}, [32]byte{1}), name)
	}
	again := first
	again.Position, again.Version = 1, 1
	assert.ErrorAs(t, r.Apply(t.Context(), []engine.Event{again}, [32]byte{1}), new(*engine.DuplicateEventError))
	assert.Equal(t, engine.Position(1), r.Store().ReadIndex().Head(), "nothing of it is there")

	second := event(1, 1, "a")
	second.RecordedAt = at.Add(-time.Hour)
	require.NoError(t, r.Apply(t.Context(), []engine.Event{second}, [32]byte{1}))
	require.NoError(t, r.Close())

	r = openDecided(t, fs).replica
	defer r.Close()
	c := r.Store().ReadIndex().ReadAll(t.Context(), 1, engine.Forwards)
	defer c.Close()
	require.True(t, c.Next(), "what was applied is there after Close")
	assert.Equal(t, at, c.Event().RecordedAt, "times do not go back")
}

// saltedEvents are appends as a log has them: three events with content, and the erasure of the second.
func saltedEvents() [][]engine.Event {
	at := time.UnixMicro(1_700_000_000_000_000).UTC()
	event := func(p engine.Position, v engine.Version, stream string, e engine.NewEvent) engine.Event {
		return engine.Event{Position: p, Version: v, Stream: stream, ID: e.ID, Type: e.Type, Payload: e.Payload, RecordedAt: at}
	}
	erasure := engine.Erasure{ID: uuid.UUID{15: 9}, Events: engine.Spans{{From: 1, To: 2}}, Reason: "r"}
	content := func(n byte) engine.NewEvent {
		return engine.NewEvent{ID: uuid.UUID{15: n}, Type: "t", Payload: []byte("secret")}
	}
	return [][]engine.Event{
		{event(0, 0, "a", content(1)), event(1, 0, "b", content(2))},
		{event(2, 1, "a", content(3))},
		{event(3, 0, engine.ErasuresStream, erasure.NewEvents()[0])},
	}
}

// Two replicas of one log have one chain: each keeps the other's receipts, also when one of them has
// been opened anew in between and the other has erased what the log says meanwhile.
func TestReplicasOfOneLogHaveOneReceipt(t *testing.T) {
	one, other, third := openDecided(t, vfs.NewMem()).replica, vfs.NewMem(), openDecided(t, vfs.NewMem()).replica
	defer one.Close()
	defer third.Close()
	for i, events := range saltedEvents() {
		salt := [32]byte{byte(i)}
		require.NoError(t, one.Apply(t.Context(), events, salt))
		r := openDecided(t, other).replica
		require.NoError(t, r.Apply(t.Context(), events, salt))
		want, err := one.Store().Head()
		require.NoError(t, err)
		got, err := r.Store().Head()
		require.NoError(t, err)
		assert.Equal(t, want, got)
		if i == 2 {
			_, err = one.CarryOut(t.Context())
			require.NoError(t, err)
			head, err := one.Store().Head()
			require.NoError(t, err)
			assert.Equal(t, want, head, "an erasure keeps every receipt")
		}
		require.NoError(t, r.Close())
		require.NoError(t, third.Apply(t.Context(), events, [32]byte{99}))
		different, err := third.Store().Head()
		require.NoError(t, err)
		assert.NotEqual(t, want, different, "the salt is part of it")
	}
}

// An erasure that comes with the log hides what it names at once, and is done when the log says so:
// by then the replica has destroyed it.
func TestReplicaCarriesOutErasures(t *testing.T) {
	fs := vfs.NewMem()
	r := openDecided(t, fs).replica
	defer r.Close()
	var forgotten engine.Spans
	defer r.Store().OnErase(func(_ context.Context, erased engine.Spans) error {
		forgotten = forgotten.Union(erased)
		return nil
	})()
	for _, events := range saltedEvents() {
		require.NoError(t, r.Apply(t.Context(), events, [32]byte{1}))
	}
	assert.Equal(t, engine.Spans{{From: 1, To: 2}}, forgotten, "what was derived from it is told")
	redacted := func() (list []bool) {
		c := r.Store().ReadIndex().ReadAll(t.Context(), 0, engine.Forwards)
		defer c.Close()
		for c.Next() {
			list = append(list, c.Event().Redacted)
		}
		require.NoError(t, c.Err())
		return list
	}
	assert.Equal(t, []bool{false, true, false, false}, redacted())
	list, err := r.Store().Erasures(t.Context())
	require.NoError(t, err)
	assert.True(t, list[0].DoneAt.IsZero())

	done, err := r.CarryOut(t.Context())
	require.NoError(t, err)
	again, err := r.CarryOut(t.Context())
	require.NoError(t, err)
	assert.Equal(t, done, again, "until the log tells that it is done there is the same to tell")
	d := &filestore.Decision{Batch: []engine.Append{done}, Own: true}
	require.NoError(t, r.Decide(t.Context(), d, false))
	require.NoError(t, r.Apply(t.Context(), eventsOf(d, time.Now().UTC()), [32]byte{2}))
	list, err = r.Store().Erasures(t.Context())
	require.NoError(t, err)
	assert.False(t, list[0].DoneAt.IsZero())
	none, err := r.CarryOut(t.Context())
	require.NoError(t, err)
	assert.Empty(t, none.Events)
	_, err = r.Store().Verify(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []bool{false, true, false, false, false}, redacted())
}
