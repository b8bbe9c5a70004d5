//go:build unix

package filestore

import (
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// specialFiles make what is no file.
var specialFiles = map[string]func(t *testing.T, name string) error{
	"pipe":      func(_ *testing.T, name string) error { return unix.Mkfifo(name, 0o644) },
	"device":    func(_ *testing.T, name string) error { return os.Symlink("/dev/zero", name) },
	"directory": func(_ *testing.T, name string) error { return os.Mkdir(name, 0o755) },
	"socket": func(t *testing.T, name string) error {
		l, err := net.Listen("unix", name)
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	},
}
