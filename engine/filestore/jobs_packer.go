package filestore

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/eventfold/eventfold/engine/filestore/internal/format"
	"github.com/eventfold/eventfold/engine/vfs"
	"github.com/klauspost/compress/zstd"
)

// A packer compresses one segment. It holds two blocks and the map in memory, and what the
// compression itself needs.
type packer struct {
	encoder *zstd.Encoder
	plain   []byte // a block before it is compressed
	packed  []byte
	entries []byte // the map
	end     int64  // of what has been written
}

func newPacker() (*packer, error) { return newPackerOf(format.PackedBlockSize) }

// newPackerOf returns a packer that makes blocks of a size.
func newPackerOf(block int) (*packer, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault),
		zstd.WithWindowSize(block), zstd.WithSingleSegment(true), zstd.WithEncoderCRC(false),
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("eventfold: compress: %w", err)
	}
	return &packer{encoder: encoder, plain: make([]byte, block)}, nil
}

// pack writes a segment to f, compressed, under the header h, and makes f durable.
func (p *packer) pack(ctx context.Context, f vfs.File, r *rewriting, h *format.SegmentHeader) error {
	defer p.encoder.Close()
	p.end = format.SegmentHeaderSize
	at := format.Place{Store: h.Store, Segment: h.Number, Offset: format.SegmentHeaderSize}
	for at.Offset < r.size {
		if err := ctx.Err(); err != nil {
			return err
		}
		plain := p.plain[:min(int64(len(p.plain)), r.size-at.Offset)]
		if err := r.read(plain, at.Offset); err != nil {
			return err
		}
		if err := p.block(f, plain, at); err != nil {
			return writeError("compress "+r.seg.name, err)
		}
		at.Offset += int64(len(plain))
	}
	return writeError("compress "+r.seg.name, p.finish(f, h, r.size))
}

// block writes one block. One that does not get smaller is stored as it is; its size tells.
func (p *packer) block(f vfs.File, plain []byte, at format.Place) error {
	p.packed = p.encoder.EncodeAll(plain, p.packed[:0])
	stored := p.packed
	if len(stored) >= len(plain) {
		stored = plain
	}
	if err := vfs.WriteFull(f, stored, p.end); err != nil {
		return err
	}
	p.entries = binary.LittleEndian.AppendUint32(p.entries, uint32(len(stored)))
	p.entries = binary.LittleEndian.AppendUint32(p.entries, format.PackedCRC(at, stored))
	p.end += int64(len(stored))
	return nil
}

// finish writes map and header.
func (p *packer) finish(f vfs.File, h *format.SegmentHeader, size int64) error {
	l := format.PackedLayout{
		Size:   size,
		Blocks: uint32(len(p.entries) / format.PackedEntry),
		MapCRC: format.CRC(p.entries),
		Block:  int64(len(p.plain)),
	}
	l.Maps[0] = format.AlignUp(p.end, format.PageSize)
	l.Maps[1] = format.AlignUp(l.Maps[0]+int64(len(p.entries)), format.PageSize)
	for _, at := range l.Maps {
		if err := vfs.WriteFull(f, p.entries, at); err != nil {
			return err
		}
	}
	page := h.Encode()
	l.Put(page)
	if err := vfs.WriteFull(f, page, 0); err != nil {
		return err
	}
	return f.Fsync()
}
