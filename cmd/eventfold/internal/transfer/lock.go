package transfer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/eventfold/eventfold/cmd/eventfold/internal/wholefile"
	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
)

// lockSuffix is what the name of the file has at its end whose lock an export holds.
const lockSuffix = ".part.lock"

// Lock keeps every other export away from what is beside path, in this process and in others, until
// it is closed or the process has ended in whatever way. It never waits: if somebody else exports to
// path, the error is a [*BusyError].
func Lock(path string) (io.Closer, error) {
	held, err := vfs.OS().Lock(path+lockSuffix, vfs.LockHolder(time.Now()))
	var busy *engine.LockedError
	if errors.As(err, &busy) {
		return nil, &BusyError{Path: path, By: busy}
	}
	if err != nil {
		return nil, err
	}
	l := &lock{held, path + lockSuffix}
	if err := sweep(path); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// sweep removes checkpoints of exports to path that were killed before these had their names. Nobody
// else writes one while the lock is held.
func sweep(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), filepath.Base(path))
		rest = strings.TrimPrefix(rest, linesSuffix)
		if !ours || !wholefile.IsUnfinished(rest, planSuffix) {
			continue
		}
		err := os.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// A lock is one that is held.
type lock struct {
	held io.Closer
	name string
}

// Close removes the file of the lock, and then gives the lock free, in this order: who has opened the
// file until then finds that it has no name any more.
func (l *lock) Close() error {
	err := os.Remove(l.name)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.held.Close())
}

// A BusyError reports that another export writes to the same file. Nothing has happened.
type BusyError struct {
	Path string
	By   *engine.LockedError // who that is, as far as it is known
}

// Error implements error.
func (e *BusyError) Error() string {
	by := "another process"
	if e.By.PID != 0 {
		by = fmt.Sprintf("process %d on %s since %s", e.By.PID, e.By.Host, e.By.Since.Format(time.RFC3339))
	}
	return fmt.Sprintf("%s is being exported to by %s: wait for it, or name another file", e.Path, by)
}

// Unwrap returns who has the lock.
func (e *BusyError) Unwrap() error { return e.By }
