package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

func fdatasync(f *os.File) error { return f.Sync() }
func fsync(f *os.File) error     { return f.Sync() }

// preallocate only makes the file longer: posix_fallocate is not supported by ZFS, which most
// FreeBSD machines use.
func preallocate(f *os.File, _, to int64) error { return f.Truncate(to) }

func osSpace(dir string) (Space, error) {
	var st unix.Statfs_t
	if err := statfs(dir, &st); err != nil {
		return Space{}, err
	}
	return Space{
		Free:        freeBytes(uint64(max(st.Bavail, 0)), st.Bsize),
		Network:     st.Flags&unix.MNT_LOCAL == 0,
		Kind:        unix.ByteSliceToString(st.Fstypename[:]),
		CopyOnWrite: unix.ByteSliceToString(st.Fstypename[:]) == "zfs",
		ReadOnly:    st.Flags&unix.MNT_RDONLY != 0,
	}, nil
}
