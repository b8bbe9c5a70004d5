// Package vfs is the seam between an event store and the disk: an FS is where every byte and every
// name passes through. There is the operating system's (OS), one in memory (NewMem), and in package
// crashtest one that loses, tears and fails them. Beside it stands what every user of an FS needs:
// files that are written whole, read with a bound, and kept open in a bounded number (FileCache).
package vfs

import (
	"io"
	"io/fs"
	"time"
)

// An FS is a file system. Names are paths as the operating system has them. A file that is created
// may be read and written by those who may read and write the directory that it is in. Errors
// satisfy errors.Is with fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, syscall.ENOSPC,
// syscall.EROFS and so on, as the os package's do. All methods may be called from any number of
// goroutines.
type FS interface {
	// Open opens a file, or a directory for reading. The flags are os.O_RDONLY or os.O_RDWR, with
	// os.O_CREATE and os.O_EXCL. It never waits: what is neither, such as a named pipe or a device,
	// is a *FormatError.
	Open(name string, flag int) (File, error)
	Rename(from, to string) error
	// Exchange gives each of two names what the other one has, both at once. What cannot do that
	// returns errors.ErrUnsupported.
	Exchange(a, b string) error
	Link(from, to string) error
	Remove(name string) error
	// List returns the names (without directory) in dir, sorted.
	List(dir string) ([]string, error)
	Stat(name string) (FileInfo, error)
	// MkdirAll makes a directory and those above it that are missing, for their owner alone.
	MkdirAll(dir string) error
	// Mkdir makes one directory with permissions of which the system may take some away (umask). It
	// is an error if the name is there.
	Mkdir(dir string, mode fs.FileMode) error
	// Resolve returns the absolute name, without links, of what the name leads to. If there is
	// nothing the error is fs.ErrNotExist; if only the last element is missing, the name that it
	// would have is returned all the same, and otherwise "".
	Resolve(name string) (string, error)
	// SyncDir makes the names in dir durable.
	SyncDir(dir string) error
	// Lock takes the exclusive lock of the file name, creating it if need be, and writes holder
	// into it. It never waits. If somebody else holds it the error is a *LockedError. A process
	// that dies releases it. Close releases it. It is the lock that File.TryLock takes.
	Lock(name, holder string) (io.Closer, error)
	// Space describes the file system that dir is on.
	Space(dir string) (Space, error)
}

// A File is an open file. ReadAt and WriteAt may run concurrently at different places.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Fdatasync makes the content and the size durable, Fsync everything.
	// An error may mean that bytes written before are lost although they can still be read.
	Fdatasync() error
	Fsync() error
	Truncate(size int64) error
	// Preallocate reserves room up to size without writing it; the file's size becomes at least
	// size.
	Preallocate(size int64) error
	Size() (int64, error)
	// Info describes the open file, whatever its name leads to by now.
	Info() (FileInfo, error)
	// TryLock takes the exclusive lock of the file, or directory, that is open. It never waits. If
	// another open file holds it, in this process or in another one, the error is a *LockedError;
	// it matches errors.ErrUnsupported where such a file has no lock. Close releases it.
	TryLock() error
}

// A DirHolder is an FS that can hold a directory: the FS returned finds the names in dir in the
// directory that has this name now, wherever it is moved to and whatever takes its place. Other
// names it finds like the FS itself. Close ends it. An FS that cannot do that here returns an error
// that matches errors.ErrUnsupported.
type DirHolder interface {
	HoldDir(dir string) (FS, io.Closer, error)
}

// SameFile reports whether two descriptions are of one file. A file system that does not tell its
// files apart has only one.
func (i FileInfo) SameFile(j FileInfo) bool { return i.Device == j.Device && i.Inode == j.Inode }

// FileInfo describes a name.
type FileInfo struct {
	Size     int64
	Dir      bool
	Mode     fs.FileMode // the permissions
	Modified time.Time
	Device   uint64 // Device and Inode identify the file on this machine while it exists
	Inode    uint64
}

// Space describes a file system.
type Space struct {
	Free        int64  // bytes available to this process; -1 if unknown
	Network     bool   // the bytes are on another machine, or nobody knows where: locks and syncs are not to be trusted
	Kind        string // what the system calls it, such as nfs; "" if unknown
	CopyOnWrite bool   // btrfs, ZFS, APFS: writing zeros ahead buys nothing
	ReadOnly    bool
}
