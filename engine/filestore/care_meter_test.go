package filestore

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
)

func TestWhatIsDoneOnceMoreIsNotToldTwice(t *testing.T) {
	var told []int64
	ctx := engine.WithProgress(t.Context(), func(p engine.Progress) { told = append(told, p.Done/meterStep) })
	m := newMeter(ctx, 4*meterStep)
	m.add(2*meterStep + 1)
	m.takeBack(2*meterStep + 1)
	m.add(meterStep)
	m.add(meterStep + 1)
	assert.Equal(t, []int64{2}, told)
	m.add(meterStep)
	m.add(meterStep - 1)
	assert.Equal(t, []int64{2, 3, 4}, told)
	(*meter)(nil).takeBack(1)
}

// TestVerifyCountsSegmentsThatItChecksAgainOnce: behind an index that is damaged all segments are
// checked once more, one behind the other.
func TestVerifyCountsSegmentsThatItChecksAgainOnce(t *testing.T) {
	const segment, segments = 2 << 20, 4
	fsys := vfs.NewMem()
	s := openStore(t, "store", Options{FS: fsys, SegmentSize: segment})
	for s.Stats().Segments < segments {
		mustAppend(t, s, "s", engine.Any, one(strings.Repeat("x", 100<<10))...)
	}
	settleIndexes(t, s)
	require.NoError(t, s.Close())
	flipByte(t, fsys, "store/000000000001.idx", 20)

	s = openStore(t, "store", Options{FS: fsys, ReadOnly: true})
	var mu sync.Mutex // protects most and total
	var most, total int64
	report, err := s.Verify(engine.WithProgress(t.Context(), func(p engine.Progress) {
		mu.Lock()
		most, total = max(most, p.Done), p.Total
		mu.Unlock()
	}))
	require.NoError(t, err)
	require.NotEmpty(t, report.BadIndexes)
	assert.LessOrEqual(t, most, total+meterStep)
	assert.Greater(t, most, total-2*meterStep)
}
