package spill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/testenv"
)

// A trickyFS is a file system whose last file can be looked into, and which is as full as it is told.
type trickyFS struct {
	vfs.FS
	file vfs.File // the last one that was opened
	free int64    // what Space says; 0 for what it is
	fail error    // of writing
	info time.Time

	keeps bool // names of files
}

func (f *trickyFS) Remove(name string) error {
	if f.keeps {
		return syscall.EBUSY
	}
	return f.FS.Remove(name)
}

func (f *trickyFS) Open(name string, flag int) (vfs.File, error) {
	file, err := f.FS.Open(name, flag)
	if err != nil {
		return nil, err
	}
	f.file = file
	return &trickyFile{file, f}, nil
}

func (f *trickyFS) Space(dir string) (vfs.Space, error) {
	space, err := f.FS.Space(dir)
	if f.free != 0 {
		space.Free = f.free
	}
	return space, err
}

func (f *trickyFS) Stat(name string) (vfs.FileInfo, error) {
	info, err := f.FS.Stat(name)
	if !f.info.IsZero() {
		info.Modified = f.info
	}
	return info, err
}

type trickyFile struct {
	vfs.File
	fs *trickyFS
}

func (f *trickyFile) WriteAt(p []byte, off int64) (int, error) {
	if f.fs.fail != nil {
		return 0, f.fs.fail
	}
	return f.File.WriteAt(p, off)
}

// newFile makes a file in a directory of its own in memory.
func newFile(t *testing.T, limit int64) (*File, *trickyFS) {
	fsys := &trickyFS{FS: vfs.NewMem()}
	require.NoError(t, fsys.MkdirAll("tmp"))
	f, err := NewSpace(fsys).Create(Options{Dir: "tmp", Limit: limit, Slot: 1024})
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f, fsys
}

func TestListsGiveWhatWasWritten(t *testing.T) {
	r := rand.New(rand.NewPCG(testenv.Seed(t), 0))
	f, _ := newFile(t, 64<<20)
	lists := []*List{f.NewList(), f.NewList(), f.NewList()}
	var want [3][][]byte
	for range 3000 {
		i, size := r.IntN(3), r.IntN(60)
		if r.IntN(200) == 0 {
			size = r.IntN(10_000) // of several slots
		}
		record := bytes.Repeat([]byte{byte(r.IntN(256))}, size)
		want[i] = append(want[i], record)
		require.NoError(t, lists[i].Append(t.Context(), record))
	}
	for i, l := range lists {
		require.NoError(t, l.Finish(t.Context()))
		assert.Equal(t, int64(len(want[i])), l.Count())
		for _, fresh := range []bool{false, true, false} {
			in := l.Read(fresh)
			for n, record := range want[i] {
				got, ok, err := in.Next(t.Context())
				require.NoError(t, err)
				require.True(t, ok)
				require.True(t, bytes.Equal(record, got), "list %d, record %d", i, n)
				if n%7 == 0 {
					in.Back()
					again, ok, err := in.Next(t.Context())
					require.True(t, ok && err == nil && bytes.Equal(again, record))
				}
			}
			_, ok, err := in.Next(t.Context())
			require.NoError(t, err)
			assert.False(t, ok)
		}
	}
}

// TestRoomThatIsGivenUpIsUsedAgain: a file grows to what is in it at one time, not to what was ever
// written.
func TestRoomThatIsGivenUpIsUsedAgain(t *testing.T) {
	f, _ := newFile(t, 64<<10)
	for range 100 {
		l := f.NewList()
		for range 40 {
			require.NoError(t, l.Append(t.Context(), make([]byte, 900)))
		}
		require.NoError(t, l.Append(t.Context(), make([]byte, 3000)))
		require.NoError(t, l.Finish(t.Context()))
		l.Free()
	}
	assert.LessOrEqual(t, f.space.Bytes(), int64(64<<10))
	assert.Greater(t, f.Written(), int64(3<<20))
}

