// Package wholefile writes files that are, at any moment and whatever is killed, the earlier one or
// the whole new one.
package wholefile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/eventfold/eventfold/engine/vfs"
)

// Private is the mode of files that are their owner's alone, as stores are.
const Private fs.FileMode = 0o600

// Write writes a file, and returns when it is durable. fill writes what is in it; if that is an
// error nothing has happened. The file stands beside its name until it has it, and what is there of
// earlier ones that were killed is removed. Several may write the same name at the same moment: it is
// that of one of them, whole. If the name is a link, the file that it leads to is replaced.
func Write(name string, mode fs.FileMode, fill func(w io.Writer) error) error {
	name, err := Resolve(name)
	if err != nil {
		return err
	}
	sweep(name)
	f, held, err := create(name)
	if err != nil {
		return err
	}
	defer held.Close()
	err = write(f, mode, fill)
	if err = errors.Join(err, f.Close()); err == nil {
		err = Place(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

func write(f *os.File, mode fs.FileMode, fill func(w io.Writer) error) error {
	w := bufio.NewWriter(f)
	if err := fill(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if mode != Private {
		if err := f.Chmod(mode); err != nil {
			return err
		}
	}
	return f.Sync()
}

// Content is a fill that writes some bytes.
func Content(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

// Place gives a file or directory, whose content is durable, the name to, in the same directory as
// before, and returns when that is durable.
func Place(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}

// SyncDir makes the names in a directory durable.
func SyncDir(dir string) error { return vfs.OS().SyncDir(dir) }

// Resolve returns the name that a file is to be written to: what name leads to, if it is a link. It
// refuses what is there and is no file, such as a directory or a device, which a rename would
// replace.
func Resolve(name string) (string, error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return "", &NotFileError{name}
	}
	if info, err := os.Lstat(name); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return name, nil
	}
	target, err := vfs.OS().Resolve(name)
	if target == "" {
		return "", err
	}
	return target, nil // it need not be there
}

// A NotFileError reports that a file is to be written where something else is.
type NotFileError struct{ Path string }

// Error implements error.
func (e *NotFileError) Error() string {
	return fmt.Sprintf("%s is there and is no file: name another one", e.Path)
}
