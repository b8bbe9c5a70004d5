package filestore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
)

// importInto imports events, and closes the store.
func importInto(t testing.TB, dir string, fsys vfs.FS, events []engine.Event) (ImportReport, error) {
	m, err := OpenImport(dir, Options{FS: fsys, SegmentSize: 32 << 10})
	require.NoError(t, err)
	for _, e := range events {
		if err := m.Add(context.Background(), e); err != nil {
			return m.Report(), err2(err, m.Close())
		}
	}
	return m.Finish(context.Background())
}

func err2(err, closing error) error {
	if err != nil {
		return err
	}
	return closing
}

// importSource has events of all kinds: erased ones, views, NULL and empty payloads, tags.
func importSource(t testing.TB, fsys vfs.FS) []engine.Event {
	at := time.UnixMicro(1_700_000_000_000_000).UTC()
	s := openStore(t, "source", Options{FS: fsys, SegmentSize: 32 << 10, Now: func() time.Time {
		at = at.Add(1500 * time.Microsecond)
		return at
	}})
	for i := range 300 {
		e := engine.NewEvent{Type: fmt.Sprintf("t%d", i%7), Payload: []byte(payloadOf(i))}
		switch i % 10 {
		case 0:
			e.Payload = nil
		case 1:
			e.Payload, e.Metadata = []byte{}, []byte(`{ "by": "x" }`)
		case 2:
			e.Tags = []string{"b", "a"}
		case 3:
			e.Payload = []byte{0xff, 0, 1}
		}
		_, err := s.Append(t.Context(), engine.Append{Stream: fmt.Sprintf("s-%d", i%11), Events: []engine.NewEvent{e, e}})
		require.NoError(t, err)
		if i == 200 {
			_, err = s.Append(t.Context(), erasing(engine.Span{From: 3, To: 9}, engine.Span{From: 100, To: 101}))
			require.NoError(t, err)
			settleErasures(t, s)
		}
		if i == 100 {
			define := &engine.Definition{Name: "v", Kind: "VIEW", Text: "CREATE VIEW v AS SELECT 1"}
			_, err = s.Append(t.Context(), engine.Append{Define: define})
			require.NoError(t, err)
		}
	}
	all := eventsOf(t, s)
	require.NoError(t, s.Close())
	return all
}

func TestAnImportIntoAnEmptyStoreIsExact(t *testing.T) {
	fsys := vfs.NewMem()
	want := importSource(t, fsys)
	report, err := importInto(t, "dest", fsys, want)
	require.NoError(t, err)
	assert.Equal(t, ImportReport{Read: int64(len(want)), Appended: int64(len(want)), Redacted: 7, Exact: true,
		Head: engine.Position(len(want))}, report)
	s := openStore(t, "dest", Options{FS: fsys})
	require.Equal(t, want, eventsOf(t, s))
	_, err = s.Verify(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close())

	again, err := importInto(t, "dest", fsys, want)
	require.NoError(t, err)
	assert.Equal(t, int64(len(want)), again.Present)
	assert.True(t, again.Exact)
	assert.Equal(t, report.Head, again.Head)
}

func TestAnImportThatWasCutShortGoesOn(t *testing.T) {
	fsys := vfs.NewMem()
	want := importSource(t, fsys)
	for n := 1; n < len(want); n += 37 {
		dir := fmt.Sprintf("dest-%d", n)
		m, err := OpenImport(dir, Options{FS: fsys, SegmentSize: 32 << 10})
		require.NoError(t, err)
		for _, e := range want[:n] {
			require.NoError(t, m.Add(t.Context(), e))
		}
		require.NoError(t, m.Close())
		report, err := importInto(t, dir, fsys, want)
		require.NoError(t, err)
		assert.True(t, report.Exact, n)
		s := openStore(t, dir, Options{FS: fsys, ReadOnly: true})
		require.Equal(t, want, eventsOf(t, s), n)
		_, err = s.Verify(t.Context())
		require.NoError(t, err, n)
	}
}

