package enginetest

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
)

var directions = []engine.Direction{engine.Forwards, engine.Backwards}

func (r *run) readAll() {
	events := r.fill(30)
	index := r.store.ReadIndex()
	for from := engine.Position(-2); from < 33; from++ {
		for _, dir := range directions {
			want := directed(events, dir, func(e *engine.Event) int { return cmp.Compare(e.Position, from) })
			assert.Equal(r, want, r.drain(index.ReadAll(r.ctx, from, dir)), "from %d, direction %d", from, dir)
		}
	}
	c := index.ReadAll(r.ctx, 3, engine.Forwards)
	require.True(r, c.Next())
	assert.Equal(r, engine.Position(3), c.Event().Position)
	require.NoError(r, c.Close())
	assert.NoError(r, c.Close(), "closing twice")
	assert.NoError(r, c.Err())
}

func (r *run) readStream() {
	events := r.fill(30)
	index := r.store.ReadIndex()
	for _, stream := range []string{"a", "b", "c"} {
		var of []engine.Event
		for _, e := range events {
			if e.Stream == stream {
				of = append(of, e)
			}
		}
		v, ok, err := index.StreamVersion(stream)
		require.NoError(r, err)
		assert.True(r, ok)
		assert.Equal(r, of[len(of)-1].Version, v)
		for from := engine.Version(-2); from < 12; from++ {
			for _, dir := range directions {
				want := directed(of, dir, func(e *engine.Event) int { return cmp.Compare(e.Version, from) })
				assert.Equal(r, want, r.drain(index.ReadStream(r.ctx, stream, from, dir)), "%s from %d, direction %d",
					stream, from, dir)
			}
		}
	}
	for _, stream := range []string{"d", "", "aa", "A"} {
		for _, dir := range directions {
			_, err := drain(index.ReadStream(r.ctx, stream, 0, dir))
			var notFound *engine.StreamNotFoundError
			require.ErrorAs(r, err, &notFound)
			assert.Equal(r, stream, notFound.Stream)
		}
		v, ok, err := index.StreamVersion(stream)
		require.NoError(r, err)
		assert.False(r, ok)
		assert.Equal(r, engine.NoVersion, v)
	}
}

// scan tries many filters against the plain meaning of each.
func (r *run) scan() {
	events := r.fill(60)
	index := r.store.ReadIndex()
	random := rand.New(rand.NewPCG(1, 2))
	var tried TriedFilters
	for range 400 {
		f := filterOf(random, events)
		tried.Add(f)
		want := (&modelView{events: events}).selected(f)
		got, err := eventsOf(index.Scan(r.ctx, f, engine.ColAll))
		require.NoError(r, err, "%+v", f)
		n, err := index.Count(r.ctx, f)
		require.NoError(r, err)
		require.Equal(r, int64(len(want)), n, "count of %+v", f)
		if f.Limit > 0 && len(got) >= f.Limit {
			want = want[:min(len(got), len(want))]
		}
		require.Equal(r, want, got, "%+v", f)
	}
	require.Empty(r, tried.Missing(), "fields of filters that nothing tries")
}

// filterOf makes a filter for the 60 events of fill.
func filterOf(random *rand.Rand, events []engine.Event) (f engine.Filter) {
	some := func(n int) bool { return random.IntN(n) == 0 }
	if some(3) {
		f.From = engine.Position(random.IntN(70) - 3)
	}
	if some(3) {
		f.To = engine.Position(random.IntN(70))
	}
	if some(4) {
		f.Since = events[random.IntN(60)].RecordedAt
	}
	if some(4) {
		f.Before = events[random.IntN(60)].RecordedAt.Add(time.Duration(random.IntN(2)) * time.Microsecond)
	}
	if some(4) {
		f.MinVersion = engine.Version(random.IntN(22))
	}
	if some(4) {
		f.MaxVersion, f.HasMaxVersion = engine.Version(random.IntN(22)), true
	}
	if some(5) {
		f.Prefix = []string{"a", "b", "ab", "z"}[random.IntN(4)]
	}
	if some(5) {
		f.IDs = []uuid.UUID{events[random.IntN(60)].ID, uuid.New(), events[random.IntN(60)].ID}[:random.IntN(4)]
	}
	names := namesOf(random, 3)
	f.Streams, f.Types, f.Tags = names.Streams, names.Types, names.Tags
	if some(5) {
		f.Any = []engine.Alternative{}
		for range random.IntN(4) {
			f.Any = append(f.Any, namesOf(random, 2))
		}
	}
	if some(2) {
		f.Direction = engine.Backwards
	}
	if some(8) {
		f.Limit = 1 + random.IntN(5)
	}
	return f
}

