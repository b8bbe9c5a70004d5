package filestore

import (
	"errors"
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/eventfold/eventfold/engine/vfs"
)

// A storeFS is the file system as one store uses it. From hold on the names in the store's
// directory are looked up in the directory that is held, where the file system can do that; before,
// and elsewhere, by their path.
type storeFS struct {
	path vfs.FS
	held atomic.Pointer[vfs.FS]
}

// hold holds the directory. byPath tells that the file system cannot. The caller closes what is
// returned when the store is closed.
func (s *storeFS) hold(dir string) (c io.Closer, byPath bool, err error) {
	holder, ok := s.path.(vfs.DirHolder)
	if !ok {
		return nil, true, nil
	}
	held, c, err := holder.HoldDir(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	s.held.Store(&held)
	return c, false, nil
}

func (s *storeFS) now() vfs.FS {
	if held := s.held.Load(); held != nil {
		return *held
	}
	return s.path
}

func (s *storeFS) Open(name string, flag int) (vfs.File, error) { return s.now().Open(name, flag) }
func (s *storeFS) Rename(from, to string) error                 { return s.now().Rename(from, to) }
func (s *storeFS) Exchange(a, b string) error                   { return s.now().Exchange(a, b) }
func (s *storeFS) Link(from, to string) error                   { return s.now().Link(from, to) }
func (s *storeFS) Remove(name string) error                     { return s.now().Remove(name) }
func (s *storeFS) List(dir string) ([]string, error)            { return s.now().List(dir) }
func (s *storeFS) Stat(name string) (vfs.FileInfo, error)       { return s.now().Stat(name) }
func (s *storeFS) MkdirAll(dir string) error                    { return s.now().MkdirAll(dir) }
func (s *storeFS) Mkdir(dir string, mode fs.FileMode) error     { return s.now().Mkdir(dir, mode) }
func (s *storeFS) Resolve(name string) (string, error)          { return s.now().Resolve(name) }
func (s *storeFS) SyncDir(dir string) error                     { return s.now().SyncDir(dir) }
func (s *storeFS) Space(dir string) (vfs.Space, error)          { return s.now().Space(dir) }

func (s *storeFS) Lock(name, holder string) (io.Closer, error) { return s.now().Lock(name, holder) }
