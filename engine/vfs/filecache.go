package vfs

import (
	"errors"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
)

// A FileCache bounds how many files of segments and indexes are open for reading, because systems
// bound it (macOS at 256 for a process). A store has two files for each segment, and as many
// segments as it likes. It is a CLOCK of its own, and not the stores' internal/clock, because its
// places come and go, readers mark them without its lock, and only trying to close a file tells
// whether it is held.
type FileCache struct {
	mu    sync.Mutex // protects what follows; taken after the mu of a cachedFile
	limit func() int // files open at a time, except while more than that are being read
	open  []*cachedFile
	hand  int
}

// NewFileCache returns a FileCache in which at most so many files are open at a time, except while
// more than that are being read.
func NewFileCache(limit int) *FileCache {
	return &FileCache{limit: func() int { return limit }}
}

// osFiles is the FileCache of all stores of this process that are on the operating system's file
// system: they share its bound.
var osFiles = &FileCache{limit: sync.OnceValue(maxFiles)}

// LimitOpenFiles sets how many files the stores of this process keep open for reading on the
// operating system's file system, instead of half of what the system allows.
func LimitOpenFiles(limit int) { osFiles.Limit(limit) }

// FilesOf returns the FileCache of a store on a file system.
func FilesOf(fsys FS) *FileCache {
	if IsOS(fsys) {
		return osFiles
	}
	return &FileCache{limit: osFiles.limit}
}

// Bounds of maxFiles.
const (
	fewestFiles = 16
	usualFiles  = 256 // if the system does not tell its bound
	maxEverOpen = 1024
)

// maxFiles leaves half of what the system allows to the program, and to files that are written.
func maxFiles() int {
	limit := fileLimit()
	if limit == 0 {
		return usualFiles
	}
	return int(min(max(limit/2, fewestFiles), maxEverOpen))
}

// Add takes over f, an open file. The file returned reads it. It may be closed while nobody reads,
// and is then opened again by open, which must give the same bytes or an error. A nil cache returns
// f.
func (c *FileCache) Add(f File, open func() (File, error)) File {
	if c == nil {
		return f
	}
	cached := &cachedFile{cache: c, open: open, file: f}
	c.enter(cached)
	if _, ok := f.(Mapper); ok {
		return &cachedMap{cached}
	}
	return cached
}

// enter notes a file that is open, and closes others if there are too many.
func (c *FileCache) enter(f *cachedFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = slices.Insert(c.open, c.hand, f) // where the hand comes last
	c.hand++
	c.shrinkLocked(c.limit(), f)
}

// leave forgets a file, if it is there.
func (c *FileCache) leave(f *cachedFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.open, f); i >= 0 {
		c.removeLocked(i)
	}
}

func (c *FileCache) removeLocked(i int) {
	c.open = slices.Delete(c.open, i, i+1)
	if c.hand > i {
		c.hand--
	}
}

// Limit changes how many files may be open. It closes none.
func (c *FileCache) Limit(limit int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = func() int { return limit }
}

// Count returns how many files are open.
func (c *FileCache) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// Shrink closes half of the files that nobody reads, and reports whether it has closed any.
func (c *FileCache) Shrink() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.open)
	c.shrinkLocked(before/2, nil)
	return len(c.open) < before
}

// shrinkLocked closes files that nobody reads, those that were used long ago first, until limit are
// open. It never waits for a reader.
func (c *FileCache) shrinkLocked(limit int, except *cachedFile) {
	for looks := 2 * len(c.open); looks > 0 && len(c.open) > limit; looks-- {
		if c.hand >= len(c.open) {
			c.hand = 0
		}
		f := c.open[c.hand]
		if f == except || f.used.Swap(false) || !f.shut() {
			c.hand++
			continue
		}
		c.removeLocked(c.hand)
	}
}

// OpenPatiently calls open, again after closing other files if there are too many.
func OpenPatiently[T any](c *FileCache, open func() (T, error)) (T, error) {
	f, err := open()
	for attempt := 0; TooManyFiles(err) && attempt < 8 && c.Shrink(); attempt++ {
		f, err = open()
	}
	return f, err
}

