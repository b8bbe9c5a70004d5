//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package vfs

import (
	"errors"
	"os"
)

// On other systems a store can be read, and kept in memory, but not written: there is no lock that
// is known to work.

func tryLock(f *os.File) (bool, error) {
	return false, &os.PathError{Op: "lock", Path: f.Name(), Err: errors.ErrUnsupported}
}

func fileIdentity(string, os.FileInfo) (device, inode uint64, err error) { return 0, 0, nil }

func openIdentity(*os.File, os.FileInfo) (device, inode uint64, err error) { return 0, 0, nil }

func osSpace(dir string) (Space, error) {
	_, err := os.Stat(dir)
	return Space{Free: -1}, err
}

func osError(err error) error { return err }

func osOpen(name string, flag int) (*os.File, error) {
	mode := os.FileMode(0)
	if flag&os.O_CREATE != 0 {
		mode = createMode(name)
	}
	return os.OpenFile(name, flag, mode)
}
