//go:build !darwin && !linux

package vfs

import "os"

// fdatasync and fsync are the same here: package os has no call that flushes the content alone. On
// Windows both are FlushFileBuffers, which empties the drive's cache too.
func fdatasync(f *os.File) error { return f.Sync() }
func fsync(f *os.File) error     { return f.Sync() }

// preallocate only makes the file longer. NTFS gives it the clusters at once; ZFS, which most FreeBSD
// machines use, does not support posix_fallocate, and the others have no call that reserves blocks.
func preallocate(f *os.File, _, to int64) error { return f.Truncate(to) }
