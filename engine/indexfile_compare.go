package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
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
func isSameFile(fsys FS, name string, write func(f File) error) (bool, error) {
	f, err := fsys.Open(name, os.O_RDONLY)
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
func isIndexFile(ctx context.Context, fsys FS, name string, src indexSource, m indexMeta) (bool, error) {
	return isSameFile(fsys, name, func(f File) error { return writeIndex(ctx, f, src, m) })
}

// checkRuns compares the merged indexes in dir with what the index files of their segments give, and gives up those that differ.
// It returns how many it has compared and the names of the bad ones.
func (x *indexer) checkRuns(ctx context.Context, dir string, segments []*segment) (compared int, bad []string, err error) {
	if len(segments) == 0 {
		return 0, nil, nil
	}
	names, err := x.fs.List(dir)
	if err != nil {
		return 0, nil, err
	}
	loaded := map[string]*indexRun{}
	for _, r := range x.runList() {
		loaded[r.name] = r
	}
	for _, file := range names {
		from, to, ok := parseIndexRunName(file)
		if !ok {
			continue
		}
		name := joinPath(dir, file)
		known, same, err := x.checkRun(ctx, name, runSegments(segments, from, to))
		if err != nil {
			return compared, bad, err
		}
		if !known {
			continue
		}
		compared++
		if same {
			continue
		}
		bad = append(bad, name)
		if r := loaded[name]; r != nil {
			x.dropRun(r)
		}
	}
	return compared, bad, nil
}

// runSegments returns the segments that a run with these numbers is about, nil if they are not all there and complete.
func runSegments(segments []*segment, from, to int64) []*segment {
	first := segments[0].number
	if from < first || to-first >= int64(len(segments)) {
		return nil
	}
	part := segments[from-first : to-first+1]
	for _, seg := range part {
		if seg.sealed.Load() == nil {
			return nil
		}
	}
	return part
}

// checkRun compares a run with what the index files of its segments give. known is false if it cannot be compared now, and need not be: it has gone
// meanwhile, is about segments that are not, or the file of one of those must be made anew first.
func (x *indexer) checkRun(ctx context.Context, name string, segments []*segment) (known, same bool, err error) {
	parts := partsOf(segments)
	if parts == nil {
		return false, false, nil
	}
	m := indexRunMeta(segments)
	same, err = isSameFile(x.fs, name, func(f File) error { return writeRun(ctx, f, parts, m) })
	var damage *indexDamage
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &damage) {
		return false, false, nil
	}
	return err == nil, same, err
}

// partsOf returns the index files of segments, nil if they do not all have one.
func partsOf(segments []*segment) (parts []*fileIndex) {
	for _, seg := range segments {
		f, ok := seg.index.Load().segmentIndex.(*fileIndex)
		if !ok {
			return nil
		}
		parts = append(parts, f)
	}
	return parts
}
