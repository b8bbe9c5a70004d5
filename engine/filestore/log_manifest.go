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
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b, err := readManifestBytes(f, size)
	if err != nil {
		return nil, err
	}
	return format.DecodeManifest(b, name)
}

// readManifestBytes reads a file of the size given, piece by piece: memory is taken for bytes that
// a manifest can have, not for a size. What cannot be one is cut short, and does not check.
func readManifestBytes(f vfs.File, size int64) ([]byte, error) {
	if size > format.MaxManifestSize {
		return nil, nil
	}
	var b []byte
	for int64(len(b)) < size {
		at := len(b)
		b = append(b, make([]byte, min(size-int64(at), format.ManifestPiece))...)
		n, err := f.ReadAt(b[at:], int64(at))
		if b = b[:at+n]; n == 0 || err != nil && !errors.Is(err, io.EOF) {
			return b, vfs.IgnoreEOF(err)
		}
		if !format.MayBeManifest(b, size) {
			return nil, nil
		}
	}
	return b, nil
}

// writeManifest replaces MANIFEST.
func writeManifest(fsys vfs.FS, dir string, m *format.Manifest) error {
	temp := vfs.Join(dir, format.ManifestTemp)
	err := vfs.WriteNew(fsys, temp, func(f vfs.File) error { return vfs.WriteFull(f, m.Encode(), 0) })
	if err == nil {
		err = renameOverDir(fsys, temp, vfs.Join(dir, format.ManifestName))
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
