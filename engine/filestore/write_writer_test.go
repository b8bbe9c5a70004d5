package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A faultFS asks fail before every call that changes something, by its name and the file's, and
// returns its error instead if it has one.
type faultFS struct {
	vfs.FS
	mu   sync.Mutex
	fail func(op, name string) error
}

func (f *faultFS) set(fail func(op, name string) error) {
	f.mu.Lock()
	f.fail = fail
	f.mu.Unlock()
}

func (f *faultFS) ask(op, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == nil {
		return nil
	}
	return f.fail(op, filepath.Base(name))
}

func (f *faultFS) Open(name string, flag int) (vfs.File, error) {
	if err := f.ask("open", name); err != nil {
		return nil, err
	}
	file, err := f.FS.Open(name, flag)
	if err != nil {
		return nil, err
	}
	return &faultFile{file, f, name}, nil
}

func (f *faultFS) Rename(from, to string) error {
	if err := f.ask("rename", to); err != nil {
		return err
	}
	return f.FS.Rename(from, to)
}

func (f *faultFS) Remove(name string) error {
	if err := f.ask("remove", name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

func (f *faultFS) SyncDir(dir string) error {
	if err := f.ask("syncdir", dir); err != nil {
		return err
	}
	return f.FS.SyncDir(dir)
}

func (f *faultFS) Lock(name, holder string) (io.Closer, error) {
	if err := f.ask("lock", name); err != nil {
		return nil, err
	}
	return f.FS.Lock(name, holder)
}

type faultFile struct {
	vfs.File
	fs   *faultFS
	name string
}

// errShort makes a write stop half way, without another error.
var errShort = errors.New("short")

func (f *faultFile) WriteAt(b []byte, off int64) (int, error) {
	err := f.fs.ask("write", f.name)
	if err == nil {
		return f.File.WriteAt(b, off)
	}
	n := len(b) / 2
	if _, errWrite := f.File.WriteAt(b[:n], off); errWrite != nil {
		return 0, errWrite
	}
	if err == errShort {
		err = io.ErrShortWrite
	}
	return n, err
}

func (f *faultFile) Fdatasync() error {
	if err := f.fs.ask("fdatasync", f.name); err != nil {
		return err
	}
	return f.File.Fdatasync()
}

func (f *faultFile) Fsync() error {
	if err := f.fs.ask("fsync", f.name); err != nil {
		return err
	}
	return f.File.Fsync()
}

// on makes a failure of one operation on files whose names end so.
func on(op, suffix string, err error) func(op, name string) error {
	return func(o, name string) error {
		if o == op && strings.HasSuffix(name, suffix) {
			return err
		}
		return nil
	}
}

func try(s engine.Store, stream, payload string) error {
	_, err := s.Append(context.Background(), engine.Append{Stream: stream, Events: one(payload)})
	return err
}

// After a failed sync nothing is written any more, and reading goes on. Opening again recovers.
func TestFailedSyncPoisons(t *testing.T) {
	for _, op := range []string{"fdatasync", "write"} {
		fsys := &faultFS{FS: vfs.NewMem()}
		s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
		appendNumbered(t, s, 0, 3)
		fsys.set(on(op, ".log", syscall.EIO))
		err := try(s, "s0", payloadOf(3))
		require.ErrorIs(t, err, engine.ErrOutcomeUnknown, op)
		require.ErrorIs(t, err, engine.ErrPoisoned, op)
		require.ErrorIs(t, err, syscall.EIO, op)
		fsys.set(nil)
		err = try(s, "s0", payloadOf(3))
		require.ErrorIs(t, err, engine.ErrPoisoned, op)
		require.NotErrorIs(t, err, engine.ErrOutcomeUnknown, op)
		assert.True(t, s.Stats().Poisoned)
		got, err := payloads(s)
		require.NoError(t, err)
		assert.Equal(t, numbered(3), got)
		require.NoError(t, s.Close())
		n := 3
		if op == "fdatasync" {
			n = 4 // it was written, and nobody was told otherwise
		}
		requireStore(t, fsys, n, op)
	}
}

// A full disk refuses the append and changes nothing; the same append succeeds when there is room.
func TestFullDisk(t *testing.T) {
	tests := []struct {
		name string
		fail func(op, name string) error
	}{
		{"while writing", on("write", ".log", syscall.ENOSPC)},
		{"while making the next segment", on("write", nextTemp, syscall.ENOSPC)},
		{"while naming the next segment", on("rename", ".log", syscall.ENOSPC)},
		{"quota", on("write", ".log", syscall.EDQUOT)},
	}
	for _, tt := range tests {
		fsys := &faultFS{FS: vfs.NewMem()}
		s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize, Prealloc: PreallocNone})
		appendNumbered(t, s, 0, 10)
		fsys.set(tt.fail)
		n := 10
		var err error
		for ; n < 1000; n++ {
			if err = try(s, fmt.Sprintf("s%d", n%3), payloadOf(n)); err != nil {
				break
			}
		}
		require.ErrorIs(t, err, engine.ErrFull, tt.name)
		require.NotErrorIs(t, err, engine.ErrOutcomeUnknown, tt.name)
		require.ErrorIs(t, try(s, "other", "never"), engine.ErrFull, tt.name)
		fsys.set(nil)
		appendNumbered(t, s, n, n+300)
		got, err := payloads(s)
		require.NoError(t, err, tt.name)
		assert.Equal(t, numbered(n+300), got, tt.name)
		img := takeImage(t, fsys) // as if the process was killed
		requireStore(t, img.fs(t), n+300, tt.name)
		require.NoError(t, s.Close(), tt.name)
		requireStore(t, fsys, n+300, tt.name)
	}
}

