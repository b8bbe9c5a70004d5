//go:build dragonfly || netbsd || openbsd

package vfs

import "os"

func fdatasync(f *os.File) error { return f.Sync() }
func fsync(f *os.File) error     { return f.Sync() }

// preallocate only makes the file longer: these systems have no call that reserves blocks.
func preallocate(f *os.File, _, to int64) error { return f.Truncate(to) }

// space knows nothing: every one of these systems has another call for it.
func osSpace(dir string) (Space, error) {
	_, err := os.Stat(dir)
	return Space{Free: -1}, err
}
