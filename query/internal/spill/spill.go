// Package spill keeps what a query cannot hold in memory in a temporary file, for as long as the query
// runs. It knows bytes and nothing of what they mean.
//
// The file has no name while it is used: it is removed as soon as it is open, so that nothing is left
// of it when the process ends, in whatever way. It is written in blocks, each of which is sealed (AES
// in GCM) with a key that is in the memory of this process alone and gone with the file, under a number
// that no other block has. So a block that is damaged, that stands in another's place, or that the disk
// has lost the last writing of, is an error and never taken for what was written; and what remains of
// the file on the disk tells nobody anything, whatever has been erased since.
package spill

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine/vfs"
)

// A Space is where the files of a store's queries are, and counts them. Any number of goroutines use
// it.
type Space struct {
	fsys    vfs.FS
	files   atomic.Int64
	bytes   atomic.Int64
	written atomic.Int64
	swept   atomic.Pointer[string] // the directory that was swept last
}

// NewSpace returns a Space on a file system.
func NewSpace(fsys vfs.FS) *Space { return &Space{fsys: fsys} }

// NewOSSpace returns a Space on the operating system's file system.
func NewOSSpace() *Space { return NewSpace(vfs.OS()) }

// Files returns how many files there are at the moment.
func (s *Space) Files() int64 { return s.files.Load() }

// Bytes returns how many bytes the files have taken at the moment.
func (s *Space) Bytes() int64 { return s.bytes.Load() }

// Written returns how many bytes have been written, ever.
func (s *Space) Written() int64 { return s.written.Load() }

// An Error tells why a query cannot keep something in a file.
type Error struct {
	Clause string // what was to be kept, for whoever knows; "" for nobody
	Dir    string // where the file is
	Limit  int64  // how many bytes a query may write there
	Spent  bool   // they are all in use
	Full   bool   // the disk is: no room, or less than it should have left
	Err    error  // of the system, nil if there is none
}

// Error says what is the matter, beginning with the clause.
func (e *Error) Error() string {
	clause := e.Clause
	if clause == "" {
		clause = "the query"
	}
	switch {
	case e.Spent:
		return fmt.Sprintf("%s needs more than the %d bytes that a query may keep in a temporary file", clause, e.Limit)
	case e.Full && e.Err == nil:
		return fmt.Sprintf("%s needs a temporary file, and its disk is nearly full (%s)", clause, e.Dir)
	case e.Full:
		return fmt.Sprintf("%s needs a temporary file, and its disk is full (%s): %v", clause, e.Dir, e.Err)
	}
	return fmt.Sprintf("%s needs a temporary file in %s: %v", clause, e.Dir, e.Err)
}

// Unwrap returns the system's error.
func (e *Error) Unwrap() error { return e.Err }

// ErrDamaged is behind the Error of a block that is not what was written.
var ErrDamaged = errors.New("a block of the temporary file is damaged")

// Options say how a file is used.
type Options struct {
	Dir   string // "" for the system's directory for temporary files
	Limit int64  // bytes that it may take
	Slot  int    // bytes of a block; longer ones take several
}

// A File keeps blocks. One goroutine uses it at a time.
type File struct {
	space *Space
	opts  Options
	file  vfs.File
	seal  cipher.AEAD
	last  uint64            // the number of the last block
	end   int64             // of what the file has taken
	room  int64             // how far the disk is known to have room
	free  map[int64][]int64 // regions that are not used any more, by their size
	buf   []byte
	nonce [12]byte
	wrote int64
	names []string // that could not be removed yet
}

// A Block is where in a file something is.
type Block struct {
	at     int64
	number uint64
	size   int // bytes of what is kept
}

const (
	// Overhead is how many bytes of a slot are the seal's.
	Overhead = 16
	prefix   = "eventfold-spill-" // of the names of directories
	content  = "content"          // the name of a file in them
	ahead    = 16 << 20           // bytes for which the disk is asked at once
	// Reserve is how many bytes a query leaves free on the disk, which may be the log's, too.
	Reserve = 256 << 20
)

// Create makes a file.
func (s *Space) Create(o Options) (*File, error) {
	if o.Dir == "" {
		o.Dir = os.TempDir()
	}
	f := &File{space: s, opts: o}
	var key [32]byte
	rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err == nil {
		f.seal, err = cipher.NewGCM(block)
	}
	if err == nil {
		s.sweep(o.Dir)
		err = f.open()
	}
	if err != nil {
		return nil, f.fault(err)
	}
	s.files.Add(1)
	return f, nil
}

