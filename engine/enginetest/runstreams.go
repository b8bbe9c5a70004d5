package enginetest

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
)

// scanStreams tries many filters of a StreamScanner against what Scan gives, in the other order. A
// store need not be one.
func (r *run) scanStreams() {
	events := r.fill(60)
	index := r.store.ReadIndex()
	scanner, ok := index.(engine.StreamScanner)
	if !ok {
		r.Skip("this store reads no streams one after the other")
	}
	random := rand.New(rand.NewPCG(3, 4))
	scanned := 0
	for range 400 {
		f := filterOf(random, events)
		if random.IntN(2) == 0 {
			f.Streams, f.Tags, f.IDs, f.Any = nil, nil, nil, nil
		}
		want, err := streamwise(index, scanner, r, f, engine.ColAll)
		require.NoError(r, err, "%+v", f)
		scanned += want
		_, err = streamwise(index, scanner, r, f, engine.ColStream|engine.ColVersion|engine.ColType|engine.ColTime)
		require.NoError(r, err, "%+v", f)
		_, err = streamwise(index, scanner, r, f, engine.ColStream)
		require.NoError(r, err, "%+v", f)
	}
	assert.Positive(r, scanned)
	r.streamsWithoutTimes(index)
}

// streamsWithoutTimes compares a list of streams that does without times with one that has them.
func (r *run) streamsWithoutTimes(index engine.ReadIndex) {
	full, bare := index.Streams(r.ctx, ""), index.Streams(r.ctx, "")
	defer full.Close()
	defer bare.Close()
	t, ok := bare.(engine.Timeless)
	if !ok {
		return
	}
	t.WithoutTimes()
	for full.Next() {
		require.True(r, bare.Next())
		want, got := full.Stream(), bare.Stream()
		want.CreatedAt, want.UpdatedAt, got.CreatedAt, got.UpdatedAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
		require.Equal(r, want, got)
	}
	require.False(r, bare.Next())
	require.NoError(r, bare.Err())
}

// streamwise compares both orders and returns how many events there are, 0 for a filter that is not
// scanned by streams.
func streamwise(
	index engine.ReadIndex, scanner engine.StreamScanner, r *run, f engine.Filter, columns engine.ColumnSet,
) (int, error) {
	c := scanner.ScanStreams(r.ctx, f, columns)
	if c == nil {
		return 0, nil
	}
	got, err := columnsOf(c, columns)
	if err != nil {
		return 0, err
	}
	f.Limit, f.Direction = 0, engine.Forwards
	want, err := columnsOf(index.Scan(r.ctx, f, columns), columns)
	slices.SortStableFunc(want, func(a, b engine.Event) int {
		return cmp.Or(strings.Compare(a.Stream, b.Stream), cmp.Compare(a.Position, b.Position))
	})
	require.Equal(r, want, got, "%+v", f)
	return len(got), err
}

// columnsOf is eventsOf for some of the columns.
func columnsOf(c engine.BatchCursor, columns engine.ColumnSet) (events []engine.Event, err error) {
	if columns == engine.ColAll {
		return eventsOf(c)
	}
	defer c.Close()
	for b := c.Next(); b != nil; b = c.Next() {
		for i := range b.Len {
			e := engine.Event{Position: b.Positions[i], Stream: b.Streams[i]}
			if columns&engine.ColVersion != 0 {
				e.Version, e.Type = b.Versions[i], b.Types[i]
				e.RecordedAt = time.UnixMicro(b.Times[i])
			}
			events = append(events, e)
		}
	}
	return events, c.Err()
}
