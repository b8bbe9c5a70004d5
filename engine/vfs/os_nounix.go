//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd

package vfs

import "os"

// osSyncDir does nothing: NTFS keeps names in a journal of its own, and Windows has no call that
// waits for it. Of other systems nothing is known.
func osSyncDir(dir string) error {
	_, err := os.Stat(dir)
	return err
}

// fileLimit is unknown: Windows has no bound that a program comes to.
func fileLimit() uint64 { return 0 }

// osStat describes a name.
func osStat(name string) (FileInfo, error) {
	st, err := os.Stat(name)
	if err != nil {
		return FileInfo{}, osError(err)
	}
	info := infoOf(st)
	info.Device, info.Inode, err = fileIdentity(name, st)
	return info, osError(err)
}