// TestADamagedBlockIsAnError: whatever bit of a block flips, and whatever else stands in its place, it
// is an error.
func TestADamagedBlockIsAnError(t *testing.T) {
	f, fsys := newFile(t, 1<<20)
	content := []byte("what was written")
	block, err := f.Write(t.Context(), content)
	require.NoError(t, err)
	raw := make([]byte, len(content)+Overhead)
	_, err = fsys.file.ReadAt(raw, block.at)
	require.NoError(t, err)
	assert.NotContains(t, string(raw), "written", "what is in the file is for nobody else")

	damaged := func(what string) {
		_, err := f.Read(t.Context(), block, nil)
		var e *Error
		require.ErrorAs(t, err, &e, what)
		require.ErrorIs(t, err, ErrDamaged, what)
	}
	for bit := range 8 * len(raw) {
		raw[bit/8] ^= 1 << (bit % 8)
		require.NoError(t, vfs.WriteFull(fsys.file, raw, block.at))
		damaged(fmt.Sprint("bit ", bit))
		raw[bit/8] ^= 1 << (bit % 8)
	}
	require.NoError(t, vfs.WriteFull(fsys.file, raw, block.at))
	got, err := f.Read(t.Context(), block, nil)
	require.NoError(t, err)
	assert.Equal(t, content, got)

	f.Free(block)
	later, err := f.Write(t.Context(), []byte("what came later!"))
	require.NoError(t, err)
	require.Equal(t, block.at, later.at)
	damaged("another block in its place")
	require.NoError(t, vfs.WriteFull(fsys.file, raw, block.at))
	_, err = f.Read(t.Context(), later, nil)
	require.ErrorIs(t, err, ErrDamaged, "a block that was not written anew")
	require.NoError(t, fsys.file.Truncate(3))
	damaged("a file that was cut")
}

func TestAFileHasNoMoreThanItsLimit(t *testing.T) {
	f, _ := newFile(t, 10<<10)
	var err error
	for n := 0; err == nil; n++ {
		require.Less(t, n, 11)
		_, err = f.Write(t.Context(), make([]byte, 500))
	}
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, Error{Dir: "tmp", Limit: 10 << 10, Spent: true}, *e)
	assert.Equal(t, int64(10<<10), f.space.Bytes())
}

func TestAFullDiskIsTold(t *testing.T) {
	f, fsys := newFile(t, 1<<20)
	fsys.free = Reserve + 500
	_, err := f.Write(t.Context(), make([]byte, 600))
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.True(t, e.Full)
	assert.ErrorContains(t, e, "its disk is nearly full (tmp)")

	fsys.free, fsys.fail = 0, syscall.ENOSPC
	_, err = f.Write(t.Context(), make([]byte, 600))
	require.ErrorAs(t, err, &e)
	assert.True(t, e.Full)
	assert.ErrorIs(t, err, syscall.ENOSPC)

	fsys.fail = syscall.EIO
	_, err = f.Write(t.Context(), make([]byte, 600))
	require.ErrorAs(t, err, &e)
	assert.False(t, e.Full)
	assert.ErrorIs(t, err, syscall.EIO)

	fsys.fail = nil
	_, err = f.Write(t.Context(), make([]byte, 600))
	require.NoError(t, err, "there is room again")
}

func TestAFileHasNoNameAndIsGoneWhenItIsClosed(t *testing.T) {
	dir := t.TempDir()
	space := NewSpace(&trickyFS{FS: vfs.OS(), free: -1}) // however full the disk is
	f, err := space.Create(Options{Dir: dir, Limit: 1 << 20, Slot: 1024})
	require.NoError(t, err)
	_, err = f.Write(t.Context(), make([]byte, 5000))
	require.NoError(t, err)
	assert.Equal(t, []int64{1, 5 << 10}, []int64{space.Files(), space.Bytes()})
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	assert.Empty(t, left)
	require.NoError(t, f.Close())
	require.NoError(t, f.Close(), "twice")
	assert.Equal(t, []int64{0, 0}, []int64{space.Files(), space.Bytes()})
	assert.Greater(t, space.Written(), int64(5000))

	_, err = space.Create(Options{Dir: filepath.Join(dir, "missing"), Limit: 1 << 20, Slot: 1024})
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.ErrorContains(t, e, "missing")
}

