package main

import (
	"hash/crc32"
	"os"
	"strconv"
	"strings"
	"syscall"
)

func crc32Of(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// allocated returns the bytes that a file takes on the disk.
func allocated(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Blocks * 512, nil
	}
	return info.Size(), nil
}

// busyTicks returns the ticks (1/100 s) that all processors have been busy since the machine
// started, 0 where the system does not tell.
func busyTicks() (busy float64) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	for i, field := range strings.Fields(line) {
		if n, err := strconv.ParseFloat(field, 64); err == nil && i != 4 && i != 5 { // idle, iowait
			busy += n
		}
	}
	return busy
}
