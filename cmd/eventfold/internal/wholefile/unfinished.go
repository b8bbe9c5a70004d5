package wholefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
)

// What stands between the name of a file and the number of one that is to be called so, and what
// follows that number until then. Files of somebody else are not called so by chance.
const (
	unfinishedPrefix = ".eventfold-"
	unfinishedSuffix = ".tmp"
)

// createTries is how often a file is made whose name somebody takes away at once.
const createTries = 10

// create makes an unfinished file that is to be called name, for its owner alone, and locks it until
// held is closed, or the process has ended in whatever way. Where files have no locks nobody takes it
// for abandoned.
func create(name string) (f *os.File, held io.Closer, err error) {
	for range createTries {
		f, err = os.CreateTemp(filepath.Dir(name), filepath.Base(name)+unfinishedPrefix+"*"+unfinishedSuffix)
		if err != nil {
			return nil, nil, err
		}
		held, err = lock(f.Name())
		switch {
		case err != nil && !errors.As(err, new(*engine.LockedError)) && !errors.Is(err, fs.ErrNotExist):
			return f, io.NopCloser(nil), nil
		case err == nil && isNamed(f):
			return f, held, nil
		case err == nil:
			err = fmt.Errorf("%s is removed by somebody as soon as it is made", f.Name())
			_ = held.Close()
		}
		_ = os.Remove(f.Name()) // somebody who sweeps was faster than the lock
		_ = f.Close()
	}
	return nil, nil, err
}

// isNamed reports whether an open file has its name still.
func isNamed(f *os.File) bool {
	named, err := os.Stat(f.Name())
	if err != nil {
		return false
	}
	info, err := f.Stat()
	return err == nil && os.SameFile(info, named)
}

// lock takes the lock of a file.
func lock(name string) (io.Closer, error) {
	f, err := vfs.OS().Open(name, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if err := f.TryLock(); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// sweep removes what those have left who were killed while they wrote a file of this name. Who writes
// it now has a lock. What cannot be removed stays.
func sweep(name string) {
	entries, _ := os.ReadDir(filepath.Dir(name))
	for _, e := range entries {
		if !e.Type().IsRegular() || !IsUnfinished(e.Name(), filepath.Base(name)) {
			continue
		}
		left := filepath.Join(filepath.Dir(name), e.Name())
		if abandoned, err := lock(left); err == nil {
			_ = os.Remove(left)
			_ = abandoned.Close()
		}
	}
}

// IsUnfinished reports whether a name is that of a file which Write had begun when it was killed, to
// be called name.
func IsUnfinished(unfinished, name string) bool {
	number, ok := strings.CutPrefix(unfinished, name+unfinishedPrefix)
	number, temporary := strings.CutSuffix(number, unfinishedSuffix)
	return ok && temporary && number != "" && strings.Trim(number, "0123456789") == ""
}
