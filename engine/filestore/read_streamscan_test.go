package filestore

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
)

// smallStreams makes a log of so many streams of one event each.
func smallStreams(t testing.TB, n int) *handLog {
	l := newHandLog(t, vfs.NewMem())
	for at := 0; at < n; {
		frame := make([]engine.Event, 0, 100)
		for ; at < n && len(frame) < 100; at++ {
			frame = append(frame, engine.Event{Stream: fmt.Sprintf("s-%06d", at), Type: "x", Payload: make([]byte, 100)})
		}
		l.append(frame...)
	}
	return l
}

// A scan of streams reads a record here and a record there: its memory is that of the records.
func TestAScanOfSmallStreamsTakesTheMemoryOfItsEvents(t *testing.T) {
	index := smallStreams(t, 2*batchRows).index()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := index.ScanStreams(bg, engine.Filter{}, engine.ColAll)
	if r, ok := c.(engine.Reuser); ok {
		r.Reuse()
	}
	require.Equal(t, batchRows, c.Next().Len)
	runtime.ReadMemStats(&after)
	require.NoError(t, c.Close())
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20), "bytes for %d events", batchRows)
}

// A countedContext is cancelled when it has been asked so many times.
type countedContext struct {
	context.Context
	left int
}

func (c *countedContext) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// A scan of streams may look at the whole log before it finds an event that passes.
func TestAContextEndsAScanOfStreamsInWhichNothingPasses(t *testing.T) {
	for name, columns := range map[string]engine.ColumnSet{"index": engine.ColVersion, "records": engine.ColPayload} {
		index := smallStreams(t, 5000).index()
		ctx := &countedContext{bg, 6}
		c := index.ScanStreams(ctx, engine.Filter{Types: []string{"none"}}, columns)
		assert.Nil(t, c.Next(), name)
		assert.ErrorIs(t, c.Err(), context.Canceled, name)
		require.NoError(t, c.Close())
	}
}