// Positions are others in a store that has events of its own: what tells of the source's erasures
// would name the wrong ones. What is erased stays so all the same.
func TestAnImportIntoAStoreWithEventsKeepsWhatIsErasedErased(t *testing.T) {
	fsys := vfs.NewMem()
	all := importSource(t, fsys)
	s := openStore(t, "dest", Options{FS: fsys})
	mustAppend(t, s, "mine", engine.Any, one(`{"mine":true}`)...)
	require.NoError(t, s.Close())
	report, err := importInto(t, "dest", fsys, all)
	require.NoError(t, err)
	assert.False(t, report.Exact)
	assert.Equal(t, int64(3), report.LeftOut, "an erasure, that it is done, and a view")
	assert.Equal(t, report.Appended, report.Retimed, "the store's own event is younger than all of them")

	s = openStore(t, "dest", Options{FS: fsys})
	settleErasures(t, s)
	_, err = s.Verify(t.Context())
	require.NoError(t, err)
	redacted := map[uuid.UUID]bool{}
	for _, e := range eventsOf(t, s) {
		redacted[e.ID] = e.Redacted
	}
	for _, e := range all {
		assert.Equal(t, e.Redacted, redacted[e.ID])
	}
	require.NoError(t, s.Close())
	again, err := importInto(t, "dest", fsys, all)
	require.NoError(t, err)
	assert.Zero(t, again.Appended)
	s = openStore(t, "dest", Options{FS: fsys, ReadOnly: true})
	assert.Equal(t, report.Head+1, s.ReadIndex().Head(), "that the erasure is done, and nothing else")
}

// A file can say what it likes: it erases nothing that it has not brought erased itself.
func TestAnImportErasesNothingThatTheStoreHas(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, "dest", Options{FS: fsys})
	placed := mustAppend(t, s, "mine", engine.Any, one(`{"mine":true}`)...)
	all := eventsOf(t, s)
	require.NoError(t, s.Close())
	note := (&engine.Erasure{ID: uuid.New(), Events: engine.Spans{{From: 0, To: 1}}, Reason: "r"}).NewEvents()[0]
	erasure := engine.Event{
		Position: 1, Stream: engine.ErasuresStream, ID: uuid.New(), Type: engine.ErasedType,
		Payload: note.Payload, RecordedAt: time.Now(),
	}
	redacted := all[0]
	redacted.Redacted, redacted.Payload = true, nil
	for _, events := range [][]engine.Event{{erasure}, {all[0], erasure}, {redacted, erasure}} {
		report, err := importInto(t, "dest", fsys, events)
		require.NoError(t, err)
		assert.Equal(t, int64(1), report.LeftOut)
		s = openStore(t, "dest", Options{FS: fsys, ReadOnly: true})
		assert.Equal(t, all, eventsOf(t, s))
		assert.Equal(t, placed.Events[0].ID, eventsOf(t, s)[0].ID)
	}
}