// namesOf makes conditions on names for the events of fill, each once in n times.
func namesOf(random *rand.Rand, n int) (a engine.Alternative) {
	some := func() bool { return random.IntN(n) == 0 }
	if some() {
		a.Streams = [][]string{{}, {"a"}, {"a", "c"}, {"d"}, {"d", "b"}, {"b", "b"}}[random.IntN(6)]
	}
	if some() {
		a.Types = [][]string{{}, {"x"}, {"y", "x"}, {"z"}}[random.IntN(4)]
	}
	if some() {
		a.Tags = [][]string{{}, {"five"}, {"six"}, {"five", "six"}}[random.IntN(4)]
	}
	return a
}

// eventsOf reads batches with all columns to the end, and closes the cursor.
func eventsOf(c engine.BatchCursor) ([]engine.Event, error) {
	defer c.Close()
	var events []engine.Event
	for b := c.Next(); b != nil; b = c.Next() {
		if b.Len == 0 {
			return events, errors.New("a batch is empty")
		}
		for i := range b.Len {
			e := b.Event(i)
			e.Tags = slices.Clone(e.Tags)
			events = append(events, e)
		}
	}
	if err := c.Err(); err != nil {
		return events, err
	}
	return events, c.Close()
}

func (r *run) batches() {
	const total, each = 3000, 1000 // some stores take no more in one append
	var events []engine.NewEvent
	for range each {
		events = append(events, event("t"))
	}
	for range total / each {
		r.must(engine.Append{Stream: "s", Events: events})
	}
	for _, dir := range directions {
		c := r.store.ReadIndex().Scan(r.ctx, engine.Filter{Direction: dir}, engine.ColPayload)
		var kept [][]byte
		var positions []engine.Position
		for b := c.Next(); b != nil; b = c.Next() {
			assert.LessOrEqual(r, b.Len, 1024)
			assert.Len(r, b.Positions, b.Len)
			kept = append(kept, b.Payloads...)
			positions = append(positions, b.Positions...)
		}
		require.NoError(r, c.Err())
		assert.Nil(r, c.Next(), "after the end")
		require.NoError(r, c.Close())
		require.Len(r, positions, total)
		if dir == engine.Backwards {
			slices.Reverse(positions)
		}
		for i, p := range positions {
			require.Equal(r, engine.Position(i), p)
		}
		for _, p := range kept {
			require.Equal(r, `{"type":"t"}`, string(p), "what batches hold stays")
		}
	}
	c := r.store.ReadIndex().Scan(r.ctx, engine.Filter{}, engine.ColAll)
	require.NotNil(r, c.Next())
	require.NoError(r, c.Close())
	assert.NoError(r, c.Close(), "closing early, and twice")
	assert.Equal(r, total, len(r.all()))
}

func (r *run) columns() {
	r.fill(3)
	columns := map[engine.ColumnSet]func(b *engine.Batch) int{
		engine.ColStream:   func(b *engine.Batch) int { return len(b.Streams) },
		engine.ColVersion:  func(b *engine.Batch) int { return len(b.Versions) },
		engine.ColID:       func(b *engine.Batch) int { return len(b.IDs) },
		engine.ColType:     func(b *engine.Batch) int { return len(b.Types) },
		engine.ColPayload:  func(b *engine.Batch) int { return len(b.Payloads) + len(b.JSON) - b.Len },
		engine.ColMetadata: func(b *engine.Batch) int { return len(b.Metadata) },
		engine.ColTags:     func(b *engine.Batch) int { return len(b.Tags) },
		engine.ColTime:     func(b *engine.Batch) int { return len(b.Times) },
		engine.ColRedacted: func(b *engine.Batch) int { return len(b.Redacted) },
	}
	for asked := range columns {
		c := r.store.ReadIndex().Scan(r.ctx, engine.Filter{Types: []string{"x"}}, asked)
		b := c.Next()
		require.NotNil(r, b)
		assert.Equal(r, []engine.Position{0, 2}, b.Positions)
		for column, length := range columns {
			if column == asked {
				assert.Equal(r, b.Len, length(b), "column %b", column)
			} else if column != engine.ColPayload {
				assert.Zero(r, length(b), "column %b when %b was asked for", column, asked)
			} else {
				assert.Empty(r, b.Payloads, "payloads when %b was asked for", asked)
			}
		}
		require.NoError(r, c.Close())
	}
}

