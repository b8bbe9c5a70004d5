package wholefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
)

// Hold keeps everybody else who holds path with the same suffix away, in this process and in others,
// until it is closed or the process has ended in whatever way. It never waits: if somebody else has it,
// the error is a [*BusyError]. doing says what is done to path, such as "exported to". While it is held
// the file path+suffix is there.
func Hold(path, suffix, doing string) (io.Closer, error) {
	held, err := vfs.OS().Lock(path+suffix, vfs.LockHolder(time.Now()))
	var busy *engine.LockedError
	if errors.As(err, &busy) {
		return nil, &BusyError{Path: path, Doing: doing, By: busy}
	}
	if err != nil {
		return nil, err
	}
	return &hold{held, path + suffix}, nil
}

// A hold is one that is held.
type hold struct {
	held io.Closer
	name string
}

// Close removes the file of the lock, and then gives the lock free, in this order: who has opened the
// file until then finds that it has no name any more.
func (h *hold) Close() error {
	err := os.Remove(h.name)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, h.held.Close())
}

// A BusyError reports that somebody else does the same to a file or directory. Nothing has happened.
type BusyError struct {
	Path  string
	Doing string              // what is done to it
	By    *engine.LockedError // who that is, as far as it is known
}

// Error implements error.
func (e *BusyError) Error() string {
	by := "another process"
	if e.By.PID != 0 {
		by = fmt.Sprintf("process %d on %s since %s", e.By.PID, e.By.Host, e.By.Since.Format(time.RFC3339))
	}
	return fmt.Sprintf("%s is being %s by %s: wait for it, or name another one", e.Path, e.Doing, by)
}

// Unwrap returns who has the lock.
func (e *BusyError) Unwrap() error { return e.By }