// TestANameThatCannotBeRemovedIsRemovedAtTheEnd, on systems that keep the names of what is open.
func TestANameThatCannotBeRemovedIsRemovedAtTheEnd(t *testing.T) {
	fsys := &trickyFS{FS: vfs.NewMem(), keeps: true}
	require.NoError(t, fsys.MkdirAll("tmp"))
	names := func() int {
		list, err := fsys.List("tmp")
		require.NoError(t, err)
		return len(list)
	}
	f, err := NewSpace(fsys).Create(Options{Dir: "tmp", Limit: 1 << 20, Slot: 1024})
	require.NoError(t, err)
	assert.Equal(t, 1, names())
	fsys.keeps = false
	require.NoError(t, f.Close())
	assert.Zero(t, names())
}

// TestWhatAProcessHasLeftIsRemoved: a process that ends between creating its file and removing the name
// leaves it, and the next one takes it away, once it is old enough to be nobody's.
func TestWhatAProcessHasLeftIsRemoved(t *testing.T) {
	fsys := &trickyFS{FS: vfs.NewMem()}
	for _, dir := range []string{"tmp", "tmp/" + prefix + "1", "tmp/" + prefix + "2", "tmp/" + prefix + "3", "tmp/other"} {
		require.NoError(t, fsys.MkdirAll(dir))
	}
	for _, name := range []string{prefix + "1/" + content, prefix + "2/mine", prefix + "2/" + content, "other/" + content} {
		f, err := vfs.CreateEmpty(fsys, "tmp/"+name)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	create := func(dir string) []string {
		f, err := NewSpace(fsys).Create(Options{Dir: dir, Limit: 1 << 20, Slot: 1024})
		require.NoError(t, err)
		require.NoError(t, f.Close())
		names, err := fsys.List("tmp")
		require.NoError(t, err)
		return names
	}
	assert.Equal(t, []string{prefix + "1", prefix + "2", prefix + "3", "other"}, create("tmp"), "a moment ago")
	fsys.info = time.Now().Add(-2 * sweepAge)
	assert.Equal(t, []string{prefix + "2", "other"}, create("tmp"))
	names, err := fsys.List("tmp/" + prefix + "2")
	require.NoError(t, err)
	assert.Equal(t, []string{content, "mine"}, names, "what has anything else is somebody's")
}

func TestAContextEndsWritingAndReading(t *testing.T) {
	f, _ := newFile(t, 1<<20)
	block, err := f.Write(t.Context(), []byte("x"))
	require.NoError(t, err)
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	_, err = f.Write(ctx, []byte("x"))
	assert.ErrorIs(t, err, context.Canceled)
	_, err = f.Read(ctx, block, nil)
	assert.ErrorIs(t, err, context.Canceled)
}

// TestAListKeepsNoLongRecordInMemory, and tells how much reading it takes.
func TestAListKeepsNoLongRecordInMemory(t *testing.T) {
	f, _ := newFile(t, 64<<20)
	l := f.NewList()
	require.NoError(t, l.Append(t.Context(), make([]byte, 10)))
	assert.Zero(t, f.Written())
	for range 3 {
		require.NoError(t, l.Append(t.Context(), make([]byte, 1<<20)))
		assert.LessOrEqual(t, cap(l.buf), 2*f.Slot())
	}
	assert.Greater(t, f.Written(), int64(3<<20))
	require.NoError(t, l.Finish(t.Context()))
	assert.Greater(t, l.Longest(), int64(1<<20))
	assert.Less(t, l.Longest(), int64(1<<20+100))
}
