// Package crashtest tries to make a store lose what it has acknowledged.
//
// An [FS] is a file system in memory that promises as little as a real one may: what has not been
// synced can be lost, kept, torn at 512 bytes, or garbled, in any order, names apart from contents;
// syncs can fail in the ways that real systems have been seen to fail; any call can fail.
// [FS.Crashes] enumerates the states that a power cut may leave. An [Oracle] remembers what a store
// has promised to its callers and checks the store that opens after a crash.
//
// The model of files follows what Rebello et al. found in ext4, XFS and btrfs ("Can Applications
// Recover from fsync Failures?", USENIX ATC 2020), the model of names what Pillai et al. allow
// ("All File Systems Are Not Created Equal", OSDI 2014). Assumed are: bytes that are not being
// written stay whole, a rename is atomic, a sync that succeeds is true.
//
// The suites themselves are the tests of this package whose files begin with crash_. Environment
// variables steer them: EVENTFOLD_SEED repeats a run, EVENTFOLD_TORTURE makes it longer (see
// [Scale]), EVENTFOLD_REPORT names a file for the figures, EVENTFOLD_DUMP a directory for the files
// of a state that failed.
package crashtest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
)

// An FS is a strict file system in memory. All methods may be called from any number of goroutines.
type FS struct {
	before atomic.Pointer[func(Call)] // see Before
	after  atomic.Pointer[func(Call)] // see After

	mu         sync.Mutex       // protects all below
	fault      func(Call) Fault // see Faults
	device     uint64
	inodes     map[uint64]*inode
	last       uint64   // inode given last
	pending    []nameOp // changes of names that are not durable, in order
	locks      map[uint64]string
	held       map[string]string // see HoldDir
	calls      int
	ticks      int64 // changes so far, which are its clock
	changes    int   // changes so far of what a crash may leave
	limit      int64 // bytes that all files may have together; 0: no limit
	dead       bool
	noExchange bool
	links      int // so far; without any, names need not be looked at
}

// devices numbers the file systems, so that no two files have the same identity.
var devices atomic.Uint64

const rootInode = 1

// New returns an empty file system. It has one directory, the root, which relative names begin at
// too.
func New() *FS {
	f := &FS{device: devices.Add(1) | 1<<62, inodes: map[uint64]*inode{}, locks: map[uint64]string{}}
	f.newInode(true)
	return f
}

// Before sets a function that every call from now on runs first, without locks: it may look, wait
// or call f. nil unsets it.
func (f *FS) Before(do func(Call)) { setHook(&f.before, do) }

// After sets a function that runs after every call, without locks. nil unsets it.
func (f *FS) After(do func(Call)) { setHook(&f.after, do) }

func setHook(hook *atomic.Pointer[func(Call)], do func(Call)) {
	if do == nil {
		hook.Store(nil)
		return
	}
	hook.Store(&do)
}

// Faults sets the function that decides which calls fail, and how. It must not call f. nil unsets
// it.
func (f *FS) Faults(decide func(Call) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = decide
}

// Limit sets the number of bytes that all files may have together. 0 removes the limit.
func (f *FS) Limit(bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limit = bytes
}

// NoExchange takes Exchange away, as most systems have it.
func (f *FS) NoExchange() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noExchange = true
}

// Calls returns how many calls there were.
func (f *FS) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// changeCount counts the changes of what a crash may leave.
func (f *FS) changeCount() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changes
}

// OpenFiles returns how many files are open or locked.
func (f *FS) OpenFiles() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, i := range f.inodes {
		n += i.opened
	}
	return n
}

// begin starts a call. The caller must run the end that it returns, and holds f.mu until then.
func (f *FS) begin(c Call) (fault Fault, end func()) {
	if strings.HasPrefix(c.Name, heldMark) {
		f.mu.Lock()
		c.Name = f.plainName(c.Name)
		f.mu.Unlock()
	}
	if do := f.before.Load(); do != nil {
		(*do)(c)
	}
	f.mu.Lock()
	c.N = f.calls
	f.calls++
	switch {
	case f.dead:
		fault.Err = errDead
	case f.fault != nil:
		fault = f.fault(c)
	}
	return fault, func() {
		f.mu.Unlock()
		if do := f.after.Load(); do != nil {
			(*do)(c)
		}
	}
}

func (f *FS) tick() int64 {
	f.ticks++
	return f.ticks
}

// Clone returns a copy of the file system as it is now: caches, unsynced changes and all. Locks and
// hooks are not copied, files that nobody can reach any more are left out. The copy shares
// unchanged pages with f.
func (f *FS) Clone() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cloneLocked()
}

