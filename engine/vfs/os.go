package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/eventfold/eventfold/engine"
)

// OS returns the operating system's file system. What differs from system to system is in os_*.go.
func OS() FS { return osFS{} }

type osFS struct{}

// IsOS reports whether a file system is the operating system's.
func IsOS(fsys FS) bool {
	_, ok := fsys.(osFS)
	return ok
}

func (osFS) Open(name string, flag int) (File, error) {
	return openOSFile(func() (*os.File, error) { return osOpen(name, flag) })
}

// openOSFile makes a File of what open opens.
func openOSFile(open func() (*os.File, error)) (File, error) {
	return OpenPatiently(osFiles, func() (File, error) {
		f, err := open()
		if err != nil {
			return nil, osError(err)
		}
		return &osFile{f: f}, nil
	})
}

func (osFS) Rename(from, to string) error { return osError(os.Rename(from, to)) }
func (osFS) Exchange(a, b string) error {
	if err := osExchange(a, b); err != nil {
		return &os.LinkError{Op: "exchange", Old: a, New: b, Err: osError(err)}
	}
	return nil
}

func (osFS) Link(from, to string) error { return osError(os.Link(from, to)) }
func (osFS) Remove(name string) error   { return osError(os.Remove(name)) }
func (osFS) MkdirAll(dir string) error  { return osError(os.MkdirAll(dir, 0o700)) }

func (osFS) Mkdir(dir string, mode fs.FileMode) error { return osError(os.Mkdir(dir, mode)) }