// TooManyFiles reports whether the system refuses to open one more file. What could not be opened
// may be there and whole.
func TooManyFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// A cachedFile is a file of a FileCache.
type cachedFile struct {
	cache *FileCache
	open  func() (File, error)
	// users is how many goroutines are reading, and less than zero, namely isShut more, while the
	// file is shut.
	users atomic.Int64
	used  atomic.Bool // since the hand passed

	mu     sync.Mutex // held while the file is opened or closed
	file   File       // changes under mu while the file is shut
	closed bool       // for good
}

const isShut = -1 << 40

// acquire returns the open file. give must be called after it, unless there is an error.
func (c *cachedFile) acquire() (File, error) {
	if c.users.Add(1) > 0 {
		if !c.used.Load() {
			c.used.Store(true)
		}
		return c.file, nil
	}
	c.users.Add(-1)
	return c.reopen()
}

func (c *cachedFile) give() { c.users.Add(-1) }

// reopen is acquire for a file that is, or was a moment ago, shut.
func (c *cachedFile) reopen() (File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fs.ErrClosed
	}
	if c.users.Add(1) > 0 { // somebody else was quicker
		return c.file, nil
	}
	f, err := OpenPatiently(c.cache, c.open)
	if err != nil {
		c.users.Add(-1)
		return nil, err
	}
	c.file = f
	c.users.Add(-isShut)
	c.cache.enter(c)
	return f, nil
}

// shut closes the file for now. It reports false, and does nothing, if somebody reads it or is
// opening or closing it.
func (c *cachedFile) shut() bool {
	if !c.mu.TryLock() {
		return false
	}
	defer c.mu.Unlock()
	if c.closed || !c.users.CompareAndSwap(0, isShut) {
		return false
	}
	f := c.file
	c.file = nil // what it holds in memory goes with it
	f.Close()
	return true
}

// Close closes the file for good. Who is reading gets an error.
func (c *cachedFile) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return fs.ErrClosed
	}
	c.closed = true
	if c.users.Load() < 0 {
		return nil
	}
	c.cache.leave(c)
	return c.file.Close()
}

// ReadAt reads from the file, opening it if need be.
func (c *cachedFile) ReadAt(p []byte, off int64) (int, error) {
	f, err := c.acquire()
	if err != nil {
		return 0, err
	}
	defer c.give()
	return f.ReadAt(p, off)
}

// Size returns the size of the file, opening it if need be.
func (c *cachedFile) Size() (int64, error) {
	f, err := c.acquire()
	if err != nil {
		return 0, err
	}
	defer c.give()
	return f.Size()
}

// Info describes the file, opening it if need be.
func (c *cachedFile) Info() (FileInfo, error) {
	f, err := c.acquire()
	if err != nil {
		return FileInfo{}, err
	}
	defer c.give()
	return f.Info()
}

// The file is for reading only: what would change it fails.

func (c *cachedFile) WriteAt([]byte, int64) (int, error) { return 0, fs.ErrPermission }
func (c *cachedFile) Truncate(int64) error               { return fs.ErrPermission }
func (c *cachedFile) Preallocate(int64) error            { return fs.ErrPermission }
func (c *cachedFile) Fdatasync() error                   { return fs.ErrPermission }
func (c *cachedFile) Fsync() error                       { return fs.ErrPermission }
func (c *cachedFile) TryLock() error                     { return fs.ErrPermission }

// A cachedMap is a cachedFile that can be mapped. Its map goes when it is shut.
type cachedMap struct{ *cachedFile }

var _ Mapper = (*cachedMap)(nil)

func (c *cachedMap) Hold(to int64) *FileMap {
	f, err := c.acquire()
	if err != nil {
		return nil // reading tells why
	}
	if m, ok := f.(Mapper); ok { // another generation of the segment may have taken its place
		if held := m.Hold(to); held != nil {
			return held
		}
	}
	c.give()
	return nil
}

func (c *cachedMap) Release() {
	c.file.(Mapper).Release()
	c.give()
}
