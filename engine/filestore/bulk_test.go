package filestore

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A roomFS counts how room for the next segment is made.
type roomFS struct {
	vfs.FS
	zeroed, reserved atomic.Int64 // bytes
}

type roomFile struct {
	vfs.File
	fs *roomFS
}

func (r *roomFS) Open(name string, flag int) (vfs.File, error) {
	f, err := r.FS.Open(name, flag)
	if err == nil && strings.HasSuffix(name, nextTemp) {
		f = &roomFile{f, r}
	}
	return f, err
}

func (f *roomFile) WriteAt(b []byte, off int64) (int, error) {
	if off > 0 || len(b) > format.SegmentHeaderSize { // not the header
		f.fs.zeroed.Add(int64(len(b)))
	}
	return f.File.WriteAt(b, off)
}

func (f *roomFile) Preallocate(size int64) error {
	f.fs.reserved.Add(size)
	return f.File.Preallocate(size)
}

// While commits are large, as when a store is loaded, the log is not written twice: room is
// reserved and not filled with zeros. When they are small again, it is.
func TestBulkLoadDoesNotZero(t *testing.T) {
	const capacity = 1 << 20
	fsys := &roomFS{FS: vfs.NewMem()}
	s := openStore(t, "store", Options{FS: fsys, SegmentSize: capacity})
	large, small := strings.Repeat("x", 2*bulkFrame-1000), strings.Repeat("x", 30<<10)
	mustAppend(t, s, "s", engine.Any, one(large)...)
	require.Equal(t, int64(capacity), fsys.zeroed.Load(), "the first segment, made before anything was known")
	for range 7 {
		mustAppend(t, s, "s", engine.Any, one(large)...)
	}
	assert.Equal(t, int64(capacity), fsys.zeroed.Load())
	assert.GreaterOrEqual(t, fsys.reserved.Load(), int64(3*capacity))

	for range 80 {
		mustAppend(t, s, "s", engine.Any, one(small)...)
	}
	assert.GreaterOrEqual(t, fsys.zeroed.Load(), int64(2*capacity))
	checkContiguous(t, s, 88)
}
