package filestore

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// countOps returns a fail of a faultFS that fails nothing and notes what is done.
func countOps(done *[]string) func(op, name string) error {
	return func(op, name string) error {
		*done = append(*done, op+" "+name)
		return nil
	}
}

// TestAProcessThatAppendsOnceSyncsWhatThePromiseNeeds, and nothing else: TAIL, before the log is
// written to, or a crash would leave it saying that the log was closed; the directory, in which the
// files may have come to lie a moment ago; the event; and TAIL once more, so that damage of the last
// event is told from the rest of a write. However full the segment is, nobody lays the next one.
func TestAProcessThatAppendsOnceSyncsWhatThePromiseNeeds(t *testing.T) {
	const capacity = 1 << 20
	fsys := &faultFS{FS: vfs.NewMem()}
	o := Options{FS: fsys, SegmentSize: capacity}
	payload := strings.Repeat("x", capacity/16)
	for sixteenths := 1; sixteenths < 14; sixteenths++ {
		s := openStore(t, "store", o)
		mustAppend(t, s, "s", engine.Any, one(payload)...)
		require.NoError(t, s.Close())

		var done []string
		fsys.set(countOps(&done))
		s = openStore(t, "store", o)
		mustAppend(t, s, "s", engine.Any, one("1")...)
		require.NoError(t, s.Close())
		fsys.set(nil)
		syncs := slices.DeleteFunc(slices.Clone(done), func(op string) bool { return !strings.Contains(op, "sync") })
		assert.Equal(t, []string{
			"fdatasync TAIL", "syncdir store", "fdatasync 000000000001.log", "fdatasync TAIL",
		}, slices.Compact(syncs), "%d sixteenths", sixteenths) // whoever is slow between the two syncs TAIL once more
		for _, op := range done {
			assert.NotContains(t, op, nextTemp, "%d sixteenths", sixteenths)
		}
	}
}

// TestAStoreOpenedLateLaysTheNextSegmentInTime: also who opens a segment that is nearly full has the
// next one made when it is needed, in step with what is left of this one.
func TestAStoreOpenedLateLaysTheNextSegmentInTime(t *testing.T) {
	const capacity = 4 << 20
	for eighths := 1; eighths < 8; eighths += 3 {
		fsys := &roomFS{FS: vfs.NewMem()}
		o := Options{FS: fsys, SegmentSize: capacity}
		s := openStore(t, "store", o)
		payload := strings.Repeat("x", 50<<10)
		n := 0
		fill := func(upTo int) {
			for ; n*len(payload) < upTo; n++ {
				mustAppend(t, s, "s", engine.Any, one(payload)...)
			}
		}
		fill(capacity * eighths / 8)
		require.NoError(t, s.Close())
		s = openStore(t, "store", o)
		fsys.zeroed.Store(0)
		fill(capacity*eighths/8 + capacity*3/32)
		if eighths > 1 {
			assert.Eventually(t, func() bool { return fsys.zeroed.Load() > 0 }, time.Minute, time.Millisecond, "%d eighths", eighths)
		}
		fill(capacity * 9 / 8)
		require.Equal(t, 2, s.Stats().Segments)
		assert.GreaterOrEqual(t, fsys.zeroed.Load(), int64(capacity), "%d eighths", eighths)
		checkContiguous(t, s, n)
		require.NoError(t, s.Close())
	}
}

// TestManyWhoAppendOneEventReadLittle: who opens the store reads what no index file knows. Of
// hundreds of processes in a row that append one event each, some write that file.
func TestManyWhoAppendOneEventReadLittle(t *testing.T) {
	fsys := vfs.NewMem()
	const many = 300
	worst := uint32(0)
	for i := range many {
		s := openStore(t, "store", Options{FS: fsys})
		if s.log.index != nil {
			worst = max(worst, s.log.index.Count()-s.log.index.Skip)
		}
		mustAppend(t, s, fmt.Sprint("s-", i%7), engine.Any, one("1")...)
		require.NoError(t, s.Close())
	}
	s := openStore(t, "store", Options{FS: fsys})
	checkContiguous(t, s, many)
	assert.Less(t, worst, uint32(many/2))
}
