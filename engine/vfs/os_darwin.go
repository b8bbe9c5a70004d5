package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// On macOS fsync leaves bytes in the drive's cache; only F_FULLFSYNC asks the drive to empty it. A
// file system that does not know F_FULLFSYNC (some network ones) gets an ordinary fsync.
func fsync(f *os.File) error {
	err := withFD(f, func(fd int) error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0)
		return err
	})
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) {
		return withFD(f, unix.Fsync)
	}
	return err
}

func fdatasync(f *os.File) error { return fsync(f) }

// preallocate reserves blocks for [from, to), in one piece if possible, and makes the file that
// long.
func preallocate(f *os.File, from, to int64) error {
	err := withFD(f, func(fd int) error {
		want := unix.Fstore_t{Flags: unix.F_ALLOCATECONTIG, Posmode: unix.F_PEOFPOSMODE, Length: to - from}
		if unix.FcntlFstore(uintptr(fd), unix.F_PREALLOCATE, &want) == nil {
			return nil
		}
		want.Flags = unix.F_ALLOCATEALL
		return unix.FcntlFstore(uintptr(fd), unix.F_PREALLOCATE, &want)
	})
	if err != nil {
		return err
	}
	return f.Truncate(to)
}

// osExchange exchanges two names, which APFS can.
func osExchange(a, b string) error {
	err := unix.RenamexNp(a, b, unix.RENAME_SWAP)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EINVAL) {
		return errors.ErrUnsupported
	}
	return err
}

func osSpace(dir string) (Space, error) {
	var st unix.Statfs_t
	if err := statfs(dir, &st); err != nil {
		return Space{}, err
	}
	return Space{
		Free:        freeBytes(st.Bavail, uint64(st.Bsize)),
		Network:     st.Flags&unix.MNT_LOCAL == 0,
		Kind:        unix.ByteSliceToString(st.Fstypename[:]),
		CopyOnWrite: unix.ByteSliceToString(st.Fstypename[:]) == "apfs",
		ReadOnly:    st.Flags&unix.MNT_RDONLY != 0,
	}, nil
}
