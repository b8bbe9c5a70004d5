package crashtest

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/eventfold/eventfold/engine/vfs"
)

// heldMark begins the first element of a name that is in a directory that is held; the number of
// its inode follows.
const heldMark = "\x00"

// HoldDir returns the file system with the directory dir held: names in it lead to its files
// wherever it is moved to, as they do with openat(2). Hooks and faults are told the name that dir
// had.
func (f *FS) HoldDir(dir string) (vfs.FS, io.Closer, error) {
	d, err := f.Open(dir, os.O_RDONLY)
	if err != nil {
		return nil, nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	prefix := fmt.Sprintf(heldMark+"%d", d.(*file).node.id)
	if f.held == nil {
		f.held = map[string]string{}
	}
	f.held[prefix] = filepath.Clean(dir)
	return &heldFS{FS: f, dir: filepath.Clean(dir), prefix: prefix}, d, nil
}

// plainName returns the name by which a name in a directory that is held was asked for.
func (f *FS) plainName(name string) string {
	prefix, rest, _ := strings.Cut(name, string(filepath.Separator))
	if dir := f.held[prefix]; dir != "" {
		return filepath.Join(dir, rest)
	}
	return name
}

// A heldFS gives names in one directory another prefix, by which walk finds its inode.
type heldFS struct {
	*FS
	dir    string
	prefix string
}

func (h *heldFS) in(name string) string {
	clean := filepath.Clean(name)
	switch {
	case clean == h.dir:
		return h.prefix
	case filepath.Dir(clean) == h.dir:
		return filepath.Join(h.prefix, filepath.Base(clean))
	}
	return name
}

func (h *heldFS) Open(name string, flag int) (vfs.File, error) {
	return h.FS.Open(h.in(name), flag)
}
func (h *heldFS) Rename(from, to string) error             { return h.FS.Rename(h.in(from), h.in(to)) }
func (h *heldFS) Exchange(a, b string) error               { return h.FS.Exchange(h.in(a), h.in(b)) }
func (h *heldFS) Link(from, to string) error               { return h.FS.Link(h.in(from), h.in(to)) }
func (h *heldFS) Remove(name string) error                 { return h.FS.Remove(h.in(name)) }
func (h *heldFS) List(dir string) ([]string, error)        { return h.FS.List(h.in(dir)) }
func (h *heldFS) Stat(name string) (vfs.FileInfo, error)   { return h.FS.Stat(h.in(name)) }
func (h *heldFS) MkdirAll(dir string) error                { return h.FS.MkdirAll(h.in(dir)) }
func (h *heldFS) Mkdir(dir string, mode fs.FileMode) error { return h.FS.Mkdir(h.in(dir), mode) }
func (h *heldFS) SyncDir(dir string) error                 { return h.FS.SyncDir(h.in(dir)) }
func (h *heldFS) Space(dir string) (vfs.Space, error)      { return h.FS.Space(h.in(dir)) }

func (h *heldFS) Lock(name, holder string) (io.Closer, error) { return h.FS.Lock(h.in(name), holder) }
