package filestore

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// copyFiles copies the files of a directory as they are at this moment, as kill -9 would leave
// them.
func copyFiles(t testing.TB, from, to string) {
	require.NoError(t, os.MkdirAll(to, 0o755))
	entries, err := os.ReadDir(from)
	require.NoError(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, e.Name()), b, 0o644))
	}
}

// Readers that were there first, in the middle of reading and waiting, block nobody: a writer
// recovers the log, appends, rotates, compresses and closes beside them without waiting for
// anything, and they see all of it.
func TestReadersThatWereFirst(t *testing.T) {
	ctx := context.Background()
	crashed, dir := t.TempDir(), filepath.Join(t.TempDir(), "store")
	w := openStore(t, crashed, Options{SegmentSize: testSegmentSize})
	appendNumbered(t, w, 0, 500)
	copyFiles(t, crashed, dir)
	require.NoError(t, os.Remove(filepath.Join(dir, format.TailName))) // so that there is something to recover

	type reader struct {
		s      *FileStore
		cursor engine.Cursor
		waits  chan error
	}
	var readers []reader
	// the second one could write, too, and repairs
	for _, o := range []Options{{ReadOnly: true}, {}, {ReadOnly: true}} {
		s := openStore(t, dir, o)
		c := s.ReadIndex().ReadAll(ctx, 0, engine.Forwards)
		for range 5 {
			require.True(t, c.Next())
		}
		r := reader{s, c, make(chan error, 1)}
		go func() { r.waits <- s.Wait(ctx, 600) }() // ends when so much is there
		readers = append(readers, r)
	}

	for life := range 3 {
		w := openStore(t, dir, Options{SegmentSize: testSegmentSize, BusyTimeout: -1, Compress: CompressZstd})
		appendNumbered(t, w, 500+200*life, 500+200*(life+1))
		require.Eventually(t, func() bool {
			return w.Stats().Compressed == w.Stats().Segments-1
		}, time.Minute, time.Millisecond)
		_, err := w.Verify(ctx)
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	for i, r := range readers {
		require.NoError(t, <-r.waits)
		at := 5
		for ; r.cursor.Next(); at++ {
			require.Equal(t, engine.Position(at), r.cursor.Event().Position)
		}
		require.NoError(t, r.cursor.Err(), "reader %d", i)
		require.GreaterOrEqual(t, at, 499)
		require.NoError(t, r.cursor.Close())
		got, err := payloads(r.s)
		require.NoError(t, err)
		require.Equal(t, numbered(1100), got)
	}
}

// Whatever a process that was killed leaves, the next one to write cleans up, and needs no help.
func TestNothingToCleanUp(t *testing.T) {
	alive, dir := t.TempDir(), filepath.Join(t.TempDir(), "store")
	o := Options{SegmentSize: testSegmentSize, BusyTimeout: -1}
	w := openStore(t, alive, o)
	appendNumbered(t, w, 0, 500)
	copyFiles(t, alive, dir)
	for _, name := range []string{nextTemp, format.ManifestTemp, compressTemp, "000000000001.idx.tmp",
		"000000000001-000000000008.idx.tmp",
		format.SegmentFileName(1, 1)} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("half of somethi"), 0o644))
	}
	require.NoError(t,
		os.WriteFile(filepath.Join(dir, lockName), []byte("99999999 gone 2020-01-01T00:00:00Z\n"), 0o644))

	s := openStore(t, dir, o)
	appendNumbered(t, s, 500, 800)
	settleIndexes(t, s)
	report, err := s.Verify(context.Background())
	require.NoError(t, err)
	assert.Empty(t, report.BadIndexes)
	require.NoError(t, s.Close())

	want := map[string]bool{lockName: true, format.TailName: true, format.ManifestName: true}
	for n := range report.Segments {
		name := format.SegmentFileName(int64(n+1), 0)
		want[name] = true
		if n+1 < report.Segments {
			want[indexFileName(name)] = true
		}
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "torn-") { // what was cut off is kept for those who wonder
			names = append(names, e.Name())
		}
	}
	assert.Equal(t, slices.Sorted(maps.Keys(want)), names)
	lock, err := os.ReadFile(filepath.Join(dir, lockName))
	require.NoError(t, err)
	assert.Empty(t, lock, "nobody holds it")
}

// Who holds the lock is told: process, host and since when, not who held it before.
func TestLockNamesItsHolder(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t,
		os.WriteFile(filepath.Join(dir, lockName), []byte("99999999 gone 2020-01-01T00:00:00Z\n"), 0o644))
	first := openStore(t, dir, Options{})
	appendNumbered(t, first, 0, 1)
	second := openStore(t, dir, Options{BusyTimeout: -1})
	err := try(second, "s0", "1")
	host, errHost := os.Hostname()
	require.NoError(t, errHost)
	var locked *engine.LockedError
	require.ErrorAs(t, err, &locked)
	assert.Equal(t, os.Getpid(), locked.PID)
	assert.Equal(t, host, locked.Host)
	assert.WithinDuration(t, time.Now(), locked.Since, time.Minute)
	assert.Contains(t, err.Error(), fmt.Sprintf("process %d on %s", os.Getpid(), host))
}

// What another process has acknowledged is seen by whoever asks then, also if somebody else began
// to look before.
func TestReadersSeeWhatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	o := Options{SegmentSize: testSegmentSize, Sync: SyncInterval}
	w := openStore(t, dir, Options{SegmentSize: testSegmentSize})
	appendNumbered(t, w, 0, 1)
	r := openStore(t, dir, o)
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	for range 4 { // they look all the time
		group.Go(func() {
			for ctx.Err() == nil {
				r.ReadIndex()
			}
		})
	}
	for n := 1; n < 200; n++ {
		appendNumbered(t, w, n, n+1)
		require.Equal(t, engine.Position(n+1), r.ReadIndex().Head())
	}
	cancel()
	group.Wait()
}
