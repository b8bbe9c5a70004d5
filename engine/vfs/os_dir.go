//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package vfs

import (
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// A heldDir is the operating system's file system with one directory held open: names in it are
// looked up there, not by their path, so that a directory which takes the place of this one is
// never touched.
type heldDir struct {
	osFS
	dir string
	f   *os.File
}

var _ DirHolder = osFS{}

// HoldDir implements DirHolder.
func (osFS) HoldDir(dir string) (FS, io.Closer, error) {
	f, err := OpenPatiently(osFiles, func() (*os.File, error) { return osOpen(dir, os.O_RDONLY|unix.O_DIRECTORY) })
	if err != nil {
		return nil, nil, err
	}
	return &heldDir{dir: filepath.Clean(dir), f: f}, f, nil
}

// at calls do with the directory's descriptor and the name in it. A path to anywhere else is given
// as it is, with AT_FDCWD.
func (d *heldDir) at(name string, do func(dir int, name string) error) error {
	clean := filepath.Clean(name)
	switch {
	case clean == d.dir:
		clean = "."
	case filepath.Dir(clean) == d.dir:
		clean = filepath.Base(clean)
	default:
		return do(unix.AT_FDCWD, name)
	}
	return withFD(d.f, func(fd int) error { return do(fd, clean) })
}

// open opens a name for the operating system's calls.
func (d *heldDir) open(name string, flag int) (f *os.File, err error) {
	err = d.at(name, func(dir int, in string) (err error) {
		f, err = openAt(dir, in, name, flag)
		return err
	})
	return f, err
}

func (d *heldDir) Open(name string, flag int) (File, error) {
	return openOSFile(func() (*os.File, error) { return d.open(name, flag) })
}

func (d *heldDir) Lock(name, holder string) (io.Closer, error) {
	return lockOSFile(name, holder, lockPlace{
		open: func() (*os.File, error) { return d.open(name, os.O_RDWR|os.O_CREATE) },
		leads: func(f *os.File) bool {
			opened, err := (&osFile{f: f}).Info()
			if err != nil {
				return false
			}
			named, err := d.Stat(name)
			return err == nil && named.SameFile(opened)
		},
	})
}

func (d *heldDir) Rename(from, to string) error {
	err := d.atBoth(from, to, func(a int, from string, b int, to string) error { return unix.Renameat(a, from, b, to) })
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

func (d *heldDir) Link(from, to string) error {
	err := d.atBoth(from, to, func(a int, from string, b int, to string) error {
		return unix.Linkat(a, from, b, to, 0)
	})
	if err != nil {
		return &os.LinkError{Op: "link", Old: from, New: to, Err: err}
	}
	return nil
}

func (d *heldDir) atBoth(from, to string, do func(a int, from string, b int, to string) error) error {
	return d.at(from, func(a int, from string) error {
		return d.at(to, func(b int, to string) error { return do(a, from, b, to) })
	})
}

// Remove removes a file, or an empty directory.
func (d *heldDir) Remove(name string) error {
	err := d.at(name, func(dir int, in string) error {
		err := unix.Unlinkat(dir, in, 0)
		if err == nil || err == unix.ENOENT {
			return err
		}
		if unix.Unlinkat(dir, in, unix.AT_REMOVEDIR) == nil {
			return nil
		}
		return err
	})
	if err != nil {
		return &os.PathError{Op: "remove", Path: name, Err: err}
	}
	return nil
}

func (d *heldDir) List(dir string) ([]string, error) {
	f, err := OpenPatiently(osFiles, func() (*os.File, error) { return d.open(dir, os.O_RDONLY|unix.O_DIRECTORY) })
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

func (d *heldDir) Stat(name string) (info FileInfo, err error) {
	err = d.at(name, func(dir int, in string) error {
		info, err = statAt(dir, in, name)
		return err
	})
	return info, err
}

func (d *heldDir) SyncDir(dir string) error {
	if filepath.Clean(dir) != d.dir {
		return d.osFS.SyncDir(dir)
	}
	return syncDirectory(d.f)
}
