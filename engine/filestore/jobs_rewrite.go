package filestore

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/eventfold/eventfold/engine"
	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/eventfold/eventfold/internal/sabotage"
)

// A rewriter writes complete segments anew, one after the other, each to a file that takes the place
// of the old one. It belongs to the indexer's goroutine. Compression and erasing use it.
type rewriter struct {
	s        *FileStore
	replaced []string // files that have been replaced and could not be removed yet
}

// A rewriting is one segment that is written anew, in its next generation.
type rewriting struct {
	temp    string // name of the file while it is written
	seg     *segment
	size    int64       // bytes of the segment that are of use, up to the end of its seal if it has one
	content io.ReaderAt // what is to be stored in place of them, read from its beginning to its end
	packed  bool        // it is stored compressed
	// same, if not nil, compares each frame of what was written with the one that was there
	same func(f *logFrame) error
}

// usefulSize returns how many bytes of complete segment i of a store are of use: the seal ends them,
// or the last frame if the segment has none because its end was superseded.
func usefulSize(segments []*segment, i int) int64 {
	end := segments[i].sealed.Load().end
	if segments[i+1].header.Supersedes() {
		return end
	}
	return format.SealAt(end) + format.MinFrameSize
}

// rewrite writes a segment anew. After an error the old file is in place, and there is nothing left
// of the new one, or it is complete.
func (w *rewriter) rewrite(ctx context.Context, r *rewriting) error {
	s := w.s
	h := r.seg.header
	h.Generation = r.seg.generation + 1
	if r.packed {
		h.Flags |= format.SegmentCompressed
		h.Incompatible |= format.FeatureCompressed
	}
	temp, name := vfs.Join(s.dir, r.temp), vfs.Join(s.dir, format.SegmentFileName(r.seg.number, h.Generation))
	err := w.write(ctx, temp, r, &h)
	if err == nil {
		err = w.check(ctx, temp, r)
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
	next, err := w.open(name)
	if err != nil {
		return err
	}
	next.file = s.log.files().keep(next.file, segmentName{next.number, next.generation}, next.header)
	save, err := s.swapSegment(ctx, r.seg, next)
	if err != nil {
		next.file.Close()
		s.fs.Remove(name)
		return err
	}
	w.replaced = append(w.replaced, r.seg.name)
	return w.removeReplaced(save)
}

// settle removes what was replaced and could not be removed then. It must be called before anything
// else is written.
func (w *rewriter) settle(ctx context.Context) error {
	if len(w.replaced) == 0 {
		return nil
	}
	save, err := w.s.swapSegment(ctx, nil, nil)
	if err == nil {
		err = w.removeReplaced(save)
	}
	return err
}

// removeReplaced removes the files of segments that were replaced, once MANIFEST names the new
// ones. What fails is tried again; if the process ends before, the next one to write removes them.
func (w *rewriter) removeReplaced(save func() error) error {
	if err := save(); err != nil {
		return writeError("write MANIFEST", err)
	}
	if sabotage.On(sabotage.EraseKeepsOldGeneration) {
		w.replaced = nil
	}
	for len(w.replaced) > 0 {
		if err := w.s.fs.Remove(w.replaced[0]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return wrap("remove "+w.replaced[0], err)
		}
		w.replaced = w.replaced[1:]
	}
	return nil
}

// write writes the next generation of a segment, durably.
func (w *rewriter) write(ctx context.Context, temp string, r *rewriting, h *format.SegmentHeader) error {
	write := writePlain
	if r.packed {
		p, err := newPacker()
		if err != nil {
			return err
		}
		write = p.pack
	}
	f, err := vfs.CreateEmpty(w.s.fs, temp)
	if err != nil {
		return writeError("create "+temp, err)
	}
	err = write(ctx, f, r, h)
	if errClose := f.Close(); err == nil {
		err = writeError("close "+temp, errClose)
	}
	return err
}

// writePlain writes a segment that is not compressed to f, under the header h, and makes f durable.
func writePlain(ctx context.Context, f vfs.File, r *rewriting, h *format.SegmentHeader) error {
	b := make([]byte, 256<<10)
	for off := int64(format.SegmentHeaderSize); off < r.size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := b[:min(int64(len(b)), r.size-off)]
		if err := r.read(part, off); err != nil {
			return err
		}
		if err := vfs.WriteFull(f, part, off); err != nil {
			return writeError("write "+r.seg.name+" anew", err)
		}
		off += int64(len(part))
	}
	err := vfs.WriteFull(f, h.Encode(), 0)
	if err == nil {
		err = f.Fsync()
	}
	return writeError("write "+r.seg.name+" anew", err)
}

// read fills b with the content from off on.
func (r *rewriting) read(b []byte, off int64) error {
	if n, err := r.content.ReadAt(b, off); n < len(b) {
		return wrap("read "+r.seg.name, errors.Join(errSegmentShort, vfs.IgnoreEOF(err)))
	}
	return nil
}

// open opens a generation of a segment that was written.
func (w *rewriter) open(name string) (*segment, error) {
	f, h, compressed, err := w.s.log.files().readFile(name)
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
func (w *rewriter) check(ctx context.Context, temp string, r *rewriting) error {
	seg, err := w.open(temp)
	if err != nil {
		return err
	}
	defer seg.file.Close()
	s, err := newLogScanner(seg, startOf(&seg.header, 0))
	if err != nil {
		return err
	}
	sealed := r.seg.sealed.Load()
	for s.end.offset < sealed.end {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := s.next()
		if err != nil {
			return wrap("read "+temp, err)
		}
		if f == nil {
			return r.damage(s.end, s.why, nextGood(seg, s.end))
		}
		if r.same != nil {
			if err := r.same(f); err != nil {
				return err
			}
		}
	}
	whole := r.size == sealed.end // without a seal
	if !whole {
		if whole, err = isSealed(seg, s.end); err != nil {
			return err
		}
	}
	if s.end.offset != sealed.end || s.end.chain != sealed.lastChain || !whole {
		return r.damage(s.end, errOtherEnd, engine.NoPosition)
	}
	return nil
}

var errOtherEnd = errors.New("the segment does not end as it did when it was read")

// damage returns the error for damage of the segment at a place.
func (r *rewriting) damage(at logEnd, why error, next engine.Position) error {
	if why == nil {
		why = format.ErrFramePrevious
	}
	return &engine.CorruptError{
		File:      r.seg.name,
		Segment:   r.seg.number,
		Offset:    at.offset,
		FirstLost: at.next,
		NextGood:  next,
		Reason:    why.Error(),
	}
}
