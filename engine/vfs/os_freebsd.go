package vfs

import "golang.org/x/sys/unix"

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
