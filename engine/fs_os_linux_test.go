package engine

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
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

func TestFreeBytes(t *testing.T) {
	assert.Equal(t, int64(12), freeBytes(3, 4))
	assert.Equal(t, int64(math.MaxInt64), freeBytes(math.MaxUint64, 4096))
	assert.Equal(t, int64(math.MaxInt64), freeBytes(1<<52, 4096))
}
