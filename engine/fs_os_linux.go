package engine

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

func fdatasync(f *os.File) error { return withFD(f, unix.Fdatasync) }
func fsync(f *os.File) error     { return withFD(f, unix.Fsync) }

// preallocate reserves blocks for [from, to) and makes the file that long.
func preallocate(f *os.File, from, to int64) error {
	return withFD(f, func(fd int) error { return unix.Fallocate(fd, 0, from, to-from) })
}

// mapFile maps the first size bytes of a file. Pages that are not in memory are read one by one.
func mapFile(f *os.File, size int64) (data []byte, err error) {
	if strconv.IntSize < 64 || size <= 0 { // addresses are too few for a log
		return nil, errors.ErrUnsupported
	}
	err = withFD(f, func(fd int) (err error) {
		data, err = unix.Mmap(fd, 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
		return err
	})
	if err == nil {
		_ = unix.Madvise(data, unix.MADV_RANDOM) // a hint only
	}
	return data, err
}

func unmapFile(data []byte) { _ = unix.Munmap(data) }

// forgetPages gives back the memory of a map, which stays as it is.
func forgetPages(data []byte) { _ = unix.Madvise(data, unix.MADV_DONTNEED) }

// The magic numbers of statfs(2), as linux/magic.h and the file systems' own sources have them.
const (
	magicFUSE = 0x65735546
)

var networkMagic = []uint32{
	0x6969,     // NFS
	0x517b,     // SMB
	0xfe534d42, // SMB 2
	0xff534d42, // CIFS
	0x5346414f, // AFS
	0x6b414653, // AFS of the kernel
	0x73757245, // Coda
	0x00c36400, // Ceph
	0x0bd00bd0, // Lustre
	0x7461636f, // OCFS2
	0xaad7aaea, // PanFS
	0x786f4256, // vboxsf
}

var copyOnWriteMagic = []uint32{
	0x9123683e, // btrfs
	0x2fc12fc1, // ZFS
	0xca451a4e, // bcachefs
	0xf2f52010, // F2FS, which appends like they do
	0x00003434, // NILFS
}

// localFUSE are the kinds of FUSE file systems whose bytes are on a disk of this machine.
var localFUSE = []string{"fuseblk", "fuse.ntfs-3g", "fuse.exfat", "fuse.lazyfs", "fuse.fuse-overlayfs", "fuse.bindfs", "fuse.gocryptfs", "fuse.lxcfs"}

func osSpace(dir string) (Space, error) {
	var st unix.Statfs_t
	if err := statfs(dir, &st); err != nil {
		return Space{}, err
	}
	unit := st.Frsize
	if unit == 0 {
		unit = st.Bsize
	}
	magic := uint32(st.Type)
	return Space{
		Free:        freeBytes(uint64(st.Bavail), uint64(unit)),
		Network:     slices.Contains(networkMagic, magic) || magic == magicFUSE && !isLocalFUSE(dir),
		CopyOnWrite: slices.Contains(copyOnWriteMagic, magic),
		ReadOnly:    st.Flags&unix.ST_RDONLY != 0,
	}, nil
}

// isLocalFUSE looks the mount of dir up. If it cannot be found, it is taken for a network's.
func isLocalFUSE(dir string) bool {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return false
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	defer f.Close()
	return slices.Contains(localFUSE, mountKind(f, unix.Major(st.Dev), unix.Minor(st.Dev)))
}

// mountKind finds the file system type of a device in the lines of mountinfo (see proc_pid_mountinfo(5)):
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
func mountKind(mountinfo io.Reader, major, minor uint32) string {
	device := fmt.Sprintf("%d:%d", major, minor)
	for lines := bufio.NewScanner(mountinfo); lines.Scan(); {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if ok && len(left) > 2 && left[2] == device && len(right) > 0 {
			return right[0]
		}
	}
	return ""
}

// residentFiles returns how many bytes of files are part of this process's memory, 0 if the system does not tell.
func residentFiles() int64 {
	f, err := statm()
	if err != nil {
		return 0
	}
	var text [128]byte
	n, _ := unix.Pread(int(f.Fd()), text[:], 0)
	fields := bytes.Fields(text[:max(n, 0)])
	if len(fields) < 3 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[2]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// statm is kept open: it is read often.
var statm = sync.OnceValues(func() (*os.File, error) { return os.Open("/proc/self/statm") })