func (f *FS) cloneLocked() *FS {
	c := &FS{
		device: devices.Add(1) | 1<<62, inodes: make(map[uint64]*inode, len(f.inodes)), locks: map[uint64]string{},
		last: f.last, pending: slices.Clone(f.pending), ticks: f.ticks, limit: f.limit, links: f.links,
		noExchange: f.noExchange,
	}
	for id, n := range f.inodes {
		c.inodes[id] = n.clone()
	}
	c.forgetUnreachable()
	return c
}

// Kill ends the process that uses f: from now on every call on f fails and changes nothing. It
// returns the file system as the next process finds it: nothing is lost, nothing is locked.
func (f *FS) Kill() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
	return f.cloneLocked()
}

func pathError(op, name string, err error) error { return &os.PathError{Op: op, Path: name, Err: err} }

// split cleans a name into its elements.
func split(name string) []string {
	name = strings.TrimPrefix(filepath.ToSlash(name), filepath.VolumeName(name))
	return strings.FieldsFunc(path.Clean(name), func(r rune) bool { return r == '/' })
}

// maxLinks is how many links of one name are followed.
const maxLinks = 40

// expand replaces the links in a name by what they lead to, the last element too if that is wanted.
func (f *FS) expand(name string, last bool) (string, error) {
	if f.links == 0 {
		return name, nil
	}
	dir := f.inodes[rootInode]
	var whole []string
	followed := 0
	for rest := split(name); len(rest) > 0; {
		e := rest[0]
		rest = rest[1:]
		next := f.inodes[dir.entries[e]]
		if next == nil {
			return "/" + path.Join(append(append(whole, e), rest...)...), nil
		}
		if next.link == "" || len(rest) == 0 && !last {
			whole, dir = append(whole, e), next
			continue
		}
		if followed++; followed > maxLinks {
			return "", syscall.ELOOP
		}
		target := next.link
		if !path.IsAbs(target) {
			target = path.Join(append(whole, target)...)
		}
		rest = append(split(target), rest...)
		whole, dir = nil, f.inodes[rootInode]
	}
	return "/" + path.Join(whole...), nil
}

// walk finds the directory that holds the last element of name, and that element. The root has no
// element.
func (f *FS) walk(name string) (dir *inode, last string, err error) {
	if name, err = f.expand(name, false); err != nil {
		return nil, "", err
	}
	dir = f.inodes[rootInode]
	elements := split(name)
	if len(elements) > 0 && f.held[elements[0]] != "" {
		id, _ := strconv.ParseUint(elements[0][1:], 10, 64)
		dir, elements = f.inodes[id], elements[1:]
	}
	if len(elements) == 0 || len(elements) == 1 && elements[0] == "." {
		return dir, "", nil
	}
	for _, e := range elements[:len(elements)-1] {
		next := f.inodes[dir.entries[e]]
		switch {
		case next == nil:
			return nil, "", fs.ErrNotExist
		case !next.dir:
			return nil, "", syscall.ENOTDIR
		}
		dir = next
	}
	return dir, elements[len(elements)-1], nil
}

// find returns the inode that the name leads to.
func (f *FS) find(name string) (*inode, error) {
	name, err := f.expand(name, true)
	if err != nil {
		return nil, err
	}
	dir, last, err := f.walk(name)
	if err != nil || last == "" {
		return dir, err
	}
	n := f.inodes[dir.entries[last]]
	if n == nil {
		return nil, fs.ErrNotExist
	}
	return n, nil
}

// Open opens or creates a file, or opens a directory for reading.
func (f *FS) Open(name string, flag int) (vfs.File, error) {
	fault, end := f.begin(Call{Op: OpOpen, Name: name})
	defer end()
	if fault.Err != nil {
		return nil, pathError("open", name, fault.Err)
	}
	n, err := f.open(name, flag)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	n.opened++
	return &file{fs: f, node: n, name: name, writable: flag&os.O_RDWR != 0, seen: n.unseenError()}, nil
}

func (f *FS) open(name string, flag int) (*inode, error) {
	name, err := f.expand(name, true)
	if err != nil {
		return nil, err
	}
	dir, last, err := f.walk(name)
	if err != nil {
		return nil, err
	}
	n := dir
	if last != "" {
		n = f.inodes[dir.entries[last]]
	}
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, fs.ErrNotExist
	case n == nil:
		n = f.newInode(false)
		f.change(nameOp{{dir.id, last, n.id}})
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return nil, fs.ErrExist
	case n.dir && flag&os.O_RDWR != 0:
		return nil, syscall.EISDIR
	}
	return n, nil
}