func (r *run) streams() {
	names := []string{"b", "a", "a-2", "a-10", "ä", "a-2x", "B"}
	for i, name := range names {
		r.must(one(name, "t"))
		if i%2 == 0 {
			r.must(one(name, "t"), one(name, "t"))
		}
	}
	index := r.store.ReadIndex()
	for _, prefix := range []string{"", "a", "a-", "a-2", "a-2x", "z", "\xc3"} {
		c := index.Streams(r.ctx, prefix)
		want, err := infos((&modelView{NewModel(), r.all()}).Streams(r.ctx, prefix))
		require.NoError(r, err)
		got, err := infos(c)
		require.NoError(r, err)
		assert.Equal(r, want, got, "prefix %q", prefix)
		assert.True(r, slices.IsSortedFunc(got, func(a, b engine.StreamInfo) int {
			return strings.Compare(a.Stream, b.Stream)
		}))
	}
	got, err := infos(index.Streams(r.ctx, ""))
	require.NoError(r, err)
	assert.Len(r, got, len(names))
	assert.Equal(r, int64(3), got[len(got)-2].Events)
}

// infos reads a StreamCursor to its end and closes it.
func infos(c engine.StreamCursor) ([]engine.StreamInfo, error) {
	var list []engine.StreamInfo
	for c.Next() {
		list = append(list, c.Stream())
	}
	if err := c.Err(); err != nil {
		return list, err
	}
	return list, c.Close()
}

func (r *run) types() {
	r.fill(7)
	r.must(one("s", "a"))
	got, err := r.store.ReadIndex().Types(r.ctx)
	require.NoError(r, err)
	assert.Equal(r, []engine.TypeInfo{
		{Type: "a", Events: 1, FirstPosition: 7, LastPosition: 7},
		{Type: "x", Events: 4, FirstPosition: 0, LastPosition: 6},
		{Type: "y", Events: 3, FirstPosition: 1, LastPosition: 5},
	}, got)
}

func (r *run) indexStays() {
	empty := r.store.ReadIndex()
	events := r.fill(9)
	index := r.store.ReadIndex()
	cursor := index.ReadAll(r.ctx, 0, engine.Forwards)
	require.True(r, cursor.Next())
	r.fill(9)
	r.must(one("new", "new"))
	assert.Empty(r, r.drain(empty.ReadAll(r.ctx, 0, engine.Forwards)))
	assert.Len(r, r.drain(cursor), 8, "a cursor does not see what comes later")
	r.sees(index, events)
}

func (r *run) at() {
	events := r.fill(20)
	index := r.store.ReadIndex()
	for h := range engine.Position(21) {
		r.sees(index.At(h), events[:h])
		r.sees(index.At(max(h, 10)).At(h), events[:h])
	}
	assert.Panics(r, func() { index.At(-1) })
	assert.Panics(r, func() { index.At(21) })
}

// sees checks that an index sees exactly these events, whatever is asked.
func (r *run) sees(index engine.ReadIndex, events []engine.Event) {
	r.Helper()
	model := &modelView{NewModel(), events}
	assert.Equal(r, model.Head(), index.Head())
	assert.Equal(r, events, append([]engine.Event{}, r.drain(index.ReadAll(r.ctx, 0, engine.Forwards))...))
	for _, stream := range []string{"a", "b", "c", "new"} {
		want, wantOK, _ := model.StreamVersion(stream)
		got, ok, err := index.StreamVersion(stream)
		assert.NoError(r, err)
		assert.Equal(r, want, got)
		assert.Equal(r, wantOK, ok)
		wantEvents, wantErr := drain(model.ReadStream(r.ctx, stream, 1<<40, engine.Backwards))
		gotEvents, err := drain(index.ReadStream(r.ctx, stream, 1<<40, engine.Backwards))
		assert.Equal(r, wantErr, err)
		assert.Equal(r, wantEvents, gotEvents)
	}
	for _, f := range []engine.Filter{{}, {Types: []string{"x"}}, {Tags: []string{"five"}}, {Prefix: "b"},
		{Types: []string{"new"}}} {
		want, _ := model.Count(r.ctx, f)
		got, err := index.Count(r.ctx, f)
		assert.NoError(r, err)
		assert.Equal(r, want, got)
	}
	wantStreams, _ := infos(model.Streams(r.ctx, ""))
	gotStreams, err := infos(index.Streams(r.ctx, ""))
	assert.NoError(r, err)
	assert.Equal(r, wantStreams, gotStreams)
	wantTypes, _ := model.Types(r.ctx)
	gotTypes, err := index.Types(r.ctx)
	assert.NoError(r, err)
	assert.Equal(r, len(wantTypes), len(gotTypes))
	for i := range min(len(wantTypes), len(gotTypes)) {
		assert.Equal(r, wantTypes[i], gotTypes[i])
	}
}

func (r *run) time() {
	events := r.fill(50)
	for i := 1; i < len(events); i++ {
		assert.False(r, events[i].RecordedAt.Before(events[i-1].RecordedAt))
	}
}
