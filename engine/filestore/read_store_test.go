package filestore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
	"github.com/stretchr/testify/require"
)

// openSmall opens a store in memory whose segments are as small as they can be.
func openSmall(t testing.TB, fsys vfs.FS) *FileStore {
	t.Helper()
	s, err := Open("store", Options{FS: fsys, SegmentSize: format.MinSegmentSize})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// appendRandom appends n events in small appends and returns them as they must be read.
func appendRandom(t testing.TB, s engine.Store, r *rand.Rand, events []engine.Event, n int) []engine.Event {
	t.Helper()
	versions := map[string]engine.Version{}
	for _, e := range events {
		versions[e.Stream] = e.Version + 1
	}
	for len(events) < n {
		var batch []engine.Append
		first := len(events)
		for range 1 + r.IntN(3) {
			e := randomEvent(r, len(events))
			e.ID[6], e.ID[8] = 0x40|e.ID[6]&0x0f, 0x80|e.ID[8]&0x3f
			batch = append(batch, engine.Append{Stream: e.Stream, Events: []engine.NewEvent{
				{ID: e.ID, Type: e.Type, Payload: e.Payload, Metadata: e.Metadata, Tags: slices.Clone(e.Tags)}}})
			e.Position, e.Version = engine.Position(len(events)), versions[e.Stream]
			versions[e.Stream]++
			e.JSON = json.Valid(e.Payload)
			if e.Metadata == nil {
				e.Metadata = []byte("{}")
			}
			events = append(events, e)
		}
		done, err := s.Append(bg, batch...)
		require.NoError(t, err)
		for i := range done.Events {
			require.Equal(t, events[first+i].Position, done.Events[i].Position)
			require.Equal(t, events[first+i].Version, done.Events[i].Version)
			events[first+i].RecordedAt = done.RecordedAt
		}
	}
	return events
}

// waitIndexed waits until all sealed segments have index files.
func waitIndexed(t testing.TB, s *FileStore) {
	t.Helper()
	require.Eventually(t, func() bool { st := s.Stats(); return st.IndexedTo == st.Segments-1 }, time.Minute,
		time.Millisecond)
}

// TestStoreReadsAgreeWithModel reads a store while it grows, from memory indexes and from index
// files, and after opening it again.
func TestStoreReadsAgreeWithModel(t *testing.T) {
	t.Run("memory", func(t *testing.T) { storeReadsAgreeWithModel(t, vfs.NewMem(), 1500) })
	t.Run("disk", func(t *testing.T) { // whose files are mapped
		t.Chdir(t.TempDir())
		storeReadsAgreeWithModel(t, vfs.OS(), 900)
	})
}

func storeReadsAgreeWithModel(t *testing.T, fsys vfs.FS, most int) {
	r := testRand(t)
	s := openSmall(t, fsys)
	var events []engine.Event
	var earlier []engine.ReadIndex
	for _, n := range []int{0, 1, 5, 100, most} {
		events = appendRandom(t, s, r, events, n)
		compareReads(t, r, s.ReadIndex(), events, 40)
		earlier = append(earlier, s.ReadIndex())
	}
	waitIndexed(t, s)
	require.GreaterOrEqual(t, s.Stats().Segments, 4)
	compareReads(t, r, s.ReadIndex(), events, 100)
	for _, index := range earlier { // they do not change
		compareReads(t, r, index, events[:index.Head()], 10)
	}
	for range 5 {
		h := r.IntN(len(events) + 1)
		compareReads(t, r, s.ReadIndex().At(engine.Position(h)), events[:h], 10)
	}
	require.NoError(t, s.Close())
	s = openSmall(t, fsys)
	compareReads(t, r, s.ReadIndex(), events, 100)
	events = appendRandom(t, s, r, events, len(events)+200)
	compareReads(t, r, s.ReadIndex(), events, 50)
}

// TestDamagedIndexFilesMakeReadsSlowNotWrong damages every block of every index file of a closed
// store.
func TestDamagedIndexFilesMakeReadsSlowNotWrong(t *testing.T) {
	r := testRand(t)
	fsys := vfs.NewMem()
	s := openSmall(t, fsys)
	events := appendRandom(t, s, r, nil, 900)
	waitIndexed(t, s)
	require.NoError(t, s.Close())
	names, err := fsys.List("store")
	require.NoError(t, err)
	damaged := 0
	for _, name := range names {
		if filepath.Ext(name) == ".idx" {
			damageBlocks(t, fsys, filepath.Join("store", name), r)
			damaged++
		}
	}
	require.Positive(t, damaged)
	for range 3 {
		s, err := Open("store", Options{FS: fsys, SegmentSize: format.MinSegmentSize, ReadOnly: true})
		require.NoError(t, err)
		compareReads(t, r, s.ReadIndex(), events, 30)
		require.NoError(t, s.Close())
	}
}

// damageBlocks flips a bit in each block of a file but the last, which is its footer.
func damageBlocks(t testing.TB, fsys vfs.FS, name string, r *rand.Rand) {
	f, err := fsys.Open(name, 2)
	require.NoError(t, err)
	defer f.Close()
	size, err := f.Size()
	require.NoError(t, err)
	for off := int64(0); off < size-index.BlockSize; off += index.BlockSize {
		at := off + r.Int64N(index.BlockSize)
		var b [1]byte
		_, err := f.ReadAt(b[:], at)
		require.NoError(t, err)
		b[0] ^= 1 << r.IntN(8)
		_, err = f.WriteAt(b[:], at)
		require.NoError(t, err)
	}
}

// TestReadersBesideAWriter lets readers of every kind run while events are appended and segments
// sealed and indexed. Each sees an unbroken log that only grows.
func TestReadersBesideAWriter(t *testing.T) {
	s := openSmall(t, vfs.NewMem())
	const events = 3000
	var stop atomic.Bool
	var wg sync.WaitGroup
	seed, readers := testenv.Seed(t), uint64(0)
	reader := func(read func(index engine.ReadIndex, r *rand.Rand) error) {
		readers++
		r := rand.New(rand.NewPCG(seed, readers))
		wg.Go(func() { // ends when the writer has stopped
			last := engine.Position(0)
			for !stop.Load() {
				index := s.ReadIndex()
				if index.Head() < last {
					t.Errorf("the head went from %d to %d", last, index.Head())
				}
				last = index.Head()
				if err := read(index, r); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	stream := func(p engine.Position) string { return fmt.Sprintf("s-%d", p%7) }
	reader(func(index engine.ReadIndex, r *rand.Rand) error {
		from := engine.Position(r.Int64N(int64(index.Head()) + 1))
		c := index.ReadAll(bg, from, engine.Forwards)
		for ; c.Next(); from++ {
			if e := c.Event(); e.Position != from || e.Stream != stream(from) || string(e.Payload) != fmt.Sprint(from) {
				return fmt.Errorf("at %d: %+v", from, e)
			}
		}
		if c.Err() == nil && from != index.Head() {
			return fmt.Errorf("ended at %d of %d", from, index.Head())
		}
		return c.Err()
	})
	reader(func(index engine.ReadIndex, _ *rand.Rand) error {
		p := index.Head() - 1
		c := index.ReadAll(bg, p, engine.Backwards)
		for ; p >= 0 && p > index.Head()-50 && c.Next(); p-- {
			if e := c.Event(); e.Position != p || e.Stream != stream(p) {
				return fmt.Errorf("at %d: %+v", p, e)
			}
		}
		return c.Err()
	})
	reader(func(index engine.ReadIndex, r *rand.Rand) error {
		name := stream(engine.Position(r.IntN(7)))
		want, ok, err := index.StreamVersion(name)
		if err != nil || !ok {
			return err
		}
		c := index.ReadStream(bg, name, 0, engine.Forwards)
		n := engine.Version(0)
		for ; c.Next(); n++ {
			if c.Event().Version != n {
				return fmt.Errorf("version %d, want %d", c.Event().Version, n)
			}
		}
		if c.Err() == nil && n != want+1 {
			return fmt.Errorf("%d events, version %d", n, want)
		}
		return c.Err()
	})
	reader(func(index engine.ReadIndex, r *rand.Rand) error {
		f := engine.Filter{Types: []string{"odd"}, From: engine.Position(r.Int64N(int64(index.Head()) + 1))}
		n, err := index.Count(bg, f)
		if want := int64(index.Head()/2 - f.From/2); err == nil && n != want {
			return fmt.Errorf("%d odd from %d below %d", n, f.From, index.Head())
		}
		return err
	})
	reader(func(index engine.ReadIndex, _ *rand.Rand) error {
		total := int64(0)
		c := index.Streams(bg, "")
		for c.Next() {
			total += c.Stream().Events
		}
		if c.Err() == nil && total != int64(index.Head()) {
			return fmt.Errorf("the streams have %d events of %d", total, index.Head())
		}
		return errors.Join(c.Err(), c.Close())
	})
	for p := engine.Position(0); p < events; p++ {
		_, err := s.Append(bg, engine.Append{Stream: stream(p), Events: []engine.NewEvent{
			{Type: []string{"even", "odd"}[p%2], Payload: []byte(fmt.Sprint(p)), Tags: []string{"t"}}}})
		require.NoError(t, err)
	}
	stop.Store(true)
	wg.Wait()
	require.GreaterOrEqual(t, s.Stats().Segments, 4)
}

func TestReadsEndWithContextAndStore(t *testing.T) {
	r := testRand(t)
	s := openSmall(t, vfs.NewMem())
	events := appendRandom(t, s, r, nil, 2000)
	index := s.ReadIndex()
	reads := func(ctx context.Context, want error) {
		t.Helper()
		for _, c := range []engine.Cursor{index.ReadAll(ctx, 0, engine.Forwards),
			index.ReadStream(ctx, "x", 0, engine.Forwards)} {
			require.False(t, c.Next())
			require.Equal(t, want, c.Err())
			require.NoError(t, c.Close())
		}
		b := index.Scan(ctx, engine.Filter{}, engine.ColAll)
		require.Nil(t, b.Next())
		require.Equal(t, want, b.Err())
		l := index.Streams(ctx, "")
		require.False(t, l.Next())
		require.Equal(t, want, l.Err())
		_, err := index.Count(ctx, engine.Filter{})
		require.Equal(t, want, err)
		_, err = index.Types(ctx)
		require.Equal(t, want, err)
	}
	ctx, cancel := context.WithCancel(bg)
	all, stream, batches, list := index.ReadAll(ctx, 0, engine.Forwards),
		index.ReadStream(ctx, "account-1", 0, engine.Backwards),
		index.Scan(ctx, engine.Filter{}, engine.ColAll), index.Streams(ctx, "")
	require.True(t, all.Next())
	require.True(t, stream.Next())
	require.NotNil(t, batches.Next())
	require.True(t, list.Next())
	cancel()
	n := 1
	for all.Next() {
		n++
	}
	require.Less(t, n, len(events))
	require.Equal(t, context.Canceled, all.Err())
	require.Nil(t, batches.Next())
	require.Equal(t, context.Canceled, batches.Err())
	reads(ctx, context.Canceled)

	all = index.ReadAll(bg, 0, engine.Forwards)
	require.True(t, all.Next())
	require.NoError(t, s.Close())
	reads(bg, engine.ErrClosed)
	_, _, err := index.StreamVersion("x")
	require.Equal(t, engine.ErrClosed, err)
	for all.Next() {
	}
	require.Equal(t, engine.ErrClosed, all.Err())
	require.Equal(t, engine.Position(len(events)), index.Head())
}

// TestSubscriptionMissesNothingAndRepeatsNothing subscribes while others append.
func TestSubscriptionMissesNothingAndRepeatsNothing(t *testing.T) {
	s := openSmall(t, vfs.NewMem())
	const before, after = 500, 1500
	put := func(p int) {
		_, err := s.Append(bg, engine.Append{
			Stream: fmt.Sprintf("s-%d", p%5),
			Events: []engine.NewEvent{{Type: []string{"even", "odd"}[p%2]}},
		})
		require.NoError(t, err)
	}
	for p := range before {
		put(p)
	}
	var wg sync.WaitGroup
	for _, what := range []engine.Filter{{}, {Types: []string{"odd"}}, {From: 700}, {To: 1200}, {To: 100},
		{From: 1990, Streams: []string{"s-1"}},
		{Direction: engine.Backwards, Limit: 3}} {
		wg.Go(func() { // ends when everything has been read
			checkSubscription(t, s, what, before, before+after)
		})
	}
	for p := range after {
		put(before + p)
	}
	wg.Wait()
}

// checkSubscription reads a subscription until it has given what it has to give of the events below
// head.
func checkSubscription(t *testing.T, s engine.Store, what engine.Filter, before, head engine.Position) {
	ctx, cancel := context.WithTimeout(bg, 2*time.Minute)
	defer cancel()
	ordinary := what
	ordinary.Direction, ordinary.Limit = engine.Forwards, 0
	next := what.From
	caughtUp := 0
	sub := engine.Subscribe(ctx, s, what, engine.ColType|engine.ColStream)
	defer sub.Close()
	for next < head {
		b, err := sub.Next()
		if err == io.EOF && what.To > 0 && next >= what.To && caughtUp == 1 {
			return
		}
		if err != nil {
			t.Errorf("%+v at %d: %v", what, next, err)
			return
		}
		if b == nil {
			if caughtUp++; caughtUp > 1 || next < min(before, head) && what.From < before && what.To == 0 &&
				what.Types == nil && what.Streams == nil {
				t.Errorf("%+v: caught up at %d, time %d", what, next, caughtUp)
			}
			continue
		}
		for i := range b.Len {
			p := b.Positions[i]
			for ; next < p; next++ { // what was left out
				if passes(&engine.Event{Position: next, Type: []string{"even", "odd"}[next%2],
					Stream: fmt.Sprintf("s-%d", next%5)}, &ordinary) {
					t.Errorf("%+v: %d is missing", what, next)
				}
			}
			if p != next || !passes(&engine.Event{Position: p, Type: b.Types[i], Stream: b.Streams[i]}, &ordinary) {
				t.Errorf("%+v: got %d, expected %d", what, p, next)
			}
			next++
		}
		if next >= head-5 && what.Types != nil || next >= head-5 && what.Streams != nil {
			next = head // the last ones do not pass
		}
	}
	if caughtUp > 1 {
		t.Errorf("caught up %d times", caughtUp)
	}
}

func TestSubscriptionEndsWithContextAndStore(t *testing.T) {
	s := openSmall(t, vfs.NewMem())
	ctx, cancel := context.WithCancel(bg)
	waiting := engine.Subscribe(ctx, s, engine.Filter{}, engine.ColAll)
	b, err := waiting.Next()
	require.NoError(t, err)
	require.Nil(t, b, "an empty store is caught up with at once")
	ended := make(chan error)
	go func() { // ends with ctx
		_, err := waiting.Next()
		ended <- err
	}()
	cancel()
	require.Equal(t, context.Canceled, <-ended)
	_, err = waiting.Next()
	require.Equal(t, context.Canceled, err)

	waiting = engine.Subscribe(bg, s, engine.Filter{}, engine.ColAll)
	_, err = waiting.Next()
	require.NoError(t, err)
	go func() { // ends with the store
		_, err := waiting.Next()
		ended <- err
	}()
	require.NoError(t, s.Close())
	require.Equal(t, engine.ErrClosed, <-ended)
	require.NoError(t, waiting.Close())
	require.NoError(t, waiting.Close())
}

// TestStreamsAreFoundThroughRuns reads streams of a store whose segments' indexes have been merged.
func TestStreamsAreFoundThroughRuns(t *testing.T) {
	r := testRand(t)
	s := openSmall(t, vfs.NewMem())
	s.indexer.maxUnmerged = 1
	var events []engine.Event
	for s.Stats().Segments < 20 {
		n := len(events)
		name := fmt.Sprintf("few-%d", n/9)
		if n%4 == 0 {
			name = fmt.Sprintf("many-%d", r.IntN(3))
		}
		e := engine.Event{
			Stream:   name,
			Type:     "T",
			Payload:  make([]byte, 3000),
			Metadata: []byte("{}"),
			Position: engine.Position(n),
		}
		done, err := s.Append(bg, engine.Append{
			Stream: name,
			Events: []engine.NewEvent{{Type: e.Type, Payload: e.Payload}},
		})
		require.NoError(t, err)
		e.ID, e.Version, e.RecordedAt = done.Events[0].ID, done.Events[0].Version, done.RecordedAt
		events = append(events, e)
	}
	waitIndexed(t, s)
	require.Eventually(t, func() bool { return len(s.indexer.runList()) > 0 }, time.Minute, time.Millisecond)
	for _, index := range []engine.ReadIndex{s.ReadIndex(), s.ReadIndex().At(engine.Position(len(events) / 2)),
		s.ReadIndex().At(engine.Position(len(events) - 30))} {
		seen := events[:index.Head()]
		names := map[string]bool{"nobody": true}
		for _, e := range seen {
			names[e.Stream] = true
		}
		for name := range names {
			for _, dir := range []engine.Direction{engine.Forwards, engine.Backwards} {
				f := engine.Filter{Streams: []string{name}, Direction: dir}
				want := selected(seen, &f)
				c := index.ReadStream(bg, name, engine.Version(dir)*1000, dir)
				if len(want) == 0 {
					require.False(t, c.Next())
					require.Equal(t, &engine.StreamNotFoundError{Stream: name}, c.Err())
					continue
				}
				sameEvents(t, want, readCursor(t, c), name)
			}
		}
	}
}