// List returns the names in dir.
func (f *FS) List(dir string) ([]string, error) {
	fault, end := f.begin(Call{Op: OpList, Name: dir})
	defer end()
	if fault.Err != nil {
		return nil, pathError("list", dir, fault.Err)
	}
	n, err := f.find(dir)
	if err == nil && !n.dir {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, pathError("list", dir, err)
	}
	names := make([]string, 0, len(n.entries))
	for name := range n.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Stat describes a name. Modified counts changes, one second each.
func (f *FS) Stat(name string) (vfs.FileInfo, error) {
	fault, end := f.begin(Call{Op: OpStat, Name: name})
	defer end()
	if fault.Err != nil {
		return vfs.FileInfo{}, pathError("stat", name, fault.Err)
	}
	n, err := f.find(name)
	if err != nil {
		return vfs.FileInfo{}, pathError("stat", name, err)
	}
	return f.info(n), nil
}

func (f *FS) info(n *inode) vfs.FileInfo {
	return vfs.FileInfo{
		Size: n.cached.size, Dir: n.dir, Mode: 0o700, Modified: time.Unix(n.modified, 0), Device: f.device, Inode: n.id,
	}
}

// Resolve returns the name without links of what a name leads to, or would lead to if its last
// element were there.
func (f *FS) Resolve(name string) (string, error) {
	fault, end := f.begin(Call{Op: OpStat, Name: name})
	defer end()
	err := fault.Err
	if err == nil {
		_, err = f.find(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", pathError("resolve", name, err)
	}
	whole, errWalk := f.expand(name, true)
	if errWalk == nil {
		_, _, errWalk = f.walk(whole)
	}
	if errWalk != nil {
		return "", pathError("resolve", name, errWalk)
	}
	whole = "/" + path.Join(split(whole)...)
	if err != nil {
		return whole, pathError("resolve", name, err)
	}
	return whole, nil
}

// Space tells what the limit leaves.
func (f *FS) Space(dir string) (vfs.Space, error) {
	fault, end := f.begin(Call{Op: OpSpace, Name: dir})
	defer end()
	if fault.Err != nil {
		return vfs.Space{}, pathError("statfs", dir, fault.Err)
	}
	if _, err := f.find(dir); err != nil {
		return vfs.Space{}, pathError("statfs", dir, err)
	}
	return vfs.Space{Free: f.free()}, nil
}

// Used returns how many bytes all files have together.
func (f *FS) Used() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.used()
}

func (f *FS) used() (n int64) {
	for _, i := range f.inodes {
		n += i.cached.size
	}
	return n
}

// free returns how many bytes files may still grow.
func (f *FS) free() int64 {
	if f.limit == 0 {
		return 1 << 40
	}
	return max(f.limit-f.used(), 0)
}

// Lock takes the lock of a file, creating it if need be. Its holder is kept beside the file, not in
// it.
func (f *FS) Lock(name, holder string) (io.Closer, error) {
	fault, end := f.begin(Call{Op: OpLock, Name: name})
	defer end()
	if fault.Err != nil {
		return nil, pathError("lock", name, fault.Err)
	}
	n, err := f.open(name, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, pathError("lock", name, err)
	}
	if holder, held := f.locks[n.id]; held {
		return nil, lockedError(name, holder)
	}
	f.locks[n.id] = holder
	n.opened++
	return &lock{fs: f, node: n}, nil
}

// A lock is held until Close.
type lock struct {
	fs   *FS
	node *inode // nil after Close
}

// Info describes the lock file that is held.
func (l *lock) Info() (vfs.FileInfo, error) {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	return l.fs.info(l.node), nil
}

func (l *lock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	if l.node == nil {
		return os.ErrClosed
	}
	delete(l.fs.locks, l.node.id)
	l.fs.release(l.node)
	l.node = nil
	return nil
}

// lockedError reads a holder's text, which is "pid host time".
func lockedError(name, holder string) error {
	e := &engine.LockedError{Path: name}
	words := strings.Fields(holder)
	if len(words) != 3 {
		return e
	}
	since, errSince := time.Parse(time.RFC3339, words[2])
	pid, err := strconv.Atoi(words[0])
	if err == nil && errSince == nil {
		e.PID, e.Host, e.Since = pid, words[1], since
	}
	return e
}
