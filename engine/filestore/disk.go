package filestore

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// joinPath joins a directory and a name in it.
func joinPath(dir, name string) string { return filepath.Join(dir, name) }

// readFile reads a file, at most limit bytes of it.
func readFile(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := openFile(fsys, name, os.O_RDONLY)
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
	return b[:n], ignoreEOF(err)
}

// openFile opens what must be a file: anything else is a *FormatError.
func openFile(fsys FS, name string, flag int) (File, error) {
	f, err := fsys.Open(name, flag)
	if errors.Is(err, syscall.EISDIR) {
		return nil, notAFile(name, os.ModeDir)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Info()
	if err == nil && info.Dir {
		err = notAFile(name, os.ModeDir)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// writeFull writes all of b, going on after short and interrupted writes.
func writeFull(f File, b []byte, off int64) error {
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

// isFull reports whether an error means that there is no room on the disk.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// syncNames makes the names in dir durable.
func syncNames(fsys FS, dir string) error {
	if sabotaged(noDirFsync) {
		return nil
	}
	return fsys.SyncDir(dir)
}

// syncData makes a file's content durable. A failed sync is never repeated: the system may have dropped what it could not write.
// Only a sync that was interrupted before it began is.
func syncData(f File) error {
	err := f.Fdatasync()
	for errors.Is(err, syscall.EINTR) {
		err = f.Fdatasync()
	}
	if err != nil && sabotaged(retryFsync) {
		err = f.Fdatasync()
	}
	return err
}

// parentOf returns the directory that holds a name.
func parentOf(name string) string { return filepath.Dir(filepath.Clean(name)) }

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
