package filestore

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/vfs"
)

// lookInterval is the longest time for which an open store that is used trusts its names: after it
// they are looked at again.
const lookInterval = 500 * time.Millisecond

// An anchor is a file, or the directory, that a name of an open store must lead to.
type anchor struct {
	name string // with directory
	info vfs.FileInfo
}

// Anchors tell whether the names of an open store still lead to its files. While the store is open
// somebody may remove, rename or replace its directory or what is in it; what is written then would
// be acknowledged and lost, what is read would be of a store that is not there.
//
// Any goroutine may look; what was found to be moved once stays so.
type anchors struct {
	fs    vfs.FS                            // which finds names by their path
	moved atomic.Pointer[engine.MovedError] // nil while all is well
	last  atomic.Int64                      // when all was looked at last, in nanoseconds since began
	began time.Time

	mu   sync.Mutex // protects what follows
	dir  string     // the store's, in a way that does not depend on where the process is
	held []anchor
}

func newAnchors(fsys vfs.FS, dir string) *anchors {
	return &anchors{fs: fsys, dir: dir, began: time.Now()}
}

// fix makes the directory's name one that neither a change of the process's directory nor of a link
// changes.
func (a *anchors) fix() {
	a.mu.Lock()
	defer a.mu.Unlock()
	path, err := filepath.Abs(a.dir)
	if err != nil {
		return
	}
	a.dir = path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		a.dir = real
	}
}

// hold notes that the name, of a file in the directory or "" for the directory itself, must lead to
// what info describes.
func (a *anchors) hold(name string, info vfs.FileInfo) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dropLocked(name)
	a.held = append(a.held, anchor{vfs.Join(a.dir, name), info})
}

// drop forgets a name.
func (a *anchors) drop(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dropLocked(name)
}

func (a *anchors) dropLocked(name string) {
	for i, h := range a.held {
		if h.name == vfs.Join(a.dir, name) {
			a.held = append(a.held[:i:i], a.held[i+1:]...)
			return
		}
	}
}

// err returns the *MovedError that was found, or nil. It does not look.
func (a *anchors) err() error {
	if m := a.moved.Load(); m != nil {
		return m
	}
	return nil
}

// lookNow looks at every name, and returns the *MovedError of the first that leads elsewhere.
func (a *anchors) lookNow() error {
	if err := a.err(); err != nil {
		return err
	}
	a.last.Store(int64(time.Since(a.began)))
	a.mu.Lock()
	held := a.held
	a.mu.Unlock()
	for i := range held {
		if err := a.lookAt(&held[i]); err != nil {
			return err
		}
	}
	return nil
}

// look is lookNow if lookInterval has passed since the last time.
func (a *anchors) look() error {
	if int64(time.Since(a.began))-a.last.Load() < int64(lookInterval) {
		return a.err()
	}
	return a.lookNow()
}

// lookAt looks at one name. What cannot be looked at now may well be there.
func (a *anchors) lookAt(h *anchor) error {
	info, err := a.fs.Stat(h.name)
	switch {
	case err == nil && info.SameFile(h.info):
		return nil
	case err == nil:
		return a.found(&engine.MovedError{Path: h.name, Replaced: true})
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return a.found(&engine.MovedError{Path: h.name})
	}
	return nil
}

// found notes that the store has moved. The first to find it decides what everybody is told.
func (a *anchors) found(m *engine.MovedError) error {
	a.moved.CompareAndSwap(nil, m)
	return a.moved.Load()
}
