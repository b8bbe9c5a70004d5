//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package engine

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// tryLock takes the flock of f, which belongs to the open file and not to the process: two opens in one process exclude
// each other too. It returns false if somebody else has it.
func tryLock(f *os.File) (bool, error) {
	err := withFD(f, func(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return false, &os.PathError{Op: "flock", Path: f.Name(), Err: err}
	}
	return true, nil
}

// osSyncDir makes the names in dir durable.
func osSyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = fsync(d)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil // this file system has no such thing as syncing a directory
	}
	return err
}

func fileIdentity(_ string, st os.FileInfo) (device, inode uint64, err error) {
	if s, ok := st.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Dev), uint64(s.Ino), nil
	}
	return 0, 0, nil
}

// withFD calls do with the descriptor of f, which stays open meanwhile, again as long as a signal interrupts it.
func withFD(f *os.File, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return os.ErrClosed
	}
	var inner error
	err = conn.Control(func(fd uintptr) {
		for {
			if inner = do(int(fd)); !errors.Is(inner, unix.EINTR) {
				return
			}
		}
	})
	if err != nil {
		return os.ErrClosed // the only reason why Control would not call
	}
	return inner
}

// osError returns err: on Unix its errno already matches what FS promises.
func osError(err error) error { return err }

func osOpen(name string, flag int) (*os.File, error) { return os.OpenFile(name, flag, 0o644) }

// fileLimit returns how many files this process may have open, 0 if that is unknown.
func fileLimit() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return uint64(limit.Cur)
}
