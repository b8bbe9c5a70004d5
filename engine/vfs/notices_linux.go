package vfs

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

var _ Noticer = (*osFile)(nil)

// Notices implements Noticer with inotify(7). The name under /proc leads to the open file, whatever
// its own name leads to by now.
func (o *osFile) Notices() (*Notices, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	in := os.NewFile(uintptr(fd), "inotify")
	err = withFD(o.f, func(file int) error {
		_, err := unix.InotifyAddWatch(fd, "/proc/self/fd/"+strconv.Itoa(file), unix.IN_MODIFY)
		return os.NewSyscallError("inotify_add_watch", err)
	})
	if err != nil {
		in.Close()
		return nil, err
	}
	told, ended := make(chan struct{}, 1), make(chan struct{})
	go func() { // ends when in is closed, which waits for it
		defer close(ended)
		for events := make([]byte, 4096); ; {
			if n, err := in.Read(events); err != nil || n == 0 {
				return
			}
			select {
			case told <- struct{}{}:
			default:
			}
		}
	}()
	return NewNotices(told, func() {
		in.Close()
		<-ended
	}), nil
}
