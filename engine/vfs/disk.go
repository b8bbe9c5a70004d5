package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Join joins a directory and a name in it.
func Join(dir, name string) string { return filepath.Join(dir, name) }

// ReadFile reads a file, at most limit bytes of it.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := OpenToRead(fsys, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(size, limit))
	n, err := f.ReadAt(b, 0)
	return b[:n], IgnoreEOF(err)
}

// OpenToRead opens for reading what must be a file: anything else is a *FormatError.
func OpenToRead(fsys FS, name string) (File, error) { return OpenFile(fsys, name, os.O_RDONLY) }

// OpenFile opens, with the flags of FS.Open, what must be a file: anything else is a *FormatError.
func OpenFile(fsys FS, name string, flag int) (File, error) {
	f, err := fsys.Open(name, flag)
	if errors.Is(err, syscall.EISDIR) {
		return nil, NotAFile(name, os.ModeDir)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Info()
	if err == nil && info.Dir {
		err = NotAFile(name, os.ModeDir)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// WriteFull writes all of b, going on after short and interrupted writes.
func WriteFull(f File, b []byte, off int64) error {
	for {
		n, err := f.WriteAt(b, off)
		if n == len(b) {
			return nil
		}
		b, off = b[n:], off+int64(n)
		short := err == nil || errors.Is(err, io.ErrShortWrite)
		if short && n == 0 {
			return io.ErrShortWrite
		}
		if !short && !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// IsFull reports whether an error means that there is no room on the disk.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// SyncData makes a file's content durable. A failed sync is never repeated: the system may have
// dropped what it could not write. Only a sync that was interrupted before it began is.
func SyncData(f File) error {
	err := f.Fdatasync()
	for errors.Is(err, syscall.EINTR) {
		err = f.Fdatasync()
	}
	return err
}

// A writeBacker is a file that can begin to write to the disk without waiting for it and without
// flushing the disk's cache, which would hold up others. That it cannot is no failure: what is
// written is synced in the end.
type writeBacker interface {
	writeBack(off, n int64)
}

// WriteBack has the operating system write part of a file to the disk, so that it does not pile up.
// It promises nothing.
func WriteBack(f File, off, n int64) error {
	if w, ok := f.(writeBacker); ok {
		w.writeBack(off, n)
		return nil
	}
	return SyncData(f)
}

// Parent returns the directory that holds a name.
func Parent(name string) string { return filepath.Dir(filepath.Clean(name)) }

// IgnoreEOF returns nil for io.EOF, which ReadAt gives at the end of a file, and every other error
// as it is.
func IgnoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// CreateEmpty creates a file. One that has the name is removed, not emptied: it may have another
// name, in another directory, under which it is somebody's log.
func CreateEmpty(fsys FS, name string) (File, error) {
	f, err := fsys.Open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return fsys.Open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

// WriteNew makes a file of what fill writes into it, and syncs it, so that it can be renamed. What
// has the name already is removed first. After an error there is no file.
func WriteNew(fsys FS, name string, fill func(f File) error) error {
	f, err := CreateEmpty(fsys, name)
	if err != nil {
		return err
	}
	err = fill(f)
	if err == nil {
		err = f.Fsync()
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		_ = fsys.Remove(name) // the next attempt removes it in any case
	}
	return err
}
