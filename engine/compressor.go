package engine

import (
	"context"
	"errors"
	"os"
)

// compressTemp is the file that becomes the compressed generation of a segment.
const compressTemp = "compress.tmp"

// A compressor compresses the complete segments of a store, one after the other, the oldest first. It belongs to the
// indexer's goroutine, which calls next when no index is wanted.
type compressor struct {
	s       *FileStore
	refused map[int64]bool // numbers of segments that are damaged, and left as they are
}

// next compresses one segment and reports whether there may be more. After an error the old file is in place, and there is nothing
// left of the new one, or it is complete.
func (c *compressor) next(ctx context.Context) (more bool, err error) {
	seg, size := c.choose()
	if seg == nil {
		return false, nil
	}
	err = c.compress(ctx, seg, size)
	var corrupt *CorruptError
	if errors.As(err, &corrupt) {
		c.refused[seg.number] = true // reading and Verify report it
		return true, nil
	}
	return !errors.Is(err, errSwapRefused), err
}

// choose returns the oldest complete segment that is not compressed and has its index file, and how many bytes of its file are of use.
func (c *compressor) choose() (seg *segment, size int64) {
	if c.s.poisoned.Load() {
		return nil, 0
	}
	segments := c.s.view.Load().segments
	for i := range len(segments) - 1 {
		seg, sealed := segments[i], segments[i].sealed.Load()
		_, indexed := seg.index.Load().segmentIndex.(*fileIndex)
		switch {
		case sealed == nil || !indexed || seg.isCompressed() || c.refused[seg.number]:
		case segments[i+1].header.supersedes():
			return seg, sealed.end // it has no seal
		default:
			return seg, sealAt(sealed.end) + minFrameSize
		}
	}
	return nil, 0
}

// compress stores a segment compressed.
func (c *compressor) compress(ctx context.Context, seg *segment, size int64) error {
	s := c.s
	h := seg.header
	h.generation = seg.generation + 1
	h.flags |= segmentCompressed
	h.incompatible |= featureCompressed
	temp, name := joinPath(s.dir, compressTemp), joinPath(s.dir, segmentFileName(seg.number, h.generation))
	err := c.write(ctx, temp, seg, &h, size)
	if err == nil {
		err = c.check(ctx, temp, seg, size)
	}
	if err == nil {
		err = writeError("rename "+temp, s.fs.Rename(temp, name))
	}
	if err != nil {
		s.fs.Remove(temp)
		return err
	}
	if err = writeError("sync "+s.dir, syncNames(s.fs, s.dir)); err != nil {
		return err // the next attempt writes it again
	}
	next, err := c.open(name)
	if err != nil {
		return err
	}
	used, err := s.replaceSegment(ctx, seg, next)
	if !used {
		next.file.Close()
		s.fs.Remove(name)
	}
	return err
}

// write writes the compressed generation of a segment, durably.
func (c *compressor) write(ctx context.Context, temp string, seg *segment, h *segmentHeader, size int64) error {
	p, err := newPacker()
	if err != nil {
		return err
	}
	f, err := createEmpty(c.s.fs, temp)
	if err != nil {
		return writeError("create "+temp, err)
	}
	err = p.pack(ctx, f, seg, h, size)
	if errClose := f.Close(); err == nil {
		err = writeError("close "+temp, errClose)
	}
	return err
}

// open opens a generation of a segment that was written.
func (c *compressor) open(name string) (*segment, error) {
	f, err := c.s.fs.Open(name, os.O_RDONLY)
	if err != nil {
		return nil, wrap("open "+name, err)
	}
	h, err := readSegmentHeader(f, name)
	if err == nil {
		f, h, err = c.s.plain.unpack(f, h, name)
	}
	if err != nil {
		f.Close()
		return nil, wrap("open "+name, err)
	}
	return &segment{number: h.number, generation: h.generation, base: h.base, name: name, file: f, header: h}, nil
}

// check reads what was written as a reader will, all of it: the old file is about to be removed. A *CorruptError means that the segment is damaged, or
// was on its way.
func (c *compressor) check(ctx context.Context, temp string, old *segment, size int64) error {
	seg, err := c.open(temp)
	if err != nil {
		return err
	}
	defer seg.file.Close()
	s, err := newLogScanner(seg, startOf(&seg.header, 0))
	if err != nil {
		return err
	}
	sealed := old.sealed.Load()
	for s.end.offset < sealed.end {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := s.next()
		if err != nil {
			return wrap("read "+temp, err)
		}
		if f == nil {
			return &CorruptError{File: old.name, Segment: old.number, Offset: s.end.offset, FirstLost: s.end.next,
				NextGood: nextGood(seg, s.end), Reason: s.why.Error()}
		}
	}
	if s.end.offset != sealed.end || s.end.chain != sealed.lastChain || size > sealed.end && !isSealed(seg, s.end) {
		return &CorruptError{File: old.name, Segment: old.number, Offset: s.end.offset, FirstLost: s.end.next,
			NextGood: NoPosition, Reason: "the segment does not end as it did when it was read"}
	}
	return nil
}
