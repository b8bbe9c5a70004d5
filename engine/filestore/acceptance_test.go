package filestore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// This file is the list that the ancestor of this store, written in Rust, was accepted by.

func openStore(t testing.TB, dir string, o Options) *FileStore {
	s, err := Open(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func one(payload string) []engine.NewEvent {
	return []engine.NewEvent{{Type: "Happened", Payload: []byte(payload)}}
}

func mustAppend(
	t testing.TB, s engine.Store, stream string, expect engine.ExpectedVersion, events ...engine.NewEvent,
) engine.Appended {
	got, err := s.Append(context.Background(), engine.Append{
		Stream: stream,
		Expect: []engine.Expectation{expect},
		Events: events,
	})
	require.NoError(t, err)
	return got
}

func TestFirstAppends(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	for i := range 3 {
		got := mustAppend(t, s, "s", engine.Any, one("{}")...)
		require.Len(t, got.Events, 1)
		assert.Equal(t, engine.Position(i), got.Events[0].Position)
		assert.Equal(t, engine.Version(i), got.Events[0].Version)
	}
	assert.Equal(t, engine.Position(3), s.ReadIndex().Head())
}

func TestConcurrentAppends(t *testing.T) {
	for _, writers := range []int{10, 100} {
		s := openStore(t, t.TempDir(), Options{})
		positions := make([]int, writers)
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				got, err := s.Append(context.Background(), engine.Append{
					Stream: fmt.Sprintf("s%d", w%7),
					Events: one("1"),
				})
				if assert.NoError(t, err) {
					positions[w] = int(got.Events[0].Position)
				}
			})
		}
		wg.Wait()
		sort.Ints(positions)
		for i, p := range positions {
			require.Equal(t, i, p)
		}
		checkContiguous(t, s, writers)
	}
}

// checkContiguous reads everything and checks positions and versions.
func checkContiguous(t testing.TB, s engine.Store, n int) {
	c := s.ReadIndex().ReadAll(context.Background(), 0, engine.Forwards)
	defer c.Close()
	versions := map[string]engine.Version{}
	next := engine.Position(0)
	for c.Next() {
		e := c.Event()
		require.Equal(t, next, e.Position)
		require.Equal(t, versions[e.Stream], e.Version, e.Stream)
		versions[e.Stream]++
		next++
	}
	require.NoError(t, c.Err())
	require.Equal(t, n, int(next))
}

func TestExpectedVersions(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	ctx := context.Background()
	tests := []struct {
		name     string
		expected engine.ExpectedVersion
		actual   engine.Version // if it does not hold
		holds    bool
	}{
		{"stream exists, but does not", engine.StreamExists, engine.NoVersion, false},
		{"new stream", engine.NoStream, 0, true},
		{"new stream again", engine.NoStream, 0, false},
		{"exact", engine.Exact(0), 0, true},
		{"behind", engine.Exact(0), 1, false},
		{"ahead", engine.Exact(5), 1, false},
		{"stream exists", engine.StreamExists, 0, true},
		{"any", engine.Any, 0, true},
	}
	for _, tt := range tests { // in order: each test sees the stream that the last one left
		_, err := s.Append(ctx, engine.Append{Stream: "s", Expect: []engine.Expectation{tt.expected}, Events: one("1")})
		if tt.holds {
			require.NoError(t, err, tt.name)
			continue
		}
		var conflict *engine.ConflictError
		require.ErrorAs(t, err, &conflict, tt.name)
		assert.Equal(t, []engine.FailedCheck{{Stream: "s", Expected: tt.expected, Actual: tt.actual}}, conflict.Checks,
			tt.name)
	}
	checkContiguous(t, s, 4)
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Options{})
	var want []engine.Placed
	for i := range 5 {
		want = append(want,
			mustAppend(t, s, fmt.Sprintf("s%d", i%2), engine.Any, one(fmt.Sprintf(`{"n":%d}`, i))...).Events...)
	}
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "a second Close")

	s = openStore(t, dir, Options{MustExist: true})
	report := s.OpenReport()
	assert.Empty(t, report.String())
	c := s.ReadIndex().ReadAll(context.Background(), 0, engine.Forwards)
	defer c.Close()
	for i := range 5 {
		require.True(t, c.Next())
		e := c.Event()
		assert.Equal(t, want[i], engine.Placed{Position: e.Position, Version: e.Version, ID: e.ID})
		assert.Equal(t, fmt.Sprintf(`{"n":%d}`, i), string(e.Payload))
	}
	require.False(t, c.Next())
	require.NoError(t, c.Err())
	got := mustAppend(t, s, "s0", engine.Exact(2), one("1")...)
	assert.Equal(t, engine.Position(5), got.Events[0].Position)
}

func TestReadByStreamAndGlobally(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{})
	for i := range 6 {
		mustAppend(t, s, []string{"a", "b"}[i%2], engine.Any, one(fmt.Sprint(i))...)
	}
	index := s.ReadIndex()
	mustAppend(t, s, "a", engine.Any, one("later")...)
	read := func(c engine.Cursor) (payloads []string) {
		defer c.Close()
		for c.Next() {
			payloads = append(payloads, string(c.Event().Payload))
		}
		require.NoError(t, c.Err())
		return payloads
	}
	ctx := context.Background()
	assert.Equal(t, []string{"0", "1", "2", "3", "4", "5"}, read(index.ReadAll(ctx, 0, engine.Forwards)))
	assert.Equal(t, []string{"0", "2", "4"}, read(index.ReadStream(ctx, "a", 0, engine.Forwards)))
	assert.Equal(t, []string{"5", "3", "1"}, read(index.ReadStream(ctx, "b", 9, engine.Backwards)))
	assert.Equal(t, []string{"4", "later"}, read(s.ReadIndex().ReadStream(ctx, "a", 2, engine.Forwards)))
}