// open creates a file in a directory that only its owner may look into, and removes the names of both.
// Where the system does not remove what is open, Close does.
func (f *File) open() error {
	var id [8]byte
	rand.Read(id[:])
	fsys, dir := f.space.fsys, vfs.Join(f.opts.Dir, prefix+hex.EncodeToString(id[:]))
	err := fsys.Mkdir(dir, 0o700)
	if err != nil {
		return err
	}
	name := vfs.Join(dir, content)
	if f.file, err = fsys.Open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL); err != nil {
		_ = fsys.Remove(dir) // otherwise sweep does, as it does for those that follow
		return err
	}
	f.names = []string{name, dir}
	f.removeNames()
	return nil
}

// removeNames removes the names that can be removed.
func (f *File) removeNames() {
	f.names = slices.DeleteFunc(f.names, func(name string) bool { return f.space.fsys.Remove(name) == nil })
}

// fault makes an Error of one of the system.
func (f *File) fault(err error) error {
	return &Error{Dir: f.opts.Dir, Limit: f.opts.Limit, Full: vfs.IsFull(err), Err: err}
}

// Written returns how many bytes have been written to the file.
func (f *File) Written() int64 { return f.wrote }

// Slot is how many bytes a block has that takes no more than one slot.
func (f *File) Slot() int { return f.opts.Slot - Overhead }

// Write keeps bytes.
func (f *File) Write(ctx context.Context, b []byte) (Block, error) {
	if err := ctx.Err(); err != nil {
		return Block{}, err
	}
	at, err := f.place(len(b))
	if err != nil {
		return Block{}, err
	}
	f.last++
	binary.LittleEndian.PutUint64(f.nonce[:], f.last)
	f.buf = f.seal.Seal(f.buf[:0], f.nonce[:], b, nil)
	n := len(f.buf)
	err = vfs.WriteFull(f.file, f.buf, at)
	f.slim()
	if err != nil {
		return Block{}, f.fault(err)
	}
	f.wrote += int64(n)
	f.space.written.Add(int64(n))
	return Block{at: at, number: f.last, size: len(b)}, nil
}

// slim gives up room for a long block.
func (f *File) slim() {
	if cap(f.buf) > 2*f.opts.Slot {
		f.buf = nil
	}
}

// Read returns what a block keeps, in the room of b if there is enough.
func (f *File) Read(ctx context.Context, block Block, b []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n := block.size + Overhead
	if cap(b) < n {
		b = make([]byte, n)
	}
	b = b[:n]
	got, err := f.file.ReadAt(b, block.at)
	if got < n {
		if err = vfs.IgnoreEOF(err); err == nil {
			err = ErrDamaged
		}
		return nil, f.fault(err)
	}
	binary.LittleEndian.PutUint64(f.nonce[:], block.number)
	if b, err = f.seal.Open(b[:0], f.nonce[:], b, nil); err != nil {
		return nil, f.fault(ErrDamaged)
	}
	return b, nil
}

// slots is how many bytes of the file a block takes.
func (f *File) slots(size int) int64 {
	slot := int64(f.opts.Slot)
	return (int64(size) + Overhead + slot - 1) / slot * slot
}

// place finds room for a block.
func (f *File) place(size int) (at int64, err error) {
	n := f.slots(size)
	if at, ok := f.again(n, n); ok {
		return at, nil
	}
	if f.end+n > f.opts.Limit {
		for size := range f.free {
			if at, ok := f.again(n, size); ok {
				return at, nil
			}
		}
		return 0, &Error{Dir: f.opts.Dir, Limit: f.opts.Limit, Spent: true}
	}
	if f.end+n > f.room {
		if err := f.ask(n); err != nil {
			return 0, err
		}
	}
	at = f.end
	f.end += n
	f.space.bytes.Add(n)
	return at, nil
}

// again takes n bytes of a region of a size that is not used any more.
func (f *File) again(n, size int64) (at int64, ok bool) {
	list := f.free[size]
	if len(list) == 0 || size < n {
		return 0, false
	}
	last := len(list) - 1
	at, f.free[size] = list[last], list[:last]
	f.release(at+n, size-n)
	return at, true
}

func (f *File) release(at, size int64) {
	if size == 0 {
		return
	}
	if f.free == nil {
		f.free = map[int64][]int64{}
	}
	f.free[size] = append(f.free[size], at)
}

// ask asks the disk for room.
func (f *File) ask(n int64) error {
	space, err := f.space.fsys.Space(f.opts.Dir)
	if err == nil && space.Free >= 0 && space.Free < Reserve+n {
		return &Error{Dir: f.opts.Dir, Limit: f.opts.Limit, Full: true}
	}
	f.room = f.end + n + ahead // where nothing is known, writing tells
	return nil
}

// Free gives up a block.
func (f *File) Free(b Block) { f.release(b.at, f.slots(b.size)) }

// Close ends the file, and all that is in it.
func (f *File) Close() error {
	if f == nil || f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.removeNames()
	f.file, f.seal, f.free, f.buf = nil, nil, nil, nil
	f.space.files.Add(-1)
	f.space.bytes.Add(-f.end)
	return err
}