func (osFS) Resolve(name string) (string, error) {
	whole, err := filepath.Abs(name)
	if err != nil {
		return "", osError(err)
	}
	for range maxLinks {
		found, err := filepath.EvalSymlinks(whole)
		if err == nil {
			return found, nil
		}
		dir, errDir := filepath.EvalSymlinks(filepath.Dir(whole))
		if !errors.Is(err, fs.ErrNotExist) || errDir != nil {
			return "", osError(err)
		}
		whole = filepath.Join(dir, filepath.Base(whole))
		target, errLink := os.Readlink(whole) // of a link that leads to nothing
		if errLink != nil {
			return whole, osError(err)
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		whole = target
	}
	return "", pathError("resolve", name, syscall.ELOOP)
}

// maxLinks is how many links of one name are followed.
const maxLinks = 40

// createMode returns the permissions of a file that is made: those of its directory without the
// right to search it. What is in a store is for those for whom the store is.
func createMode(name string) fs.FileMode {
	st, err := os.Stat(filepath.Dir(name))
	if err != nil {
		return 0o600
	}
	return st.Mode().Perm()&0o666 | 0o600
}

func (osFS) SyncDir(dir string) error {
	_, err := OpenPatiently(osFiles, func() (struct{}, error) { return struct{}{}, osSyncDir(dir) })
	return osError(err)
}

func (osFS) List(dir string) ([]string, error) {
	entries, err := OpenPatiently(osFiles, func() ([]os.DirEntry, error) { return os.ReadDir(dir) })
	if err != nil {
		return nil, osError(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (osFS) Stat(name string) (FileInfo, error) { return osStat(name) }

// infoOf returns what st tells, without the identity of the file.
func infoOf(st os.FileInfo) FileInfo {
	return FileInfo{Size: st.Size(), Dir: st.IsDir(), Mode: st.Mode().Perm(), Modified: st.ModTime()}
}

func (osFS) Space(dir string) (Space, error) {
	s, err := osSpace(dir)
	if err != nil {
		return Space{}, &os.PathError{Op: "statfs", Path: dir, Err: osError(err)}
	}
	return s, nil
}

// Lock takes an advisory lock on an open file, which the system drops when the process dies in
// whatever way. What is written into the file is for people, and for the LockedError of the next
// one who tries.
//
// Whoever gives up a lock may remove its file before. Who has opened it until then finds that it
// has no name any more, and opens the next one.
func (osFS) Lock(name, holder string) (io.Closer, error) {
	return lockOSFile(name, holder, lockPlace{
		open:  func() (*os.File, error) { return osOpen(name, os.O_RDWR|os.O_CREATE) },
		leads: func(f *os.File) bool { return leadsTo(name, f) },
	})
}

// A lockPlace is where a lock file is looked for.
type lockPlace struct {
	open  func() (*os.File, error)
	leads func(*os.File) bool // whether the name still leads to the file
}

// lockOSFile takes the lock of a file.
func lockOSFile(name, holder string, at lockPlace) (io.Closer, error) {
	for range 10 {
		f, err := openLocked(at)
		if err != nil {
			return nil, err
		}
		if !at.leads(f) {
			f.Close()
			continue
		}
		// A full disk must not keep anybody from locking, so that these two may fail.
		if f.Truncate(0) == nil {
			f.WriteAt([]byte(holder), 0)
		}
		return &osLock{f}, nil
	}
	return nil, &engine.LockedError{Path: name}
}

// openLocked opens a lock file and locks it.
func openLocked(at lockPlace) (*os.File, error) {
	f, err := OpenPatiently(osFiles, at.open)
	if err != nil {
		return nil, osError(err)
	}
	held, err := tryLock(f)
	if err == nil && !held {
		err = lockedBy(f)
	}
	if err != nil {
		f.Close()
		return nil, osError(err)
	}
	return f, nil
}

// leadsTo reports whether the name is still that of the open file.
func leadsTo(name string, f *os.File) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(name)
	return err == nil && os.SameFile(opened, named)
}

// An osLock is a lock file that is open and locked.
type osLock struct{ f *os.File }

// Info describes the lock file that is held, whatever its name leads to by now.
func (l *osLock) Info() (FileInfo, error) { return (&osFile{f: l.f}).Info() }

func (l *osLock) Close() error {
	l.f.Truncate(0) // so that nobody reads an old holder while the next one has not written its own yet
	return osError(l.f.Close())
}

// lockedBy reads who holds the lock. A holder that has not written its text yet stays unknown.
func lockedBy(f *os.File) *engine.LockedError {
	text := make([]byte, 512)
	n, _ := f.ReadAt(text, 0)
	e := ParseLockHolder(string(text[:n]))
	e.Path = f.Name()
	return e
}

// LockHolder is the text that this process writes into the lock file: pid, host and time in one
// line.
func LockHolder(now time.Time) string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return fmt.Sprintf("%d %s %s\n", os.Getpid(), host, now.UTC().Format(time.RFC3339))
}

// ParseLockHolder reads what LockHolder wrote. It never fails: what it does not understand stays
// unknown.
func ParseLockHolder(text string) *engine.LockedError {
	e := &engine.LockedError{}
	words := strings.Fields(text)
	if len(words) != 3 {
		return e
	}
	pid, err := strconv.Atoi(words[0])
	since, errSince := time.Parse(time.RFC3339, words[2])
	if err != nil || errSince != nil || pid <= 0 {
		return e
	}
	e.PID, e.Host, e.Since = pid, words[1], since
	return e
}

// An osFile is a file of the operating system. The methods of os.File that it calls repeat
// interrupted calls and go on after short ones, so that fewer bytes than asked for always come with
// an error.
type osFile struct {
	f   *os.File
	mem mapping
}

var _ Mapper = (*osFile)(nil)

func (o *osFile) Hold(to int64) *FileMap { return o.mem.hold(o.f, to) }
func (o *osFile) Release()               { o.mem.mu.RUnlock() }

func (o *osFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := o.f.ReadAt(p, off)
	o.mem.note(off, n)
	if err == io.EOF { // the usual case is kept cheap, and io.EOF must stay io.EOF
		return n, io.EOF
	}
	return n, osError(err)
}

func (o *osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := o.f.WriteAt(p, off)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, osError(err)
}

func (o *osFile) Fdatasync() error          { return o.syncError("fdatasync", fdatasync(o.f)) }
func (o *osFile) Fsync() error              { return o.syncError("fsync", fsync(o.f)) }
func (o *osFile) Truncate(size int64) error { return osError(o.f.Truncate(size)) }

func (o *osFile) Close() error {
	o.mem.close()
	return osError(o.f.Close())
}

func (o *osFile) Preallocate(size int64) error {
	now, err := o.Size()
	if err != nil || size <= now {
		return err
	}
	err = preallocate(o.f, now, size)
	if errors.Is(err, errors.ErrUnsupported) { // then the blocks come when they are written
		err = o.f.Truncate(size)
	}
	return osError(err)
}

func (o *osFile) Size() (int64, error) {
	st, err := o.f.Stat()
	if err != nil {
		return 0, osError(err)
	}
	return st.Size(), nil
}

func (o *osFile) Info() (FileInfo, error) {
	st, err := o.f.Stat()
	if err != nil {
		return FileInfo{}, osError(err)
	}
	info := infoOf(st)
	info.Device, info.Inode, err = openIdentity(o.f, st)
	return info, osError(err)
}

func (o *osFile) TryLock() error {
	held, err := tryLock(o.f)
	if err == nil && !held {
		return &engine.LockedError{Path: o.f.Name()}
	}
	if err != nil && isDirectory(o.f) { // some systems lock files only
		return fmt.Errorf("%w: %w", err, errors.ErrUnsupported)
	}
	return osError(err)
}

func isDirectory(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.IsDir()
}

// kindOf names what is neither a file nor a directory.
func kindOf(mode os.FileMode) string {
	switch {
	case mode&os.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&os.ModeSocket != 0:
		return "a socket"
	case mode&os.ModeDevice != 0:
		return "a device"
	case mode.IsDir():
		return "a directory"
	}
	return "a special file"
}

// NotAFile returns the error for a name that leads to something that a store cannot be in.
func NotAFile(name string, mode os.FileMode) error {
	return &engine.FormatError{File: name, Reason: "is " + kindOf(mode) + ", not a file"}
}

func (o *osFile) syncError(op string, err error) error {
	if err == nil {
		return nil
	}
	var path *os.PathError
	if errors.As(err, &path) {
		return osError(err)
	}
	return &os.PathError{Op: op, Path: o.f.Name(), Err: osError(err)}
}
