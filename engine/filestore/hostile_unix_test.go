//go:build unix

package filestore

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// specialFiles make what is no file.
var specialFiles = map[string]func(t *testing.T, name string) error{
	"pipe":      func(_ *testing.T, name string) error { return unix.Mkfifo(name, 0o644) },
	"device":    func(_ *testing.T, name string) error { return os.Symlink("/dev/zero", name) },
	"directory": func(_ *testing.T, name string) error { return os.Mkdir(name, 0o755) },
	"socket": func(t *testing.T, name string) error {
		short, err := os.MkdirTemp("", "s") // the name that a socket is made with has 107 bytes at most
		if err != nil {
			return err
		}
		t.Cleanup(func() { os.RemoveAll(short) })
		l, err := net.Listen("unix", filepath.Join(short, "s"))
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		return os.Rename(filepath.Join(short, "s"), name)
	},
}
