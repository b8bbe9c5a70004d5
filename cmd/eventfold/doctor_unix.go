//go:build !windows

package main

import "syscall"

// openFileLimit returns how many files a process may have open.
func openFileLimit() (int64, bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	return int64(limit.Cur), true
}
