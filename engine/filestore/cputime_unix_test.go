//go:build unix

package filestore

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the CPU time that this process has spent. Other processes' load does not change
// it, unlike the time on the wall.
func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
