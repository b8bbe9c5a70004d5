//go:build darwin || freebsd || linux

package vfs

import (
	"errors"
	"math"
	"math/bits"

	"golang.org/x/sys/unix"
)

func statfs(dir string, st *unix.Statfs_t) error {
	for {
		if err := unix.Statfs(dir, st); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// freeBytes multiplies without overflow: some file systems claim to be endless.
func freeBytes(blocks, size uint64) int64 {
	high, low := bits.Mul64(blocks, size)
	if high != 0 || low > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(low)
}