// writerGoroutines returns how many goroutines of stores there are.
func writerGoroutines() int {
	buf := make([]byte, 1<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), "filestore.(*writer).run(")
}

func TestCloseEndsTheWriter(t *testing.T) {
	before := writerGoroutines()
	s := openStore(t, t.TempDir(), Options{})
	assert.Equal(t, before, writerGoroutines(), "only the first append starts it")
	mustAppend(t, s, "s", engine.Any, one("1")...)
	assert.Equal(t, before+1, writerGoroutines())
	require.NoError(t, s.Close())
	// Close has waited for its last word; leaving takes the goroutine a moment more.
	assert.Eventually(t, func() bool { return writerGoroutines() == before }, time.Minute, time.Millisecond)

	_, err := s.Append(context.Background(), engine.Append{Stream: "s", Events: one("2")})
	assert.ErrorIs(t, err, engine.ErrClosed)
	assert.ErrorIs(t, s.Wait(context.Background(), 99), engine.ErrClosed)
	c := s.ReadIndex().ReadAll(context.Background(), 0, engine.Forwards)
	assert.False(t, c.Next())
	assert.ErrorIs(t, c.Err(), engine.ErrClosed)
}

// A blockedFS holds every fdatasync of a log until it is told to go on.
type blockedFS struct {
	vfs.FS
	blocked atomic.Bool
	waiting chan struct{} // receives when a sync has begun to wait
	goOn    chan struct{}
}

type blockedFile struct {
	vfs.File
	fs *blockedFS
}

func (b *blockedFS) Open(name string, flag int) (vfs.File, error) {
	f, err := b.FS.Open(name, flag)
	if err == nil && strings.HasSuffix(name, ".log") {
		f = &blockedFile{f, b}
	}
	return f, err
}

func (f *blockedFile) Fdatasync() error {
	if f.fs.blocked.Load() {
		f.fs.waiting <- struct{}{}
		<-f.fs.goOn
	}
	return f.File.Fdatasync()
}

func TestFullQueueBlocksAndHonoursItsContext(t *testing.T) {
	fsys := &blockedFS{FS: vfs.NewMem(), waiting: make(chan struct{}), goOn: make(chan struct{})}
	s := openStore(t, "store", Options{FS: fsys, QueueLength: 1})
	mustAppend(t, s, "s", engine.Any, one("0")...)

	fsys.blocked.Store(true)
	results := make(chan error, 2)
	add := func(ctx context.Context) {
		_, err := s.Append(ctx, engine.Append{Stream: "s", Events: one("1")})
		results <- err
	}
	go add(context.Background()) // is being synced
	<-fsys.waiting
	go add(context.Background()) // fills the queue
	require.Eventually(t, func() bool { return s.Stats().QueueLength == 1 }, time.Minute, time.Millisecond)

	ctx, cancel := context.WithCancel(context.Background())
	refused := make(chan error)
	go func() {
		_, err := s.Append(ctx, engine.Append{Stream: "s", Events: one("never")})
		refused <- err
	}()
	cancel()
	assert.ErrorIs(t, <-refused, context.Canceled)

	fsys.blocked.Store(false)
	fsys.goOn <- struct{}{}
	require.NoError(t, <-results)
	require.NoError(t, <-results)
	checkContiguous(t, s, 3)
}

// An append whose context ends while it is queued is certainly not written, and the one behind it
// is.
func TestAbandonedInTheQueue(t *testing.T) {
	fsys := &blockedFS{FS: vfs.NewMem(), waiting: make(chan struct{}), goOn: make(chan struct{})}
	s := openStore(t, "store", Options{FS: fsys})
	mustAppend(t, s, "s", engine.Any, one("0")...)
	fsys.blocked.Store(true)
	done := make(chan error, 1)
	go func() {
		_, err := s.Append(context.Background(), engine.Append{Stream: "s", Events: one("1")})
		done <- err
	}()
	<-fsys.waiting
	ctx, cancel := context.WithCancel(context.Background())
	abandoned := make(chan error)
	go func() {
		_, err := s.Append(ctx, engine.Append{Stream: "s", Events: one("never")})
		abandoned <- err
	}()
	require.Eventually(t, func() bool { return s.Stats().QueueLength == 1 }, time.Minute, time.Millisecond)
	cancel()
	assert.Equal(t, context.Canceled, <-abandoned)
	fsys.blocked.Store(false)
	fsys.goOn <- struct{}{}
	require.NoError(t, <-done)
	got := mustAppend(t, s, "s", engine.Any, one("2")...)
	assert.Equal(t, engine.Position(2), got.Events[0].Position)
}

func TestOversizedEvent(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{MaxEventSize: engine.MinEventLimit})
	_, err := s.Append(context.Background(), engine.Append{
		Stream: "s",
		Events: one(strings.Repeat("x", engine.MinEventLimit)),
	})
	var large *engine.TooLargeError
	require.True(t, errors.As(err, &large), "%v", err)
	assert.Equal(t, engine.TooLargeError{What: "event", Size: engine.MinEventLimit + 8, Limit: engine.MinEventLimit},
		*large)
	got := mustAppend(t, s, "s", engine.Any, one(strings.Repeat("x", engine.MinEventLimit-8))...)
	assert.Equal(t, engine.Position(0), got.Events[0].Position)
}
