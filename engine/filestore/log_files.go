package filestore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// segmentFiles is what it takes to open a store's segments for reading.
type segmentFiles struct {
	fs   vfs.FS
	dir  string
	open *vfs.FileCache // nil leaves every file open
	raw  *plainCache
}

// read opens a segment's file as it is to be read: a compressed one as if it were not. The header
// is the one that the segment was written with. If the error is ErrLayout, ErrMap or one of
// DecodeSegmentHeader, the file is not what its name says.
func (s *segmentFiles) read(n segmentName) (f vfs.File, h format.SegmentHeader, compressed bool, err error) {
	return s.readFile(vfs.Join(s.dir, format.SegmentFileName(n.number, n.generation)))
}

func (s *segmentFiles) readFile(name string) (f vfs.File, h format.SegmentHeader, compressed bool, err error) {
	if f, err = vfs.OpenToRead(s.fs, name); err != nil {
		return nil, h, false, wrap("open "+name, err)
	}
	plain := f
	h, err = readSegmentHeader(f, name)
	if err == nil {
		f, h, err = s.raw.unpack(f, h, name)
	}
	if err != nil {
		plain.Close()
		return nil, h, false, err
	}
	return f, h, f != plain, nil
}

// keep returns what reads f, the segment's file with header h, whether or not it is open.
func (s *segmentFiles) keep(f vfs.File, n segmentName, h format.SegmentHeader) vfs.File {
	files := *s
	return s.open.Add(f, func() (vfs.File, error) { return files.again(n, h) })
}

// again opens a segment's file once more. If another process has replaced it meanwhile, the
// generation that is there now serves as well: it holds the same bytes at the same offsets.
func (s *segmentFiles) again(n segmentName, h format.SegmentHeader) (vfs.File, error) {
	f, got, _, err := s.read(n)
	if errors.Is(err, fs.ErrNotExist) {
		f, got, err = s.other(n)
	}
	got.Generation = h.Generation
	if err == nil && got != h {
		f.Close()
		err = format.ErrSegmentFields
	}
	if err == nil {
		return f, nil
	}
	if isHeaderDamage(err) {
		name := vfs.Join(s.dir, format.SegmentFileName(n.number, n.generation))
		err = &engine.CorruptError{
			File:      name,
			Segment:   n.number,
			FirstLost: h.Base,
			NextGood:  engine.NoPosition,
			Reason:    err.Error(),
		}
	}
	return nil, err
}

// other opens the newest generation of a segment.
func (s *segmentFiles) other(n segmentName) (f vfs.File, h format.SegmentHeader, err error) {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return nil, h, err
	}
	err = fs.ErrNotExist
	for _, name := range names {
		number, generation, ok := format.ParseSegmentFileName(name)
		if ok && number == n.number && (f == nil || generation > n.generation) {
			n.generation = generation
			if f != nil {
				f.Close()
			}
			f, h, _, err = s.read(n)
		}
	}
	return f, h, err
}

// readSegmentHeader reads the header of an open file.
func readSegmentHeader(f vfs.File, name string) (format.SegmentHeader, error) {
	page := make([]byte, format.SegmentHeaderSize)
	n, err := f.ReadAt(page, 0)
	if n < len(page) && err != nil && !errors.Is(err, io.EOF) {
		return format.SegmentHeader{}, fmt.Errorf("eventfold: read %s: %w", name, err)
	}
	return format.DecodeSegmentHeader(page[:n], name)
}
