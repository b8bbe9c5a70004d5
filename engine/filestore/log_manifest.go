package filestore

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// readManifest reads MANIFEST. It returns nil if there is none, and ErrManifest if it cannot be
// used, whatever has its name.
func readManifest(fsys vfs.FS, dir string) (*format.Manifest, error) {
	name := vfs.Join(dir, format.ManifestName)
	f, err := vfs.OpenToRead(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if errors.As(err, new(*engine.FormatError)) { // a directory, a named pipe
		return nil, format.ErrManifest
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := readPieces(f, format.MaxManifestSize, format.ManifestPiece, format.MayBeManifest)
	if err != nil {
		return nil, err
	}
	return format.DecodeManifest(b, name)
}

// readPieces reads a file piece by piece: memory is taken for bytes that it can have, not for a
// size. mayBe says of the first ones, and the file's size, whether they can be those of such a
// file; what cannot is cut short, and does not check.
func readPieces(f vfs.File, limit, piece int64, mayBe func(b []byte, size int64) bool) ([]byte, error) {
	size, err := f.Size()
	if err != nil || size > limit {
		return nil, err
	}
	var b []byte
	for int64(len(b)) < size {
		at := len(b)
		b = append(b, make([]byte, min(size-int64(at), piece))...)
		n, err := f.ReadAt(b[at:], int64(at))
		if b = b[:at+n]; n == 0 || err != nil && !errors.Is(err, io.EOF) {
			return b, vfs.IgnoreEOF(err)
		}
		if !mayBe(b, size) {
			return nil, nil
		}
	}
	return b, nil
}

// writeManifest replaces MANIFEST.
func writeManifest(fsys vfs.FS, dir string, m *format.Manifest) error {
	return replaceFile(fsys, dir, format.ManifestName, format.ManifestTemp, m.Encode())
}

// replaceFile writes a file of a store under the name temp and gives it its own, durably. There is
// the file before or the whole new one at any moment.
func replaceFile(fsys vfs.FS, dir, name, temp string, content []byte) error {
	temp = vfs.Join(dir, temp)
	err := vfs.WriteNew(fsys, temp, func(f vfs.File) error { return vfs.WriteFull(f, content, 0) })
	if err == nil {
		err = renameOverDir(fsys, temp, vfs.Join(dir, name))
	}
	if err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}

// renameOverDir renames a file. An empty directory that has the name makes way; one that is not
// empty is a *FormatError.
func renameOverDir(fsys vfs.FS, from, to string) error {
	err := fsys.Rename(from, to)
	if err == nil {
		return nil
	}
	info, errStat := fsys.Stat(to)
	if errStat != nil || !info.Dir {
		return err
	}
	if fsys.Remove(to) != nil {
		return vfs.NotAFile(to, os.ModeDir)
	}
	return fsys.Rename(from, to)
}
