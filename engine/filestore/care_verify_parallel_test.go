package filestore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/require"
)

// TestVerifySideBySideSaysTheSame compares Verify with one segment behind the other, of a store that
// is whole, and of many in which one byte is another one: of any file that is part of it.
func TestVerifySideBySideSaysTheSame(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4)) // also where there is one processor
	r := testRand(t)
	fsys := vfs.NewMem()
	s, err := Open("store", Options{FS: fsys, SegmentSize: MinSegmentSize})
	require.NoError(t, err)
	var events []engine.Event
	for s.Stats().Segments < 6 {
		events = appendRandom(t, s, r, events, len(events)+200)
	}
	settleIndexes(t, s)
	require.NoError(t, s.Close())
	names, err := fsys.List("store")
	require.NoError(t, err)

	differed, failed := 0, 0
	for n := range rounds(40) {
		restore := func() {}
		if n > 0 {
			restore = flipByte(t, fsys, vfs.Join("store", names[r.IntN(len(names))]), r.Int64())
		}
		open := func() (*FileStore, error) { return Open("store", Options{FS: fsys, ReadOnly: true}) }
		var reports [2]engine.VerifyReport
		var errs [2]error
		for i := range reports {
			s, err := open()
			if err != nil { // which is not Verify's affair
				errs[i] = err
				continue
			}
			if i == 0 {
				reports[i], errs[i] = s.Verify(bg)
			} else {
				reports[i], errs[i] = s.verifyInOrder(bg)
			}
			require.NoError(t, s.Close())
		}
		require.Equal(t, reports[1], reports[0])
		require.Equal(t, errs[1], errs[0])
		if len(reports[0].BadIndexes) > 0 {
			differed++
		}
		var corrupt *engine.CorruptError
		if errors.As(errs[0], &corrupt) {
			failed++
		}
		restore()
	}
	require.Positive(t, failed)
	t.Logf("%d stores were damaged, %d had other files that were", failed, differed)
}

// flipByte changes a byte of a file, if it has any, and returns what changes it back.
func flipByte(t *testing.T, fsys vfs.FS, name string, at int64) (restore func()) {
	f, err := fsys.Open(name, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}
	}
	require.NoError(t, err)
	size, err := f.Size()
	require.NoError(t, err)
	if size == 0 {
		require.NoError(t, f.Close())
		return func() {}
	}
	flip := func() {
		var b [1]byte
		_, err := f.ReadAt(b[:], at%size)
		require.NoError(t, err)
		b[0] ^= 0x10
		_, err = f.WriteAt(b[:], at%size)
		require.NoError(t, err)
	}
	flip()
	return func() {
		flip()
		require.NoError(t, f.Close())
	}
}

// verifyInOrder is Verify with one segment behind the other.
func (s *FileStore) verifyInOrder(ctx context.Context) (engine.VerifyReport, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	return s.Verify(ctx)
}

func TestVerifyTellsHowFarItIs(t *testing.T) {
	s := openSmall(t, vfs.NewMem())
	var events []engine.Event
	r := testRand(t)
	for s.Stats().Segments < 3 {
		events = appendRandom(t, s, r, events, len(events)+200)
	}
	require.Zero(t, s.Stats().ToVerify)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that the context itself is asked
	ctx := &countingContext{Context: bg, at: func() {
		stats := s.Stats()
		require.Positive(t, stats.ToVerify)
		require.LessOrEqual(t, stats.Verified, stats.ToVerify)
	}}
	report, err := s.Verify(ctx)
	require.NoError(t, err)
	require.Positive(t, report.Bytes)
	require.Zero(t, s.Stats().ToVerify)
	require.Zero(t, s.Stats().Verified)
}

// TestVerifyCountsAByteOnceAlsoIfItChecksItAgain has segments checked again, because the index of the
// first one is bad, or because one of them is.
func TestVerifyCountsAByteOnceAlsoIfItChecksItAgain(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	r := testRand(t)
	fsys := vfs.NewMem()
	s := openSmall(t, fsys)
	var events []engine.Event
	for s.Stats().Segments < 5 {
		events = appendRandom(t, s, r, events, len(events)+200)
	}
	settleIndexes(t, s)
	defer s.verifying.begin(0)() // so that what was counted can still be asked for
	segments := s.view.Load().segments

	restore := flipByte(t, fsys, segments[0].indexName(), 300)
	report, err := s.Verify(bg)
	require.NoError(t, err)
	require.NotEmpty(t, report.BadIndexes)
	require.Equal(t, report.Bytes, s.verifying.done.Load())
	restore()
	s.verifying.done.Store(0)

	defer flipByte(t, fsys, segments[2].name, segments[2].sealed.Load().end/2)()
	report, err = s.Verify(bg)
	var corrupt *engine.CorruptError
	require.ErrorAs(t, err, &corrupt)
	done, all := s.verifying.now()
	require.LessOrEqual(t, done, all)
	require.GreaterOrEqual(t, s.verifying.done.Load(), report.Bytes)
}

// Of the last event only where it begins is known without reading it.
func TestVerifyOfOneLongEventIsNeverMoreThanDone(t *testing.T) {
	s := openSmall(t, vfs.NewMem())
	mustAppend(t, s, "s", engine.Any, engine.NewEvent{Type: "t", Payload: make([]byte, 20_000)})
	asked := 0
	_, err := s.Verify(&countingContext{Context: bg, at: func() {
		asked++
		stats := s.Stats()
		require.LessOrEqual(t, stats.Verified, stats.ToVerify)
	}})
	require.NoError(t, err)
	require.Positive(t, asked)
}

// A countingContext calls at whenever somebody asks whether it has ended.
type countingContext struct {
	context.Context
	at func()
}

func (c *countingContext) Err() error {
	c.at()
	return c.Context.Err()
}
