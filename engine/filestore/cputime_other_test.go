//go:build !unix

package filestore

import "time"

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }
