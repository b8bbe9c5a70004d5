package shred

import (
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/eventfold/eventfold/engine/vfs"
)

// storeFiles are names of files that tell a store, or a backup of one.
var storeFiles = []string{"MANIFEST", "TAIL", "BACKUP", "LOCK"}

// privateDirectory returns the absolute name, without links, of a directory for keys. If make is
// set it makes the directory if it is missing. It is an error if the directory is, or is in, a
// store or a backup of one, where its files would be copied with the events, or if others than its
// owner may read it. Files that an FS makes in it are their owner's alone (0600).
func privateDirectory(fsys vfs.FS, dir string, make bool) (string, error) {
	if dir == "" || strings.ContainsRune(dir, 0) {
		return "", &DirectoryError{dir, "it is no name of a directory"}
	}
	found, err := fsys.Resolve(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && found != "" && make:
		if err := outsideOfStores(fsys, vfs.Parent(found)); err != nil {
			return "", err
		}
		if err := fsys.Mkdir(found, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		if err := fsys.SyncDir(vfs.Parent(found)); err != nil {
			return "", err
		}
	case err != nil:
		return "", err
	}
	if err := outsideOfStores(fsys, found); err != nil {
		return "", err
	}
	info, err := fsys.Stat(found)
	switch {
	case err != nil:
		return "", err
	case !info.Dir:
		return "", &DirectoryError{found, "it is a file"}
	case info.Mode&0o077 != 0 && runtime.GOOS != "windows": // which has no such permissions
		return "", &DirectoryError{found, "others than its owner may read it; chmod 700 it"}
	}
	return found, nil
}

// outsideOfStores refuses a directory that is a store, or a backup of one, or is in one.
func outsideOfStores(fsys vfs.FS, dir string) error {
	for at := dir; ; at = vfs.Parent(at) {
		for _, name := range storeFiles {
			if name == "LOCK" && at != dir {
				continue // which other programs have, too
			}
			if _, err := fsys.Stat(vfs.Join(at, name)); err == nil {
				return &DirectoryError{dir, at + " looks like a store or a backup: it has a file " + name}
			}
		}
		if at == vfs.Parent(at) {
			return nil
		}
	}
}

// apart refuses two directories of which one is the other, or in it.
func apart(dir, other, what string) error {
	within := func(a, b string) bool {
		rel, err := filepath.Rel(a, b)
		return err == nil && (rel == "." || filepath.IsLocal(rel))
	}
	if within(dir, other) || within(other, dir) {
		return &DirectoryError{dir, "a copy of it could hold " + what + " as well"}
	}
	return nil
}
