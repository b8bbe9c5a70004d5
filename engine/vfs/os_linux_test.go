package vfs

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestMountKind(t *testing.T) {
	const mounts = `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
37 35 0:44 / /net rw,relatime shared:1 shared:2 - fuse.sshfs me@there: rw
38 35 8:1 / /media rw,relatime - fuseblk /dev/sda1 rw
nonsense
`
	for _, tt := range []struct {
		major, minor uint32
		want         string
	}{{98, 0, "ext3"}, {0, 44, "fuse.sshfs"}, {8, 1, "fuseblk"}, {9, 9, ""}} {
		assert.Equal(t, tt.want, mountKind(strings.NewReader(mounts), tt.major, tt.minor))
	}
}

// flushedFile counts the syncs of a file of the operating system, each of which flushes the disk's
// cache.
type flushedFile struct {
	*osFile
	flushes int
}

func (f *flushedFile) Fdatasync() error {
	f.flushes++
	return f.osFile.Fdatasync()
}

func TestWritingBackDoesNotFlushTheDisk(t *testing.T) {
	file, err := OS().Open(filepath.Join(t.TempDir(), "zeros"), os.O_RDWR|os.O_CREATE)
	require.NoError(t, err)
	f := &flushedFile{osFile: file.(*osFile)}
	defer f.Close()
	require.NoError(t, WriteFull(f, make([]byte, 8192), 0))
	require.NoError(t, WriteBack(f, 0, 8192))
	assert.Zero(t, f.flushes)
}

func TestFreeBytes(t *testing.T) {
	assert.Equal(t, int64(12), freeBytes(3, 4))
	assert.Equal(t, int64(math.MaxInt64), freeBytes(math.MaxUint64, 4096))
	assert.Equal(t, int64(math.MaxInt64), freeBytes(1<<52, 4096))
}

func TestSpaceOfNetworkFileSystems(t *testing.T) {
	dir := t.TempDir() // not FUSE in any place where tests are run, or one that counts as local
	for magic, want := range map[uint32]Space{
		0x6969:     {Network: true, Kind: "nfs"},
		0xfe534d42: {Network: true, Kind: "smb2"},
		0xff534d42: {Network: true, Kind: "cifs"},
		0x01021997: {Network: true, Kind: "9p"},
		0x00c36400: {Network: true, Kind: "ceph"},
		0xef53:     {}, // ext4
		0x01021994: {}, // tmpfs
		0x794c7630: {}, // overlayfs
		0x9123683e: {CopyOnWrite: true},
		0x12345678: {}, // unknown
	} {
		st := unix.Statfs_t{Bavail: 3, Bsize: 4096}
		setType(&st, magic)
		want.Free = 3 * 4096
		assert.Equal(t, want, spaceOf(dir, &st), "%#x", magic)
	}
	st := unix.Statfs_t{}
	setType(&st, magicFUSE)
	assert.False(t, spaceOf(filepath.Join(dir, "missing"), &st).Network, "FUSE of a kind that cannot be found out")
}

// setType sets a field that has another type on some processors.
func setType(st *unix.Statfs_t, magic uint32) {
	reflect.ValueOf(st).Elem().FieldByName("Type").SetInt(int64(magic))
}

func TestFUSEKinds(t *testing.T) {
	for kind, network := range map[string]bool{"": false, "fuseblk": false, "fuse.bindfs": false, "fuse.sshfs": true,
		"fuse.rclone": true, "fuse": true, "virtiofs": true} {
		assert.Equal(t, network, isRemoteFUSE(kind), kind)
	}
}
