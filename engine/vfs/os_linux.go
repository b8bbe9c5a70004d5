package vfs

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

// osExchange exchanges two names. File systems that cannot say that the flag is not valid;
// sandboxes that do not know the call say that it is not permitted.
func osExchange(a, b string) error {
	err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return errors.ErrUnsupported
	}
	return err
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
const magicFUSE = 0x65735546

var networkMagic = map[uint32]string{
	0x6969:     "nfs",
	0x517b:     "smb",
	0xfe534d42: "smb2",
	0xff534d42: "cifs",
	0x01021997: "9p",
	0x5346414f: "afs", // OpenAFS
	0x6b414653: "afs", // of the kernel
	0x73757245: "coda",
	0x00c36400: "ceph",
	0x01161970: "gfs2",
	0x0bd00bd0: "lustre",
	0x47504653: "gpfs",
	0x19830326: "fhgfs",
	0x7461636f: "ocfs2",
	0xaad7aaea: "panfs",
	0x564c:     "ncp",
	0x786f4256: "vboxsf",
	0xbacbacbc: "vmhgfs",
}

var copyOnWriteMagic = []uint32{
	0x9123683e, // btrfs
	0x2fc12fc1, // ZFS
	0xca451a4e, // bcachefs
	0xf2f52010, // F2FS, which appends like they do
	0x00003434, // NILFS
}

// localFUSE are the kinds of FUSE file systems whose bytes are on a disk of this machine.
var localFUSE = []string{
	"fuseblk", "fuse.ntfs-3g", "fuse.exfat", "fuse.lazyfs", "fuse.fuse-overlayfs", "fuse.bindfs", "fuse.gocryptfs",
	"fuse.lxcfs",
}

func osSpace(dir string) (Space, error) {
	var st unix.Statfs_t
	if err := statfs(dir, &st); err != nil {
		return Space{}, err
	}
	return spaceOf(dir, &st), nil
}

// spaceOf says what statfs has told of dir.
func spaceOf(dir string, st *unix.Statfs_t) Space {
	unit := st.Frsize
	if unit == 0 {
		unit = st.Bsize
	}
	magic := uint32(st.Type)
	kind, network := networkMagic[magic]
	if magic == magicFUSE {
		kind = kindOfFUSE(dir)
		network = isRemoteFUSE(kind)
	}
	return Space{
		Free:        freeBytes(uint64(st.Bavail), uint64(unit)),
		Network:     network,
		Kind:        kind,
		CopyOnWrite: slices.Contains(copyOnWriteMagic, magic),
		ReadOnly:    st.Flags&unix.ST_RDONLY != 0,
	}
}

// isRemoteFUSE reports whether the bytes of a FUSE file system of this kind may be anywhere.
func isRemoteFUSE(kind string) bool { return kind != "" && !slices.Contains(localFUSE, kind) }

// kindOfFUSE looks up what is mounted where dir is, "" if it cannot be found.
func kindOfFUSE(dir string) string {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return ""
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	return mountKind(f, unix.Major(st.Dev), unix.Minor(st.Dev))
}

// mountKind finds the file system type of a device in the lines of mountinfo (see
// proc_pid_mountinfo(5)):
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

// residentFiles returns how many bytes of files are part of this process's memory, 0 if the system
// does not tell.
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

var _ writeBacker = (*osFile)(nil)

// writeBack implements writeBacker. Unlike a sync it does not take an error of the disk away from a
// later one.
func (o *osFile) writeBack(off, n int64) {
	_ = withFD(o.f, func(fd int) error { return unix.SyncFileRange(fd, off, n, unix.SYNC_FILE_RANGE_WRITE) })
}
