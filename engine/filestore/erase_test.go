package filestore

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
)

// marker is in the content of events that the tests erase, and in nothing else.
const marker = "ERASE-ME-d41d8c"

// erasing is an append that erases events.
func erasing(events ...engine.Span) engine.Append {
	return engine.Append{Erase: &engine.Erasure{Events: events, Reason: "Art. 17", Actor: "tests"}}
}

// appendMarked appends n events to the stream s, one by one, every third with the marker, and
// returns the positions of these.
func appendMarked(t testing.TB, s engine.Store, n int) (marked engine.Spans) {
	t.Helper()
	for i := range n {
		e := engine.NewEvent{Type: "t", Payload: fmt.Appendf(nil, `{"n":%d}`, i), Tags: []string{"kept"}}
		if i%3 == 0 {
			e.Payload = fmt.Appendf(nil, `{"n":%d,"name":"%s"}`, i, marker)
			e.Metadata = fmt.Appendf(nil, `{"by":"%s"}`, marker)
		}
		done, err := s.Append(context.Background(), engine.Append{Stream: "s", Events: []engine.NewEvent{e}})
		require.NoError(t, err)
		if i%3 == 0 {
			p := done.Events[0].Position
			marked.Add(engine.Span{From: p, To: p + 1})
		}
	}
	return marked
}

// requireErased checks that a store shows nothing of what was erased, in any way of reading, and all
// that is known of it besides.
func requireErased(t testing.TB, s engine.Store, marked engine.Spans) {
	t.Helper()
	ctx, index := context.Background(), s.ReadIndex()
	for _, events := range [][]engine.Event{
		drain(t, index.ReadAll(ctx, 0, engine.Forwards)),
		drain(t, index.ReadAll(ctx, index.Head(), engine.Backwards)),
		drain(t, index.ReadStream(ctx, "s", 0, engine.Forwards)),
		readBatches(t, index.Scan(ctx, engine.Filter{Tags: []string{"kept"}}, engine.ColAll)),
		readBatches(t, index.At(index.Head()-1).Scan(ctx, engine.Filter{Streams: []string{"s"}}, engine.ColAll)),
	} {
		n := int64(0)
		for _, e := range events {
			assert.Equal(t, marked.Has(e.Position), e.Redacted, "position %d", e.Position)
			if !e.Redacted {
				continue
			}
			n++
			assert.Nil(t, e.Payload)
			assert.Equal(t, "{}", string(e.Metadata))
			assert.False(t, e.JSON)
			assert.Equal(t, []string{"kept"}, e.Tags)
		}
		require.Equal(t, marked.Count(), n)
	}
}

func TestAnErasureIsEffectiveAtOnceAndStaysSo(t *testing.T) {
	for _, sync := range []SyncMode{SyncAlways, SyncInterval} {
		fsys := vfs.NewMem()
		o := Options{FS: fsys, SegmentSize: 32 << 10, Sync: sync}
		s := openStore(t, "/store", o)
		marked := appendMarked(t, s, 300)
		reader := openStore(t, "/store", Options{FS: fsys, ReadOnly: true})
		done, err := s.Append(t.Context(), erasing(marked...))
		require.NoError(t, err)
		require.Len(t, done.Events, 1)
		requireErased(t, s, marked)
		if sync == SyncAlways {
			requireErased(t, reader, marked)
		}
		require.NoError(t, s.Close())
		requireErased(t, reader, marked)
		requireErased(t, openStore(t, "/store", Options{FS: fsys, ReadOnly: true}), marked)
		requireErased(t, openStore(t, "/store", o), marked)
	}
}

func TestWhatTellsOfErasuresCannotBeErasedNorForged(t *testing.T) {
	s := openStore(t, "/store", Options{FS: vfs.NewMem()})
	appendMarked(t, s, 5)
	_, err := s.Append(t.Context(), erasing(engine.Span{From: 0, To: 1}))
	require.NoError(t, err)
	var invalid *engine.InvalidError
	for _, refused := range []engine.Append{
		erasing(engine.Span{From: 3, To: 6}),
		erasing(engine.Span{From: 1, To: 99}),
		erasing(),
		{Stream: "s", Erase: &engine.Erasure{Events: engine.Spans{{From: 0, To: 1}}, Reason: "r"}},
		{Events: []engine.NewEvent{{Type: "t"}}, Erase: &engine.Erasure{Events: engine.Spans{{From: 0, To: 1}}, Reason: "r"}},
		{Erase: &engine.Erasure{Events: engine.Spans{{From: 0, To: 1}}}},
		{Stream: engine.ErasuresStream, Events: []engine.NewEvent{{Type: engine.ErasureDoneType}}},
	} {
		_, err := s.Append(t.Context(), engine.Append{Stream: "s"}, refused)
		require.ErrorAs(t, err, &invalid, "%+v", refused)
		assert.Equal(t, 1, invalid.Append)
	}
}

func TestARetryOfAnErasureAndOfAnErasedEventIsADuplicate(t *testing.T) {
	s := openStore(t, "/store", Options{FS: vfs.NewMem()})
	ctx := t.Context()
	e := engine.NewEvent{ID: uuid.New(), Type: "t", Payload: []byte(marker), Tags: []string{"a"}}
	first, err := s.Append(ctx, engine.Append{Stream: "s", Events: []engine.NewEvent{e}})
	require.NoError(t, err)
	erase := engine.Append{Erase: &engine.Erasure{
		ID: uuid.New(), Events: engine.Spans{{From: 0, To: 1}}, Reason: "r",
	}}
	one, err := s.Append(ctx, erase)
	require.NoError(t, err)
	two, err := s.Append(ctx, erase)
	require.NoError(t, err)
	assert.True(t, two.Duplicate)
	assert.Equal(t, one.Events, two.Events)

	e.Payload = []byte("other")
	again, err := s.Append(ctx, engine.Append{Stream: "s", Events: []engine.NewEvent{e}})
	require.NoError(t, err)
	assert.True(t, again.Duplicate)
	assert.Equal(t, first.Events, again.Events)
	e.Tags = []string{"b"}
	var duplicate *engine.DuplicateEventError
	_, err = s.Append(ctx, engine.Append{Stream: "s", Events: []engine.NewEvent{e}})
	require.ErrorAs(t, err, &duplicate)
	assert.Equal(t, engine.DifferentContent, duplicate.Kind)
}

// Erasing what is new again and again makes many segments, but not large ones.
func TestErasingAgainAndAgainKeepsASmallStoreSmall(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, "/store", Options{FS: fsys})
	for range 8 {
		_, err := s.Append(t.Context(), erasing(appendMarked(t, s, 2)...))
		require.NoError(t, err)
		settleErasures(t, s)
	}
	assert.GreaterOrEqual(t, s.Stats().Segments, 9)
	assert.Less(t, s.Stats().DiskBytes, int64(3<<20))
}