func TestWhatAnImportRefuses(t *testing.T) {
	good := engine.Event{Position: 0, Stream: "a", ID: uuid.New(), Type: "t", RecordedAt: time.UnixMicro(5)}
	tests := []struct {
		name  string
		spoil func(e *engine.Event)
		field string
	}{
		{"a time that no later event could have", func(e *engine.Event) { e.RecordedAt = time.Now().Add(48 * time.Hour) }, "time"},
		{"a time before 1970", func(e *engine.Event) { e.RecordedAt = time.UnixMicro(-1) }, "time"},
		{"a stream of the store's own that there is none of", func(e *engine.Event) { e.Stream = "$mine" }, "stream"},
		{"an id of zeros", func(e *engine.Event) { e.ID = uuid.Nil }, "id"},
		{"no stream", func(e *engine.Event) { e.Stream = "" }, "stream"},
		{"no type", func(e *engine.Event) { e.Type = "" }, "type"},
		{"a tag twice", func(e *engine.Event) { e.Tags = []string{"a", "a"} }, "tags"},
		{"too many tags", func(e *engine.Event) { e.Tags = make([]string, engine.MaxTags+1) }, "tags"},
		{"no UTF-8", func(e *engine.Event) { e.Type = "\xff" }, "type"},
		{"a NUL in a stream", func(e *engine.Event) { e.Stream = "a\x00" }, "stream"},
		{"no type in a stream of the store's own", func(e *engine.Event) { e.Stream, e.Type = "$views", "" }, "type"},
	}
	for _, tt := range tests {
		e := good
		tt.spoil(&e)
		m, err := OpenImport("dest", Options{FS: vfs.NewMem()})
		require.NoError(t, err)
		first := good
		first.ID = uuid.New()
		require.NoError(t, m.Add(t.Context(), first))
		var invalid *engine.InvalidError
		require.ErrorAs(t, m.Add(t.Context(), e), &invalid, tt.name) // at once, not with those of its time
		assert.Equal(t, tt.field, invalid.Field, tt.name)
		assert.Equal(t, 1, invalid.Event, tt.name)
		report, err := m.Finish(t.Context())
		require.NoError(t, err, tt.name)
		assert.Equal(t, int64(1), report.Appended, tt.name)
		before := good
		before.ID, before.RecordedAt = uuid.New(), time.UnixMicro(4) // so that they are not appended together
		_, err = importInto(t, "dest", vfs.NewMem(), []engine.Event{before, e, good})
		require.ErrorAs(t, err, &invalid, tt.name)
		assert.Equal(t, 1, invalid.Event, "%s: which it is of all that were read", tt.name)
	}
	fsys := vfs.NewMem()
	_, err := importInto(t, "dest", fsys, []engine.Event{good})
	require.NoError(t, err)
	good.Type = "other"
	_, err = importInto(t, "dest", fsys, []engine.Event{good})
	var duplicate *engine.DuplicateEventError
	require.ErrorAs(t, err, &duplicate)
}

// Events that come twice, in other company than the first time, and in another order.
func TestAnImportKnowsEventsInAnyCompany(t *testing.T) {
	fsys := vfs.NewMem()
	at := time.UnixMicro(7)
	var events []engine.Event
	for i := range 6 {
		events = append(events, engine.Event{Position: engine.NoPosition, Stream: "a", ID: uuid.New(), Type: "t",
			RecordedAt: at, Payload: []byte(payloadOf(i))})
	}
	_, err := importInto(t, "dest", fsys, events[1:3])
	require.NoError(t, err)
	report, err := importInto(t, "dest", fsys, []engine.Event{events[2], events[0], events[1], events[3], events[0]})
	require.NoError(t, err)
	assert.Equal(t, int64(2), report.Appended)
	assert.Equal(t, int64(3), report.Present)
}