// Manifest, TAIL, cutting and index files may fail without any harm.
func TestFailuresThatDoNotMatter(t *testing.T) {
	for _, name := range []string{format.ManifestTemp, format.ManifestName, format.TailName, ".idx.tmp"} {
		for _, op := range []string{"open", "write", "fsync", "fdatasync", "rename"} {
			fsys := &faultFS{FS: vfs.NewMem()}
			s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
			appendNumbered(t, s, 0, 1)
			fsys.set(on(op, name, syscall.ENOSPC))
			appendNumbered(t, s, 1, 500)
			require.Greater(t, s.Stats().Segments, 2)
			require.NoError(t, s.Close())
			fsys.set(nil)
			requireStore(t, fsys, 500, op+" "+name)
		}
	}
}

func TestShortWrites(t *testing.T) {
	fsys := &faultFS{FS: vfs.NewMem()}
	n := 0
	fsys.set(func(op, _ string) error {
		if n++; op == "write" && n%3 == 0 {
			return errShort
		}
		return nil
	})
	s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
	appendNumbered(t, s, 0, 400)
	require.NoError(t, s.Close())
	fsys.set(nil)
	requireStore(t, fsys, 400, "short writes")
}

// The first append takes the lock; the process that has it is named.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	first := openStore(t, dir, Options{})
	second := openStore(t, dir, Options{BusyTimeout: -1})
	appendNumbered(t, first, 0, 1)
	err := try(second, "s0", "1")
	var locked *engine.LockedError
	require.ErrorAs(t, err, &locked)
	assert.NotZero(t, locked.PID)
	assert.NotEmpty(t, locked.Host)
	assert.False(t, second.Stats().Writable)

	// It reads what the other writes, waits for it, and writes itself when the other has closed.
	got, err := payloads(second)
	require.NoError(t, err)
	require.Equal(t, numbered(1), got)
	waited := make(chan error, 1)
	go func() { waited <- second.Wait(context.Background(), 1) }()
	appendNumbered(t, first, 1, 2)
	require.NoError(t, <-waited)
	require.NoError(t, first.Close())
	appendNumbered(t, second, 2, 3)
	got, err = payloads(second)
	require.NoError(t, err)
	require.Equal(t, numbered(3), got)
}

// A store that waits for the lock gets it, or gives up when it is closed.
func TestWaitForTheLock(t *testing.T) {
	dir := t.TempDir()
	first := openStore(t, dir, Options{})
	appendNumbered(t, first, 0, 1)
	second := openStore(t, dir, Options{BusyTimeout: time.Minute})
	done := make(chan error, 1)
	go func() { done <- try(second, "s1", payloadOf(1)) }()
	require.Eventually(t, func() bool { return second.started.Load() }, time.Minute, time.Millisecond)
	require.NoError(t, first.Close())
	require.NoError(t, <-done)

	third := openStore(t, dir, Options{BusyTimeout: time.Hour})
	go func() { done <- try(third, "s1", payloadOf(1)) }()
	require.Eventually(t, func() bool { return third.started.Load() }, time.Minute, time.Millisecond)
	require.NoError(t, third.Close())
	require.Error(t, <-done)
	requireStore(t, closing{second, vfs.OS()}.close(t, dir), 2, "both wrote one event")
}

// closing closes a store and gives its files under the name that requireStore expects.
type closing struct {
	engine.Store
	fs vfs.FS
}

func (c closing) close(t *testing.T, dir string) vfs.FS {
	require.NoError(t, c.Store.Close())
	img := image{}
	names, err := c.fs.List(dir)
	require.NoError(t, err)
	for _, name := range names {
		img[name], err = vfs.ReadFile(c.fs, vfs.Join(dir, name), 1<<30)
		require.NoError(t, err)
	}
	return img.fs(t)
}

