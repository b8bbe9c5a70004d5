package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
)

// errNotSame ends the comparing of two files at the first difference.
var errNotSame = errors.New("the files differ")

// A comparingFile takes what is written to it only if it is there already.
type comparingFile struct {
	File
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

// isSameFile reports whether the file with the name given holds exactly what write writes.
func isSameFile(fs FS, name string, write func(f File) error) (bool, error) {
	f, err := fs.Open(name, os.O_RDONLY)
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

// isIndexFile reports whether a file is the index of the events that m describes, which are those that src knows.
func isIndexFile(ctx context.Context, fs FS, name string, src indexSource, m indexMeta) (bool, error) {
	return isSameFile(fs, name, func(f File) error { return writeIndex(ctx, f, src, m) })
}

// checkRuns compares the merged indexes with what the index files of their segments give, and gives up those that differ.
// It returns how many it has compared and the names of the bad ones.
func (x *indexer) checkRuns(ctx context.Context, segments []*segment) (compared int, bad []string, err error) {
	for _, r := range x.runList() {
		parts := x.partsOf(r, segments)
		if parts == nil {
			continue
		}
		same, err := isSameFile(x.fs, r.name, func(f File) error { return writeRun(ctx, f, parts, r.indexMeta) })
		var damage *indexDamage
		if errors.As(err, &damage) { // of a segment's file, which is found out elsewhere
			continue
		}
		if err != nil {
			return compared, bad, err
		}
		compared++
		if !same {
			bad = append(bad, r.name)
			x.dropRun(r)
		}
	}
	return compared, bad, nil
}

// partsOf returns the index files of a run's segments, nil if they are not all there.
func (x *indexer) partsOf(r *indexRun, segments []*segment) (parts []*fileIndex) {
	for _, seg := range segments {
		if seg.number < r.from || seg.number > r.to {
			continue
		}
		f, ok := seg.index.Load().segmentIndex.(*fileIndex)
		if !ok {
			return nil
		}
		parts = append(parts, f)
	}
	if int64(len(parts)) != r.span() {
		return nil
	}
	return parts
}