// TestAnImportLosesNothingWhenAddFails: what was collected is tried again by the next one.
func TestAnImportLosesNothingWhenAddFails(t *testing.T) {
	events := importSource(t, vfs.NewMem())
	for i := range events {
		events[i].Redacted = false
	}
	fsys := vfs.NewMem()
	m, err := OpenImport("import", Options{FS: fsys})
	require.NoError(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	failed := 0
	for _, e := range events {
		if err := m.Add(ended, e); err != nil { // collected events are to be appended first
			failed++
			require.ErrorIs(t, err, context.Canceled)
			require.NoError(t, m.Add(t.Context(), e))
		}
	}
	require.Positive(t, failed)
	report, err := m.Finish(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, len(events), report.Appended+report.LeftOut)
}

func TestAnImportNamesTheEventThatIsTooLarge(t *testing.T) {
	m, err := OpenImport("dest", Options{FS: vfs.NewMem()})
	require.NoError(t, err)
	defer m.Close()
	e := engine.Event{ID: uuid.New(), Stream: "s", Type: "T", Position: engine.NoPosition}
	for range 3 {
		require.NoError(t, m.Add(t.Context(), e))
		e.ID = uuid.New()
	}
	e.Payload = make([]byte, engine.MaxEventLimit)
	var large *engine.TooLargeError
	require.ErrorAs(t, m.Add(t.Context(), e), &large)
	assert.Equal(t, engine.TooLargeError{What: "event", Size: engine.MaxEventLimit + 1, Limit: engine.MaxEventLimit,
		Event: 3}, *large)
}

func TestATooLargeEventOfABatchIsNamed(t *testing.T) {
	s := openStore(t, "store", Options{FS: vfs.NewMem(), MaxEventSize: engine.MinEventLimit})
	many := append(one("1"), engine.NewEvent{Type: "T", Payload: make([]byte, engine.MinEventLimit)})
	_, err := s.Append(t.Context(), engine.Append{Stream: "a", Events: one("1")}, engine.Append{Stream: "b", Events: many})
	var large *engine.TooLargeError
	require.ErrorAs(t, err, &large)
	assert.Equal(t, []int{1, 1}, []int{large.Append, large.Event})
}

// randomImport returns events of few times, streams and kinds, of which some come again, alone or in
// other company, and some are of the store's own streams.
func randomImport(r *rand.Rand, source []engine.Event) (events []engine.Event) {
	at := time.UnixMicro(1_600_000_000_000_000).UTC()
	for range 100 + r.IntN(400) {
		if r.IntN(4) > 0 {
			at = at.Add(time.Duration(r.IntN(3)-r.IntN(2)) * time.Microsecond)
		}
		n := len(events)
		e := engine.Event{Position: engine.NoPosition, Stream: fmt.Sprintf("s-%d", r.IntN(5)), Type: "t",
			ID: uuid.UUID{1, byte(n >> 8), byte(n)}, RecordedAt: at, Payload: []byte(payloadOf(n))}
		switch r.IntN(12) {
		case 0:
			e = source[r.IntN(len(source))]
		case 1, 2:
			if n > 0 {
				e = events[r.IntN(n)]
			}
		case 3:
			e.Payload, e.Redacted = nil, true
		}
		events = append(events, e)
	}
	return events
}

// Events that are collected and appended together are those of one append each.
func TestAnImportOfManyIsThatOfOneEventAfterTheOther(t *testing.T) {
	source := importSource(t, vfs.NewMem())
	seed := testenv.Seed(t)
	for trial := range testenv.Scale(40, 2000) {
		events := randomImport(rand.New(rand.NewPCG(seed, uint64(trial))), source)
		if trial%4 == 0 {
			events = source[:len(source)-trial%len(source)] // an exact one, with erasures and views
		}
		var reports [2]ImportReport
		var stores [2][]engine.Event
		for i, alone := range []bool{true, false} {
			fsys := vfs.NewMem()
			m, err := OpenImport("dest", Options{FS: fsys, SegmentSize: 32 << 10})
			require.NoError(t, err)
			for _, e := range events {
				require.NoError(t, m.Add(t.Context(), e))
				if alone {
					require.NoError(t, m.flush(t.Context()))
				}
			}
			reports[i], err = m.Finish(t.Context())
			require.NoError(t, err)
			s := openStore(t, "dest", Options{FS: fsys, ReadOnly: true})
			stores[i] = eventsOf(t, s)
			require.NoError(t, s.Close())
		}
		require.Equal(t, reports[0], reports[1])
		// Of an erasure that Finish has told of the id and the time are its own.
		for i := range stores {
			last := &stores[i][len(stores[i])-1]
			if last.Stream == engine.ErasuresStream {
				stores[i] = stores[i][:len(stores[i])-1]
			}
		}
		require.Equal(t, stores[0], stores[1])
	}
}

// BenchmarkImport measures events a second that come with times of their own, or all with one. It would be
// bad news if the former were much slower than half of the latter.
func BenchmarkImport(b *testing.B) {
	for _, apart := range []time.Duration{0, time.Microsecond} {
		b.Run(fmt.Sprintf("apart=%s", apart), func(b *testing.B) {
			m, err := OpenImport(b.TempDir(), Options{})
			require.NoError(b, err)
			at := time.UnixMicro(1_700_000_000_000_000)
			payload := make([]byte, 256)
			for i := 0; b.Loop(); i++ {
				at = at.Add(apart)
				e := engine.Event{Position: engine.Position(i), Stream: fmt.Sprintf("order-%d", i/5), ID: uuid.New(),
					Type: "t", RecordedAt: at, Payload: payload}
				if err := m.Add(b.Context(), e); err != nil {
					b.Fatal(err)
				}
			}
			_, err = m.Finish(b.Context())
			require.NoError(b, err)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
