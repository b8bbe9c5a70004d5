package filestore

import (
	"context"
	"errors"
	"io/fs"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
)

// compressTemp is the file that becomes the compressed generation of a segment.
const compressTemp = "compress.tmp"

// A compressor compresses the complete segments of a store, one after the other, the oldest first.
// It belongs to the indexer's goroutine, which calls compressNext when no index is wanted.
type compressor struct {
	s        *FileStore
	refused  map[int64]bool // numbers of segments that are damaged, and left as they are
	replaced []string       // files that have been replaced and could not be removed yet
}

// compressNext compresses one segment and reports whether there may be more. After an error the old file is
// in place, and there is nothing left of the new one, or it is complete.
func (c *compressor) compressNext(ctx context.Context) (more bool, err error) {
	if len(c.replaced) > 0 {
		save, err := c.s.swapSegment(ctx, nil, nil)
		if err == nil {
			err = c.removeReplaced(save)
		}
		if err != nil {
			return !errors.Is(err, errSwapRefused), err
		}
	}
	seg, size := c.choose()
	if seg == nil {
		return false, nil
	}
	err = c.compress(ctx, seg, size)
	var corrupt *engine.CorruptError
	if errors.As(err, &corrupt) {
		c.refused[seg.number] = true // reading and Verify report it
		return true, nil
	}
	return !errors.Is(err, errSwapRefused), err
}

// choose returns the oldest complete segment that is not compressed and has its index file, and how
// many bytes of its file are of use.
func (c *compressor) choose() (seg *segment, size int64) {
	if c.s.poisoned.Load() {
		return nil, 0
	}
	segments := c.s.view.Load().segments
	for i := range len(segments) - 1 {
		seg, sealed := segments[i], segments[i].sealed.Load()
		_, indexed := seg.fileIndex()
		switch {
		case sealed == nil || !indexed || seg.compressed || c.refused[seg.number]:
		case segments[i+1].header.Supersedes():
			return seg, sealed.end // it has no seal
		default:
			return seg, format.SealAt(sealed.end) + format.MinFrameSize
		}
	}
	return nil, 0
}

// compress stores a segment compressed.
func (c *compressor) compress(ctx context.Context, seg *segment, size int64) error {
	s := c.s
	h := seg.header
	h.Generation = seg.generation + 1
	h.Flags |= format.SegmentCompressed
	h.Incompatible |= format.FeatureCompressed
	temp, name := vfs.Join(s.dir, compressTemp), vfs.Join(s.dir, format.SegmentFileName(seg.number, h.Generation))
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
	if err = writeError("sync "+s.dir, s.fs.SyncDir(s.dir)); err != nil {
		return err // the next attempt writes it again
	}
	newer, err := c.open(name)
	if err != nil {
		return err
	}
	newer.file = c.s.log.files().keep(newer.file, segmentName{newer.number, newer.generation}, newer.header)
	save, err := s.swapSegment(ctx, seg, newer)
	if err != nil {
		newer.file.Close()
		s.fs.Remove(name)
		return err
	}
	c.replaced = append(c.replaced, seg.name)
	return c.removeReplaced(save)
}

// removeReplaced removes the files of segments that were replaced, once MANIFEST names the new
// ones. What fails is tried again; if the process ends before, the next one to write removes them.
func (c *compressor) removeReplaced(save func() error) error {
	if err := save(); err != nil {
		return writeError("write MANIFEST", err)
	}
	for len(c.replaced) > 0 {
		if err := c.s.fs.Remove(c.replaced[0]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return wrap("remove "+c.replaced[0], err)
		}
		c.replaced = c.replaced[1:]
	}
	return nil
}

// write writes the compressed generation of a segment, durably.
func (c *compressor) write(ctx context.Context, temp string, seg *segment, h *format.SegmentHeader, size int64) error {
	p, err := newPacker()
	if err != nil {
		return err
	}
	f, err := vfs.CreateEmpty(c.s.fs, temp)
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
	f, h, compressed, err := c.s.log.files().readFile(name)
	if err != nil {
		return nil, wrap("open "+name, err)
	}
	return &segment{
		number:     h.Number,
		generation: h.Generation,
		base:       h.Base,
		name:       name,
		file:       f,
		header:     h,
		compressed: compressed,
	}, nil
}

// check reads what was written as a reader will, all of it: the old file is about to be removed. A
// *CorruptError means that the segment is damaged, or was on its way.
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
			return &engine.CorruptError{
				File:      old.name,
				Segment:   old.number,
				Offset:    s.end.offset,
				FirstLost: s.end.next,
				NextGood:  nextGood(seg, s.end),
				Reason:    s.why.Error(),
			}
		}
	}
	whole := size == sealed.end // without a seal
	if !whole {
		if whole, err = isSealed(seg, s.end); err != nil {
			return err
		}
	}
	if s.end.offset != sealed.end || s.end.chain != sealed.lastChain || !whole {
		return &engine.CorruptError{File: old.name, Segment: old.number, Offset: s.end.offset, FirstLost: s.end.next,
			NextGood: engine.NoPosition, Reason: "the segment does not end as it did when it was read"}
	}
	return nil
}
