package filestore

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/filestore/internal/index"
	"github.com/eventfold/eventfold/engine/vfs"
)

// TestReadingAheadFindsWhatThePlainScanFinds, in logs of frames of all sizes that are whole, damaged
// anywhere, or followed by a seal, also if it is stopped half way.
func TestReadingAheadFindsWhatThePlainScanFinds(t *testing.T) {
	r := testRand(t)
	fsys := vfs.NewMem()
	s := openStore(t, "store", Options{FS: fsys, SegmentSize: 1 << 20})
	for s.Stats().Segments < 2 {
		payload := make([]byte, 10+r.IntN(1<<r.IntN(17)))
		mustAppend(t, s, "s", engine.Any, one(string(payload))...)
	}
	require.NoError(t, s.Close())
	s = openStore(t, "store", Options{FS: fsys, ReadOnly: true})
	seg, l := s.view.Load().segments[0], &logState{}
	plain, err := newLogScanner(seg, startOf(&seg.header, 0))
	require.NoError(t, err)
	sealed := drainFrames(t, plain, -1)
	require.Greater(t, len(sealed.ends), 20)
	for range rounds(12) {
		restore := func() {}
		if r.IntN(3) > 0 {
			restore = flipByte(t, fsys, seg.name, r.Int64())
		}
		stopAt := -1
		if r.IntN(3) == 0 {
			stopAt = r.IntN(len(sealed.ends))
		}
		plain, err := newLogScanner(seg, startOf(&seg.header, 0))
		require.NoError(t, err)
		want := drainFrames(t, plain, stopAt)
		behind, err := newLogScanner(seg, startOf(&seg.header, 0))
		require.NoError(t, err)
		l.index = index.NewMemory(0, seg.header.Store)
		ahead, stop := l.framesAhead(behind)
		got := drainFrames(t, ahead, stopAt)
		stop()
		require.Equal(t, want.why, got.why)
		require.Equal(t, len(want.ends), len(got.ends))
		require.True(t, slices.Equal(want.ends, got.ends) && bytes.Equal(want.bytes, got.bytes), "other frames")
		restore()
	}
}

// foundFrames is what a frameSource gives.
type foundFrames struct {
	ends  []logEnd
	bytes []byte
	why   error // if there were no more
}

// drainFrames reads frames up to a seal, as many as stopAt unless it is negative.
func drainFrames(t *testing.T, frames frameSource, stopAt int) (found foundFrames) {
	for stopAt < 0 || len(found.ends) < stopAt {
		f, err := frames.next()
		require.NoError(t, err)
		if f == nil {
			found.why = frames.failure()
			return found
		}
		found.ends = append(found.ends, f.end)
		found.bytes = append(found.bytes, f.bytes...)
		if f.Kind == format.FrameSeal {
			return found
		}
	}
	return found
}

// TestAKilledStoreIsReadAheadAndAllOfItFound: a log that is large enough for several goroutines gives
// the events that it has, by their ids and streams too.
func TestAKilledStoreIsReadAheadAndAllOfItFound(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: 16 << 20})
	batch := orders(1000)
	for len(s.view.Load().segments) == 0 || s.writer.log.end.offset < minReadAhead+format.PageSize {
		renameStreams(batch)
		_, err := s.Append(bg, batch...)
		require.NoError(t, err)
	}
	want := eventsOf(t, s)
	img := takeImage(t, fsys)
	require.NoError(t, s.Close())

	killed := openStore(t, imageDir, Options{FS: img.fs(t), SegmentSize: 16 << 20})
	require.Equal(t, want, eventsOf(t, killed))
	m, ok := killed.view.Load().segments[0].memIndex()
	require.True(t, ok)
	for n := 0; n < len(want); n += 97 {
		ords, err := m.Candidates(want[n].ID, m.Count(), nil)
		require.NoError(t, err)
		require.True(t, slices.Contains(ords, uint32(n)), "%d", n)
	}
	_, err := killed.Append(bg, batch[0])
	require.Error(t, err, "the stream is there")
	mustAppend(t, killed, "more", engine.Any, one("1")...)
	_, err = killed.Verify(bg)
	require.NoError(t, err)
}
