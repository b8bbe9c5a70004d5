package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// NewMem returns an empty file system in memory, for stores that end with their process. Syncing is
// free and keeps nothing.
func NewMem() FS {
	m := &memFS{device: memDevices.Add(1) | 1<<63}
	m.nodes = map[string]*memNode{".": m.newNode(true), string(filepath.Separator): m.newNode(true)}
	return m
}

// memDevices numbers the file systems, so that no two files have the same identity.
var memDevices atomic.Uint64

// A memFS maps cleaned paths to nodes. A node lives on without a name while somebody has it open.
type memFS struct {
	device uint64

	mu    sync.RWMutex // protects nodes, inodes and the lock fields of every node
	nodes map[string]*memNode
	inode uint64
}

func (m *memFS) newNode(dir bool) *memNode {
	m.inode++
	n := &memNode{dir: dir, inode: m.inode}
	n.touch()
	return n
}

func pathError(op, name string, err error) error {
	return &os.PathError{Op: op, Path: name, Err: err}
}

func (m *memFS) Open(name string, flag int) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.openLocked(name, flag)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &memFile{fs: m, node: n, name: name, writable: flag&os.O_RDWR != 0}, nil
}

func (m *memFS) openLocked(name string, flag int) (*memNode, error) {
	path := filepath.Clean(name)
	n := m.nodes[path]
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, fs.ErrNotExist
	case n == nil:
		if err := m.parentLocked(path); err != nil {
			return nil, err
		}
		n = m.newNode(false)
		m.nodes[path] = n
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return nil, fs.ErrExist
	case n.dir && flag&os.O_RDWR != 0:
		return nil, syscall.EISDIR
	}
	return n, nil
}

// parentLocked checks that path lies in a directory.
func (m *memFS) parentLocked(path string) error {
	parent := m.nodes[filepath.Dir(path)]
	if parent == nil {
		return fs.ErrNotExist
	}
	if !parent.dir {
		return syscall.ENOTDIR
	}
	parent.touch()
	return nil
}

func (m *memFS) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.renameLocked(filepath.Clean(from), filepath.Clean(to)); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

func (m *memFS) renameLocked(from, to string) error {
	n, target := m.nodes[from], m.nodes[to]
	if n == nil {
		return fs.ErrNotExist
	}
	if err := m.parentLocked(to); err != nil {
		return err
	}
	switch {
	case target != nil && target.dir:
		return fs.ErrExist // as os.Rename has it, whatever is renamed
	case n == target:
		return nil
	case n.dir && isBelow(to, from):
		return syscall.EINVAL
	case n.dir && target != nil:
		return syscall.ENOTDIR
	}
	m.nodes[to] = n
	delete(m.nodes, from)
	if n.dir {
		for path, child := range m.nodes {
			if isBelow(path, from) {
				delete(m.nodes, path)
				m.nodes[to+path[len(from):]] = child
			}
		}
	}
	return nil
}

// isBelow reports whether path is in dir or deeper.
func isBelow(path, dir string) bool {
	return len(path) > len(dir) && path[:len(dir)] == dir && path[len(dir)] == filepath.Separator
}

func (m *memFS) hasChildrenLocked(dir string) bool {
	for path := range m.nodes {
		if path != dir && filepath.Dir(path) == dir {
			return true
		}
	}
	return false
}

// Exchange is not there: nothing in memory is left after a crash, which it is for.
func (m *memFS) Exchange(a, b string) error {
	return &os.LinkError{Op: "exchange", Old: a, New: b, Err: errors.ErrUnsupported}
}

func (m *memFS) Link(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.linkLocked(filepath.Clean(from), filepath.Clean(to)); err != nil {
		return &os.LinkError{Op: "link", Old: from, New: to, Err: err}
	}
	return nil
}

func (m *memFS) linkLocked(from, to string) error {
	n := m.nodes[from]
	switch {
	case n == nil:
		return fs.ErrNotExist
	case m.nodes[to] != nil:
		return fs.ErrExist
	case n.dir:
		return syscall.EPERM
	}
	if err := m.parentLocked(to); err != nil {
		return err
	}
	m.nodes[to] = n
	return nil
}

func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	path := filepath.Clean(name)
	n := m.nodes[path]
	if n == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	if n.dir && m.hasChildrenLocked(path) {
		return pathError("remove", name, syscall.ENOTEMPTY)
	}
	delete(m.nodes, path)
	if parent := m.nodes[filepath.Dir(path)]; parent != nil {
		parent.touch()
	}
	return nil
}

