package vfs

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// HoldersOfRemoved returns the ids of the processes, as far as this one may see them, that have one
// of the files open although no name leads to it any more. Systems that do not tell have none.
func HoldersOfRemoved(files []FileInfo) (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*/fd")
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		if err == nil && holdsRemoved(dir, files) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// holdsRemoved reports whether a directory of open files of a process has one of the files.
func holdsRemoved(dir string, files []FileInfo) bool {
	fds, err := os.ReadDir(dir)
	if err != nil {
		return false // of another user, or gone
	}
	for _, fd := range fds {
		name := filepath.Join(dir, fd.Name())
		if to, err := os.Readlink(name); err != nil || !strings.HasSuffix(to, " (deleted)") {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			continue
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		is := func(f FileInfo) bool { return uint64(st.Dev) == f.Device && st.Ino == f.Inode }
		if ok && slices.ContainsFunc(files, is) {
			return true
		}
	}
	return false
}
