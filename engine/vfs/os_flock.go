//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package vfs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tryLock takes the flock of f, which belongs to the open file and not to the process: two opens in
// one process exclude each other too. It returns false if somebody else has it.
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
	return syncDirectory(d)
}

func syncDirectory(d *os.File) error {
	err := fsync(d)
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

// withFD calls do with the descriptor of f, which stays open meanwhile, again as long as a signal
// interrupts it.
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

// osStat describes a name. The writer asks for one with every commit.
func osStat(name string) (FileInfo, error) { return statAt(unix.AT_FDCWD, name, name) }

// statAt describes name in the directory that is open as dir. full is the name for errors.
func statAt(dir int, name, full string) (FileInfo, error) {
	var st unix.Stat_t
	for {
		err := unix.Fstatat(dir, name, &st, 0)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return FileInfo{}, &os.PathError{Op: "stat", Path: full, Err: err}
		}
	}
	return FileInfo{
		Size: st.Size, Dir: modeOf(uint32(st.Mode)).IsDir(), Mode: fs.FileMode(st.Mode) & fs.ModePerm,
		Modified: time.Unix(st.Mtim.Unix()), Device: uint64(st.Dev), Inode: uint64(st.Ino),
	}, nil
}

// openIdentity is fileIdentity of an open file.
func openIdentity(_ *os.File, st os.FileInfo) (device, inode uint64, err error) {
	return fileIdentity("", st)
}

func osOpen(name string, flag int) (*os.File, error) { return openAt(unix.AT_FDCWD, name, name, flag) }

// openAt opens name in the directory that is open as dir. full is the name for errors. Opening a
// named pipe would wait for whoever writes into it, and some devices for theirs, so that nothing
// but files and directories stays open.
func openAt(dir int, name, full string, flag int) (*os.File, error) {
	fd, err := ignoreInterrupts(func() (int, error) {
		return unix.Openat(dir, name, flag|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, createModeAt(dir, full, flag))
	})
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.EOPNOTSUPP) { // what a socket answers, and some devices
		var st unix.Stat_t
		if unix.Fstatat(dir, name, &st, 0) == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
			return nil, NotAFile(full, modeOf(uint32(st.Mode)))
		}
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: full, Err: err}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil {
		if mode := modeOf(uint32(st.Mode)); mode != 0 && !mode.IsDir() {
			err = NotAFile(full, mode)
		} else {
			err = unix.SetNonblock(fd, false)
		}
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), full), nil
}

// createModeAt is createMode of a name in the directory that is open as dir.
func createModeAt(dir int, full string, flag int) uint32 {
	if flag&unix.O_CREAT == 0 {
		return 0
	}
	if dir == unix.AT_FDCWD {
		return uint32(createMode(full))
	}
	var st unix.Stat_t
	if unix.Fstat(dir, &st) != nil {
		return 0o600
	}
	return uint32(st.Mode)&0o666 | 0o600
}

// ignoreInterrupts calls do again as long as a signal interrupts it.
func ignoreInterrupts[T any](do func() (T, error)) (T, error) {
	for {
		if v, err := do(); !errors.Is(err, unix.EINTR) {
			return v, err
		}
	}
}

// modeOf returns the type of a file as package os has it, 0 for one that bytes are kept in.
func modeOf(mode uint32) os.FileMode {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return 0
	case unix.S_IFDIR:
		return os.ModeDir
	case unix.S_IFIFO:
		return os.ModeNamedPipe
	case unix.S_IFSOCK:
		return os.ModeSocket
	case unix.S_IFCHR, unix.S_IFBLK:
		return os.ModeDevice
	}
	return os.ModeIrregular
}

// fileLimit returns how many files this process may have open, 0 if that is unknown.
func fileLimit() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return uint64(limit.Cur)
}
