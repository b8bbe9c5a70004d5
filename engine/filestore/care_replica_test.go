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
	if err := s.replica.Apply(ctx, events); err != nil {
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
	require.NoError(t, r.Apply(t.Context(), eventsOf(mine, time.Now())))
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
	require.NoError(t, r.Apply(t.Context(), []engine.Event{first}))
	refused := map[string]engine.Event{
		"a gap":               event(2, 1, "a"),
		"a position twice":    event(0, 0, "b"),
		"a version left out":  event(1, 2, "a"),
		"a version twice":     event(1, 0, "a"),
		"an erasure":          event(1, 0, engine.ErasuresStream),
		"an unknown own name": event(1, 0, "$else"),
	}
	for name, e := range refused {
		assert.Error(t, r.Apply(t.Context(), []engine.Event{e}), name)
	}
	again := first
	again.Position, again.Version = 1, 1
	assert.ErrorAs(t, r.Apply(t.Context(), []engine.Event{again}), new(*engine.DuplicateEventError))
	assert.Equal(t, engine.Position(1), r.Store().ReadIndex().Head(), "nothing of it is there")

	second := event(1, 1, "a")
	second.RecordedAt = at.Add(-time.Hour)
	require.NoError(t, r.Apply(t.Context(), []engine.Event{second}))
	require.NoError(t, r.Close())

	r = openDecided(t, fs).replica
	defer r.Close()
	c := r.Store().ReadIndex().ReadAll(t.Context(), 1, engine.Forwards)
	defer c.Close()
	require.True(t, c.Next(), "what was applied is there after Close")
	assert.Equal(t, at, c.Event().RecordedAt, "times do not go back")
}