// A reader follows the log over rotations, and never writes.
func TestFollowing(t *testing.T) {
	fsys := &faultFS{FS: vfs.NewMem()}
	writer := openStore(t, imageDir, Options{FS: fsys.FS, SegmentSize: testSegmentSize})
	appendNumbered(t, writer, 0, 1)
	fsys.set(func(op, name string) error {
		if op == "open" {
			return nil
		}
		t.Errorf("a reader calls %s of %s", op, name)
		return syscall.EROFS
	})
	reader := openStore(t, imageDir, Options{FS: fsys, ReadOnly: true})
	for n := 1; n < 900; n += 37 {
		appendNumbered(t, writer, n, n+37)
		got, err := payloads(reader)
		require.NoError(t, err)
		require.Equal(t, numbered(n+37), got)
	}
	require.Greater(t, reader.Stats().Segments, 2)
	assert.ErrorIs(t, try(reader, "s", "1"), engine.ErrReadOnly)
}

// A reader that is open while another process recovers the log sees the same events in the new
// segment.
func TestFollowingASupersededSegment(t *testing.T) {
	_, after, _, _ := lastWrite(t, 40) // whose last frame nothing promises without TAIL
	fsys := after.with(format.TailName, nil).fs(t)
	reader := openStore(t, imageDir, Options{FS: fsys, ReadOnly: true})
	got, err := payloads(reader)
	require.NoError(t, err)
	require.Equal(t, numbered(40), got)
	report := reader.OpenReport()
	assert.Equal(t, int64(1), report.Unpromised)

	writer := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
	writerReport := writer.OpenReport()
	assert.Equal(t, int64(1), writerReport.Superseded)
	appendNumbered(t, writer, 41, 60)
	got, err = payloads(reader)
	require.NoError(t, err)
	require.Equal(t, numbered(60), got)
}

// A log may be superseded again and again, when every recovery is followed by a crash.
func TestSupersededAgain(t *testing.T) {
	fsys := vfs.FS(vfs.NewMem())
	n := 0
	for round := range 6 {
		s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
		appendNumbered(t, s, n, n+2)
		n += 2
		img := takeImage(t, fsys)
		require.NoError(t, s.Close())
		fsys = img.with(format.TailName, nil).fs(t)
		s = openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
		report := s.OpenReport()
		assert.Equal(t, int64(1), report.Superseded, "round %d", round)
		got, err := payloads(s)
		require.NoError(t, err)
		require.Equal(t, numbered(n), got, "round %d", round)
		require.NoError(t, s.Close())
	}
	requireStore(t, fsys, n, "superseded six times")
}

func TestSyncInterval(t *testing.T) {
	fsys := &faultFS{FS: vfs.NewMem()}
	s := openStore(t, imageDir, Options{
		FS:           fsys,
		Sync:         SyncInterval,
		SyncInterval: time.Millisecond,
		SegmentSize:  testSegmentSize,
	})
	appendNumbered(t, s, 0, 300)
	require.Eventually(t, func() bool { return s.Stats().Syncs > 0 }, time.Minute, time.Millisecond)
	img := takeImage(t, fsys) // a killed process loses nothing
	require.NoError(t, s.Close())
	requireStore(t, img.fs(t), 300, "killed")
	requireStore(t, fsys, 300, "closed")
}

func TestExpectedHead(t *testing.T) {
	fsys := vfs.NewMem()
	s := openStore(t, imageDir, Options{FS: fsys, SegmentSize: testSegmentSize})
	var heads []engine.Head
	for n := range 400 {
		appendNumbered(t, s, n, n+1)
		h, err := s.Head()
		require.NoError(t, err)
		require.Equal(t, engine.Position(n+1), h.Position)
		heads = append(heads, h)
	}
	require.Greater(t, s.Stats().Segments, 2)
	require.NoError(t, s.Close())
	for _, h := range heads {
		s, err := Open(imageDir, Options{FS: fsys, Expect: &h})
		require.NoError(t, err)
		s.Close()
		h.Chain[7]++
		_, err = Open(imageDir, Options{FS: fsys, Expect: &h})
		var wrong *engine.HeadError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, h.Position, wrong.Actual.Position)
	}
	_, err := Open(imageDir, Options{FS: fsys, Expect: &engine.Head{Position: 401}})
	var wrong *engine.HeadError
	require.ErrorAs(t, err, &wrong)
	assert.Equal(t, heads[399], wrong.Actual)
}

func TestOpenWhatIsNotThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	_, err := Open(dir, Options{MustExist: true})
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = Open(dir, Options{ReadOnly: true})
	require.ErrorIs(t, err, fs.ErrNotExist)
	s := openStore(t, dir, Options{})
	got, err := payloads(s)
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = vfs.OS().Stat(dir)
	require.ErrorIs(t, err, fs.ErrNotExist, "only an append makes the directory")
	appendNumbered(t, s, 0, 1)
	_, err = Open(t.TempDir(), Options{MustExist: true})
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// An id is recognised however long ago it was stored, in which segment, and after opening again.
func TestDuplicatesOfAnyAge(t *testing.T) {
	fsys := vfs.NewMem()
	o := Options{FS: fsys, SegmentSize: testSegmentSize}
	s := openStore(t, imageDir, o)
	ctx := context.Background()
	var all []engine.Append
	var placed []engine.Appended
	for n := range 500 {
		id := uuid.Must(uuid.NewV7())
		if n%2 == 0 {
			id = uuid.New()
		}
		a := engine.Append{
			Stream: fmt.Sprint("s", n%3),
			Events: []engine.NewEvent{{ID: id, Type: "t", Payload: []byte(payloadOf(n)), Tags: []string{"b", "a"}}},
		}
		p, err := s.Append(ctx, a)
		require.NoError(t, err)
		all, placed = append(all, a), append(placed, p)
	}
	check := func() {
		require.Greater(t, s.Stats().Segments, 2)
		for n := range all {
			p, err := s.Append(ctx, all[n])
			require.NoError(t, err)
			want := placed[n]
			want.Duplicate = true
			require.Equal(t, want, p)
			other := all[n]
			other.Events = []engine.NewEvent{other.Events[0]}
			other.Events[0].Payload = []byte("other")
			_, err = s.Append(ctx, other)
			var duplicate *engine.DuplicateEventError
			require.ErrorAs(t, err, &duplicate)
			require.Equal(t, engine.DuplicateEventError{
				ID:       all[n].Events[0].ID,
				Kind:     engine.DifferentContent,
				Stream:   all[n].Stream,
				Position: engine.Position(n),
			}, *duplicate)
		}
	}
	check()
	require.NoError(t, s.Close())
	s = openStore(t, imageDir, o)
	check()
	assert.Equal(t, engine.Position(500), s.ReadIndex().Head())
}

// Versions continue over segments and restarts, for streams that were silent for long.
func TestVersionsOverSegments(t *testing.T) {
	fsys := vfs.NewMem()
	o := Options{FS: fsys, SegmentSize: testSegmentSize}
	for round := range 4 {
		s := openStore(t, imageDir, o)
		mustAppend(t, s, "silent", engine.Exact(engine.Version(round)-1), one("1")...)
		for n := range 300 {
			mustAppend(t, s, fmt.Sprintf("busy-%d", n), engine.Exact(engine.Version(round)-1), one(payloadOf(n))...)
		}
		require.NoError(t, s.Close())
	}
	s := openStore(t, imageDir, o)
	require.Greater(t, s.Stats().Segments, 3)
	checkContiguous(t, s, 4*301)
}

// A request that is refused leaves no trace in its group: what follows it there sees the streams as
// they are without it.
func TestRefusedRequestLeavesNoTrace(t *testing.T) {
	fsys := &blockedFS{FS: vfs.NewMem(), waiting: make(chan struct{}), goOn: make(chan struct{})}
	s := openStore(t, "store", Options{FS: fsys})
	mustAppend(t, s, "a", engine.Any, one("0")...)
	fsys.blocked.Store(true)
	results := make([]chan error, 4)
	for i, batch := range [][]engine.Append{
		{{Stream: "a", Events: one("1")}}, // a group of its own, which is being synced
		{{Stream: "a", Events: one("never")}, {Stream: "b", Events: one("never")}, {
			Stream: "c",
			Expect: []engine.Expectation{engine.StreamExists},
		}},
		{{Stream: "a", Expect: []engine.Expectation{engine.Exact(1)}, Events: one("2")}, {
			Stream: "b",
			Expect: []engine.Expectation{engine.NoStream},
			Events: one("0"),
		}},
		{{Stream: "a", Expect: []engine.Expectation{engine.Exact(2)}}, {
			Stream: "b",
			Expect: []engine.Expectation{engine.Exact(0)},
		}, {Stream: "b", Events: one("1")}},
	} {
		results[i] = make(chan error, 1)
		go func() {
			_, err := s.Append(context.Background(), batch...)
			results[i] <- err
		}()
		if i == 0 {
			<-fsys.waiting
		}
		require.Eventually(t, func() bool { return s.Stats().QueueLength == i }, time.Minute, time.Millisecond)
	}
	fsys.blocked.Store(false)
	fsys.goOn <- struct{}{}
	require.NoError(t, <-results[0])
	var conflict *engine.ConflictError
	require.ErrorAs(t, <-results[1], &conflict)
	require.NoError(t, <-results[2])
	require.NoError(t, <-results[3])
	checkContiguous(t, s, 5)
	assert.Equal(t, int64(3), s.Stats().Groups) // the three were together
}
