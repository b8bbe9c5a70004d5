package index

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/eventfold/eventfold/engine/vfs"
)

// errNotSame ends the comparing of two files at the first difference.
var errNotSame = errors.New("the files differ")

// A comparingFile takes what is written to it only if it is there already.
type comparingFile struct {
	vfs.File
	end    int64 // behind the last byte written
	buffer []byte
}

func (c *comparingFile) WriteAt(p []byte, off int64) (int, error) {
	if cap(c.buffer) < len(p) {
		c.buffer = make([]byte, len(p))
	}
	there := c.buffer[:len(p)]
	n, err := c.ReadAt(there, off)
	if n < len(p) && err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if !bytes.Equal(there[:n], p) {
		return 0, errNotSame
	}
	c.end = max(c.end, off+int64(n))
	return n, nil
}

// IsSame reports whether the file with the name given holds exactly what write writes.
func IsSame(fsys vfs.FS, name string, write func(f vfs.File) error) (bool, error) {
	f, err := vfs.OpenToRead(fsys, name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	c := &comparingFile{File: f}
	if err := write(c); err != nil {
		if errors.Is(err, errNotSame) {
			err = nil
		}
		return false, err
	}
	size, err := f.Size()
	return err == nil && size == c.end, err
}

// IsFile reports whether a file is the index of the events that m describes, which are those that
// src knows.
func IsFile(ctx context.Context, fsys vfs.FS, name string, src Source, m Meta) (bool, error) {
	return IsSame(fsys, name, func(f vfs.File) error { return writeIndex(ctx, f, src, m) })
}
