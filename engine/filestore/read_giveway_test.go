package filestore

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/require"
)

// turnsGiven counts how often read lets another goroutine run, on one processor.
func turnsGiven(read func()) (n int) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var stop atomic.Bool
	var other sync.WaitGroup
	other.Go(func() { // ends when stop is set; the caller waits for it
		for ; !stop.Load(); n++ {
			runtime.Gosched()
		}
	})
	read()
	stop.Store(true)
	other.Wait()
	return n
}

// TestReadersGiveWayWhileAnAppendIsUnderWay holds that every kind of reader lets others have its
// processor when it begins and every few hundred events, in small batches, while somebody appends,
// and that what an append itself reads does not.
func TestReadersGiveWayWhileAnAppendIsUnderWay(t *testing.T) {
	const n = 4_000
	l := costLog(t, n/2)
	stream := newHandLog(t, vfs.NewMem())
	for range n / 100 {
		events := make([]engine.Event, 100)
		for i := range events {
			events[i] = engine.Event{Stream: "s", Type: "t"}
		}
		stream.append(events...)
	}
	batches := func(index *readIndex, f engine.Filter) (rows, most int) {
		c := index.Scan(bg, f, engine.ColPayload)
		defer c.Close()
		for b := c.Next(); b != nil; b = c.Next() {
			rows, most = rows+b.Len, max(most, b.Len)
		}
		require.NoError(t, c.Err())
		return rows, most
	}
	index, streamIndex := l.index(), stream.index()
	most := 0
	for _, tt := range []struct {
		name  string
		read  func()
		times int // that it gives way at least
	}{
		{"a scan", func() { _, most = batches(index, engine.Filter{}) }, n / yieldEvents},
		// it looks at all of them
		{"a scan of a type", func() { batches(index, engine.Filter{Types: []string{"type-1"}}) }, n / yieldEvents},
		{"all events", func() { readCursor(t, index.ReadAll(bg, 0, engine.Forwards)) }, n / yieldEvents},
		{"a stream", func() { readCursor(t, streamIndex.ReadStream(bg, "s", 0, engine.Forwards)) }, n / yieldEvents},
		{"a stream, backwards", func() {
			readCursor(t, streamIndex.ReadStream(bg, "s", n, engine.Backwards))
		}, n / yieldEvents},
		{"a list of streams", func() { listStreams(t, index.Streams(bg, "")) }, n / 10 / yieldEvents},
		{"one event", func() { batches(index, engine.Filter{From: 5, To: 6}) }, 1},
	} {
		index.shared.appends.Store(1)
		streamIndex.shared.appends.Store(1)
		// Some of the turns are taken by goroutines of the runtime.
		require.GreaterOrEqual(t, turnsGiven(tt.read), tt.times*turns/2, tt.name)
	}
	require.Equal(t, yieldEvents, most, "events of a batch")
	busy := turnsGiven(func() { _, most = batches(index.forAppend(), engine.Filter{}) })
	require.Less(t, busy, turns, "what an append reads gives way to nobody")
	require.Equal(t, batchRows, most)
	index.shared.appends.Store(0)
	require.Less(t, turnsGiven(func() { batches(index, engine.Filter{}) }), turns, "while nobody appends")
}

// TestAppendsUnderWayAreCounted holds that the count is back at zero after appends that succeed,
// fail, and are refused.
func TestAppendsUnderWayAreCounted(t *testing.T) {
	s := openStore(t, "s", Options{FS: vfs.NewMem()})
	counted := int32(-1)
	_, err := s.Append(bg, engine.Append{Stream: "a", Events: []engine.NewEvent{{Type: "t"}}})
	require.NoError(t, err)
	_, err = s.Append(bg,
		engine.Append{Stream: "a", Events: []engine.NewEvent{{Type: "t"}},
			Expect: []engine.Expectation{&engine.Condition{After: engine.NoPosition,
				Match: func(*engine.Batch, int) (bool, error) {
					counted = s.shared.appends.Load()
					return false,
						nil
				}}}})
	require.NoError(t, err)
	require.EqualValues(t, 1, counted)
	_, err = s.Append(bg, engine.Append{
		Stream: "a",
		Events: []engine.NewEvent{{Type: "t"}},
		Expect: []engine.Expectation{engine.NoStream},
	})
	require.Error(t, err)
	_, err = s.Append(bg, engine.Append{Stream: "$no", Events: []engine.NewEvent{{Type: "t"}}})
	require.Error(t, err)
	require.Zero(t, s.shared.appends.Load())
}
