package filestore

import (
	"context"
	"errors"

	"github.com/eventfold/eventfold/engine"
)

// compressTemp is the file that becomes the compressed generation of a segment.
const compressTemp = "compress.tmp"

// A compressor compresses the complete segments of a store, one after the other, the oldest first.
// It belongs to the indexer's goroutine, which calls compressNext when no index is wanted.
type compressor struct {
	s        *FileStore
	rewriter *rewriter
	refused  map[int64]bool // numbers of segments that are damaged, and left as they are
}

// compressNext compresses one segment and reports whether there may be more. After an error the old file is
// in place, and there is nothing left of the new one, or it is complete.
func (c *compressor) compressNext(ctx context.Context) (more bool, err error) {
	if err := c.rewriter.settle(ctx); err != nil {
		return !errors.Is(err, errSwapRefused), err
	}
	seg, size := c.choose()
	if seg == nil {
		return false, nil
	}
	r := &rewriting{temp: compressTemp, seg: seg, size: size, content: seg.file, packed: true}
	err = c.rewriter.rewrite(ctx, r)
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
		seg := segments[i]
		_, indexed := seg.fileIndex()
		if seg.sealed.Load() != nil && indexed && !seg.compressed && !c.refused[seg.number] {
			return seg, usefulSize(segments, i)
		}
	}
	return nil, 0
}