func (m *memFS) List(dir string) ([]string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	clean := filepath.Clean(dir)
	n := m.nodes[clean]
	if n == nil {
		return nil, pathError("open", dir, fs.ErrNotExist)
	}
	if !n.dir {
		return nil, pathError("readdir", dir, syscall.ENOTDIR)
	}
	names := []string{}
	for path := range m.nodes {
		if path != clean && filepath.Dir(path) == clean && path != "." {
			names = append(names, filepath.Base(path))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (m *memFS) Stat(name string) (FileInfo, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	n := m.nodes[filepath.Clean(name)]
	if n == nil {
		return FileInfo{}, pathError("stat", name, fs.ErrNotExist)
	}
	return m.info(n), nil
}

func (m *memFS) info(n *memNode) FileInfo {
	return FileInfo{
		Size: n.length(), Dir: n.dir, Mode: 0o700, Modified: time.Unix(0, n.modified.Load()),
		Device: m.device, Inode: n.inode,
	}
}

func (m *memFS) MkdirAll(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	path := filepath.Clean(dir)
	var missing []string
	for m.nodes[path] == nil {
		missing = append(missing, path)
		parent := filepath.Dir(path)
		if parent == path {
			break // a root, of which there is one per volume on Windows
		}
		path = parent
	}
	if n := m.nodes[path]; n != nil && !n.dir {
		return pathError("mkdir", dir, syscall.ENOTDIR)
	}
	for _, path := range slices.Backward(missing) {
		m.nodes[path] = m.newNode(true)
	}
	return nil
}

func (m *memFS) Mkdir(dir string, _ fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	path := filepath.Clean(dir)
	if m.nodes[path] != nil {
		return pathError("mkdir", dir, fs.ErrExist)
	}
	if err := m.parentLocked(path); err != nil {
		return pathError("mkdir", dir, err)
	}
	m.nodes[path] = m.newNode(true)
	return nil
}

// Resolve returns the cleaned name: there are no links.
func (m *memFS) Resolve(name string) (string, error) {
	_, err := m.Stat(name)
	if err != nil {
		if dir, errDir := m.Stat(filepath.Dir(filepath.Clean(name))); errDir != nil || !dir.Dir {
			return "", err
		}
	}
	return filepath.Clean(name), err
}

func (m *memFS) SyncDir(dir string) error {
	_, err := m.Stat(dir)
	return err
}

func (m *memFS) Space(dir string) (Space, error) {
	_, err := m.Stat(dir)
	return Space{Free: -1}, err
}

func (m *memFS) Lock(name, holder string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.openLocked(name, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	if err := n.lockLocked(name, holder); err != nil {
		return nil, err
	}
	return &memLock{fs: m, node: n}, nil
}

// lockLocked takes the node's lock. The caller holds memFS.mu.
func (n *memNode) lockLocked(name, holder string) error {
	if n.locked {
		e := ParseLockHolder(n.holder)
		e.Path = name
		return e
	}
	n.locked, n.holder = true, holder
	return nil
}

type memLock struct {
	fs   *memFS
	node *memNode // nil after Close
}

// Info describes the lock file that is held.
func (l *memLock) Info() (FileInfo, error) { return l.fs.info(l.node), nil }

func (l *memLock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	if l.node == nil {
		return os.ErrClosed
	}
	l.node.locked, l.node.holder = false, ""
	l.node = nil
	return nil
}

// memChunkSize is how much memory a file takes at a time.
const memChunkSize = 64 << 10

// A memChunk has a lock of its own, so that those who read and write elsewhere do not meet.
type memChunk struct {
	mu   sync.RWMutex
	data *[memChunkSize]byte // nil: all zero
}

// A memNode is a file or a directory. A file is a list of chunks that never move, so that growing
// copies nothing but the list. Chunks that hold only zeros have no memory, which makes zeros
// written ahead free.
type memNode struct {
	dir      bool
	inode    uint64
	modified atomic.Int64 // nanoseconds since 1970

	// Protected by memFS.mu.
	locked bool
	holder string

	mu     sync.RWMutex // protects chunks and size. Who reads or writes below size holds it for reading
	chunks []*memChunk
	size   int64
}

func (n *memNode) touch() { n.modified.Store(time.Now().UnixNano()) }

func (n *memNode) length() int64 {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.size
}

func (n *memNode) readAt(p []byte, off int64) (int, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if off >= n.size {
		return 0, io.EOF
	}
	var err error
	if rest := n.size - off; int64(len(p)) > rest {
		p, err = p[:rest], io.EOF
	}
	n.eachChunkLocked(p, off, (*memChunk).read)
	return len(p), err
}

func (n *memNode) writeAt(p []byte, off int64) error {
	if off > math.MaxInt64-int64(len(p)) {
		return syscall.EFBIG
	}
	n.mu.RLock()
	if off+int64(len(p)) > n.size {
		n.mu.RUnlock()
		n.resize(off+int64(len(p)), true)
		n.mu.RLock()
	}
	defer n.mu.RUnlock()
	// Another goroutine may have cut the file meanwhile; what lies behind its end then goes
	// nowhere.
	if rest := n.size - off; int64(len(p)) > rest {
		p = p[:max(rest, 0)]
	}
	n.eachChunkLocked(p, off, (*memChunk).write)
	n.touch()
	return nil
}

// eachChunkLocked cuts p, which lies at off and inside the file, at the bounds of chunks.
func (n *memNode) eachChunkLocked(p []byte, off int64, do func(c *memChunk, at int, p []byte)) {
	for len(p) > 0 {
		at := int(off % memChunkSize)
		part := min(len(p), memChunkSize-at)
		do(n.chunks[off/memChunkSize], at, p[:part])
		p, off = p[part:], off+int64(part)
	}
}

func (c *memChunk) read(at int, p []byte) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.data == nil {
		clear(p)
		return
	}
	copy(p, c.data[at:])
}

var memZeros [memChunkSize]byte

func (c *memChunk) write(at int, p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.data == nil {
		if bytes.Equal(p, memZeros[:len(p)]) {
			return
		}
		c.data = new([memChunkSize]byte)
	}
	copy(c.data[at:], p)
}

// resize sets the size, or with growOnly makes it at least that.
func (n *memNode) resize(size int64, growOnly bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.touch()
	if growOnly && size <= n.size {
		return
	}
	count := int((size + memChunkSize - 1) / memChunkSize)
	if size < n.size {
		clear(n.chunks[count:])
		n.chunks = n.chunks[:count]
		if at := size % memChunkSize; at != 0 && n.chunks[count-1].data != nil {
			clear(n.chunks[count-1].data[at:]) // so that growing again gives zeros
		}
	}
	for len(n.chunks) < count {
		n.chunks = append(n.chunks, &memChunk{})
	}
	n.size = size
}

// A memFile is an open node.
type memFile struct {
	fs       *memFS
	node     *memNode
	name     string
	writable bool
	locking  bool // it holds the node's lock; protected by memFS.mu
	closed   atomic.Bool
}

func (f *memFile) check(op string, write bool, off int64) error {
	switch {
	case f.closed.Load():
		return pathError(op, f.name, os.ErrClosed)
	case off < 0:
		return pathError(op, f.name, syscall.EINVAL)
	case f.node.dir:
		return pathError(op, f.name, syscall.EISDIR)
	case write && !f.writable:
		return pathError(op, f.name, syscall.EBADF)
	}
	return nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.check("read", false, off); err != nil {
		return 0, err
	}
	return f.node.readAt(p, off)
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	err := f.check("write", true, off)
	if err == nil && len(p) > 0 {
		err = f.node.writeAt(p, off)
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *memFile) Truncate(size int64) error {
	if err := f.check("truncate", true, size); err != nil {
		return err
	}
	f.node.resize(size, false)
	return nil
}

func (f *memFile) Preallocate(size int64) error {
	if err := f.check("fallocate", true, size); err != nil {
		return err
	}
	f.node.resize(size, true)
	return nil
}

func (f *memFile) Size() (int64, error) {
	if f.closed.Load() {
		return 0, pathError("stat", f.name, os.ErrClosed)
	}
	return f.node.length(), nil
}

func (f *memFile) Info() (FileInfo, error) {
	if f.closed.Load() {
		return FileInfo{}, pathError("stat", f.name, os.ErrClosed)
	}
	return f.fs.info(f.node), nil
}

func (f *memFile) TryLock() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed.Load() {
		return pathError("lock", f.name, os.ErrClosed)
	}
	if f.locking {
		return nil
	}
	err := f.node.lockLocked(f.name, "")
	f.locking = err == nil
	return err
}

func (f *memFile) Fdatasync() error { return f.sync() }
func (f *memFile) Fsync() error     { return f.sync() }

func (f *memFile) sync() error {
	if f.closed.Load() {
		return pathError("sync", f.name, os.ErrClosed)
	}
	return nil
}

func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed.Swap(true) {
		return pathError("close", f.name, os.ErrClosed)
	}
	if f.locking {
		f.node.locked, f.locking = false, false
	}
	return nil
}
